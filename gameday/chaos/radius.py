"""The blast radius of an experiment, counted on the cluster before anything is injected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gameday.chaos import networks, pods, pressure, regions, workloads
from gameday.chaos.clusters import Touched

__all__ = ["COUNTED", "count"]

COUNTED: Mapping[tuple[str, str], Callable[..., Touched]] = {
    ("gameday.chaos.pods", "kill_pods"): pods.kill_touches,
    ("gameday.chaos.regions", "drain_region"): regions.drain_touches,
    ("gameday.chaos.workloads", "scale_to_zero"): workloads.scale_touches,
    ("gameday.chaos.workloads", "change_workload"): workloads.change_touches,
    ("gameday.chaos.networks", "isolate_pods"): networks.network_touches,
    ("gameday.chaos.networks", "slow_pods"): networks.network_touches,
    ("gameday.chaos.pressure", "press"): pressure.pressure_touches,
}
"""What counts for each action on a cluster; takes the action's arguments."""


def count(experiment: Mapping[str, Any], configuration: Mapping[str, Any]) -> Touched | None:
    """Return the pods an experiment would touch now, each once; None where none can be counted.

    Args:
        configuration: values of the experiment's parameters, as the fault driver prepared them.

    Raises:
        ActivityFailed: it could not be injected: zero matches, a fence, the cluster's no.
    """
    declared = experiment.get("configuration") or {}
    values = {**{k: v for k, v in declared.items() if not isinstance(v, dict)}, **configuration}
    found = [
        counted(**_arguments(activity, values))
        for activity in experiment.get("method") or ()
        if isinstance(activity, dict) and (counted := _counted(activity))
    ]
    if not found:
        return None
    # Of a namespace that two actions touch, the living pods are counted once.
    largest: dict[tuple[str, ...], int] = {}
    for touched in found:
        largest[touched.namespaces] = max(touched.of, largest.get(touched.namespaces, 0))
    return Touched(
        pods=tuple(sorted({p for t in found for p in t.pods})),
        of=sum(largest.values()),
        namespaces=tuple(sorted({n for t in found for n in t.namespaces})),
        nodes=tuple(sorted({n for t in found for n in t.nodes})),
    )


def _counted(activity: Mapping[str, Any]) -> Callable[..., Touched] | None:
    provider = activity.get("provider") or {}
    return COUNTED.get((str(provider.get("module")), str(provider.get("func"))))


def _arguments(activity: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    def resolved(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("${") and value.endswith("}"):
            return values.get(value[2:-1])
        return value

    arguments = (activity.get("provider") or {}).get("arguments") or {}
    given = {name: resolved(value) for name, value in arguments.items()}
    return {name: value for name, value in given.items() if value is not None}
