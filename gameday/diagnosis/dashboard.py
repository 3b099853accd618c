"""A RED dashboard read as a person would: drawn once, and turned up where nothing shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.diagnosis.links import Dashboard
from gameday.diagnosis.red import RedReading, Signal, read
from gameday.model.signals import Series

STEP = timedelta(seconds=1)
MOST_POINTS = 600

Draw = Callable[[str, datetime, datetime, timedelta], Awaitable[Sequence[Series]]]
"""(expression, since, until, step) → its series."""


@dataclass(frozen=True, slots=True)
class DrawnDashboard:
    """A dashboard as it was drawn, and what it showed."""

    dashboard: Dashboard
    panels: Mapping[Signal, Sequence[Series]]
    reading: RedReading


async def drawn(
    draw: Draw, dashboard: Dashboard, *, since: datetime, until: datetime, window: timedelta
) -> DrawnDashboard:
    """Return the dashboard drawn over a span, with what it shows.

    Args:
        window: the burn window, in real time.
    """
    first = await _drawn(draw, dashboard, since, until, window)
    if {"errors", "duration"} & set(first.reading.moved()):
        return first
    # A small share of slow requests hides below the quantile drawn: turn it up.
    sharper = Dashboard(
        dashboard.base,
        {
            signal: expression.replace("histogram_quantile(0.9,", "histogram_quantile(0.99,")
            for signal, expression in dashboard.expressions.items()
        },
    )
    if sharper == dashboard:
        return first
    closer = await _drawn(draw, sharper, since, until, window)
    return closer if closer.reading.movements else first


async def _drawn(
    draw: Draw, dashboard: Dashboard, since: datetime, until: datetime, window: timedelta
) -> DrawnDashboard:
    step = max(STEP, (until - since) / MOST_POINTS)
    panels = {
        signal: await draw(expression, since, until, step)
        for signal, expression in dashboard.expressions.items()
    }
    short_window = min(dashboard.rate_window() or window / 12, window / 12)
    reading = read(panels, since=since, now=until, short_window=short_window)
    return DrawnDashboard(dashboard, panels, reading)
