"""What bears a run's mark is found without a store, and taken out by the mark alone.

Which objects may bear one, and what takes them out, each fault declares (`DeclaredFault.marks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import opened
from gameday.chaos.declaration import Activity, DeclaredFault, Marked, Objects, Records
from gameday.chaos.registry import known
from gameday.drivers.kubernetes import Cluster, marks
from gameday.drivers.kubernetes.refusals import Forbidden

__all__ = [
    "find_records",
    "find_strays",
    "is_astray",
    "is_recorded",
    "recover_record",
    "recover_stray",
]


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
    """Take back everything that bears this mark; return what did. May be repeated.

    Raises:
        ActivityFailed: something bears it that no fault here declares; all else was taken out.
    """
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        label = f"{marks.MARK}={marks.checked(mark)}"
        by_fault: dict[str, list[Marked]] = {}
        for resource, thing in _marked(cluster, label):
            by_fault.setdefault(marks.label_of(thing, "fault"), []).append((resource, thing))
        strange: list[str] = []
        for name, found in by_fault.items():
            fault = known().marking(name)
            if fault is not None and isinstance(fault.marks, Objects):
                fault.marks.take_out(cluster, mark, found)
            else:
                strange += [f"{_title(*one)} (of the fault {name!r})" for one in found]
        if strange:
            raise ActivityFailed(
                f"{', '.join(strange)} bears the mark {mark!r}, and this gameday knows no such"
                f" fault: use the one that played it, or mend it by hand and remove the labels"
                f" {marks.MARK} and {marks.FAULT}"
            )
        return [_title(*one) for found in by_fault.values() for one in found]


def find_records(prefix: str = "", control_url: str | None = None) -> dict[str, list[str]]:
    """Return every mark on the sandbox that begins so, with what it stands for."""
    found: dict[str, list[str]] = {}
    for _, mark, things in _recorded(prefix, control_url):
        found.setdefault(mark, []).extend(things)
    return found


def is_recorded(mark: str, control_url: str | None = None) -> bool:
    """Return whether anything on the sandbox still bears this mark."""
    return mark in find_records(mark, control_url)


def recover_record(mark: str, control_url: str | None = None) -> list[str]:
    """Take back everything on the sandbox that bears this mark; return what did."""
    done: list[str] = []
    for fault, found, things in list(_recorded(mark, control_url)):
        if found == mark and isinstance(fault.recover, Activity):
            given = {fault.mark: mark, "control_url": control_url}
            takes = fault.recover.arguments(fault.parameters)
            fault.recover.does(**{a: given[p] for a, p in takes.items() if p in given})
            done += things
    return done


def _recorded(
    prefix: str, control_url: str | None
) -> Iterator[tuple[DeclaredFault, str, Sequence[str]]]:
    for fault in known():
        if isinstance(fault.marks, Records):
            for mark, things in fault.marks.find(prefix, control_url=control_url).items():
                yield fault, mark, things


def _marked(cluster: Cluster, label: str) -> Iterator[Marked]:
    for resource in known().resources:
        if not cluster.offers(resource):
            continue
        try:
            yield from ((resource, thing) for thing in cluster.list(resource, labels=label))
        except Forbidden:
            if cluster.resource(resource).is_namespaced:
                yield from _in_namespaces(cluster, resource, label)


def _in_namespaces(cluster: Cluster, resource: str, label: str) -> Sequence[Marked]:
    found: list[Marked] = []
    for namespace in cluster.fences.namespaces:
        if any(sign in namespace for sign in "*?["):
            continue
        try:
            things = cluster.list(resource, namespace, labels=label)
        except Forbidden:
            continue
        found += [(resource, thing) for thing in things]
    return found


def _title(resource: str, thing: dict[str, Any]) -> str:
    namespace = thing["metadata"].get("namespace")
    where = f"{namespace}/" if namespace else ""
    return f"{resource} {where}{thing['metadata']['name']}"
