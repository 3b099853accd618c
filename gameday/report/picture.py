"""The timeline of a run as an SVG picture: time runs down, so that it reads on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from gameday.report.moments import Lane, Moment, moments
from gameday.report.wording import seconds
from scoring.timeline import Kind, Timeline

WIDTH = 360
TOP, BOTTOM = 30, 16
ROW = 22
AXIS_X, FAULT_X, ALERT_X, TEXT_X = 58, 72, 86, 118


def svg(timeline: Timeline) -> str:
    """Return the picture as an ``<svg>`` element; empty text where nothing happened.

    Colours come from CSS variables of the page around it (``--fault``, ``--alert``,
    ``--responder``, ``--run``) and from the text colour, so that it follows dark and light.
    """
    shown = moments(timeline)
    if not shown:
        return ""
    start, end = shown[0].at, shown[-1].at
    span = max((end - start).total_seconds(), 1.0)
    # True to scale as far as there is room; the labels then make room for each other.
    height = max(ROW * len(shown) + 60, 240)
    true = [TOP + (m.at - start).total_seconds() / span * height for m in shown]
    labels = _apart(true)
    full = max(labels[-1], TOP + height) + BOTTOM

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {full:.0f}" role="img" xmlns="http://www.w3.org/2000/svg">',
        "<title>What happened when, counted from the first moment</title>",
        _text(AXIS_X - 6, 14, "time", anchor="end", style="quiet"),
        _text(TEXT_X, 14, "left bar: fault, right bar: alert", style="quiet"),
        _line(AXIS_X, TOP, AXIS_X, TOP + height),
    ]
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = TOP + fraction * height
        parts.append(_line(AXIS_X - 4, y, AXIS_X, y))
        parts.append(
            _text(
                AXIS_X - 6, y + 4, seconds(round(span * fraction, 1)), anchor="end", style="quiet"
            )
        )
    parts += _bars(timeline, shown, true, TOP + height)
    for moment, y, label_y in zip(shown, true, labels, strict=True):
        parts += [
            f'<path class="lead" d="M{ALERT_X + 8} {y:.1f} L{TEXT_X - 12} {label_y:.1f}"/>',
            f'<circle class="{moment.lane}" cx="{TEXT_X - 8}" cy="{label_y:.1f}" r="4"/>',
            _text(TEXT_X, label_y + 4, f"{moment.words} · {_since(start, moment)}"),
        ]
    return "\n".join([*parts, "</svg>"])


def _since(start: datetime, moment: Moment) -> str:
    return seconds(round((moment.at - start).total_seconds(), 1))


def _apart(wanted: Sequence[float]) -> list[float]:
    """Return the places of labels: in order, at least a row apart, near where they belong."""
    placed: list[float] = []
    for y in wanted:
        placed.append(max(y, placed[-1] + ROW) if placed else y)
    return placed


def _bars(
    timeline: Timeline, shown: Sequence[Moment], ys: Sequence[float], bottom: float
) -> list[str]:
    y_of = {m.fact: y for m, y in zip(shown, ys, strict=True)}
    # Tickets look days back and may outlast the run; the bar shows when the page was on.
    pages = Timeline.of(f for f in timeline if f.data.get("severity", "page") == "page")
    bars = []
    for x, lane, begin, finish in (
        (FAULT_X, Lane.FAULT, Kind.FAULT_INJECTED, Kind.RECOVERY_PROVEN),
        (ALERT_X, Lane.ALERT, Kind.ALERT_FIRED, Kind.ALERT_RESOLVED),
    ):
        first, last = pages.first(begin), pages.last(finish)
        if first is None or first.id not in y_of:
            continue
        top = y_of[first.id]
        end = y_of.get(last.id, bottom) if last is not None else bottom
        bars.append(
            f'<rect class="{lane}" x="{x - 4}" y="{top:.1f}" width="8"'
            f' height="{max(end - top, 2):.1f}" rx="2"/>'
        )
    return bars


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="axis" d="M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(words)}</text>'
