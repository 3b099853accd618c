"""How long something took, as people say it in a sentence or write it into a cell."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["are_apart", "in_words", "read_span", "spans_in"]

_NUMBERS = {
    "an": 1.0,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "four": 4.0,
    "five": 5.0,
    "six": 6.0,
    "seven": 7.0,
    "eight": 8.0,
    "nine": 9.0,
    "ten": 10.0,
    "eleven": 11.0,
    "twelve": 12.0,
    "half a": 0.5,
    "half an": 0.5,
}
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_LONG = "seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?"
_SAID = "half an?|" + "|".join(n for n in _NUMBERS if " " not in n)
# A letter alone is a unit only behind a figure; and `a day like any other` is no span.
_ONE = (
    rf"(?:(?P<figure{{0}}>\d+(?:\.\d+)?)(?:(?:\s+|-)?(?P<unit{{0}}>{_LONG})|\s?(?P<letter{{0}}>[smhdw]))"
    rf"|(?P<said{{0}}>{_SAID})(?:\s+|-)(?P<after{{0}}>{_LONG}))"
)
_SPAN = re.compile(
    r"(?<![\w:.,-])" + _ONE.format(1) + r"(?:,?\s*(?:and\s+)?" + _ONE.format(2) + r")?(?![\w-])",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d)(?:\.\d+)?)?")

_PARTING = 0.25
_PARTING_AT_LEAST = timedelta(minutes=10)


def spans_in(text: str) -> list[timedelta]:
    """Return the spans that a text names, in order; a range (``10-30 minutes``) is none."""
    return [span for found in _SPAN.finditer(text) if (span := _span(found)) > timedelta(0)]


def read_span(said: object, *, unit: timedelta | None = None) -> timedelta | None:
    """Return the span that a cell holds: ``1h50m``, ``01:50:00``, ``95`` of a unit; else None."""
    text = str(said).strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        try:
            return None if unit is None else float(text) * unit
        except OverflowError:
            return None
    if (clock := _CLOCK.fullmatch(text)) is not None:
        return timedelta(
            hours=int(clock["hours"]),
            minutes=int(clock["minutes"]),
            seconds=int(clock["seconds"] or 0),
        )
    spans = spans_in(text)
    return spans[0] if len(spans) == 1 else None


def are_apart(one: timedelta, other: timedelta) -> bool:
    """Return whether two spans are too far apart to mean the same.

    People round, so it takes a quarter of the shorter one, and ten minutes.
    """
    apart = abs(one - other)
    return apart >= _PARTING_AT_LEAST and apart >= _PARTING * min(one, other)


def in_words(span: timedelta) -> str:
    """Return a span as a reader's words: ``1 h 50 min``, ``39 min``, ``2 d 3 h``."""
    minutes = round(span / timedelta(minutes=1))
    days, hours, left = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{left} min" if minutes else f"{round(span.total_seconds())} s"


def _span(found: re.Match[str]) -> timedelta:
    total = timedelta(0)
    for number in (1, 2):
        figure, said = found[f"figure{number}"], found[f"said{number}"]
        if figure is None and said is None:
            continue
        unit = found[f"unit{number}"] or found[f"letter{number}"] or found[f"after{number}"]
        amount = float(figure) if said is None else _NUMBERS[" ".join(said.lower().split())]
        try:
            total += amount * _UNITS[unit[0].lower()]
        except OverflowError:
            return timedelta(0)
    return total
