"""Where the time of one trace was spent: exclusive time per place. Pure.

A *place* is a service that works, or a service that waits for a downstream. The exclusive time of
a server span is what its children do not cover: the service's own work. That of a client span is
what the called service's span does not cover: the way there and back, or, where the called side
leaves no span (a database, a peer that was never reached), all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.model.signals import Span, Trace

_DOWNSTREAM = ("peer.service", "server.address", "db.namespace", "db.system.name", "db.system")


@dataclass(frozen=True, slots=True, order=True)
class Hop:
    """A service at work (no downstream), or waiting for a downstream."""

    service: str
    downstream: str = ""

    def __str__(self) -> str:
        return f"{self.service} → {self.downstream}" if self.downstream else self.service


@dataclass(frozen=True, slots=True)
class Part:
    """What one place took of a trace.

    Attributes:
        time: exclusive time of all its spans, within their parents' time.
        span: the one with the most exclusive time.
    """

    place: Hop
    time: timedelta
    span: Span


def place_of(span: Span) -> Hop:
    """Return the place whose exclusive time this span's is."""
    return Hop(span.service, downstream_of(span) or "" if span.kind == "client" else "")


def downstream_of(span: Span) -> str | None:
    """Return what a client span waits for; None where it does not say."""
    for key in _DOWNSTREAM:
        value = span.attributes.get(key)
        if value:
            return str(value)
    return None


def region_of(span: Span) -> str | None:
    """Return the region of the process that emitted the span; None where it does not say."""
    value = span.resource.get("cloud.region") or span.resource.get("region")
    return str(value) if value else None


def children_of(trace: Trace) -> Mapping[str, Sequence[Span]]:
    """Return the children of every span that has any, in order of start."""
    found: dict[str, list[Span]] = {}
    for span in trace.spans:
        if span.parent_id and span.parent_id != span.span_id:
            found.setdefault(span.parent_id, []).append(span)
    return {
        parent: sorted(spans, key=lambda s: (s.started_at, s.span_id))
        for parent, spans in found.items()
    }


def seen_from(trace: Trace, service: str) -> Trace:
    """Return the trace as the service served it: its server span and everything below.

    What stands in front of it (an edge, a client) is not part of its promise, and may know no
    region. Where it served several requests of one trace, the failed or slowest one counts; the
    whole trace where it served none.
    """
    entries = [s for s in trace.spans if s.service == service and s.kind == "server"]
    if not entries:
        return trace
    children = children_of(trace)
    waiting = [max(entries, key=lambda s: (s.error, s.duration, s.span_id))]
    below: dict[str, Span] = {}
    while waiting:
        span = waiting.pop()
        if span.span_id not in below:
            below[span.span_id] = span
            waiting += children.get(span.span_id, ())
    return Trace(trace.trace_id, tuple(s for s in trace.spans if s.span_id in below))


def parts_of(trace: Trace) -> Mapping[Hop, Part]:
    """Return what each place took of the request, seen from its root.

    Work that went on after the caller had given up is not counted: nobody waited for it.
    """
    children = children_of(trace)
    root = trace.root()
    found: dict[Hop, Part] = {}
    longest: dict[Hop, timedelta] = {}
    waiting: list[tuple[Span, datetime, datetime]] = [
        (root, root.started_at, root.started_at + root.duration)
    ]
    seen: set[str] = set()
    while waiting:
        span, begin, end = waiting.pop()
        if span.span_id in seen:  # a broken trace may call itself its own parent
            continue
        seen.add(span.span_id)
        covered: list[tuple[datetime, datetime]] = []
        for child in children.get(span.span_id, ()):
            child_begin = min(max(child.started_at, begin), end)
            child_end = max(min(child.started_at + child.duration, end), child_begin)
            covered.append((child_begin, child_end))
            waiting.append((child, child_begin, child_end))
        time = max(timedelta(0), (end - begin) - _union(covered))
        place = place_of(span)
        known = found.get(place)
        if known is None or time > longest[place]:
            longest[place] = time
            found[place] = Part(place, (known.time if known else timedelta(0)) + time, span)
        else:
            found[place] = Part(place, known.time + time, known.span)
    return found


def deepest_failure(trace: Trace) -> Span | None:
    """Return the failed span below which nothing failed, nearest to the cause; None if none did.

    Where a service tried several calls, the one that ended last made it give up.
    """
    children = children_of(trace)
    root = trace.root()
    span = root if root.error else _last_failed(trace.spans)
    seen: set[str] = set()
    while span is not None and span.span_id not in seen:
        seen.add(span.span_id)
        deeper = _last_failed(children.get(span.span_id, ()))
        if deeper is None:
            return span
        span = deeper
    return span


def _last_failed(spans: Iterable[Span]) -> Span | None:
    failed = [s for s in spans if s.error]
    return max(failed, key=lambda s: (s.started_at + s.duration, s.span_id), default=None)


def _union(intervals: Sequence[tuple[datetime, datetime]]) -> timedelta:
    total = timedelta(0)
    reached: datetime | None = None
    for begin, end in sorted(intervals):
        if reached is None or begin > reached:
            total += end - begin
            reached = end
        elif end > reached:
            total += end - reached
            reached = end
    return total
