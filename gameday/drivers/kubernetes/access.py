"""Which cluster, by which credentials: a context of a kubeconfig, or the cluster around us."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from gameday.drivers.kubernetes.cluster import PATIENCE, Cluster
from gameday.drivers.kubernetes.fences import Fences
from gameday.drivers.kubernetes.transport import NetworkTransport
from gameday.errors import PermanentDriverError
from gameday.extras import Extra, require
from gameday.settings import Settings

IN_CLUSTER = "in-cluster"
"""Stands for the context where gameday runs in a pod and is given no kubeconfig."""

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

POOL = 112
"""Connections kept open: for as many evictions as a drain has under way, and its watches."""


def connect(
    context: str | None = None,
    *,
    kubeconfig: str | None = None,
    environment: Mapping[str, str] | None = None,
    is_fenced: bool = True,
    patience: timedelta = PATIENCE,
) -> Cluster:
    """Return a cluster, without asking it anything yet.

    Args:
        context: of the kubeconfig; else that of the settings; else the current one, if the
            settings allow it. ``in-cluster`` is the cluster this pod runs in.
        kubeconfig: a path, or several as kubectl joins them; else the environment's
            ``KUBECONFIG``, else ``~/.kube/config``.
        is_fenced: whether the settings must allow a context that is said; False for taking
            something back, and where nothing but reading is done.
        patience: how long an answer is waited for.

    Raises:
        NotInstalled: the client library is not.
        FenceError: the settings do not allow this context.
        PermanentDriverError: there is no such kubeconfig or context, or its credentials are not
            usable.
    """
    require(Extra.KUBERNETES)
    env = os.environ if environment is None else environment
    settings = Settings.from_environment(env)
    context = context or settings.kube.context or None
    files = kubeconfig or env.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    is_inside = bool(env.get("KUBERNETES_SERVICE_HOST"))
    there = [f for f in files.split(os.pathsep) if f and Path(f).expanduser().is_file()]
    own = _own_namespace() if is_inside else ""
    fences = Fences.of(settings.kube, own=own)
    if context == IN_CLUSTER or (not there and is_inside and context is None):
        if is_fenced:
            fences.check_context(IN_CLUSTER)
        return Cluster(
            NetworkTransport(_client(_load_inside, "the service account")),
            context=IN_CLUSTER,
            fences=fences,
            timeout=patience,
            patience=patience,
        )
    if not there:
        raise PermanentDriverError(
            f"there is no kubeconfig at {files}: set KUBECONFIG, or give kubeconfig"
        )
    joined = os.pathsep.join(str(Path(f).expanduser()) for f in there)
    name = _context(joined, context)
    if is_fenced or context is None:
        fences.check_context(name)
    return Cluster(
        NetworkTransport(client_of(joined, name)),
        context=name,
        fences=fences,
        timeout=patience,
        patience=patience,
    )


def contexts(kubeconfig: str | None = None) -> tuple[tuple[str, ...], str]:
    """Return the contexts of a kubeconfig and the current one; both empty where there is none.

    Args:
        kubeconfig: as `connect` has it.

    Raises:
        NotInstalled: the client library is not.
        PermanentDriverError: it cannot be read.
    """
    files = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    there = [f for f in files.split(os.pathsep) if f and Path(f).expanduser().is_file()]
    if not there:
        return (), ""
    require(Extra.KUBERNETES)
    names, current = _listed(os.pathsep.join(str(Path(f).expanduser()) for f in there))
    return tuple(names), current or ""


def client_of(files: str, context: str) -> Any:
    """Return the client library's ``ApiClient`` for one context of a kubeconfig.

    Raises:
        PermanentDriverError: its credentials are not usable.
    """
    return _client(lambda settings: _load(files, context, settings), f"the context {context!r}")


def _context(files: str, wanted: str | None) -> str:
    """Return the name of the wanted context, or of the current one."""
    names, current = _listed(files)
    if wanted is None:
        if not current:
            raise PermanentDriverError(
                f"the kubeconfig {files} has no current context: say which of {', '.join(names)}"
            )
        return current
    if wanted not in names:
        from gameday.names import did_you_mean

        hint = did_you_mean(wanted, names, what="contexts")
        raise PermanentDriverError(f"{files} has no context {wanted!r} ({hint})")
    return wanted


def _listed(files: str) -> tuple[list[str], str | None]:
    """Return the names of the contexts, and that of the current one."""
    import yaml
    from kubernetes.config import ConfigException, list_kube_config_contexts

    try:
        found, current = list_kube_config_contexts(config_file=files)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError) as problem:
        raise PermanentDriverError(f"the kubeconfig {files} cannot be read: {problem}") from problem
    return [str(c["name"]) for c in found], str(current["name"]) if current else None


def _load(files: str, context: str, settings: Any) -> None:
    from kubernetes.config import load_kube_config

    # Never into the process-wide default: two contexts at once would overwrite each other.
    load_kube_config(
        config_file=files, context=context, client_configuration=settings, persist_config=False
    )


def _load_inside(settings: Any) -> None:
    from kubernetes.config import load_incluster_config

    load_incluster_config(client_configuration=settings)


def _client(load: Callable[[Any], None], what: str) -> Any:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException

    settings = Configuration()
    try:
        load(settings)
    except (ConfigException, OSError, ValueError, TypeError) as problem:
        raise PermanentDriverError(f"{what} cannot be used: {problem}") from problem
    settings.connection_pool_maxsize = POOL
    return ApiClient(configuration=settings)


def _own_namespace() -> str:
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
