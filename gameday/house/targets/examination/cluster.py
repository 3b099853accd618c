"""Whether the cluster that a document names can be reached, and is one that may be drilled on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from gameday.house.targets.examination.inquiry import Inquiry, Unmet
from gameday.house.targets.examination.look import CLUSTER, Look
from gameday.http.aside import aside
from gameday.model.cluster_act import ClusterAct
from gameday.model.placeholders import placeholders

if TYPE_CHECKING:
    # The client library takes a moment to load, and most systems need none.
    from gameday.drivers.kubernetes import Cluster

__all__ = ["act_can_be_done", "cluster"]


def cluster(look: Look) -> Iterator[Inquiry]:
    """Ask after the part ``kubernetes`` of a document."""
    at = look.system.spec.kubernetes
    if at is not None:
        yield Inquiry(CLUSTER, partial(_is_there, look, at.namespaces))


async def _is_there(look: Look, namespaces: tuple[str, ...]) -> str:
    found = await look.cluster()

    def ask() -> str:
        found.fences.check_namespaces(namespaces)
        version = found.version()
        for namespace in namespaces:
            if found.get("namespaces", namespace) is None:
                raise Unmet(
                    f"{found.context!r} has no namespace {namespace!r}",
                    "write the system's own under kubernetes.namespaces: `kubectl get namespaces`"
                    " lists them",
                )
        return f"{found.context} answers, {version}, with {', '.join(namespaces)}"

    return await aside(ask)


async def act_can_be_done(look: Look, act: ClusterAct, *, bars: bool) -> str:
    """Return what a change of an object is, where the object is there and it may be changed.

    Raises:
        Unmet: it is not there, or may not be.
        NotAsked: the API server does not answer.
        DriverError: it says no.
    """
    found = await look.answering_cluster()
    at = look.system.spec.kubernetes
    assert at is not None  # a document with such a change names its cluster
    namespace = "" if act.is_of_node else act.namespace or at.namespaces[0]
    return await aside(partial(_can_be_done, found, act, namespace, bars=bars))


def _can_be_done(cluster: Cluster, act: ClusterAct, namespace: str, *, bars: bool) -> str:
    from gameday.drivers.kubernetes.rights import may

    where = f"-n {namespace} " if namespace else ""
    if not placeholders(act.name) and cluster.get(act.resource, act.name, namespace) is None:
        raise Unmet(
            f"there is no {act.aim}{f' in {namespace!r}' if namespace else ''}",
            f"write one of `kubectl {where}get {act.resource}`",
            bars=bars,
        )
    needed = [("list", act.resource), ("get", act.resource), ("patch", act.resource)]
    if act.rollout_undo is not None:
        needed += [("list", "replicasets"), ("get", "replicasets")]
    lacking = [f"{verb} {of}" for verb, of in needed if not may(cluster, verb, of, namespace)]
    if lacking:
        raise Unmet(
            f"may not {', '.join(lacking)}{f' in {namespace!r}' if namespace else ''}",
            f"grant it in a {'Role' if namespace else 'ClusterRole'};"
            f" `kubectl {where}auth can-i {lacking[0]}` tells",
            bars=bars,
        )
    return str(act)
