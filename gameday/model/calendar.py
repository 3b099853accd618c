"""Days, hours, zones and instants as people write them in files, and the spans they make. Pure.

A span is half-open, in UTC: its begin is in it, its end is not. Where a clock is put forward or
back, a local time may exist twice or not at all; a span then begins at the earlier reading and
ends at the later one, for it stands for a time in which something must not happen.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from gameday.quantity import QuantityError, refusal, shown

_YEARS = range(2000, 2200)
"""Anything outside is a slip of the keyboard, and far from the edges of `datetime`."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(Z|[-+][0-9]{2}:[0-9]{2})?\Z"
)
_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})\s*-\s*([0-9]{2}):([0-9]{2})\Z")
_DAY_MINUTES = 24 * 60


class Weekday(StrEnum):
    """A day of the week, by its first three letters."""

    MON = "Mon"
    TUE = "Tue"
    WED = "Wed"
    THU = "Thu"
    FRI = "Fri"
    SAT = "Sat"
    SUN = "Sun"

    @classmethod
    def of(cls, day: date) -> Weekday:
        """Return the weekday of a date."""
        return tuple(cls)[day.weekday()]


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time: ``begin`` is in it, ``end`` is not. Both aware, UTC."""

    begin: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Return whether this instant lies in the span."""
        return self.begin <= at < self.end

    def meets(self, other: Period) -> bool:
        """Return whether the spans have an instant in common."""
        return self.begin < other.end and other.begin < self.end


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of a day, in minutes from its midnight.

    Attributes:
        begin: 0–1439.
        end: past ``begin``, at most a day later; past 1440 it is on the next morning.
    """

    begin: int
    end: int

    def __str__(self) -> str:
        """Return the hours as a file writes them: ``22:00-06:00``."""
        ends = self.end if self.end == _DAY_MINUTES else self.end % _DAY_MINUTES
        return f"{_clock(self.begin)}-{_clock(ends)}"


WHOLE_DAY = Hours(0, _DAY_MINUTES)
"""From midnight to midnight."""


def instant(when: date | datetime, zone: ZoneInfo | None, *, ends: bool) -> datetime:
    """Return the instant (UTC) at which a moment of a file begins or ends something.

    Args:
        when: an instant with its offset, a local time, or a day. A day ends something at its own
            end: until the 4th means that the 4th is still in it.
        zone: where a day or a local time is meant.
        ends: whether it ends something.
    """
    if isinstance(when, datetime):
        return when.astimezone(UTC) if when.tzinfo else _utc(when, zone, ends=ends)
    day = when + timedelta(days=1) if ends else when
    return _utc(datetime.combine(day, time()), zone, ends=ends)


def occurrences(
    since: datetime,
    until: datetime,
    *,
    weekdays: Sequence[Weekday],
    hours: Hours,
    zone: ZoneInfo | None,
    within: Period | None = None,
) -> Iterator[Period]:
    """Yield the spans that recur, those that touch each other as one, in order.

    Args:
        since: spans that ended by then are left out; the first may have begun before.
        until: spans that begin later are left out.
        weekdays: days on which the hours begin; empty: every day.
        hours: of those days, by the clock of the zone.
        within: what lies outside is cut off.
    """
    # Nothing but a span that lasts for ever is longer than a week; readers refuse those.
    week = timedelta(days=8)
    day = (since - week).astimezone(zone or UTC).date()
    last = (until + week).astimezone(zone or UTC).date()
    whole: Period | None = None
    while day <= last:
        part = None
        if not weekdays or Weekday.of(day) in weekdays:
            part = _cut(_on(day, hours, zone), within)
        day += timedelta(days=1)
        if part is None:
            continue
        if whole is not None and part.begin <= whole.end:
            whole = Period(whole.begin, max(whole.end, part.end))
            continue
        if whole is not None and whole.end > since and whole.begin < until:
            yield whole
        whole = part
    if whole is not None and whole.end > since and whole.begin < until:
        yield whole


def _on(day: date, hours: Hours, zone: ZoneInfo | None) -> Period:
    midnight = datetime.combine(day, time())
    return Period(
        _utc(midnight + timedelta(minutes=hours.begin), zone, ends=False),
        _utc(midnight + timedelta(minutes=hours.end), zone, ends=True),
    )


def _cut(span: Period, within: Period | None) -> Period | None:
    if within is None:
        return span
    cut = Period(max(span.begin, within.begin), min(span.end, within.end))
    return cut if cut.begin < cut.end else None


def _utc(local: datetime, zone: ZoneInfo | None, *, ends: bool) -> datetime:
    both = [local.replace(tzinfo=zone or UTC, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return max(both) if ends else min(both)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


# --- fields of files -----------------------------------------------------------------------------


def zone_named(name: str) -> ZoneInfo | None:
    """Return the zone of this name of the IANA database, or None where there is none."""
    try:
        # `localtime` is whatever the machine at hand thinks, the opposite of an explicit zone.
        return None if name == "localtime" else ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return None


def _zone_field(value: Any) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    name = value if isinstance(value, str) else str(value)
    zone = zone_named(name)
    if zone is not None:
        return zone
    known = sorted(available_timezones() - {"localtime"})
    near = difflib.get_close_matches(name[:60], known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "write one as Europe/Berlin, or UTC"
    raise refusal(f"'{shown(value)}' is no timezone", hint)


def moment(value: object) -> date | datetime:
    """Return a day, a local time or an instant from its text.

    Raises:
        QuantityError: it is none of them, does not exist, or lies centuries away.
    """
    if isinstance(value, date):
        return value
    text = str(value).strip()
    parts = _INSTANT.match(text)
    if parts is None and not _DATE.match(text):
        raise QuantityError(
            f"'{shown(value)}' is neither a day nor an instant",
            "write 2026-12-24, 2026-12-24T18:00 or 2026-12-24T18:00:00+01:00",
        )
    found: date | datetime
    try:
        if parts is None:
            found = date.fromisoformat(text)
        else:
            day, clock, offset = parts.groups()
            found = datetime.fromisoformat(f"{day}T{clock}{offset or ''}")
    except ValueError as error:
        raise QuantityError(
            f"'{shown(value)}' does not exist", "check day, month and hour"
        ) from error
    if found.year not in _YEARS:
        raise QuantityError(f"'{shown(value)}' is far from now", "years run from 2000 to 2199")
    return found


def _moment_field(value: Any) -> date | datetime:
    try:
        return moment(value)
    except QuantityError as error:
        raise refusal(error.message, error.hint) from error


def _hours_field(value: Any) -> Hours:
    if isinstance(value, Hours):
        return value
    found = _HOURS.match(str(value).strip())
    numbers = [int(n) for n in found.groups()] if found else [99]
    if found is None or max(numbers[0], numbers[2] - 1) > 23 or max(numbers[1], numbers[3]) > 59:
        raise refusal(
            f"'{shown(value)}' are no hours of a day", "write 22:00-06:00; midnight ends at 24:00"
        )
    begin, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if end > _DAY_MINUTES:
        raise refusal(f"'{shown(value)}' ends after midnight", "a day ends at 24:00")
    if begin == end:
        raise refusal(f"'{shown(value)}' is empty", "write 00:00-24:00 for the whole day")
    return Hours(begin, end if end > begin else end + _DAY_MINUTES)


Moment = Annotated[
    date | datetime,
    PlainValidator(_moment_field),
    PlainSerializer(lambda value: value.isoformat(), return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?(Z|[-+]\d{2}:\d{2})?)?$",
            "examples": ["2026-12-24", "2026-12-24T18:00", "2026-12-24T18:00:00+01:00"],
        }
    ),
]
"""A day, a local time, or an instant with its offset."""

Zone = Annotated[
    ZoneInfo,
    PlainValidator(_zone_field),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["Europe/Berlin", "UTC"]}),
]
"""A zone of the IANA database, by name."""

DayHours = Annotated[
    Hours,
    PlainValidator(_hours_field),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{2}:\d{2}\s*-\s*\d{2}:\d{2}$",
            "examples": ["00:00-06:00", "22:00-06:00"],
        }
    ),
]
"""Hours of a day: ``22:00-06:00`` end on the next morning."""
