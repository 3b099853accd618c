"""Months as SVG pictures: how many incidents, and how long they took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from gameday.model.flywheel import Month
from gameday.report.wording import seconds

__all__ = ["bars", "spans"]

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 12, 28


def bars(months: Sequence[Month]) -> str:
    """Return how many incidents each month had; empty text where none had any.

    Colours come from CSS variables of the page around it, so that it follows dark and light.
    """
    most = max((one.incidents for one in months), default=0)
    if not most:
        return ""
    top = _round_up(most)
    parts = [_open("Incidents of each month, and how many of them were SEV-1 or SEV-2")]
    for value in sorted({0, top // 2, top}):
        y = _y(value / top)
        parts += [_line(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 6, y + 4, str(value), "end")]
    step = (WIDTH - LEFT - RIGHT) / len(months)
    for number, one in enumerate(months):
        x, width = LEFT + number * step + step * 0.15, step * 0.7
        for count, kind in ((one.incidents, "responder"), (one.severe, "fault")):
            if count:
                y = _y(count / top)
                parts.append(
                    f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}"'
                    f' height="{_y(0) - y:.1f}"><title>{one.first:%Y-%m}: {count}</title></rect>'
                )
    return "\n".join([*parts, *_names(months), "</svg>"])


def spans(months: Sequence[Month]) -> str:
    """Return the median time to recover of each month with its interval, on a scale of powers.

    Where a month has too few for an interval, its point stands alone; where nothing is known of
    any, empty text.
    """
    known = [(n, one.recover) for n, one in enumerate(months) if one.recover is not None]
    if not known:
        return ""
    ends = [
        max(end.total_seconds(), 1.0)
        for _, spread in known
        for end in (spread.median, *(spread.median_interval or ()))
    ]
    marks = [s for s in _MARKS if min(ends) / 4 <= s <= max(ends) * 4]
    low, high = math.log(min([*marks, min(ends)])), math.log(max([*marks, max(ends)]))
    parts = [_open("Median time to recover of each month, with its interval of 95 %")]

    def y_of(value: float) -> float:
        return _y((math.log(max(value, 1.0)) - low) / ((high - low) or 1.0))

    for mark in marks:
        y = y_of(mark)
        parts += [_line(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 6, y + 4, seconds(mark), "end")]
    step = (WIDTH - LEFT - RIGHT) / len(months)
    for number, spread in known:
        x = LEFT + (number + 0.5) * step
        middle = y_of(spread.median.total_seconds())
        if spread.median_interval is not None:
            upper, lower = (y_of(end.total_seconds()) for end in reversed(spread.median_interval))
            parts.append(f'<path class="range" d="M{x:.1f} {upper:.1f} L{x:.1f} {lower:.1f}"/>')
        words = escape(f"{months[number].first:%Y-%m}: {seconds(spread.median.total_seconds())}")
        parts.append(
            f'<circle class="responder" cx="{x:.1f}" cy="{middle:.1f}" r="4.5">'
            f"<title>{words}</title></circle>"
        )
    return "\n".join([*parts, *_names(months), "</svg>"])


_MARKS = (60, 300, 1800, 7200, 43200, 172800, 604800, 2592000)
"""A minute, 5, 30, two hours, twelve, two days, a week, a month; in seconds."""


def _round_up(most: int) -> int:
    """Return the next figure that halves well."""
    size = 10 ** (len(str(most)) - 1)
    return next(n * size for n in (1, 2, 4, 6, 8, 10) if n * size >= most) if most > 2 else 2


def _y(ratio: float) -> float:
    return TOP + (1 - ratio) * (HEIGHT - TOP - BOTTOM)


def _names(months: Sequence[Month]) -> list[str]:
    step = (WIDTH - LEFT - RIGHT) / len(months)
    every = math.ceil(len(months) / 12)
    return [
        _text(
            LEFT + (n + 0.5) * step,
            HEIGHT - 8,
            f"{one.first:%b}" if one.first.month > 1 and n else f"{one.first:%b %Y}",
            "middle",
        )
        for n, one in enumerate(months)
        if n % every == 0
    ]


def _open(title: str) -> str:
    return (
        f'<svg class="months" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="axis" d="M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text class="quiet" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
    )
