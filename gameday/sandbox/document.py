"""The shop as a system's document, which says of it what a document can say of any system.

On this machine it is written beside the sandbox's state when that starts, and read from there; on a
cluster it lies beside the rules in force. It holds no secret and refers to none: a server of the
shop proves itself before it is told a token, so the token is found by the address
(`gameday.http.keys`) and not by the document. What a shop can do and no document can say (forget
its history, do what its responder asks for and undo it as a whole, tell its processes apart) is
`gameday.drivers.sandbox`'s, and on a cluster `gameday.drivers.kubernetes.target`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gameday import private
from gameday.diagnosis.conventions import DEFAULT
from gameday.diagnosis.queries import REGION
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor.layout import SERVICES
from gameday.sandbox.supervisor.monitoring import PAGES
from gameday.shop import SELECTOR

__all__ = ["code_in", "document_of", "document_on_cluster", "path_of", "text_of", "write"]

FILE_NAME = "sandbox.yaml"

HEAD = """\
# What gameday knows of the sandbox that is up, as of any system (docs/systems.md).
# `gameday sandbox up` writes it, `gameday sandbox down` takes it away.
"""

HEAD_ON_CLUSTER = """\
# What gameday knows of the shop in this namespace, as of any system (docs/systems.md).
# `gameday sandbox up --context` writes it, with the rules that it is true of.
"""


def path_of(found: SandboxState) -> Path:
    """Return where the document of a sandbox is."""
    return Path(found.folder) / FILE_NAME


def write(found: SandboxState) -> Path:
    """Write the document of a sandbox whole, and return its path."""
    path = path_of(found)
    draft = path.with_suffix(".draft")
    private.write_text(draft, text_of(document_of(found), head=HEAD))
    draft.replace(path)
    return path


def text_of(document: Mapping[str, Any], *, head: str) -> str:
    """Return a document as YAML, in its own order, with comments above it."""
    return head + yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def document_of(found: SandboxState) -> dict[str, Any]:
    """Return what a document says of a sandbox."""
    return _document(
        "sandbox",
        "The shop that comes along, on this machine",
        {
            "disposable": True,
            "timeScale": found.time_scale,
            "regions": {"label": REGION, "names": list(found.regions)},
            **_tools(
                prometheus={"url": found.prometheus_url},
                alertmanager={"url": found.alertmanager_url},
                store={"url": found.store_url},
                proxy={"url": found.proxy_url},
            ),
            "deploys": [{"grafana": {"url": found.store_url}}],
            "code": code_in(found.repository),
        },
    )


def document_on_cluster(
    namespace: str, *, time_scale: float, regions: Sequence[str], services: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a document says of the shop in a namespace, seen from inside its cluster.

    Where its code is, whoever has a copy of it adds (`code_in`).

    Args:
        services: its Services, ``NAMESPACE/NAME:PORT``, by name.
    """
    at = {name: {"service": service} for name, service in services.items()}
    return _document(
        "kubernetes",
        "The shop that comes along, on a cluster",
        {
            "disposable": time_scale != 1,
            "timeScale": time_scale,
            "regions": {"label": REGION, "names": list(regions)},
            "kubernetes": {"inCluster": True, "namespaces": [namespace]},
            **_tools(
                prometheus=at["prometheus"],
                alertmanager=at["alertmanager"],
                store=at["telemetry"],
                proxy=at["proxy"],
            ),
            "deploys": [{"kubernetes": {"labels": SELECTOR}}],
        },
    )


def code_in(repository: str) -> list[dict[str, str]]:
    """Return how a document says where the code of the shop's services is."""
    return [{"service": name, "repository": repository} for name in SERVICES]


def _document(name: str, title: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "gameday/v1",
        "kind": "System",
        "metadata": {"name": name, "title": title},
        "spec": dict(spec),
    }


def _tools(
    *,
    prometheus: Mapping[str, str],
    alertmanager: Mapping[str, str],
    store: Mapping[str, str],
    proxy: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "metrics": {"prometheus": dict(prometheus)},
        "alerts": {"rules": "gameday"},
        "pages": {"alertmanager": dict(alertmanager), "receiver": PAGES},
        "red": {"rate": DEFAULT.rate, "errors": DEFAULT.errors, "duration": DEFAULT.duration},
        "traces": {"jaeger": dict(store)},
        "profiles": {"pyroscope": dict(store)},
        "toxiproxy": dict(proxy),
    }
