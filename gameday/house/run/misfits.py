"""Whether a scenario's faults can act on the target it is played on, with the values it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import Ground, Refusal
from gameday.house.run.stories import Story
from gameday.model.scenario import ResponderKind, TargetKind
from gameday.names import did_you_mean
from gameday.spec.experiment import actions_of, experiment_document, notices_of

if TYPE_CHECKING:
    from gameday.chaos.radius import MethodAction

KINDS = {"cluster": TargetKind.KUBERNETES, "sandbox": TargetKind.SANDBOX}
"""The target that a place is; a proxy stands in any."""

SHOWN_BY = {"context": TargetKind.KUBERNETES, "control_url": TargetKind.SANDBOX}
"""The parameter that shows what somebody's own experiment acts on; one with neither acts on any."""


def misfits(story: Story) -> tuple[Refusal, ...]:
    """Return why a story cannot be played on its target; empty where it can.

    Every fault must be able to act there with the values it is given, every abort rule must be
    readable there, and the SLO must be counted so that a run can recompute it.
    """
    return tuple(_misfits(story))


def _misfits(story: Story) -> Iterator[Refusal]:
    target = story.scenario.spec.target
    name = story.scenario.metadata.name
    if not story.slo.counts_events:
        yield Refusal(
            Ground.MISFIT,
            f"{name}: the SLO {story.slo.id!r} is not counted by raw counters, and a run recomputes"
            " from them what the alert had to do",
            "play it on an SLO with a ratioMetric of two counters and budgetingMethod: Occurrences",
        )
    if target is not TargetKind.KUBERNETES and any(
        rule.of_effects for rule in story.scenario.spec.abort
    ):
        yield Refusal(
            Ground.MISFIT,
            f"{name}: podsAbove, restartsAbove, evictionsAbove and waitingAbove are read on"
            f" {TargetKind.KUBERNETES}, and not on {target}",
            "take them out, for an abort rule that nobody can read is none",
        )
    yield from _undeclared(story)
    for fault, path in zip(story.scenario.spec.faults, story.experiments, strict=True):
        document = experiments.read(str(path))
        if not actions_of(document):
            yield Refusal(
                Ground.MISFIT,
                f"{name}: the experiment {fault.experiment!r} has no action: it would do nothing",
                "give one whose method has an action",
            )
        actions = _actions(document, fault.with_)
        what = f"{name}: {fault.experiment}"
        yield from _misplaced(what, document, actions, target)
        for wrong in _misread(actions):
            yield Refusal(Ground.MISFIT, f"{what}: {wrong}", "change it under `with`")


def _undeclared(story: Story) -> Iterator[Refusal]:
    """Yield what a scenario asks of a declared system that the system does not declare."""
    if story.system is None:
        return
    spec, name = story.scenario.spec, story.scenario.metadata.name
    told = story.system.spec
    if spec.responder is ResponderKind.BOT and not (told.traces or told.graph):
        yield Refusal(
            Ground.MISFIT,
            f"{name}: the bot finds a cause in traces or a service graph, and"
            f" {story.system.metadata.name} has none",
            "say in its file where they are (`traces`, `graph`), let somebody answer"
            " (`responder: human`), or nobody (`responder: none`)",
        )
    known = [m.name for m in story.system.spec.mitigations]
    for wanted in spec.expect.mitigation:
        if wanted not in known:
            yield Refusal(
                Ground.MISFIT,
                f"{name}: {story.system.metadata.name} has no mitigation {wanted!r}",
                did_you_mean(wanted, known, what="it has"),
            )


def experiment_notices(story: Story) -> tuple[str, ...]:
    """Return what should be known of the experiments of a story, each with the fault's name."""
    said: list[str] = []
    for fault, path in zip(story.scenario.spec.faults, story.experiments, strict=True):
        for notice in notices_of(experiment_document(path)):
            said.append(f"{fault.experiment}: {notice}")
    return tuple(dict.fromkeys(said))


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
                yield Refusal(Ground.MISFIT, said, "; ".join(alike) or _elsewhere(needed))
        return
    declared = experiments.declared(document)
    shown = {kind for parameter, kind in SHOWN_BY.items() if parameter in declared}
    if shown and target not in shown:
        needed = shown.pop()
        said = f"{what} acts on {needed}, and not on {target}"
        yield Refusal(Ground.MISFIT, said, _elsewhere(needed))


def _elsewhere(kind: TargetKind | None) -> str:
    return f"play it with `--target {kind}`"


def _misread(found: Sequence[MethodAction]) -> Iterator[str]:
    from gameday.chaos.radius import is_known_late

    for action in found:
        for parameter in action.fault.parameters if action.fault is not None else ():
            value = action.values.get(parameter.name)
            problem = None if is_known_late(value) else parameter.problem(value)
            if problem:
                yield problem
