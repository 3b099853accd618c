"""Processor and memory pressure, by pods of ours beside those of a service.

The pods are a Job's, which the cluster itself ends after its deadline, and have limits, so that the
pressure is as large as asked for and no larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, Touched, opened, opened_for_fault, touched
from gameday.chaos.declaration import (
    Activity,
    ActsOn,
    DeclaredFault,
    Hypothesis,
    Marked,
    Objects,
    Right,
)
from gameday.chaos.parameters import (
    COUNT,
    LABELS,
    NAMESPACE,
    OF_SYSTEM,
    ON_CLUSTER,
    TEXT,
    Parameter,
    whole,
)
from gameday.chaos.selection import pods_are_ready
from gameday.drivers.kubernetes import Cluster, marks, pods
from gameday.drivers.kubernetes.cluster import Object
from gameday.drivers.kubernetes.refusals import AlreadyThere
from gameday.errors import PermanentDriverError

__all__ = ["FAULT", "press", "pressure_is_on", "pressure_touches", "recover_pressure"]

BURN = """
import os, sys, time
workers, megabytes = int(sys.argv[1]), int(sys.argv[2])
held = bytearray(megabytes << 20)
for page in range(0, len(held), 4096):
    held[page] = 1
for _ in range(workers - 1):
    if os.fork() == 0:
        break
while workers:
    pass
while True:
    time.sleep(60)
"""
"""What our pods run: that many busy processes, and memory that is really touched."""


def press(
    namespace: str,
    beside: str,
    cpus: int | str = 1,
    memory_mib: int | str = 0,
    ttl_s: float | str | None = 300,
    image: str = "python:3.11-slim",
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Start a pod on every node where such pods run, which uses that much processor and memory."""
    busy, held = whole("cpus", cpus) or 0, whole("memory_mib", memory_mib) or 0
    ends_after = whole("ttl_s", ttl_s, least=1)
    if not busy and not held:
        raise ActivityFailed("give cpus or memory_mib: this would be no pressure")
    if ends_after is None:
        raise ActivityFailed("ttl_s is missing: pressure is never made without an end")
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        chosen = _chosen(cluster, namespace, beside)
        nodes = _nodes(chosen)
        touched(cluster, namespace, chosen, nodes=nodes).check(at_most)
        is_complete = False
        try:
            for index, node in enumerate(nodes):
                job = _job(f"{mark}-{index}", mark, node, busy, held, ends_after, image)
                _create(cluster, job, namespace, mark)
            is_complete = True
        finally:
            if not is_complete:
                _take_off(cluster, namespace, mark)
        return {"jobs": len(nodes), "nodes": list(nodes)}


