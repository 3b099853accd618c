"""A RED dashboard read as a person would: drawn once, and turned up where nothing shows."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.diagnosis.links import Dashboard
from gameday.diagnosis.red import SLOW, BurnSpan, RedReading, Signal, read
from gameday.model.signals import Series

STEP = timedelta(seconds=1)
MOST_POINTS = 600
QUANTILE = re.compile(r"histogram_quantile\(\s*(0?\.\d+)\s*,")

Draw = Callable[[str, datetime, datetime, timedelta], Awaitable[Sequence[Series]]]
"""(expression, since, until, step) → its series."""


@dataclass(frozen=True, slots=True)
class DrawnDashboard:
    """A dashboard as it was drawn, and what it showed."""

    dashboard: Dashboard
    panels: Mapping[Signal, Sequence[Series]]
    reading: RedReading


async def drawn(
    draw: Draw, dashboard: Dashboard, *, span: BurnSpan, now: datetime, limit: timedelta = SLOW
) -> DrawnDashboard:
    """Return the dashboard drawn up to now, with what it shows.

    Args:
        limit: from which duration on users are let down.
    """
    first = await _drawn(draw, dashboard, span, now, limit)
    if first.reading.is_plain(limit):
        return first
    # A small share of slow requests hides below the quantile drawn, and what a neighbour feels of
    # them does not: turn it up.
    sharper = Dashboard(
        dashboard.base,
        {
            signal: expression.replace("histogram_quantile(0.9,", "histogram_quantile(0.99,")
            for signal, expression in dashboard.expressions.items()
        },
    )
    if sharper == dashboard:
        return first
    closer = await _drawn(draw, sharper, span, now, limit)
    if closer.reading.is_plain(limit):
        return closer
    return first if first.reading.movements or not closer.reading.movements else closer


async def _drawn(
    draw: Draw, dashboard: Dashboard, span: BurnSpan, now: datetime, limit: timedelta
) -> DrawnDashboard:
    step = max(STEP, (now - span.since) / MOST_POINTS)
    panels = {
        signal: await draw(expression, span.since, now, step)
        for signal, expression in dashboard.expressions.items()
    }
    short_window = min(dashboard.rate_window() or span.window / 12, span.window / 12)
    reading = read(
        panels,
        span=span,
        now=now,
        short_window=short_window,
        limit=limit,
        tail_ratio=tail_of(dashboard.expressions.get(Signal.DURATION, "")),
    )
    return DrawnDashboard(dashboard, panels, reading)


def tail_of(expression: str) -> float | None:
    """Return the share of requests that are slower than a quantile drawn; None: it is none."""
    found = QUANTILE.search(expression)
    return 1 - float(found[1]) if found else None
