"""Asking whether a run may start: the programme from its file, the budget from Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gameday.drivers.prometheus import Prometheus
from gameday.errors import DriverError
from gameday.governance.permission import Permission, Start, judge
from gameday.house.run.stories import Story
from gameday.house.targets.open_system import OpenSystem
from gameday.model.budget import BudgetLeft, BudgetUnknown, budget_left
from gameday.model.programme import Programme
from gameday.model.scenario import Scenario, TargetKind
from gameday.model.signals import Series
from gameday.model.slo import Slo
from gameday.ports import SignalSource
from gameday.sandbox import state
from gameday.spec import find_programme, read_programme

SLOTS = 360
"""Into how many slots a period is cut to count its events: thirty days into two hours each.
Prometheus adds each up itself, so a month of a busy service is some hundred numbers on the wire."""

PATIENCE = timedelta(seconds=30)
"""How long Prometheus may take over a whole period; a month of many series is no quick question."""


def programme_in_force(scenario: Path | None = None) -> Programme | None:
    """Return the programme that governs a scenario, or the working directory; None without one.

    Raises:
        SpecError: there is one, and it is wrong; a rule nobody can read must not be passed over.
    """
    path = find_programme(scenario)
    return read_programme(path) if path is not None else None


def address(scenario: Scenario, name: str) -> str:
    """Return what a programme calls the target a scenario is played on.

    Args:
        name: of the target; for a cluster its context.
    """
    kind = str(scenario.spec.target)
    if name in ("", kind):
        return kind
    return name if name.startswith(f"{kind}/") else f"{kind}/{name}"


async def permission(
    story: Story,
    system: OpenSystem,
    *,
    now: datetime,
    approved_by: str | None = None,
    signals: SignalSource | None = None,
) -> Permission:
    """Return whether a story may be played on a system now.

    Call it once the system is open and before anything of the run is stored or injected; say its
    notices, call its `require`, and record its `to_json` with the run: who approved it is a fact.

    Args:
        approved_by: role that approved it, as the operator says.
        signals: where events are counted; the system's Prometheus by default.

    Raises:
        SpecError: there is a programme, and it is wrong.
    """
    start = Start(
        target=address(story.scenario, system.target.name),
        regions=story.scenario.spec.regions or system.regions,
        at=now,
        approved_by=approved_by,
    )
    counted = Counted(
        signals
        or Prometheus(
            system.tools.prometheus, timeout=PATIENCE, credentials=system.keyring.metrics
        ),
        system.target.time_scale,
    )
    return await ask(programme_in_force(story.scenario.path), start, [story.slo], counted=counted)


@dataclass(frozen=True, slots=True)
class Counted:
    """Where a target's events are counted, and how many times faster its time runs."""

    signals: SignalSource
    time_scale: float


async def ask(
    programme: Programme | None, start: Start, slos: Sequence[Slo], *, counted: Counted | None
) -> Permission:
    """Return whether a run that spends on these SLOs may start; asks for budgets where it matters.

    Args:
        counted: None: nobody knows where, so the budgets are unknown.
    """
    budgets: list[BudgetLeft | BudgetUnknown] = []
    if programme is not None and _has_a_reserve(programme, start.target):
        for slo in slos:
            if counted is None:
                budgets.append(BudgetUnknown(slo.id, "no Prometheus is known that counts for it"))
                continue
            scale = counted.time_scale
            budgets.append(await read_budget(counted.signals, slo, time_scale=scale, now=start.at))
    return judge(programme, start, budgets)


def counted_for(target: str, *, prometheus: str | None) -> Counted | None:
    """Return where a target's events are counted, without opening it.

    Args:
        prometheus: base URL; None: the sandbox's own where that is up.
    Returns:
        None where nothing is known to count.
    """
    found = state.read() if target == TargetKind.SANDBOX else None
    scale = found.time_scale if found is not None else 1.0
    url = prometheus or (found.prometheus_url if found is not None else None)
    return Counted(Prometheus(url, timeout=PATIENCE), scale) if url else None


def _has_a_reserve(programme: Programme, target: str) -> bool:
    """Return whether a budget would be looked at, be it for a notice only."""
    return (
        programme.reserve(target) is not None or programme.spec.error_budget_left_above is not None
    )


async def read_budget(
    signals: SignalSource, slo: Slo, *, time_scale: float, now: datetime
) -> BudgetLeft | BudgetUnknown:
    """Return what is left of an SLO's error budget, counted by Prometheus over its whole period.

    Never raises for what Prometheus says or does not say: that the budget is unknown is the answer.

    Args:
        time_scale: how many times faster the target's time runs; its period is as much shorter.
        now: end of the period.
    """
    objective = slo.objective.scaled(time_scale)
    counted = slo.good_query or slo.bad_query
    if not counted or not slo.total_query:
        return BudgetUnknown(slo.id, "its events are not counted by two counters")
    slot = objective.period / SLOTS
    since = now - objective.period
    try:
        some, total = await asyncio.gather(
            *(
                signals.range(
                    f"sum(increase({query}[{round(slot.total_seconds() * 1000)}ms]))",
                    since=since + slot,
                    until=now,
                    step=slot,
                )
                for query in (counted, slo.total_query)
            )
        )
    except DriverError as error:
        return BudgetUnknown(slo.id, str(error))
    slots = _slots(some, since, slot)
    return budget_left(
        slo.id,
        objective,
        total=_slots(total, since, slot),
        good=slots if slo.good_query else None,
        bad=None if slo.good_query else slots,
    )


def _slots(series: Sequence[Series], since: datetime, slot: timedelta) -> list[float | None]:
    """Return the value at the end of each slot; None where there is none."""
    values: list[float | None] = [None] * SLOTS
    for sample in (s for one in series for s in one.samples):
        number = round((sample.at - since) / slot) - 1
        if 0 <= number < SLOTS:
            values[number] = sample.value
    return values
