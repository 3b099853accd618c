"""Pods that die. What controls them starts new ones; there is nothing to recover."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, Touched, opened_for_fault, touched
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Nothing, Right
from gameday.chaos.parameters import (
    COUNT,
    LABELS,
    NAMESPACE,
    OF_SYSTEM,
    ON_CLUSTER,
    PERCENT,
    TEXT,
    Parameter,
    limit,
    whole,
)
from gameday.chaos.selection import pods_are_ready
from gameday.drivers.kubernetes import Cluster, pods
from gameday.drivers.kubernetes.cluster import Object

__all__ = ["FAULT", "kill_pods", "kill_touches"]


def kill_pods(
    namespace: str,
    selector: str = "",
    name: str = "",
    owner: str = "",
    count: int | str = 1,
    percent: float | str = "",
    grace_period_s: int | str | None = None,
    seed: int | str = 0,
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Delete living pods of a namespace; return which, and where they ran."""
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        victims = _victims(cluster, namespace, selector, name, owner, count, percent, seed)
        touched(cluster, namespace, victims).check(at_most)
        grace = whole("grace_period_s", grace_period_s)

        def kill(pod: Object) -> bool:
            meta = pod["metadata"]
            # By uid: a StatefulSet gives the name to a new pod, which is not meant.
            return cluster.delete(
                "pods", meta["name"], namespace, uid=meta["uid"], grace_period_s=grace
            )

        with ThreadPoolExecutor(16) as pool:
            killed = list(pool.map(kill, victims))
        return {
            "pods": [
                {"name": p["metadata"]["name"], "node": (p.get("spec") or {}).get("nodeName")}
                for p in victims
            ],
            "gone_before": [
                p["metadata"]["name"] for p, by_us in zip(victims, killed, strict=True) if not by_us
            ],
        }


def kill_touches(
    namespace: str,
    selector: str = "",
    name: str = "",
    owner: str = "",
    count: int | str = 1,
    percent: float | str = "",
    seed: int | str = 0,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> Touched:
    """Return the blast radius that `kill_pods` would have now."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        victims = _victims(cluster, namespace, selector, name, owner, count, percent, seed)
        return touched(cluster, namespace, victims)


def _victims(
    cluster: Cluster,
    namespace: str,
    selector: str,
    name: str,
    owner: str,
    count: int | str,
    percent: float | str,
    seed: int | str,
) -> Sequence[Object]:
    fitting = pods.select(cluster, namespace, selector=selector, name=name, owner=owner)
    if not fitting:
        wanted = " and ".join(
            f"{what} {value!r}"
            for what, value in (("selector", selector), ("name", name), ("owner", owner))
            if value
        )
        raise ActivityFailed(f"no living pod in {namespace!r} fits {wanted}; nothing was changed")
    if percent not in ("", None):
        share = str(percent).strip()
        share = share if share.endswith("%") else f"{share}%"
        wanted_count = max(1, limit(share, len(fitting)))
    else:
        wanted_count = whole("count", count, least=1) or 1
    if wanted_count > len(fitting):
        raise ActivityFailed(
            f"{wanted_count} pods were to be killed in {namespace!r}, and only {len(fitting)} fit;"
            " nothing was changed"
        )
    return random.Random(str(seed)).sample(list(fitting), wanted_count)


FAULT = DeclaredFault(
    name="kill-pod",
    module="gameday.chaos.pods",
    title="Pods die",
    description=(
        "Pods of a service in a Kubernetes namespace are deleted. Requests under way are lost where"
        " the pods do not end gracefully; what controls them starts new ones."
    ),
    tags=("kubernetes", "pod"),
    contributions={"availability": "high"},
    acts_on=ActsOn.CLUSTER,
    parameters=(
        NAMESPACE,
        Parameter("selector", LABELS, OF_SYSTEM, "of the pods; empty: by name or owner alone"),
        Parameter("name", TEXT, "", "of the pod, or a shell pattern"),
        Parameter("owner", TEXT, "", "deployment/NAME, statefulset/NAME …"),
        Parameter("count", COUNT, 1, "fewer there is an error", unit="pods"),
        Parameter("percent", PERCENT, "", "of those that fit, instead of a count; one at least"),
        Parameter(
            "grace_period_s", COUNT, 0, "then they are killed; null: the pods' own", unit="seconds"
        ),
        Parameter("seed", TEXT, 0, "which ones, where there are more"),
        *ON_CLUSTER,
    ),
    steady=Hypothesis("The service is ready", Activity("the pods are ready", pods_are_ready)),
    inject=Activity("kill the pods", kill_pods),
    settles=timedelta(seconds=10),
    recover=Nothing("what controls the pods starts new ones"),
    is_present=Nothing("a pod that was deleted leaves nothing behind"),
    touches=kill_touches,
    marks=Nothing("a pod that was deleted leaves nothing behind"),
    rights=(
        Right("pods", ("get", "list", "delete")),
        Right("replicasets.apps", ("list",)),
        Right("statefulsets.apps", ("list",)),
        Right("deployments.apps", ("get",)),
    ),
    where=("{selector}", "{name}", "{owner}", "in {namespace}"),
    undo="is nothing: what controls the pods starts new ones",
    elsewhere={ActsOn.SANDBOX: "kill-service kills a process there"},
)
