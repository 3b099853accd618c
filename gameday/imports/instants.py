"""Instants and days as people write them, in the zone that they say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

__all__ = ["WrittenInstant", "day_in", "instant_in", "read_instant", "zone_in"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"

_DAYS = (
    re.compile(r"(?<!\d)(?P<year>\d{4})[-/.](?P<number>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)"),
    re.compile(
        rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s+(?P<year>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![\d:])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+{_MONTH}(?:,?\s+(?P<year>\d{{4}}))?\b",
        re.IGNORECASE,
    ),
)
_TIME = re.compile(
    r"(?<![\d:])(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?"
    r"\s*(?P<half>[ap]m)?\b",
    re.IGNORECASE,
)
_OFFSET = re.compile(
    r"(?:\b(?:UTC|GMT)\s*(?P<sign>[+-])\s*(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?)"
    # Behind seconds only: `17:00-18:00` is from five to six.
    r"|(?<=\d)(?P<z>Z)\b|(?<=:\d\d:\d\d)(?P<iso>[+-]\d\d:?\d\d)(?!\d)"
)
_NAMED = {
    "UTC": 0,
    "GMT": 0,
    "BST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "IST": 5.5,
    "JST": 9,
    "AEST": 10,
    "EDT": -4,
    "EST": -5,
    "CDT": -5,
    "CST": -6,
    "MDT": -6,
    "MST": -7,
    "PDT": -7,
    "PST": -8,
}
"""Hours ahead of UTC. IST is India's, the one of three that most people mean."""

_NAME = re.compile(r"\b(?:" + "|".join(_NAMED) + r")\b")


@dataclass(frozen=True, slots=True)
class WrittenInstant:
    """A time of day, with or without the day.

    Attributes:
        day: None: it was said before.
        clock: None: only the day was written.
        zone: None: nobody said.
    """

    day: date | None
    clock: time | None
    zone: tzinfo | None


def instant_in(text: str, *, year: int | None = None) -> WrittenInstant | None:
    """Return the first instant that a text names; None where there is none.

    Args:
        year: of a day that is written without one.
    """
    day, clock = day_in(text, year=year), _clock_in(text)
    if day is None and clock is None:
        return None
    return WrittenInstant(day, clock, zone_in(text))


def day_in(text: str, *, year: int | None = None) -> date | None:
    """Return the first day that a text names; of one without a year, in the year that is given."""
    for pattern in _DAYS:
        for found in pattern.finditer(text):
            said = found.groupdict()
            which = said.get("year") or year
            if which is None:
                continue
            number = int(said["number"]) if said.get("number") else _month(said["month"])
            try:
                return date(int(which), number, int(said["day"]))
            except ValueError:
                continue
    return None


def zone_in(text: str) -> tzinfo | None:
    """Return the zone that a text names, by an offset where it gives one, else by its name."""
    if (found := _OFFSET.search(text)) is not None:
        if found["z"]:
            return UTC
        if (iso := found["iso"]) is not None:
            minutes = int(iso[1:3]) * 60 + int(iso[-2:])
            return timezone(timedelta(minutes=-minutes if iso[0] == "-" else minutes))
        minutes = int(found["hours"]) * 60 + int(found["minutes"] or 0)
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if found["sign"] == "-" else minutes))
    if (named := _NAME.search(text)) is not None:
        return timezone(timedelta(hours=_NAMED[named[0]]))
    return None


def read_instant(said: object, *, zone: tzinfo = UTC) -> tuple[datetime, bool] | None:
    """Return (the instant that a cell holds, whether it is known to the day only).

    Args:
        said: text as ISO 8601 or as people write it, or a number: seconds since 1970, or
            milliseconds where seconds would lie beyond the year 5000.
        zone: of an instant that says none.

    Returns:
        None where it is no instant, or an ambiguous one: ``03/04/2026``.
    """
    if isinstance(said, bool):
        return None
    if isinstance(said, int | float) or (isinstance(said, str) and _is_epoch(said)):
        number = float(said)
        try:
            seconds = number / 1000 if number > 1e11 else number
            return datetime.fromtimestamp(seconds, UTC), False
        except (OverflowError, OSError, ValueError):
            return None
    text = str(said).strip()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        written = instant_in(text)
        if written is None or written.day is None:
            return None
        at = datetime.combine(written.day, written.clock or time(), written.zone or zone)
        return at.astimezone(UTC), written.clock is None
    is_by_day = len(text) <= len("2026-01-31")
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC), is_by_day


def _is_epoch(text: str) -> bool:
    return re.fullmatch(r"\s*\d{9,14}(?:\.\d+)?\s*", text) is not None


def _clock_in(text: str) -> time | None:
    for found in _TIME.finditer(text):
        hour, half = int(found["hour"]), (found["half"] or "").lower()
        # `17:14pm` is a quarter past five all the same.
        if half == "pm" and hour < 12:
            hour += 12
        elif half == "am" and hour == 12:
            hour = 0
        try:
            return time(hour, int(found["minute"]), int(found["second"] or 0))
        except ValueError:
            continue
    return None


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1
