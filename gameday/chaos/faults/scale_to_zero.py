"""A workload that asks for no pods any more, and then for as many as before."""

from __future__ import annotations

from typing import Any

from gameday.chaos.clusters import MARK, opened, opened_for_fault
from gameday.chaos.controllers import (
    KINDS,
    WORKLOAD,
    Restoring,
    check_free,
    place,
    reach,
    replicas,
    there,
    workload_is_untouched,
    workload_touches,
)
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Objects, Right
from gameday.chaos.parameters import NAMESPACE, ON_CLUSTER
from gameday.drivers.kubernetes import marks
from gameday.drivers.kubernetes.cluster import Object
from gameday.errors import PermanentDriverError

__all__ = ["FAULT", "recover_scale", "scale_to_zero", "workload_is_scaled_down"]

SCALE = "scale-to-zero"


def scale_to_zero(
    namespace: str,
    workload: str,
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Let a workload ask for no pods; return how many it asked for before."""
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        resource, name = place(workload)
        reach(cluster, namespace, workload).check(at_most)

        def make(found: Object) -> Object | None:
            check_free(found, mark, SCALE, f"{workload!r} in {namespace!r}")
            if _is_in_place(found, mark):
                return None  # this very request, sent again because its answer was lost
            before = replicas(found)
            if before == 0:
                raise PermanentDriverError(
                    f"{workload!r} in {namespace!r} asks for no pods already; nothing was changed"
                )
            labels = OBJECTS.labels(mark, resource, **{"replicas-before": str(before)})
            return {"metadata": {"labels": labels}, "spec": {"replicas": 0}}

        after = cluster.change(resource, name, namespace, make, manager=mark)
        return {"workload": workload, "replicas_before": _before(there(after, workload))}


def recover_scale(
    namespace: str,
    workload: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Let it ask for as many pods as before, if it still asks for none; return whether it did."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return WAY_BACK.restore(cluster, *place(workload), namespace, mark)


def workload_is_scaled_down(
    namespace: str,
    workload: str,
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether this fault's zero is still what the workload asks for."""
    return WAY_BACK.is_there(namespace, workload, mark, context, kubeconfig)


# --- how -----------------------------------------------------------------------------------------


def _is_in_place(found: Object, mark: str) -> bool:
    return (
        marks.mark_of(found) == mark
        and marks.label_of(found, "fault") == SCALE
        and replicas(found) == 0
    )


def _before(found: Object) -> int:
    return int(marks.label_of(found, "replicas-before") or 1)


WAY_BACK = Restoring(_is_in_place, lambda found: {"spec": {"replicas": _before(found)}})
OBJECTS = Objects(SCALE, tuple(KINDS.values()), WAY_BACK.restore_all)

FAULT = DeclaredFault(
    name="scale-to-zero",
    module="gameday.chaos.workloads",
    title="A service is scaled to zero",
    description=(
        "A Deployment or StatefulSet asks for no pods any more. Recovery asks for as many as"
        " before, unless somebody has asked for another number meanwhile."
    ),
    tags=("kubernetes", "workload"),
    contributions={"availability": "high"},
    acts_on=ActsOn.CLUSTER,
    parameters=(NAMESPACE, WORKLOAD, *ON_CLUSTER),
    steady=Hypothesis(
        "The service is there",
        Activity("the workload is untouched", workload_is_untouched, {"ignore": "mark"}),
    ),
    inject=Activity("scale the workload to zero", scale_to_zero),
    recover=Activity("recover the scale", recover_scale),
    is_present=Activity("it is scaled to zero", workload_is_scaled_down),
    touches=workload_touches,
    marks=OBJECTS,
    rights=(
        Right("deployments.apps", ("get", "list", "patch")),
        Right("statefulsets.apps", ("get", "list", "patch")),
        Right("replicasets.apps", ("list",)),
        Right("pods", ("list",)),
    ),
    where=("{workload}", "in {namespace}"),
    undo="asks for as many pods as before, if the workload still asks for none",
)
