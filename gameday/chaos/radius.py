"""The blast radius of an experiment, counted on its target before anything is injected.

Each fault counts for itself (`Fault.touches`). What is counted by nobody is said, never skipped:
the plan that shows a number would otherwise look as if it were all.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chaoslib import substitute
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import ActivityFailed, ChaosException

from gameday.chaos.declaration import Fault, Nothing
from gameday.chaos.registry import Registry, known
from gameday.drivers.chaostoolkit import experiment as experiments

if TYPE_CHECKING:
    from gameday.chaos.clusters import Touched

__all__ = ["Reach", "actions", "count", "faults_of"]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an experiment would reach now.

    Attributes:
        pods: full names of those it would touch, each once.
        of: how many living pods the namespaces hold; 0 where nothing was counted.
        nodes: names of those it would cordon or load.
        uncounted: for each action that is counted by nobody, which and why, as a sentence.
    """

    pods: tuple[str, ...] = ()
    of: int = 0
    namespaces: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()


def count(
    experiment: Mapping[str, Any],
    configuration: Mapping[str, Any],
    *,
    registry: Registry | None = None,
) -> Reach:
    """Return how far an experiment would reach now.

    Args:
        configuration: values of the experiment's parameters, as the fault driver prepared them.

    Raises:
        ActivityFailed: it could not be injected: zero matches, a fence, the cluster's no.
    """
    registry = registry or known()
    played = experiments.with_values(dict(experiment), configuration)
    values = _values(played)
    found: list[Touched] = []
    uncounted: list[str] = []
    for activity in actions(played):
        fault = _fault_of(activity, registry)
        if fault is None:
            uncounted.append(_strange(activity))
        elif isinstance(fault.touches, Nothing):
            uncounted.append(f"{fault.name} is not counted in pods: {fault.touches.because}")
        else:
            given = _arguments(activity, values)
            wanted = inspect.signature(fault.touches).parameters
            found.append(fault.touches(**{k: v for k, v in given.items() if k in wanted}))
    return _together(found, uncounted)


def actions(experiment: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the actions of an experiment's method."""
    for activity in experiment.get("method") or ():
        if isinstance(activity, dict) and activity.get("type") == "action":
            yield activity


def faults_of(
    experiment: Mapping[str, Any], registry: Registry | None = None
) -> Sequence[tuple[Fault, Mapping[str, Any]]]:
    """Return the declared faults that an experiment puts in, each with its activity."""
    registry = registry or known()
    played = experiments.with_values(dict(experiment), {})
    found = [(_fault_of(activity, registry), activity) for activity in actions(played)]
    return [(fault, activity) for fault, activity in found if fault is not None]


def _fault_of(activity: Mapping[str, Any], registry: Registry) -> Fault | None:
    provider = activity.get("provider") or {}
    return registry.injected_by(str(provider.get("module")), str(provider.get("func")))


def _strange(activity: Mapping[str, Any]) -> str:
    provider = activity.get("provider") or {}
    does = {
        "python": f"{provider.get('module')}.{provider.get('func')}",
        "process": str(provider.get("path")),
        "http": str(provider.get("url")),
    }.get(str(provider.get("type")), "nothing gameday knows")
    return (
        f"{activity.get('name')!r} ({does}) is no fault of gameday's: how far it reaches is unknown"
    )


def _together(found: Sequence[Touched], uncounted: Sequence[str]) -> Reach:
    # Of a namespace that two actions touch, the living pods are counted once.
    largest: dict[tuple[str, ...], int] = {}
    for touched in found:
        largest[touched.namespaces] = max(touched.of, largest.get(touched.namespaces, 0))
    return Reach(
        pods=tuple(sorted({p for t in found for p in t.pods})),
        of=sum(largest.values()),
        namespaces=tuple(sorted({n for t in found for n in t.namespaces})),
        nodes=tuple(sorted({n for t in found for n in t.nodes})),
        uncounted=tuple(dict.fromkeys(uncounted)),
    )


def _values(experiment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of an experiment's parameters, as Chaos Toolkit will find them."""
    try:
        return dict(load_configuration(dict(experiments.declared(dict(experiment)))))
    except ChaosException as problem:
        raise ActivityFailed(str(problem)) from problem


def _arguments(activity: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    arguments = (activity.get("provider") or {}).get("arguments") or {}
    return dict(substitute(dict(arguments), dict(values), None))
