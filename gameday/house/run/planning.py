"""Making the plan of a story on a system as it is now."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gameday import plan
from gameday.conductor.limit import limited
from gameday.drivers.clock import SystemClock
from gameday.errors import PlanRefused, Refusal
from gameday.governance.admission import Admitted, NotAdmitted
from gameday.house.run.asking import Asked
from gameday.house.run.stories import Story
from gameday.house.targets.open_system import OpenSystem
from gameday.model.plan_record import PlanRecord
from gameday.ports import Clock, PlannedFault
from scoring.detection import Timing


async def make_plan(
    story: Story, system: OpenSystem, *, run: str, clock: Clock | None = None
) -> plan.Plan:
    """Return the plan of a story on a system as it is now; changes nothing.

    Raises:
        PlanRefused: with every reason.
        DriverError: Prometheus does not answer, or what would be touched cannot be counted.
    """
    story = story.in_force(system.slo)
    asking = system.alerts.timing(slo=story.slo.id)
    scrape, evaluation = await limited(clock or SystemClock(), asking, "Prometheus")
    profile = plan.TargetProfile(
        name=system.target.name,
        time_scale=system.target.time_scale,
        regions=system.regions,
        timing=Timing(
            scrape=scrape,
            evaluation=evaluation,
            group_wait=system.group_wait,
            rule_chain=system.rule_chain,
        ),
        absent=system.absent,
    )
    faults = _prepare(story, system, run)
    reasons: list[Refusal] = []
    reaches: list[plan.Reach | None] = []
    for fault in faults:
        try:
            reaches.append(await asyncio.to_thread(system.count, fault) if system.count else None)
        except PlanRefused as refused:
            reasons += refused.refusals
    try:
        made = plan.make(
            story.scenario, story.slo, run=run, target=profile, faults=faults, reaches=reaches
        )
    except PlanRefused as refused:
        raise PlanRefused(*reasons, *refused.refusals) from refused
    if reasons:
        raise PlanRefused(*reasons)
    return made


def record_of(asked: Asked, judged: Admitted | NotAdmitted) -> PlanRecord:
    """Return a plan with what was found when it asked to begin.

    Where none could be made, with what is known all the same.
    """
    refusals = judged.refusals if isinstance(judged, NotAdmitted) else ()
    if judged.plan is not None:
        return replace(judged.plan.record(), notices=judged.notices, refusals=refusals)
    spec = asked.story.scenario.spec
    return PlanRecord(
        scenario=asked.story.scenario.metadata.name,
        target=asked.target.name,
        slo=asked.story.slo.id,
        service=asked.story.slo.service,
        responder=str(spec.responder),
        expects_alert=spec.expect.alert is not None,
        notices=judged.notices,
        refusals=refusals,
    )


def _prepare(story: Story, system: OpenSystem, run: str) -> list[PlannedFault]:
    regions = story.scenario.spec.regions or system.regions
    pods = story.scenario.spec.blast_radius.pods
    prepared = [
        system.faults.prepare(
            fault.experiment,
            path=str(path),
            # A fault that takes one region only is given it by that name.
            configuration={
                "regions": list(regions),
                **({"region": regions[0]} if len(regions) == 1 else {}),
                # What can count pods counts them once more when it injects.
                **({} if pods is None else {"at_most": _share_or_count(pods)}),
                **fault.with_,
            },
            at=fault.at,
            duration=fault.duration,
            run=run,
            number=number,
        )
        for number, (fault, path) in enumerate(
            zip(story.scenario.spec.faults, story.experiments, strict=True), start=1
        )
    ]
    return [described(fault) for fault in prepared]


def described(fault: PlannedFault) -> PlannedFault:
    """Return a planned fault with where it is and what its recovery does, as it declares."""
    from gameday.chaos.radius import actions, is_known_late

    document = fault.undo.data.get("experiment")
    if not document:
        return fault
    # What has no value yet, whoever counts or injects it will say.
    found = actions(document, fault.configuration, is_early=True)
    ours = [
        (a.fault, {k: v for k, v in a.values.items() if not is_known_late(v)})
        for a in found
        if a.fault is not None
    ]
    where = "; ".join(filter(None, (f.place(values) for f, values in ours)))
    if not where:
        return fault
    return replace(
        fault,
        recovers="; ".join(dict.fromkeys(f.undo for f, _ in ours)),
        undo=replace(fault.undo, description=f"{fault.experiment}: {where}"),
    )


def _share_or_count(pods: float | int) -> str:
    return str(pods) if isinstance(pods, int) else f"{pods:.4%}"
