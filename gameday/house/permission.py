"""Asking whether a run may start: the programme from its file, the budget from Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from gameday.budget import BudgetLeft, BudgetUnknown, budget_left
from gameday.drivers.prometheus import Prometheus
from gameday.errors import DriverError
from gameday.house.play import Story, System
from gameday.permission import Permission, Start, judge
from gameday.ports import SignalSource
from gameday.programme import Programme
from gameday.scenario import Scenario
from gameday.signals import Series
from gameday.slo import Slo
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
    system: System,
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
    programme = programme_in_force(story.scenario.path)
    target = system.target
    budgets = []
    if programme is not None and _has_a_line(programme):
        source = signals or Prometheus(system.tools.prometheus, timeout=PATIENCE)
        budgets.append(await read_budget(source, story.slo, time_scale=target.time_scale, now=now))
    start = Start(
        target=address(story.scenario, target.name),
        regions=story.scenario.spec.regions or system.regions,
        at=now,
        approved_by=approved_by,
    )
    return judge(programme, start, budgets)


def _has_a_line(programme: Programme) -> bool:
    terms = programme.spec.targets.values()
    lines = [programme.spec.error_budget_left_above, *(t.error_budget_left_above for t in terms)]
    return any(line is not None for line in lines)


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
    if not slo.good_query or not slo.total_query:
        return BudgetUnknown(slo.id, "its events are not counted by two counters")
    slot = objective.period / SLOTS
    since = now - objective.period
    try:
        good, total = await asyncio.gather(
            *(
                signals.range(
                    f"sum(increase({query}[{round(slot.total_seconds() * 1000)}ms]))",
                    since=since + slot,
                    until=now,
                    step=slot,
                )
                for query in (slo.good_query, slo.total_query)
            )
        )
    except DriverError as error:
        return BudgetUnknown(slo.id, str(error))
    return budget_left(
        slo.id, objective, good=_slots(good, since, slot), total=_slots(total, since, slot)
    )


def _slots(series: Sequence[Series], since: datetime, slot: timedelta) -> list[float | None]:
    """Return the value at the end of each slot; None where there is none."""
    values: list[float | None] = [None] * SLOTS
    for sample in (s for one in series for s in one.samples):
        number = round((sample.at - since) / slot) - 1
        if 0 <= number < SLOTS:
            values[number] = sample.value
    return values
