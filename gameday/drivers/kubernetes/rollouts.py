"""What Deployments run: their variables, whether a rollout is through, what ran before."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from gameday.drivers.kubernetes.cluster import Cluster, Object
from gameday.errors import TemporaryDriverError

REVISION = "deployment.kubernetes.io/revision"
RELEASE = "SHOP_REVISION"
LOOK_EVERY = timedelta(milliseconds=400)


def variables(deployment: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the environment of a Deployment's first container; values from elsewhere left out."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {
        e["name"]: e.get("value", "") for e in container.get("env") or () if "valueFrom" not in e
    }


def release(workload: Mapping[str, Any]) -> str:
    """Return which version a Deployment or ReplicaSet runs; empty where nothing tells.

    What it is given as `RELEASE`; else the tag of its first container's image, or the beginning of
    its digest.
    """
    if said := variables(workload).get(RELEASE):
        return said
    container = workload["spec"]["template"]["spec"]["containers"][0]
    name, _, digest = str(container.get("image", "")).partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag or digest.removeprefix("sha256:")[:12]


def with_variables(deployment: Mapping[str, Any], values: Mapping[str, str]) -> Object:
    """Return the merge patch that gives the first container these variables; others stay."""
    containers = copy.deepcopy(deployment["spec"]["template"]["spec"]["containers"])
    kept = [e for e in containers[0].get("env") or () if e["name"] not in values]
    containers[0]["env"] = kept + [{"name": n, "value": v} for n, v in values.items()]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def is_through(deployment: Mapping[str, Any]) -> bool:
    """Return whether every pod that is wanted runs the present version and is ready."""
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
    )


def available(deployment: Mapping[str, Any]) -> int:
    """Return how many of a Deployment's pods are ready."""
    return int((deployment.get("status") or {}).get("availableReplicas") or 0)


def readiness(deployment: Mapping[str, Any]) -> str:
    """Return how far it is, for people: ``checkout (2 of 3)``."""
    wanted = deployment["spec"].get("replicas", 1)
    return f"{deployment['metadata']['name']} ({available(deployment)} of {wanted})"


def until_through(
    cluster: Cluster,
    namespace: str,
    names: Iterable[str],
    *,
    within: timedelta,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when these Deployments are rolled out.

    Raises:
        TemporaryDriverError: they are not in time; names those that lag.
    """
    deadline = monotonic() + within.total_seconds()
    wanted = set(names)
    while True:
        found = cluster.list("deployments", namespace)
        lagging = [d for d in found if d["metadata"]["name"] in wanted and not is_through(d)]
        if not lagging:
            return
        if monotonic() > deadline:
            raise TemporaryDriverError(
                f"not rolled out in {namespace} after {within.total_seconds():.0f} s:"
                f" {', '.join(readiness(d) for d in lagging)};"
                f" `kubectl -n {namespace} get pods` shows more"
            )
        sleep(LOOK_EVERY.total_seconds())


def owned(replica_sets: Sequence[Object], deployment: Mapping[str, Any]) -> Sequence[Object]:
    """Return the ReplicaSets of a Deployment, the oldest revision first."""
    uid = deployment["metadata"]["uid"]
    mine = [
        one
        for one in replica_sets
        if any(o.get("uid") == uid for o in one["metadata"].get("ownerReferences") or ())
    ]
    return sorted(mine, key=revision)


def revision(replica_set: Mapping[str, Any]) -> int:
    """Return the number of the revision a ReplicaSet stands for; 0 where it bears none."""
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def version(thing: Mapping[str, Any]) -> tuple[str, str]:
    """Return what tells one version of the code from another: image, and release in it."""
    container = thing["spec"]["template"]["spec"]["containers"][0]
    return str(container.get("image", "")), variables(thing).get(RELEASE, "")


def version_before(history: Sequence[Object], deployment: Mapping[str, Any]) -> Object | None:
    """Return the newest ReplicaSet that ran another version than is live; None: there is none.

    Not simply the one before, which may differ by a setting alone: who rolls a version back does
    not mean to take back a failover.
    """
    live = version(deployment)
    return next((one for one in reversed(history) if version(one) != live), None)


def to_template_of(replica_set: Mapping[str, Any]) -> Object:
    """Return the merge patch that makes a ReplicaSet's template live, as `rollout undo` does."""
    spec = copy.deepcopy(replica_set["spec"]["template"]["spec"])
    return {"spec": {"template": {"spec": {"containers": spec["containers"]}}}}
