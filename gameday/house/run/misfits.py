"""Whether a scenario's faults can act on the target it is played on, with the values it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import Ground, PlanRefused, Refusal
from gameday.house.run.stories import Story
from gameday.model.scenario import TargetKind

if TYPE_CHECKING:
    from gameday.chaos.radius import MethodAction

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
    name = story.scenario.metadata.name
    found: list[Refusal] = []
    if target is not TargetKind.KUBERNETES and any(
        rule.of_effects for rule in story.scenario.spec.abort
    ):
        found.append(
            Refusal(
                Ground.MISFIT,
                f"{name}: podsAbove, restartsAbove, evictionsAbove and waitingAbove are read on"
                f" {TargetKind.KUBERNETES}, and not on {target}",
                "take them out, for an abort rule that nobody can read is none",
            )
        )
    for fault, path in zip(story.scenario.spec.faults, story.experiments, strict=True):
        document = experiments.read(str(path))
        actions = _actions(document, fault.with_)
        what = f"{name}: {fault.experiment}"
        found += _misplaced(what, document, actions, target)
        found += [Refusal(Ground.MISFIT, f"{what}: {p}", "") for p in _misread(actions)]
    if found:
        raise PlanRefused(*found)


def _actions(document: experiments.Experiment, given: Mapping[str, Any]) -> Sequence[MethodAction]:
    from gameday.chaos.radius import actions

    known = {k: v for k, v in given.items() if k in experiments.declared(document)}
    return actions(document, known, is_early=True)


def _misplaced(
    what: str,
    document: experiments.Experiment,
    found: Sequence[MethodAction],
    target: TargetKind,
) -> Iterator[Refusal]:
    if target is TargetKind.NONE:
        return
    ours = [a.fault for a in found if a.fault is not None]
    if ours:
        for fault in ours:
            needed = KINDS.get(fault.acts_on)
            if needed not in (None, target):
                alike = [
                    text for place, text in fault.elsewhere.items() if KINDS.get(place) is target
                ]
                said = f"{what} acts on {needed}, and not on {target}"
                yield Refusal(Ground.MISFIT, said, "; ".join(alike))
        return
    declared = experiments.declared(document)
    shown = {kind for parameter, kind in SHOWN_BY.items() if parameter in declared}
    if shown and target not in shown:
        said = f"{what} acts on {shown.pop()}, and not on {target}"
        yield Refusal(Ground.MISFIT, said, "")


def _misread(found: Sequence[MethodAction]) -> Iterator[str]:
    from gameday.chaos.radius import is_known_late

    for action in found:
        for parameter in action.fault.parameters if action.fault is not None else ():
            value = action.values.get(parameter.name)
            problem = None if is_known_late(value) else parameter.problem(value)
            if problem:
                yield problem
