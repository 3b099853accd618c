"""The blast radius of an experiment, counted on its target before anything is injected.

Each fault counts for itself (`DeclaredFault.touches`). What is counted by nobody is said, never
skipped: the plan that shows a number would otherwise look as if it were all.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chaoslib import substitute
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import ActivityFailed, ChaosException

from gameday.chaos.declaration import DeclaredFault, Nothing
from gameday.chaos.registry import FaultRegistry, known
from gameday.drivers.chaostoolkit import experiment as experiments

if TYPE_CHECKING:
    from gameday.chaos.clusters import Touched

__all__ = ["MethodAction", "CountedReach", "actions", "count", "is_known_late"]


@dataclass(frozen=True, slots=True)
class MethodAction:
    """One action of an experiment.

    Attributes:
        fault: what it puts in; None: it is no fault of gameday's.
        arguments: with the values it would be given now.
    """

    activity: Mapping[str, Any]
    fault: DeclaredFault | None
    arguments: Mapping[str, Any]

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the values of the fault's parameters; empty where it is none of gameday's."""
        if self.fault is None:
            return {}
        takes = self.fault.inject.arguments(self.fault.parameters)
        return {p: self.arguments[a] for a, p in takes.items() if a in self.arguments}


@dataclass(frozen=True, slots=True)
class CountedReach:
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
    registry: FaultRegistry | None = None,
) -> CountedReach:
    """Return how far an experiment would reach now.

    Args:
        configuration: values of the experiment's parameters, as the fault driver prepared them.

    Raises:
        ActivityFailed: it could not be injected: zero matches, a fence, the cluster's no.
    """
    found: list[Touched] = []
    uncounted: list[str] = []
    for action in actions(experiment, configuration, registry=registry):
        fault = action.fault
        if fault is None:
            uncounted.append(_strange(action.activity))
        elif isinstance(fault.touches, Nothing):
            uncounted.append(f"{fault.name} is not counted in pods: {fault.touches.because}")
        else:
            wanted = inspect.signature(fault.touches)
            given = {k: v for k, v in action.arguments.items() if k in wanted.parameters}
            late = [name for name, value in given.items() if is_known_late(value)]
            if late:
                uncounted.append(
                    f"{fault.name} cannot be counted: its {late[0]} is found out only when it is"
                    " played"
                )
                continue
            try:
                wanted.bind(**given)
            except TypeError as problem:
                raise ActivityFailed(f"{action.activity.get('name')!r}: {problem}") from problem
            found.append(fault.touches(**given))
    return _together(found, uncounted)


def actions(
    experiment: Mapping[str, Any],
    configuration: Mapping[str, Any],
    *,
    registry: FaultRegistry | None = None,
    is_early: bool = False,
) -> Sequence[MethodAction]:
    """Return the actions of an experiment's method, in order, as they would be played.

    What takes back a fault of ours is left out: it touches nothing new.

    Args:
        is_early: the target has given no values yet; those that are missing are known late.

    Raises:
        ActivityFailed: a parameter has no value, and it is not early.
    """
    registry = registry or known()
    played = experiments.with_values(dict(experiment), configuration)
    values = _values(played, is_early=is_early)
    found: list[MethodAction] = []
    for activity in played.get("method") or ():
        if not isinstance(activity, dict) or activity.get("type") != "action":
            continue
        provider = activity.get("provider") or {}
        called = str(provider.get("module")), str(provider.get("func"))
        if registry.recovers(*called):
            continue
        fault = registry.injected_by(*called)
        arguments = provider.get("arguments") or {}
        if not isinstance(arguments, dict):  # a process's may be text
            arguments = {}
        found.append(
            MethodAction(activity, fault, dict(substitute(dict(arguments), dict(values), None)))
        )
    return found


def is_known_late(value: Any) -> bool:
    """Return whether a value is a secret's, or what a probe will say: nobody knows it before."""
    return isinstance(value, dict) or (isinstance(value, str) and "${" in value)


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


def _together(found: Sequence[Touched], uncounted: Sequence[str]) -> CountedReach:
    # Of a namespace that two actions touch, the living pods are counted once.
    largest: dict[tuple[str, ...], int] = {}
    for touched in found:
        largest[touched.namespaces] = max(touched.of, largest.get(touched.namespaces, 0))
    return CountedReach(
        pods=tuple(sorted({p for t in found for p in t.pods})),
        of=sum(largest.values()),
        namespaces=tuple(sorted({n for t in found for n in t.namespaces})),
        nodes=tuple(sorted({n for t in found for n in t.nodes})),
        uncounted=tuple(dict.fromkeys(uncounted)),
    )


def _values(experiment: Mapping[str, Any], *, is_early: bool) -> Mapping[str, Any]:
    """Return the values of an experiment's parameters, as Chaos Toolkit will find them."""
    values: dict[str, Any] = {}
    for name, value in experiments.declared(dict(experiment)).items():
        try:
            values.update(load_configuration({name: value}))
        except ChaosException as problem:
            if not is_early:
                raise ActivityFailed(str(problem)) from problem
            values[name] = value
    return values
