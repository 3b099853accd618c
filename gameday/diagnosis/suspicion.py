"""Whom several traces accuse together. Pure.

One trace may mislead: a queue behind the cause, a collected heap, a neighbour's processor. Hence
the verdict over several of them, each place measured against what it takes on a quiet day, and the
first traces to suffer weighed more: queues form behind a cause, not before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median

from gameday.diagnosis import peers
from gameday.diagnosis.exclusive import (
    Hop,
    deepest_failure,
    parts_of,
    place_of,
    region_of,
)
from gameday.model.signals import Span, Trace

QUICK_FAILURE = timedelta(milliseconds=50)
"""A failed trace that took at most this much longer than a quiet one failed without waiting."""

BUSY = timedelta(milliseconds=50)
"""Own work beyond the usual from which on a request keeps others from being served."""

MUCH_LONGER = 1.5
"""A wait longer than this many times the work it overlaps has a cause of its own."""

ONE_REGION = 0.8
"""Share of the traces that must come from one region for the cause to lie there."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """The place that the traces accuse.

    Attributes:
        place: service, and the downstream it waits for where it does.
        span: name of the span with the bulk; kind: its kind.
        bulk_ratio: share of the traces' time (of the failures, where nothing is slow) it holds.
        time: median exclusive time of the place in the traces that accuse it.
        usual: its median exclusive time in quiet traces.
        errors: most of the traces failed.
        traces: the traces that accuse it, the first to suffer first.
        region: the one region they come from; None: several.
        example: one span of the place.
        quiet: spans of the service in the quiet traces, one for each process.
    """

    place: Hop
    span: str
    kind: str
    bulk_ratio: float
    time: timedelta
    usual: timedelta
    errors: bool
    traces: tuple[Trace, ...]
    region: str | None
    example: Span
    quiet: tuple[Span, ...] = ()

    def first_at(self) -> datetime:
        """Return when the earliest of the accusing requests started."""
        return min(t.root().started_at for t in self.traces)


@dataclass(frozen=True, slots=True)
class _Testimony:
    """What one trace says: how much of it each place is to blame for, 0–1."""

    trace: Trace
    shares: Mapping[Hop, float]
    spans: Mapping[Hop, Span]
    times: Mapping[Hop, timedelta]
    excess: Mapping[Hop, timedelta] = field(default_factory=dict)


def accuse(bad: Sequence[Trace], quiet: Sequence[Trace]) -> Suspect | None:
    """Return the place that holds the bulk of what went wrong; None where there is no trace.

    Args:
        bad: slow or failed traces, each with at least one span.
        quiet: traces of a quiet time, for comparison; may be empty.
    """
    bad, quiet = peers.named(bad, quiet)
    usual = _usual(quiet)
    quiet_time = _middle([t.root().duration for t in quiet]) if quiet else timedelta(0)
    ordered = sorted(bad, key=lambda t: (t.root().started_at, t.trace_id))
    testimonies = [_testify(trace, usual, quiet_time) for trace in ordered]
    testimonies = _relieved([t for t in testimonies if t.shares])
    if not testimonies:
        return None
    weights = _weights(testimonies)
    place = min(weights, key=lambda p: (-weights[p], p))
    accusing = [t for t in testimonies if max(t.shares, key=lambda p: (t.shares[p], p)) == place]
    accusing = accusing or [t for t in testimonies if place in t.shares]
    regions = Counter(region for t in accusing if (region := region_of(t.spans[place])) is not None)
    names = Counter(t.spans[place].name for t in accusing)
    name = min(names, key=lambda n: (-names[n], n))
    example = next(t.spans[place] for t in accusing if t.spans[place].name == name)
    return Suspect(
        place=place,
        span=name,
        kind=example.kind,
        bulk_ratio=round(median(t.shares.get(place, 0.0) for t in accusing), 3),
        time=_middle([t.times.get(place, timedelta(0)) for t in accusing]),
        usual=usual.get(place, timedelta(0)),
        errors=sum(t.trace.root().error for t in accusing) * 2 > len(accusing),
        traces=tuple(t.trace for t in accusing),
        region=_majority(regions),
        example=example,
        quiet=tuple(
            {
                repr(sorted(span.resource.items(), key=str)): span
                for trace in quiet
                for span in trace.spans
                if span.service == place.service
            }.values()
        ),
    )


def _usual(quiet: Sequence[Trace]) -> dict[Hop, timedelta]:
    times: dict[Hop, list[timedelta]] = {}
    for trace in quiet:
        for place, part in parts_of(trace).items():
            times.setdefault(place, []).append(part.time)
    return {place: _middle(seen) for place, seen in times.items()}


def _testify(trace: Trace, usual: Mapping[Hop, timedelta], quiet_time: timedelta) -> _Testimony:
    parts = parts_of(trace)
    times = {place: part.time for place, part in parts.items()}
    spans = {place: part.span for place, part in parts.items()}
    failure = deepest_failure(trace)
    slower = trace.root().duration - quiet_time
    if failure is not None and slower <= QUICK_FAILURE:
        place = place_of(failure)
        return _Testimony(trace, {place: 1.0}, {**spans, place: failure}, times)
    excess = {
        place: max(timedelta(0), part.time - usual.get(place, timedelta(0)))
        for place, part in parts.items()
    }
    return _Testimony(trace, _shares(excess), spans, times, excess)


def _shares(excess: Mapping[Hop, timedelta]) -> dict[Hop, float]:
    whole = sum(excess.values(), timedelta(0))
    if not whole:
        return {}
    return {place: time / whole for place, time in excess.items() if time}


def _relieved(testimonies: Sequence[_Testimony]) -> list[_Testimony]:
    """Return the testimonies with the waits that another request caused laid at that one's door.

    A process that works hard on one request answers every other one late: their spans show them
    waiting for its downstream, or for itself, although the hop is well. Such a wait is its work,
    if it overlaps that work and is not much longer.
    """
    busy: dict[tuple[str, str | None], list[tuple[Span, timedelta]]] = {}
    for testimony in testimonies:
        for place, time in testimony.excess.items():
            if not place.downstream and time >= BUSY:
                span = testimony.spans[place]
                busy.setdefault((place.service, region_of(span)), []).append((span, time))

    def worker(testimony: _Testimony, place: Hop) -> Hop:
        span = testimony.spans[place]
        for service in (place.service, place.downstream):
            for other, time in busy.get((service, region_of(span)), ()):
                is_explained = testimony.excess[place] <= MUCH_LONGER * time
                if other.trace_id != span.trace_id and is_explained and _overlap(span, other):
                    return Hop(service)
        return place

    relieved = []
    for testimony in testimonies:
        excess: dict[Hop, timedelta] = {}
        spans = dict(testimony.spans)
        for place, time in testimony.excess.items():
            to = worker(testimony, place) if place.downstream and time else place
            spans.setdefault(to, testimony.spans[place])
            excess[to] = excess.get(to, timedelta(0)) + time
        relieved.append(
            replace(testimony, shares=_shares(excess), spans=spans, excess=excess)
            if excess
            else testimony
        )
    return relieved


def _overlap(one: Span, other: Span) -> bool:
    return (
        one.started_at < other.started_at + other.duration
        and other.started_at < one.started_at + one.duration
    )


def _weights(testimonies: Sequence[_Testimony]) -> dict[Hop, float]:
    """Return each place's typical share, the first third of the traces counted twice."""
    first = testimonies[: max(2, len(testimonies) // 3)]
    places = {place for t in testimonies for place in t.shares}
    return {
        place: (
            _typical([t.shares.get(place, 0.0) for t in testimonies])
            + _typical([t.shares.get(place, 0.0) for t in first])
        )
        / 2
        for place in places
    }


def _typical(shares: Sequence[float]) -> float:
    # Median and mean: the median ignores strays, the mean still tells two causes apart when
    # neither holds half of the traces.
    return (median(shares) + sum(shares) / len(shares)) / 2


def _middle(times: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(t.total_seconds() for t in times))


def _majority(regions: Counter[str]) -> str | None:
    if not regions:
        return None
    region = min(regions, key=lambda r: (-regions[r], r))
    return region if regions[region] >= ONE_REGION * sum(regions.values()) else None
