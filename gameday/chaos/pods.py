"""Pods that die. What controls them starts new ones; there is nothing to recover."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, Touched, limit, opened, opened_for_fault, touched, whole
from gameday.drivers.kubernetes import Cluster, pods
from gameday.drivers.kubernetes.cluster import Object

__all__ = ["kill_pods", "kill_touches", "pods_are_ready"]


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
    """Delete living pods of a namespace; return which, and where they ran.

    Args:
        selector: labels the pods must have, as kubectl takes them.
        name: of the pod, or a shell pattern.
        owner: what controls them: ``deployment/checkout``, ``statefulset/db`` …
        count: how many; fewer there is an error.
        percent: a share of those that fit instead (``34%`` or 34), rounded down, at least one.
        grace_period_s: instead of the pods' own; 0 kills at once.
        seed: which ones, if there are more: drawn by this.
    """
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
    **_: Any,
) -> Touched:
    """Return the blast radius that `kill_pods` would have now."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        victims = _victims(cluster, namespace, selector, name, owner, count, percent, seed)
        return touched(cluster, namespace, victims)


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
