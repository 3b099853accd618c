"""What an incident cost users, read from Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from gameday.errors import DriverError, SpecError, UsageError
from gameday.house.run.permission import read_budget
from gameday.model.budget import BudgetLeft
from gameday.model.postmortem import Impact, IncidentStory
from gameday.model.signals import Series
from gameday.model.slo import Slo
from gameday.ports import SignalSource
from gameday.spec import Catalogue

__all__ = ["Impacts", "read_impact"]


class Impacts:
    """Measures what incidents cost.

    Args:
        metrics: the Prometheus to ask; None: none is known.
        scale: how many times faster time runs there.
    """

    def __init__(self, metrics: SignalSource | None, *, scale: float = 1.0) -> None:
        self._metrics = metrics
        self._scale = scale

    async def of(self, story: IncidentStory) -> Impact:
        """Return what an incident cost; what cannot be measured is unknown, with the reason."""
        if self._metrics is None:
            return Impact("no Prometheus is known: set GAMEDAY_PROMETHEUS_URL")
        if story.cleared_at is None:
            return Impact("when the alert cleared is not on record")
        try:
            slo = Catalogue.around().slo(story.slo)
        except (SpecError, UsageError) as error:
            return Impact(str(error).splitlines()[0])
        return await read_impact(
            self._metrics, slo, scale=self._scale, since=story.starts_at, until=story.cleared_at
        )


async def read_impact(
    metrics: SignalSource, slo: Slo, *, scale: float, since: datetime, until: datetime
) -> Impact:
    """Return what a stretch of time cost of an SLO, by its counters.

    The share of the budget is that of the whole period at the traffic that Prometheus holds of it.
    """
    counted = slo.good_query or slo.bad_query
    if not counted or not slo.total_query:
        return Impact("the events of this SLO are not counted by two counters")
    span = until - since
    milliseconds = max(1, round(span.total_seconds() * 1000))
    try:
        some, everything = await asyncio.gather(
            *(
                metrics.range(
                    f"sum(increase({query}[{milliseconds}ms]))", since=until, until=until, step=span
                )
                for query in (counted, slo.total_query)
            )
        )
    except DriverError as error:
        return Impact(str(error))
    total, few = _last(everything), _last(some)
    if not total:
        return Impact("Prometheus holds no events of that time")
    bad = max(0.0, total - (few or 0.0)) if slo.good_query else few or 0.0
    objective = slo.objective
    known = Impact(
        bad_events=bad,
        all_events=total,
        allowed_ratio=objective.budget_ratio,
        period_days=objective.period.total_seconds() / 86400,
    )
    budget = await read_budget(metrics, slo, time_scale=scale, now=until)
    if not isinstance(budget, BudgetLeft) or not budget.allowed_events:
        return known
    return Impact(
        bad_events=known.bad_events,
        all_events=known.all_events,
        allowed_ratio=known.allowed_ratio,
        period_days=known.period_days,
        budget_spent_ratio=bad / budget.allowed_events,
        history_ratio=budget.history_ratio,
    )


def _last(series: Sequence[Series]) -> float | None:
    values = [s.value for one in series for s in one.samples]
    return values[-1] if values else None
