"""Workloads that a fault changes: Deployments and StatefulSets, and the way back.

A change is one patch, which writes the fault's mark and what was there before as well. Recovery
takes back the changed field alone, and only where it still holds what the fault wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gameday.chaos.clusters import MARK, Touched, opened, opened_for_fault, touched
from gameday.chaos.declaration import Marked
from gameday.chaos.parameters import OF_SYSTEM, TEXT, Parameter
from gameday.drivers.kubernetes import Cluster, marks, pods
from gameday.drivers.kubernetes.cluster import Object
from gameday.errors import PermanentDriverError, UsageError

__all__ = [
    "KINDS",
    "WORKLOAD",
    "Restoring",
    "check_free",
    "place",
    "reach",
    "replicas",
    "there",
    "workload_is_untouched",
    "workload_touches",
]

KINDS = {"deployment": "deployments", "statefulset": "statefulsets"}
WORKLOAD = Parameter("workload", TEXT, OF_SYSTEM, "deployment/NAME or statefulset/NAME")


class Restoring:
    """The way back of one fault on workloads.

    Args:
        is_in_place: whether a workload still holds what the fault of a mark wrote.
        before: the merge patch that puts back what was there before.
    """

    def __init__(
        self, is_in_place: Callable[[Object, str], bool], before: Callable[[Object], Object]
    ) -> None:
        self._is_in_place = is_in_place
        self._before = before

    def restore(
        self, cluster: Cluster, resource: str, name: str, namespace: str, mark: str
    ) -> bool:
        """Take back what the fault of this mark changed on a workload, and the mark itself.

        Returns:
            Whether it was still in place. May be repeated.
        """
        marks.checked(mark)
        was_ours = False

        def make(found: Object) -> Object | None:
            nonlocal was_ours
            if marks.mark_of(found) != mark:
                return None
            was_ours = self._is_in_place(found, mark)
            patch: Object = self._before(found) if was_ours else {}
            metadata = {"labels": marks.unlabelled(found)}
            ours = [k for k in found["metadata"].get("annotations") or {} if k == BEFORE]
            if ours:
                metadata["annotations"] = dict.fromkeys(ours)
            return {**patch, "metadata": metadata}

        cluster.change(resource, name, namespace, make)
        return was_ours

    def restore_all(self, cluster: Cluster, mark: str, found: Sequence[Marked]) -> None:
        """Take back all that was found of a mark."""
        for resource, thing in found:
            meta = thing["metadata"]
            self.restore(cluster, resource, meta["name"], meta["namespace"], mark)

    def is_there(
        self,
        namespace: str,
        workload: str,
        mark: str,
        context: str | None,
        kubeconfig: str | None,
    ) -> bool:
        """Return whether what this fault wrote is still what the workload asks for."""
        with opened(context, kubeconfig, is_fenced=False) as cluster:
            resource, name = place(workload)
            found = cluster.get(resource, name, namespace)
            return found is not None and self._is_in_place(found, mark)


BEFORE = "gameday.dev/before"
"""Annotation that holds what a fault replaced, where no label could."""


def check_free(found: Object, mark: str, fault: str, what: str) -> None:
    """Return where a workload bears no other fault's mark.

    Raises:
        PermanentDriverError: it bears one; two faults on one object could not be told apart.
    """
    marks.check_free(found, mark, what)
    other = marks.label_of(found, "fault")
    if marks.mark_of(found) and other != fault:
        raise PermanentDriverError(
            f"{what} bears the mark {mark!r} of the fault {other!r} already: recover that one"
            " first, or give this one another mark"
        )


def place(workload: str) -> tuple[str, str]:
    """Return the resource and the name of ``deployment/NAME``."""
    kind, _slash, name = workload.partition("/")
    if kind.lower() not in KINDS or not name:
        raise UsageError(f"{workload!r} is no workload: write deployment/NAME or statefulset/NAME")
    return KINDS[kind.lower()], name


def there(found: Object | None, workload: str) -> Object:
    """Return a workload that is there."""
    if found is None:
        raise PermanentDriverError(f"there is no {workload!r}; nothing was changed")
    return found


def replicas(found: Object) -> int:
    """Return how many pods a workload asks for."""
    asked = (found.get("spec") or {}).get("replicas")
    return 1 if asked is None else int(asked)


def reach(cluster: Cluster, namespace: str, workload: str) -> Touched:
    """Return the blast radius of a fault on all pods of a workload."""
    resource, name = place(workload)
    there(cluster.get(resource, name, namespace), workload)
    return touched(cluster, namespace, pods.select(cluster, namespace, owner=workload))


def workload_touches(
    namespace: str,
    workload: str,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> Touched:
    """Return the blast radius of a fault on a workload: all of its pods."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        return reach(cluster, namespace, workload)


def workload_is_untouched(
    namespace: str,
    workload: str,
    ignore: str = "",
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether the workload asks for pods and bears no fault's mark.

    Args:
        ignore: a mark that does not count, nor what its fault did.
    """
    with opened(context, kubeconfig) as cluster:
        cluster.fences.check_namespaces([namespace])
        resource, name = place(workload)
        found = there(cluster.get(resource, name, namespace), workload)
        if ignore and marks.mark_of(found) == ignore:
            return True
        return not marks.mark_of(found) and replicas(found) > 0