def recover_pressure(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> list[str]:
    """End our pods; return the Jobs that were there. May be repeated."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return _take_off(cluster, namespace, mark)


def pressure_is_on(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether any pod of ours runs or is about to."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        labels = f"{marks.MARK}={marks.checked(mark)}"
        jobs = cluster.list("jobs", namespace, labels=labels)
        waiting = any(not _is_over(job) for job in jobs)
        return waiting or any(
            not pods.is_finished(p) for p in cluster.list("pods", namespace, labels=labels)
        )


def pressure_touches(
    namespace: str,
    beside: str,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> Touched:
    """Return the blast radius that `press` would have now: the pods beside which it would be."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        chosen = _chosen(cluster, namespace, beside)
        return touched(cluster, namespace, chosen, nodes=_nodes(chosen))


# --- how -----------------------------------------------------------------------------------------


def _take_off(cluster: Cluster, namespace: str, mark: str) -> list[str]:
    """Delete the Jobs of a mark, and their pods with them; return their names."""
    labels = f"{marks.MARK}={marks.checked(mark)}"
    jobs = [str(j["metadata"]["name"]) for j in cluster.list("jobs", namespace, labels=labels)]
    for name in jobs:
        cluster.delete("jobs", name, namespace, propagation="Background")
    for pod in cluster.list("pods", namespace, labels=labels):
        # Not left to the garbage collector, nor to the pod's own grace: the pressure ends now.
        cluster.delete(
            "pods",
            pod["metadata"]["name"],
            namespace,
            uid=str(pod["metadata"]["uid"]),
            grace_period_s=0,
        )
    return jobs


def _take_out(cluster: Cluster, mark: str, found: Sequence[Marked]) -> None:
    for namespace in {thing["metadata"]["namespace"] for _, thing in found}:
        _take_off(cluster, namespace, mark)


def _chosen(cluster: Cluster, namespace: str, beside: str) -> Sequence[Object]:
    chosen = [
        p
        for p in pods.select(cluster, namespace, selector=beside)
        if (p.get("spec") or {}).get("nodeName")
    ]
    if not chosen:
        raise ActivityFailed(
            f"no living pod in {namespace!r} has the labels {beside!r}; nothing was changed"
        )
    return chosen


def _nodes(chosen: Sequence[Object]) -> Sequence[str]:
    return sorted({str(p["spec"]["nodeName"]) for p in chosen})


def _is_over(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(
        c.get("type") in ("Complete", "Failed") and c.get("status") == "True" for c in conditions
    )


def _create(cluster: Cluster, job: Object, namespace: str, mark: str) -> None:
    try:
        cluster.create("jobs", job, namespace)
    except AlreadyThere as problem:
        found = cluster.get("jobs", job["metadata"]["name"], namespace)
        if found is None or marks.mark_of(found) != mark:
            raise PermanentDriverError(str(problem)) from problem


def _job(
    name: str, mark: str, node: str, cpus: int, memory_mib: int, ends_after_s: int, image: str
) -> Object:
    labels = OBJECTS.labels(mark, "jobs")
    # Beside what is held, an interpreter needs some memory of its own.
    limits = {"memory": f"{memory_mib + 64}Mi", "cpu": str(cpus) if cpus else "100m"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "activeDeadlineSeconds": ends_after_s,
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": OBJECTS.labels(mark, "pods")},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 0,
                    "automountServiceAccountToken": False,
                    # An affinity, not nodeName: the scheduler looks whether there is room.
                    "affinity": {"nodeAffinity": _only_on(node)},
                    "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [
                        {
                            "name": "pressure",
                            "image": image,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["python", "-c", BURN, str(cpus), str(memory_mib)],
                            "resources": {"limits": limits, "requests": {"cpu": "10m"}},
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "runAsNonRoot": True,
                                "runAsUser": 65534,
                            },
                        }
                    ],
                },
            },
        },
    }


def _only_on(node: str) -> Object:
    term = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [term]}]
        }
    }


OBJECTS = Objects("pressure", ("jobs", "pods"), _take_out)

FAULT = DeclaredFault(
    name="pressure",
    module="gameday.chaos.pressure",
    title="A noisy neighbour",
    description=(
        "Pods of ours on the nodes of a service keep processors busy and hold memory, within"
        " limits. The cluster itself ends them after their time to live."
    ),
    tags=("kubernetes", "cpu", "memory"),
    contributions={"performance": "high"},
    acts_on=ActsOn.CLUSTER,
    parameters=(
        NAMESPACE,
        Parameter("beside", LABELS, OF_SYSTEM, "of the pods whose nodes are meant"),
        Parameter("cpus", COUNT, 1, "kept busy on each node; 0: memory alone", unit="processes"),
        Parameter("memory_mib", COUNT, 0, "held on each node", unit="MiB"),
        Parameter("ttl_s", COUNT, 300, "then the cluster ends it by itself", unit="seconds"),
        Parameter("image", TEXT, "python:3.11-slim", "one with python that the nodes can pull"),
        *ON_CLUSTER,
    ),
    steady=Hypothesis(
        "The service can be reached",
        Activity(
            "its pods are ready",
            pods_are_ready,
            {"selector": "beside"},
            module="gameday.chaos.pods",
        ),
    ),
    inject=Activity("press beside the service", press),
    recover=Activity("recover the pressure", recover_pressure),
    is_present=Activity("the pressure is on", pressure_is_on),
    touches=pressure_touches,
    marks=OBJECTS,
    rights=(
        Right("pods", ("get", "list", "delete")),
        Right("jobs.batch", ("get", "list", "create", "delete")),
        Right("replicasets.apps", ("list",)),
        Right("statefulsets.apps", ("list",)),
    ),
    where=("beside {beside}", "in {namespace}"),
    undo="deletes its pods",
)
