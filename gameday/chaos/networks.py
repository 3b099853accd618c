"""Pods that the network cuts off, or slows down.

Cut off by a NetworkPolicy, which only networks that enforce policies notice; slowed down by Chaos
Mesh's NetworkChaos where that is installed. Both objects are named after the fault's mark, so that
one run's never stands in another's way, and deleting that name is all there is to recover.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, Touched, opened, opened_for_fault, touched, whole
from gameday.drivers.kubernetes import Cluster, marks, pods, selectors
from gameday.drivers.kubernetes.cluster import Object
from gameday.drivers.kubernetes.refusals import AlreadyThere
from gameday.errors import PermanentDriverError
from gameday.quantity import QuantityError, duration

__all__ = [
    "isolate_pods",
    "network_touches",
    "pods_are_isolated",
    "pods_are_slow",
    "pods_can_be_reached",
    "recover_isolation",
    "recover_slowness",
    "slow_pods",
]

ISOLATION = "isolation"
SLOWNESS = "slow-network"
POLICIES = "networkpolicies"
CHAOS = "networkchaos"

DIRECTIONS = {
    "both": ["Ingress", "Egress"],
    "ingress": ["Ingress"],
    "egress": ["Egress"],
}


def isolate_pods(
    namespace: str,
    selector: str,
    direction: str = "both",
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Forbid all traffic to or from pods; connections that are open may live on.

    Args:
        selector: labels of the pods; ``*`` means all of the namespace.
        direction: ``ingress`` (nobody reaches them), ``egress`` (they reach nobody) or ``both``.
    """
    if direction not in DIRECTIONS:
        raise ActivityFailed(f"direction must be {', '.join(DIRECTIONS)}, not {direction!r}")
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        chosen = _chosen(cluster, namespace, selector)
        touched(cluster, namespace, chosen).check(at_most)
        body: Object = {
            "metadata": {"name": mark, "labels": marks.labels(mark, ISOLATION)},
            "spec": {
                "podSelector": selectors.parsed(_labels(selector)),
                "policyTypes": DIRECTIONS[direction],
            },
        }
        _create(cluster, POLICIES, body, namespace, mark)
        return {"policy": mark, "pods": [p["metadata"]["name"] for p in chosen]}


def recover_isolation(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Delete this fault's policy; return whether it was there. May be repeated."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return take_out(cluster, POLICIES, namespace, mark)


def pods_are_isolated(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether this fault's policy is there."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return _ours(cluster, POLICIES, namespace, mark) is not None


def slow_pods(
    namespace: str,
    selector: str,
    latency: str = "400ms",
    jitter: str = "0ms",
    direction: str = "to",
    ttl_s: float | str | None = 300,
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Delay what pods send, through Chaos Mesh; it ends by itself.

    Args:
        selector: labels of the pods, ``app=inventory,tier=db``; ``*`` means all of the namespace.
        direction: ``to`` (what they send), ``from`` (what they receive) or ``both``.
        ttl_s: seconds after which Chaos Mesh itself ends it; never left out.
    """
    if direction not in ("to", "from", "both"):
        raise ActivityFailed(f"direction must be to, from or both, not {direction!r}")
    ends_after = whole("ttl_s", ttl_s, least=1)
    if ends_after is None:
        raise ActivityFailed("ttl_s is missing: a slow network is never made without an end")
    delay = {"latency": _milliseconds("latency", latency), "correlation": "0"}
    delay["jitter"] = _milliseconds("jitter", jitter)
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        if not cluster.offers(CHAOS):
            raise PermanentDriverError(
                f"the cluster {cluster.context!r} has no NetworkChaos: install Chaos Mesh, or slow"
                " a hop with the experiment slow-downstream and a proxy"
            )
        chosen = _chosen(cluster, namespace, selector)
        touched(cluster, namespace, chosen).check(at_most)
        rules = selectors.parsed(_labels(selector))
        meant: Object = {"namespaces": [namespace]}
        if rules.get("matchLabels"):
            meant["labelSelectors"] = rules["matchLabels"]
        if rules.get("matchExpressions"):
            meant["expressionSelectors"] = rules["matchExpressions"]
        body: Object = {
            "metadata": {"name": mark, "labels": marks.labels(mark, SLOWNESS)},
            "spec": {
                "action": "delay",
                "mode": "all",
                "selector": meant,
                "direction": direction,
                "delay": delay,
                "duration": f"{ends_after}s",
            },
        }
        _create(cluster, CHAOS, body, namespace, mark)
        return {"chaos": mark, "pods": [p["metadata"]["name"] for p in chosen]}


def recover_slowness(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Delete this fault's NetworkChaos; return whether it was there. May be repeated."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return cluster.offers(CHAOS) and take_out(cluster, CHAOS, namespace, mark)


def pods_are_slow(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether this fault's NetworkChaos is there.

    Chaos Mesh keeps the object when its time is over, and says so in its conditions.
    """
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        if not cluster.offers(CHAOS):
            return False
        found = _ours(cluster, CHAOS, namespace, mark)
        conditions = ((found or {}).get("status") or {}).get("conditions") or ()
        is_over = any(
            c.get("type") == "AllRecovered" and c.get("status") == "True" for c in conditions
        )
        return found is not None and not is_over


def pods_can_be_reached(
    namespace: str, selector: str, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether there are such pods and all of them are ready."""
    with opened(context, kubeconfig) as cluster:
        cluster.fences.check_namespaces([namespace])
        return all(pods.is_ready(p) for p in _chosen(cluster, namespace, selector))


def network_touches(
    namespace: str,
    selector: str,
    context: str | None = None,
    kubeconfig: str | None = None,
    **_: Any,
) -> Touched:
    """Return the blast radius that `isolate_pods` or `slow_pods` would have now."""
    with opened_for_fault(context, kubeconfig, MARK, namespace) as cluster:
        return touched(cluster, namespace, _chosen(cluster, namespace, selector))


def take_out(cluster: Cluster, resource: str, namespace: str, mark: str) -> bool:
    """Delete the object of a fault's name, if it bears the fault's mark; return whether it did."""
    found = _ours(cluster, resource, namespace, mark)
    if found is None:
        return False
    return cluster.delete(
        resource, found["metadata"]["name"], namespace, uid=str(found["metadata"]["uid"])
    )


# --- how -----------------------------------------------------------------------------------------


def _ours(cluster: Cluster, resource: str, namespace: str, mark: str) -> Object | None:
    found = cluster.get(resource, marks.checked(mark), namespace)
    return found if found is not None and marks.mark_of(found) == mark else None


def _create(cluster: Cluster, resource: str, body: Object, namespace: str, mark: str) -> None:
    try:
        cluster.create(resource, body, namespace)
    except AlreadyThere:
        # It may be this very request, sent again because its answer was lost.
        if _ours(cluster, resource, namespace, mark) is None:
            raise


def _chosen(cluster: Cluster, namespace: str, selector: str) -> Sequence[Object]:
    if not selector:
        raise ActivityFailed("say which pods are meant: give a selector; '*' means all of them")
    chosen = pods.select(cluster, namespace, selector=_labels(selector), name="*")
    if not chosen:
        raise ActivityFailed(
            f"no living pod in {namespace!r} has the labels {selector!r}; nothing was changed"
        )
    return chosen


def _labels(selector: str) -> str:
    return "" if selector == "*" else selector


def _milliseconds(what: str, value: str) -> str:
    try:
        return f"{round(duration(value).total_seconds() * 1000)}ms"
    except QuantityError as problem:
        raise ActivityFailed(f"{what}: {problem}") from problem
