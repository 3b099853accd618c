"""What bears a run's mark is found without a store, and taken out by the mark alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gameday.chaos import networks, pressure, workloads
from gameday.chaos.clusters import opened
from gameday.drivers.kubernetes import Cluster, draining, marks
from gameday.drivers.kubernetes.cluster import Object
from gameday.drivers.kubernetes.refusals import Forbidden

__all__ = ["find_strays", "is_astray", "recover_stray"]

WORKLOADS = ("deployments", "statefulsets")
ADDED = (networks.POLICIES, networks.CHAOS)
RESOURCES = ("nodes", *WORKLOADS, *ADDED, "jobs", "pods")


def find_strays(
    prefix: str = "", context: str | None = None, kubeconfig: str | None = None
) -> dict[str, list[str]]:
    """Return every mark in the cluster that begins so, with the objects that bear it.

    Where the identity may not list a resource in the whole cluster, the namespaces that the
    settings allow by name are looked through; what it may not list at all it cannot have changed.
    """
    with opened(context, kubeconfig) as cluster:
        found: dict[str, list[str]] = {}
        for resource, thing in _marked(cluster, marks.MARK):
            mark = marks.mark_of(thing)
            if mark.startswith(prefix):
                found.setdefault(mark, []).append(_title(resource, thing))
        return found


def is_astray(mark: str, context: str | None = None, kubeconfig: str | None = None) -> bool:
    """Return whether anything in the cluster still bears this mark."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        label = f"{marks.MARK}={marks.checked(mark)}"
        return any(True for _ in _marked(cluster, label))


def recover_stray(
    mark: str, context: str | None = None, kubeconfig: str | None = None
) -> list[str]:
    """Take back everything that bears this mark; return what did. May be repeated."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        label = f"{marks.MARK}={marks.checked(mark)}"
        found = list(_marked(cluster, label))
        kinds = {resource for resource, _ in found}
        if "nodes" in kinds:
            draining.uncordon(cluster, mark)
        for resource, thing in found:
            name, namespace = thing["metadata"]["name"], thing["metadata"].get("namespace", "")
            if resource in WORKLOADS:
                workloads.restore(cluster, resource, name, namespace, mark)
            elif resource in ADDED:
                networks.take_out(cluster, resource, namespace, mark)
        for namespace in {
            thing["metadata"]["namespace"] for r, thing in found if r in ("jobs", "pods")
        }:
            pressure.take_off(cluster, namespace, mark)
        return [_title(resource, thing) for resource, thing in found]


def _marked(cluster: Cluster, label: str) -> Iterator[tuple[str, Object]]:
    for resource in RESOURCES:
        if resource == networks.CHAOS and not cluster.offers(resource):
            continue
        try:
            yield from ((resource, thing) for thing in cluster.list(resource, labels=label))
        except Forbidden:
            if resource != "nodes":
                yield from _in_namespaces(cluster, resource, label)


def _in_namespaces(cluster: Cluster, resource: str, label: str) -> Iterator[tuple[str, Object]]:
    for namespace in cluster.fences.namespaces:
        if any(sign in namespace for sign in "*?["):
            continue
        try:
            found = cluster.list(resource, namespace, labels=label)
        except Forbidden:
            continue
        yield from ((resource, thing) for thing in found)


def _title(resource: str, thing: dict[str, Any]) -> str:
    namespace = thing["metadata"].get("namespace")
    where = f"{namespace}/" if namespace else ""
    return f"{resource} {where}{thing['metadata']['name']}"
