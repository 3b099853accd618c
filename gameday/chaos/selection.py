"""Pods that a fault means: chosen by their labels, and whether they are well."""

from __future__ import annotations

from collections.abc import Sequence

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, Touched, opened, opened_for_fault, touched
from gameday.chaos.parameters import whole
from gameday.drivers.kubernetes import Cluster, pods
from gameday.drivers.kubernetes.cluster import Object

__all__ = ["chosen", "chosen_touches", "labels_of", "pods_are_ready", "pods_can_be_reached"]


def chosen(cluster: Cluster, namespace: str, selector: str) -> Sequence[Object]:
    """Return the living pods that have these labels; ``*`` means all of the namespace.

    Raises:
        ActivityFailed: there are none, or nothing was said.
    """
    if not selector:
        raise ActivityFailed("say which pods are meant: give a selector; '*' means all of them")
    found = pods.select(cluster, namespace, selector=labels_of(selector), name="*")
    if not found:
        raise ActivityFailed(
            f"no living pod in {namespace!r} has the labels {selector!r}; nothing was changed"
        )
    return found


def labels_of(selector: str) -> str:
    """Return a selector as the API server takes it: ``*`` selects everything."""
    return "" if selector == "*" else selector


def pods_can_be_reached(
    namespace: str, selector: str, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether there are such pods and all of them are ready."""
    with opened(context, kubeconfig) as cluster:
        cluster.fences.check_namespaces([namespace])
        return all(pods.is_ready(p) for p in chosen(cluster, namespace, selector))


def pods_are_ready(
    namespace: str,
    selector: str = "",
    name: str = "",
    owner: str = "",
    at_least: int | str = 1,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether these pods are all ready, and as many as what controls them asks for."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        living = pods.select(cluster, namespace, selector=selector, name=name, owner=owner)
        wanted = whole("at_least", at_least) or 0
        if not name:
            wanted = max(wanted, _asked_for(cluster, namespace, living, owner))
        return len(living) >= wanted and all(pods.is_ready(p) for p in living)


def chosen_touches(
    namespace: str,
    selector: str,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> Touched:
    """Return the blast radius of a fault on all of these pods."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        return touched(cluster, namespace, chosen(cluster, namespace, selector))


def _asked_for(cluster: Cluster, namespace: str, living: Sequence[Object], owner: str) -> int:
    """Return how many pods are asked for by what controls these, and by their owner."""
    controllers = {c for p in living if (c := pods.controller(p))}
    asked = 0
    for kind, resource in (("ReplicaSet", "replicasets"), ("StatefulSet", "statefulsets")):
        names = {name for of, name in controllers if of == kind}
        if names:
            asked += sum(
                int((found.get("spec") or {}).get("replicas") or 0)
                for found in cluster.list(resource, namespace)
                if found["metadata"]["name"] in names
            )
    kind, _slash, owner_name = owner.lower().partition("/")
    if kind in ("deployment", "statefulset"):  # also where not one pod of it is left
        workload = cluster.get(f"{kind}s", owner_name, namespace) or {}
        asked = max(asked, int((workload.get("spec") or {}).get("replicas") or 0))
    return asked
