"""Reading who calls whom, and how that went, out of the metrics."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from gameday.diagnosis.graph import Accused, Course, Edge, accuse
from gameday.model.service_graph import EdgeQuery, EdgeSide, Measure
from gameday.model.signals import Series
from gameday.ports import SignalSource

__all__ = ["read_graph"]

QUIET_BEFORE = timedelta(seconds=60)
"""How much quiet time a call is held against, at least."""

MARGIN = timedelta(seconds=2)
"""Left out before the onset: metrics are as old as a scrape."""

WIDE = 10
"""How many windows of rates the quiet time spans, where that is more."""

_Ends = tuple[str, str]


async def read_graph(
    metrics: SignalSource,
    queries: Sequence[EdgeQuery],
    *,
    service: str,
    onset: datetime,
    now: datetime,
    window: timedelta,
) -> Accused | None:
    """Return whom the graph accuses; None where it knows no call of the service.

    Args:
        onset: when the trouble began, as far as is known.
        window: how far back the rates of the queries look.

    Raises:
        DriverError: the metrics cannot be read.
    """
    since = onset - max(QUIET_BEFORE, WIDE * window)
    step = max(timedelta(seconds=1), window / 4)
    found = await asyncio.gather(
        *(metrics.range(q.query, since=since, until=now, step=step) for q in queries)
    )
    answers = list(zip(queries, found, strict=True))
    return accuse(_calls(answers, onset), service)


def _calls(
    answers: Sequence[tuple[EdgeQuery, Sequence[Series]]], onset: datetime
) -> Sequence[Edge]:
    by: dict[EdgeSide, dict[_Ends, list[Course]]] = {EdgeSide.CALLER: {}, EdgeSide.CALLEE: {}}
    for query, series in answers:
        for one in series:
            caller = one.labels.get(query.caller_label, "") if query.caller_label else query.caller
            callee = one.labels.get(query.callee_label, "") if query.callee_label else query.callee
            if callee and (caller or not query.caller_label):
                course = _course(query.measure, one, onset)
                by[query.side].setdefault((caller, callee), []).append(course)
    pairs = {ends for side in by.values() for ends in side if ends[0] and ends[0] != ends[1]}
    return [
        Edge(
            caller,
            callee,
            by_caller=tuple(by[EdgeSide.CALLER].get((caller, callee), ())),
            by_callee=tuple(_of_callee(by[EdgeSide.CALLEE], caller, callee)),
        )
        for caller, callee in sorted(pairs)
    ]


def _of_callee(
    seen: Mapping[_Ends, Sequence[Course]], caller: str, callee: str
) -> Sequence[Course]:
    # Some count at the one that answers without knowing who asks.
    return seen.get((caller, callee)) or seen.get(("", callee)) or ()


def _course(measure: Measure, series: Series, onset: datetime) -> Course:
    samples = [s for s in series.samples if not math.isnan(s.value)]
    return Course(
        measure,
        quiet=tuple(s.value for s in samples if s.at < onset - MARGIN),
        since=tuple(s.value for s in samples if s.at >= onset),
    )
