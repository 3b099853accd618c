"""Pictures out of telemetry, as values the templates draw: waterfalls, flame graphs, time axes.

Positions are percentages: the pictures are SVG whose text keeps its size on a phone. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gameday.diagnosis.dashboard import DrawnDashboard
from gameday.diagnosis.exclusive import children_of, downstream_of, region_of
from gameday.diagnosis.red import Signal
from gameday.diagnosis.stacks import Leaf
from gameday.model.signals import Deploy, Profile, Series, Span, Trace

MOST_SPANS = 40
MOST_DEPTH = 48
THINNEST = 0.004
"""Frames narrower than this share of the whole are left out: nobody could read or hit them."""

TITLES = {"rate": "Rate", "errors": "Errors", "duration": "Duration"}
UNITS = {"rate": "requests/s", "errors": "share of requests", "duration": "ms"}


# --- waterfalls ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of a waterfall.

    Attributes:
        left, width: percent of the request's time.
        depth: how deep below the root, for the indent; at most 6.
        waits_for: what a call goes to, as its span says; empty for other spans.
    """

    label: str
    service: str
    left: float
    width: float
    depth: int
    milliseconds: float
    is_bulk: bool
    error: bool
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One trace."""

    trace_id: str
    started_at: datetime
    milliseconds: float
    region: str
    error: bool
    bars: tuple[Bar, ...]
    hidden: int


def waterfall(trace: Trace, bulk: frozenset[str]) -> Waterfall:
    """Return a trace as its spans in the order of the calls."""
    root = trace.root()
    children = children_of(trace)
    whole = max(root.duration, timedelta(microseconds=1))
    bars: list[Bar] = []
    waiting: list[tuple[Span, int]] = [(root, 0)]
    seen: set[str] = set()
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        left = min(max((span.started_at - root.started_at) / whole, 0.0), 1.0)
        width = min(span.duration / whole, 1.0 - left)
        bars.append(
            Bar(
                label=span.name,
                service=span.service,
                left=round(left * 100, 2),
                width=max(round(width * 100, 2), 0.4),
                depth=min(depth, 6),
                milliseconds=_ms(span.duration),
                is_bulk=span.span_id in bulk,
                error=span.error,
                waits_for=downstream(span) or "",
            )
        )
        waiting += [(c, depth + 1) for c in reversed(children.get(span.span_id, ()))]
    region = next((r for s in trace.spans if (r := region_of(s))), "")
    return Waterfall(
        trace.trace_id,
        root.started_at,
        _ms(root.duration),
        region,
        root.error,
        tuple(bars[:MOST_SPANS]),
        max(0, len(bars) - MOST_SPANS),
    )


# --- flame graphs -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    function: str
    file: str
    time: timedelta = timedelta(0)
    below: dict[tuple[str, str], _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Box:
    """One frame of a flame graph, root on top.

    Attributes:
        row: from 0, the root; left, width: percent.
        is_leaf: whether it is the widest leaf.
    """

    function: str
    file: str
    row: int
    left: float
    width: float
    share_ratio: float
    is_leaf: bool


@dataclass(frozen=True, slots=True)
class Flame:
    """A profile as boxes."""

    boxes: tuple[Box, ...]
    rows: int


def flame(profile: Profile, leaf: Leaf | None) -> Flame:
    """Return a profile as a flame graph whose widest leaf is marked; empty where it is."""
    root = _Node("all", "")
    for stack in profile.stacks:
        root.time += stack.time
        node = root
        for frame in stack.frames[:MOST_DEPTH]:
            key = (frame.function, frame.file)
            node = node.below.setdefault(key, _Node(*key))
            node.time += stack.time
    if not root.time:
        return Flame((), 0)
    boxes: list[Box] = []
    waiting: list[tuple[_Node, int, float]] = [(root, 0, 0.0)]
    while waiting:
        node, row, left = waiting.pop()
        share = node.time / root.time
        if share < THINNEST:
            continue
        is_leaf = leaf is not None and node.file == leaf.file and _is(node.function, leaf.function)
        boxes.append(
            Box(
                node.function,
                node.file,
                row,
                round(left * 100, 3),
                round(share * 100, 3),
                share,
                is_leaf,
            )
        )
        for child in sorted(node.below.values(), key=lambda n: (-n.time, n.function)):
            waiting.append((child, row + 1, left))
            left += child.time / root.time
    return Flame(tuple(boxes), max(b.row for b in boxes) + 1)


def _is(function: str, wanted: str) -> bool:
    return function == wanted or function.endswith(f".{wanted}")


# --- time axes ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """One instant on an axis; ``left`` in percent."""

    left: float
    kind: str
    words: str


def axis(
    deploys: Sequence[Deploy], *, onset: datetime | None, paged_at: datetime, now: datetime
) -> tuple[Mark, ...]:
    """Return deploys, onset, page and now on one axis."""
    instants = [(d.deployed_at, "deploy", f"{d.service} {d.revision[:7]}") for d in deploys]
    if onset is not None:
        instants.append((onset, "onset", "onset"))
    instants += [(paged_at, "page", "page"), (now, "now", "now")]
    first = min(at for at, _, _ in instants)
    span = max((now - first).total_seconds(), 1.0)
    return tuple(
        Mark(round(2 + 96 * (at - first).total_seconds() / span, 2), kind, words)
        for at, kind, words in sorted(instants)
    )


# --- RED panels ---------------------------------------------------------------------------------


def charts(found: DrawnDashboard, marks: Sequence[tuple[datetime, str]]) -> dict[str, Any]:
    """Return the RED panels as the script draws them."""
    return {
        "panels": [
            {
                "signal": signal,
                "title": TITLES[signal],
                "unit": UNITS[signal],
                "series": _lines(signal, found.panels.get(signal, ())),
            }
            for signal in Signal
        ],
        "marks": [{"at": at.isoformat(), "words": words} for at, words in marks],
    }


def _lines(signal: str, series: Iterable[Series]) -> list[dict[str, Any]]:
    """Return one line per region; rates of several codes are added up."""
    regions: dict[str, dict[datetime, float]] = {}
    for one in series:
        values = regions.setdefault(one.labels.get("region", "all"), {})
        for sample in one.samples:
            if sample.value != sample.value:  # NaN: no traffic
                continue
            if signal == Signal.RATE:
                values[sample.at] = values.get(sample.at, 0.0) + sample.value
            else:
                values[sample.at] = max(values.get(sample.at, 0.0), sample.value)
    scale = 1000.0 if signal == Signal.DURATION else 1.0
    return [
        {
            "name": region,
            "x": [at.isoformat() for at in sorted(values)],
            "y": [round(values[at] * scale, 4) for at in sorted(values)],
        }
        for region, values in sorted(regions.items())
    ]


def downstream(span: Span) -> str | None:
    """Return what a client span waits for; None for other spans, or where it does not say."""
    return downstream_of(span) if span.kind == "client" else None


def _ms(time: timedelta) -> float:
    return round(time.total_seconds() * 1000, 1)
