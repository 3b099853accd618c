"""Objects that are called as a fault's mark: no run's stands in another's way.

Deleting what has that name, and bears the mark, is all there is to recover.
"""

from __future__ import annotations

from collections.abc import Sequence

from gameday.chaos.declaration import Marked
from gameday.drivers.kubernetes import Cluster, marks
from gameday.drivers.kubernetes.cluster import Object
from gameday.drivers.kubernetes.refusals import AlreadyThere

__all__ = ["add", "ours", "take_out", "take_out_all"]


def add(cluster: Cluster, resource: str, body: Object, namespace: str, mark: str) -> None:
    """Create the object; it may be there already, from this very request sent before."""
    try:
        cluster.create(resource, body, namespace)
    except AlreadyThere:
        # Sent again because its answer was lost.
        if ours(cluster, resource, namespace, mark) is None:
            raise


def ours(cluster: Cluster, resource: str, namespace: str, mark: str) -> Object | None:
    """Return the object of a fault's name, if it bears the fault's mark."""
    found = cluster.get(resource, marks.checked(mark), namespace)
    return found if found is not None and marks.mark_of(found) == mark else None


def take_out(cluster: Cluster, resource: str, namespace: str, mark: str) -> bool:
    """Delete the object of a fault's name, if it bears the fault's mark; return whether it did."""
    found = ours(cluster, resource, namespace, mark)
    if found is None:
        return False
    return cluster.delete(
        resource, found["metadata"]["name"], namespace, uid=str(found["metadata"]["uid"])
    )


def take_out_all(cluster: Cluster, mark: str, found: Sequence[Marked]) -> None:
    """Delete all that was found of a mark."""
    for resource, thing in found:
        take_out(cluster, resource, thing["metadata"]["namespace"], mark)
