"""Pods that answer late because the network does, by Chaos Mesh where that is installed."""

from __future__ import annotations

from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos import namesakes
from gameday.chaos.clusters import MARK, opened, opened_for_fault, touched
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Objects, Right
from gameday.chaos.parameters import (
    COUNT,
    DURATION,
    NAMESPACE,
    ON_CLUSTER,
    SELECTOR,
    Parameter,
    milliseconds,
    one_of,
    whole,
)
from gameday.chaos.selection import chosen, chosen_touches, labels_of, pods_can_be_reached
from gameday.drivers.kubernetes import selectors
from gameday.drivers.kubernetes.cluster import Object
from gameday.errors import PermanentDriverError

__all__ = ["FAULT", "pods_are_slow", "recover_slowness", "slow_pods"]

CHAOS = "networkchaos"
OBJECTS = Objects("slow-network", (CHAOS,), namesakes.take_out_all)


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
    """Delay what pods send, through Chaos Mesh; it ends by itself."""
    if direction not in ("to", "from", "both"):
        raise ActivityFailed(f"direction must be to, from or both, not {direction!r}")
    ends_after = whole("ttl_s", ttl_s, least=1)
    if ends_after is None:
        raise ActivityFailed("ttl_s is missing: a slow network is never made without an end")
    delay = {"latency": f"{milliseconds('latency', latency)}ms", "correlation": "0"}
    delay["jitter"] = f"{milliseconds('jitter', jitter)}ms"
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        if not cluster.offers(CHAOS):
            raise PermanentDriverError(
                f"the cluster {cluster.context!r} has no NetworkChaos: install Chaos Mesh, or slow"
                " a hop with the experiment slow-downstream and a proxy"
            )
        victims = chosen(cluster, namespace, selector)
        touched(cluster, namespace, victims).check(at_most)
        rules = selectors.parsed(labels_of(selector))
        meant: Object = {"namespaces": [namespace]}
        if rules.get("matchLabels"):
            meant["labelSelectors"] = rules["matchLabels"]
        if rules.get("matchExpressions"):
            meant["expressionSelectors"] = rules["matchExpressions"]
        body: Object = {
            "metadata": {"name": mark, "labels": OBJECTS.labels(mark, CHAOS)},
            "spec": {
                "action": "delay",
                "mode": "all",
                "selector": meant,
                "direction": direction,
                "delay": delay,
                "duration": f"{ends_after}s",
            },
        }
        namesakes.add(cluster, CHAOS, body, namespace, mark)
        return {"chaos": mark, "pods": [p["metadata"]["name"] for p in victims]}


def recover_slowness(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Delete this fault's NetworkChaos; return whether it was there. May be repeated."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return cluster.offers(CHAOS) and namesakes.take_out(cluster, CHAOS, namespace, mark)


def pods_are_slow(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether this fault's NetworkChaos is there.

    Chaos Mesh keeps the object when its time is over, and says so in its conditions.
    """
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        if not cluster.offers(CHAOS):
            return False
        found = namesakes.ours(cluster, CHAOS, namespace, mark)
        conditions = ((found or {}).get("status") or {}).get("conditions") or ()
        is_over = any(
            c.get("type") == "AllRecovered" and c.get("status") == "True" for c in conditions
        )
        return found is not None and not is_over


FAULT = DeclaredFault(
    name="slow-network",
    module="gameday.chaos.networks",
    title="The network of pods is slow",
    description=(
        "What the pods of a service send is delayed by Chaos Mesh, which ends it by itself after"
        " its time to live."
    ),
    tags=("kubernetes", "network", "latency", "chaos-mesh"),
    contributions={"performance": "high", "availability": "medium"},
    acts_on=ActsOn.CLUSTER,
    parameters=(
        NAMESPACE,
        SELECTOR,
        Parameter("latency", DURATION, "400ms", "added to every packet"),
        Parameter("jitter", DURATION, "0ms", "how far the latency may be off"),
        Parameter(
            "direction",
            one_of("to", "from", "both"),
            "to",
            "what the pods send (to) or receive (from)",
        ),
        Parameter("ttl_s", COUNT, 300, "then Chaos Mesh ends it by itself", unit="seconds"),
        *ON_CLUSTER,
    ),
    steady=Hypothesis(
        "The service can be reached", Activity("its pods are ready", pods_can_be_reached)
    ),
    inject=Activity("slow the pods' network", slow_pods),
    recover=Activity("recover the network", recover_slowness),
    is_present=Activity("the network is slow", pods_are_slow),
    touches=chosen_touches,
    marks=OBJECTS,
    rights=(
        Right("pods", ("list",)),
        Right("networkchaos.chaos-mesh.org", ("get", "list", "create", "delete")),
    ),
    where=("{selector}", "in {namespace}"),
    undo="deletes its NetworkChaos",
)
