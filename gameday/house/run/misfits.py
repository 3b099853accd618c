"""Whether a scenario's faults can act on the target it is played on, with the values it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import PlanRefused
from gameday.house.run.stories import Story
from gameday.model.scenario import TargetKind

if TYPE_CHECKING:
    from gameday.chaos.radius import Action

KINDS = {"cluster": TargetKind.KUBERNETES, "sandbox": TargetKind.SANDBOX}
"""The target that a place is; a proxy stands in any."""

SHOWN_BY = {"context": TargetKind.KUBERNETES, "control_url": TargetKind.SANDBOX}
"""The parameter that shows what somebody's own experiment acts on; one with neither acts on any."""


def refuse_misfits(story: Story) -> None:
    """Return where every fault can act on the scenario's target, and every abort rule be read.

    Raises:
        PlanRefused: one cannot; says which, and what would do something alike. Or it is given a
            value that its parameter cannot have.
    """
    target = story.scenario.spec.target
    reasons: list[str] = []
    if target is not TargetKind.KUBERNETES and any(
        rule.of_effects for rule in story.scenario.spec.abort
    ):
        reasons.append(
            "podsAbove, restartsAbove, evictionsAbove and waitingAbove are read on"
            f" {TargetKind.KUBERNETES}, and not on {target}: take them out, for an abort rule that"
            " nobody can read is none"
        )
    for fault, path in zip(story.scenario.spec.faults, story.experiments, strict=True):
        document = experiments.read(str(path))
        found = _actions(document, fault.with_)
        reasons += _misplaced(fault.experiment, document, found, target)
        reasons += [f"{fault.experiment}: {problem}" for problem in _misread(found)]
    if reasons:
        raise PlanRefused("\n".join(f"{story.scenario.metadata.name}: {r}" for r in reasons))


def _actions(document: experiments.Experiment, given: Mapping[str, Any]) -> Sequence[Action]:
    from chaoslib.exceptions import ActivityFailed

    from gameday.chaos.radius import actions

    known = {k: v for k, v in given.items() if k in experiments.declared(document)}
    try:
        return actions(document, known)
    except ActivityFailed as problem:
        raise PlanRefused(str(problem)) from problem


def _misplaced(
    name: str,
    document: experiments.Experiment,
    found: Sequence[Action],
    target: TargetKind,
) -> Iterator[str]:
    if target is TargetKind.NONE:
        return
    ours = [a.fault for a in found if a.fault is not None]
    if ours:
        for fault in ours:
            needed = KINDS.get(fault.acts_on)
            if needed not in (None, target):
                places = [place for place, kind in KINDS.items() if kind is target]
                alike = [text for place, text in fault.elsewhere.items() if place in places]
                yield f"{name} acts on {needed}, and not on {target}" + "".join(
                    f"; {text}" for text in alike
                )
        return
    declared = experiments.declared(document)
    shown = {kind for parameter, kind in SHOWN_BY.items() if parameter in declared}
    if shown and target not in shown:
        yield f"{name} acts on {shown.pop()}, and not on {target}"


def _misread(found: Sequence[Action]) -> Iterator[str]:
    from gameday.chaos.radius import is_known_late

    for action in found:
        for parameter in action.fault.parameters if action.fault is not None else ():
            value = action.values.get(parameter.name)
            problem = None if is_known_late(value) else parameter.problem(value)
            if problem:
                yield problem
