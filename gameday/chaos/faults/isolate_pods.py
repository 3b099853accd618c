"""Pods that the network cuts off: a NetworkPolicy, which only networks that enforce them notice."""

from __future__ import annotations

from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos import namesakes
from gameday.chaos.clusters import MARK, opened, opened_for_fault, touched
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Objects, Right
from gameday.chaos.parameters import NAMESPACE, ON_CLUSTER, SELECTOR, Parameter, one_of
from gameday.chaos.selection import chosen, chosen_touches, labels_of, pods_can_be_reached
from gameday.drivers.kubernetes import selectors
from gameday.drivers.kubernetes.cluster import Object

__all__ = ["FAULT", "isolate_pods", "pods_are_isolated", "recover_isolation"]

POLICIES = "networkpolicies"
OBJECTS = Objects("isolation", (POLICIES,), namesakes.take_out_all)

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
    """Forbid all traffic to or from pods; connections that are open may live on."""
    if direction not in DIRECTIONS:
        raise ActivityFailed(f"direction must be {', '.join(DIRECTIONS)}, not {direction!r}")
    with opened_for_fault(context, kubeconfig, mark, namespace) as cluster:
        victims = chosen(cluster, namespace, selector)
        touched(cluster, namespace, victims).check(at_most)
        body: Object = {
            "metadata": {"name": mark, "labels": OBJECTS.labels(mark, POLICIES)},
            "spec": {
                "podSelector": selectors.parsed(labels_of(selector)),
                "policyTypes": DIRECTIONS[direction],
            },
        }
        namesakes.add(cluster, POLICIES, body, namespace, mark)
        return {"policy": mark, "pods": [p["metadata"]["name"] for p in victims]}


def recover_isolation(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Delete this fault's policy; return whether it was there. May be repeated."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return namesakes.take_out(cluster, POLICIES, namespace, mark)


def pods_are_isolated(
    namespace: str, mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether this fault's policy is there."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return namesakes.ours(cluster, POLICIES, namespace, mark) is not None


FAULT = DeclaredFault(
    name="isolate-pods",
    module="gameday.chaos.networks",
    title="Pods are cut off from the network",
    description=(
        "A NetworkPolicy forbids all traffic to or from the pods of a service. It acts where the"
        " cluster's network enforces policies; connections that are open may live on."
    ),
    tags=("kubernetes", "network"),
    contributions={"availability": "high"},
    acts_on=ActsOn.CLUSTER,
    parameters=(
        NAMESPACE,
        SELECTOR,
        Parameter(
            "direction",
            one_of(*DIRECTIONS),
            "ingress",
            "traffic to them (ingress), from them (egress)",
        ),
        *ON_CLUSTER,
    ),
    steady=Hypothesis(
        "The service can be reached", Activity("its pods are ready", pods_can_be_reached)
    ),
    inject=Activity("isolate the pods", isolate_pods),
    recover=Activity("recover the isolation", recover_isolation),
    is_present=Activity("the pods are isolated", pods_are_isolated),
    touches=chosen_touches,
    marks=OBJECTS,
    rights=(
        Right("pods", ("list",)),
        Right("networkpolicies.networking.k8s.io", ("get", "list", "create", "delete")),
    ),
    where=("{selector}", "in {namespace}"),
    undo="deletes its NetworkPolicy",
)
