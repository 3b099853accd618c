"""Whether a scenario's faults can act on the target it is played on."""

from __future__ import annotations

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import PlanRefused
from gameday.house.run.stories import Story
from gameday.model.scenario import TargetKind

ACTS_ON = {"context": TargetKind.KUBERNETES, "control_url": TargetKind.SANDBOX}
"""The parameter that shows what an experiment acts on; one with neither acts on any."""

INSTEAD = {
    ("kill-pod", TargetKind.SANDBOX): "kill-service kills a process there",
    ("bad-deploy", TargetKind.SANDBOX): "deploy-change deploys a change there",
    ("drain-region", TargetKind.SANDBOX): "broken-downstream, mode down, takes a hop away there",
    ("kill-service", TargetKind.KUBERNETES): "kill-pod kills a pod there",
    ("deploy-change", TargetKind.KUBERNETES): "bad-deploy puts a version live there",
}


def refuse_misfits(story: Story) -> None:
    """Return where every fault can act on the scenario's target, and every abort rule be read.

    Raises:
        PlanRefused: one cannot; says which, and what would do something alike.
    """
    target = story.scenario.spec.target
    reasons = []
    if target is not TargetKind.KUBERNETES and any(
        rule.of_effects for rule in story.scenario.spec.abort
    ):
        reasons.append(
            f"{story.scenario.metadata.name}: podsAbove, restartsAbove, evictionsAbove and"
            f" waitingAbove are read on {TargetKind.KUBERNETES}, and not on {target}: take them"
            " out, for an abort rule that nobody can read is none"
        )
    for fault, path in zip(story.scenario.spec.faults, story.experiments, strict=True):
        declared = experiments.declared(experiments.read(str(path)))
        needed = {kind for parameter, kind in ACTS_ON.items() if parameter in declared}
        if needed and target not in needed and target is not TargetKind.NONE:
            instead = INSTEAD.get((fault.experiment, target))
            reasons.append(
                f"{story.scenario.metadata.name}: {fault.experiment} acts on {needed.pop()}, and"
                f" not on {target}" + (f"; {instead}" if instead else "")
            )
    if reasons:
        raise PlanRefused("\n".join(reasons))
