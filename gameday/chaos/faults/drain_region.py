"""A region, a zone or a choice of nodes is drained, and comes back.

All nodes are cordoned at once and carry the fault's mark; `recover_region` uncordons exactly those
that still bear it. What was evicted runs elsewhere and is not moved back, as after any drain.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.clusters import MARK, Touched, opened, opened_for_fault
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
    OF_SYSTEM,
    ON_CLUSTER,
    TEXT,
    TRUTH,
    Parameter,
    one_of,
    truth,
    whole,
)
from gameday.drivers.kubernetes import Cluster, draining, marks, pods
from gameday.drivers.kubernetes.cluster import Object
from gameday.drivers.kubernetes.draining import Drain, Rules

__all__ = [
    "FAULT",
    "drain_region",
    "drain_touches",
    "nodes_are_free",
    "recover_region",
    "region_is_drained",
]


def drain_region(
    region: str = "",
    zone: str = "",
    selector: str = "",
    force: bool | str = False,
    delete_empty_dirs: bool | str = False,
    foreign: str = "refuse",
    grace_period_s: int | str | None = None,
    within_s: float | str = 120,
    at_most: str | float = "100%",
    mark: str = MARK,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> dict[str, Any]:
    """Cordon all nodes of a region and evict their pods; return once they are gone.

    Disruption budgets are respected: what one blocks is tried again as soon as it allows more.
    Where something stays to the end, the cordons are taken back and the activity fails.
    """
    rules = _rules(force, delete_empty_dirs, foreign, grace_period_s, within_s)
    with opened_for_fault(context, kubeconfig, mark) as cluster:
        nodes = _nodes(cluster, region, zone, selector)
        radius = _radius(cluster, rules, nodes)
        radius.check(at_most)
        is_complete = False
        try:
            drained = Drain(cluster, mark, rules).run(nodes)
            is_complete = True
        finally:
            # Half a fault is not the experiment that was asked for. Also on Ctrl-C.
            if not is_complete:
                draining.uncordon(cluster, mark)
        return {
            "cordoned": list(drained.cordoned),
            "cordoned_before": list(drained.cordoned_before),
            "evicted": len(drained.evicted),
            "left": len(drained.left),
        }


def recover_region(
    mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> list[str]:
    """Uncordon the nodes that this fault cordoned; return them. May be repeated.

    A node that somebody else has cordoned, or uncordoned, keeps the state it was given.
    """
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        return list(draining.uncordon(cluster, mark))


def region_is_drained(
    mark: str = MARK, context: str | None = None, kubeconfig: str | None = None
) -> bool:
    """Return whether any node is still cordoned by this fault."""
    with opened(context, kubeconfig, is_fenced=False) as cluster:
        found = cluster.list("nodes", labels=f"{marks.MARK}={marks.checked(mark)}")
        return any(draining.is_cordoned_by(n, mark) for n in found)


def nodes_are_free(
    region: str = "",
    zone: str = "",
    selector: str = "",
    ignore: str = "",
    context: str | None = None,
    kubeconfig: str | None = None,
) -> bool:
    """Return whether there are such nodes, and none of them is cordoned by a fault.

    Args:
        ignore: a mark that does not count.
    """
    with opened(context, kubeconfig) as cluster:
        found = draining.nodes_in(cluster, region=region, zone=zone, selector=selector)
        return not any(marks.mark_of(n) not in ("", ignore) for n in found)


def drain_touches(
    region: str = "",
    zone: str = "",
    selector: str = "",
    force: bool | str = False,
    delete_empty_dirs: bool | str = False,
    foreign: str = "refuse",
    context: str | None = None,
    kubeconfig: str | None = None,
) -> Touched:
    """Return the blast radius that `drain_region` would have now."""
    rules = _rules(force, delete_empty_dirs, foreign, None, 120)
    with opened_for_fault(context, kubeconfig, MARK) as cluster:
        return _radius(cluster, rules, _nodes(cluster, region, zone, selector))


def _nodes(cluster: Cluster, region: str, zone: str, selector: str) -> Sequence[Object]:
    """Return the nodes that are meant; there must be others, for the pods to go to."""
    if not (region or zone or selector):
        raise ActivityFailed("say which nodes are meant: give a region, a zone or a selector")
    nodes = draining.nodes_in(cluster, region=region, zone=zone, selector=selector)
    meant = {n["metadata"]["name"] for n in nodes}
    others = [n for n in cluster.list("nodes") if n["metadata"]["name"] not in meant]
    if not any(_takes_pods(n) for n in others):
        raise ActivityFailed(
            f"these {len(nodes)} nodes are all that take pods: after the drain nothing would run;"
            " nothing was changed"
        )
    return nodes


def _takes_pods(node: Object) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return not (node.get("spec") or {}).get("unschedulable") and any(
        c.get("type") == "Ready" and c.get("status") == "True" for c in conditions
    )


def _radius(cluster: Cluster, rules: Rules, nodes: Sequence[Object]) -> Touched:
    names = [str(n["metadata"]["name"]) for n in nodes]
    everything = cluster.list("pods")
    found = draining.sort(cluster, rules, names, everything)
    draining.check(found)
    namespaces = {str(p["metadata"]["namespace"]) for p in found.evicted}
    living = [
        p for p in everything if p["metadata"]["namespace"] in namespaces and pods.is_alive(p)
    ]
    return Touched(
        pods=tuple(pods.full_name(p) for p in found.evicted),
        of=len(living),
        namespaces=tuple(sorted(namespaces)),
        nodes=tuple(names),
    )


def _rules(
    force: bool | str,
    delete_empty_dirs: bool | str,
    foreign: str,
    grace_period_s: int | str | None,
    within_s: float | str,
) -> Rules:
    if foreign not in ("refuse", "leave"):
        raise ActivityFailed(f"foreign must be refuse or leave, not {foreign!r}")
    return Rules(
        force=truth("force", force),
        delete_empty_dirs=truth("delete_empty_dirs", delete_empty_dirs),
        leave_foreign=foreign == "leave",
        grace_period_s=whole("grace_period_s", grace_period_s),
        within=timedelta(seconds=whole("within_s", within_s, least=1) or 120),
    )


def _take_out(cluster: Cluster, mark: str, _found: Sequence[Marked]) -> None:
    draining.uncordon(cluster, mark)


FAULT = DeclaredFault(
    name="drain-region",
    module="gameday.chaos.regions",
    title="A region is drained",
    description=(
        "All nodes of a region, a zone or a choice by labels are cordoned, and their pods evicted"
        " in parallel. Disruption budgets are respected; pods of DaemonSets and mirror pods stay."
    ),
    tags=("kubernetes", "node", "region"),
    contributions={"availability": "high", "performance": "medium"},
    acts_on=ActsOn.CLUSTER,
    parameters=(
        Parameter("region", TEXT, OF_SYSTEM, "topology.kubernetes.io/region"),
        Parameter("zone", TEXT, "", "topology.kubernetes.io/zone"),
        Parameter("selector", LABELS, "", "of the nodes; they fit all three that are given"),
        Parameter("force", TRUTH, False, "evict pods that nothing starts again, too"),
        Parameter(
            "delete_empty_dirs", TRUTH, True, "evict pods whose emptyDir is lost with them, too"
        ),
        Parameter(
            "foreign",
            one_of("refuse", "leave"),
            "refuse",
            "pods in namespaces that the settings do not allow",
        ),
        Parameter("grace_period_s", COUNT, None, "null: the pods' own", unit="seconds"),
        Parameter("within_s", COUNT, 120, "then it must be done", unit="seconds"),
        *ON_CLUSTER,
    ),
    steady=Hypothesis(
        "The region takes pods", Activity("its nodes are free", nodes_are_free, {"ignore": "mark"})
    ),
    inject=Activity("drain the region", drain_region),
    works_from_start=True,  # from the first eviction on, long before it is done
    recover=Activity("recover the region", recover_region),
    is_present=Activity("the region is drained", region_is_drained),
    touches=drain_touches,
    marks=Objects(draining.FAULT, ("nodes",), _take_out),
    rights=(
        Right("nodes", ("get", "list", "patch"), everywhere=True),
        Right("pods", ("list", "watch"), everywhere=True),
        Right("pods", ("get",)),
        Right("pods/eviction", ("create",)),
        Right("poddisruptionbudgets.policy", ("list", "watch")),
    ),
    where=("region {region}", "zone {zone}", "nodes {selector}"),
    undo="uncordons the nodes it cordoned, and no other",
    elsewhere={ActsOn.SANDBOX: "broken-downstream, mode down, takes a hop away there"},
)
