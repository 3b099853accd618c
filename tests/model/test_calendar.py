"""Spans that recur, in zones whose clocks jump."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.calendar import (
    WHOLE_DAY,
    Hours,
    Period,
    Weekday,
    instant,
    occurrences,
    zone_named,
)

BERLIN = ZoneInfo("Europe/Berlin")
KOLKATA = ZoneInfo("Asia/Kolkata")  # +05:30 all year: its clock never jumps
WEEKEND = (Weekday.SAT, Weekday.SUN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "zone", "begins", "ends"),
    [
        # A day is meant with all of its hours.
        (date(2026, 12, 24), BERLIN, "2026-12-23T23:00", "2026-12-24T23:00"),
        (date(2026, 12, 24), None, "2026-12-24T00:00", "2026-12-25T00:00"),
        # An offset of its own beats the zone.
        (
            datetime.fromisoformat("2026-12-24T18:00-05:00"),
            BERLIN,
            "2026-12-24T23:00",
            "2026-12-24T23:00",
        ),
        (
            datetime.fromisoformat("2026-12-24T18:00"),
            BERLIN,
            "2026-12-24T17:00",
            "2026-12-24T17:00",
        ),
        # 02:30 comes twice on 25 October 2026 and never on 29 March 2026: the wider reading.
        (
            datetime.fromisoformat("2026-10-25T02:30"),
            BERLIN,
            "2026-10-25T00:30",
            "2026-10-25T01:30",
        ),
        (
            datetime.fromisoformat("2026-03-29T02:30"),
            BERLIN,
            "2026-03-29T00:30",
            "2026-03-29T01:30",
        ),
    ],
)
def test_a_moment_begins_early_and_ends_late_where_the_clock_leaves_a_choice(
    moment: date, zone: ZoneInfo | None, begins: str, ends: str
) -> None:
    assert utc(begins) == instant(moment, zone, ends=False)
    assert utc(ends) == instant(moment, zone, ends=True)


def test_days_that_touch_are_one_span() -> None:
    found = occurrences(
        utc("2026-11-23"), utc("2026-12-07"), weekdays=WEEKEND, hours=WHOLE_DAY, zone=BERLIN
    )

    assert [
        Period(utc("2026-11-27T23:00"), utc("2026-11-29T23:00")),
        Period(utc("2026-12-04T23:00"), utc("2026-12-06T23:00")),
    ] == list(found)


def test_a_weekend_on_which_the_clock_is_put_back_is_an_hour_longer() -> None:
    (span,) = occurrences(
        utc("2026-10-24"), utc("2026-10-26"), weekdays=WEEKEND, hours=WHOLE_DAY, zone=BERLIN
    )

    assert timedelta(hours=49) == span.end - span.begin


def test_hours_past_midnight_belong_to_the_day_they_begin_on() -> None:
    (span,) = occurrences(
        utc("2026-11-28T00:30"),
        utc("2026-11-28T00:31"),
        weekdays=(Weekday.FRI,),
        hours=Hours(22 * 60, 30 * 60),
        zone=ZoneInfo("UTC"),
    )

    assert Period(utc("2026-11-27T22:00"), utc("2026-11-28T06:00")) == span


def test_what_lies_outside_the_limits_is_cut_off() -> None:
    within = Period(utc("2026-11-28T12:00"), utc("2026-12-05T12:00"))

    found = occurrences(
        utc("2026-11-01"),
        utc("2027-01-01"),
        weekdays=WEEKEND,
        hours=WHOLE_DAY,
        zone=ZoneInfo("UTC"),
        within=within,
    )

    assert [
        Period(utc("2026-11-28T12:00"), utc("2026-11-30")),
        Period(utc("2026-12-05"), utc("2026-12-05T12:00")),
    ] == list(found)


INSTANTS = st.datetimes(
    min_value=datetime.fromisoformat("2026-01-01"),
    max_value=datetime.fromisoformat("2028-01-01"),
    timezones=st.just(UTC),
)
DAYS = st.lists(st.sampled_from(list(Weekday)), max_size=6, unique=True).map(tuple)
HOURS = st.tuples(st.integers(0, 1439), st.integers(1, 1439)).map(
    lambda pair: Hours(pair[0], pair[0] + pair[1])
)


@given(at=INSTANTS, days=DAYS, hours=HOURS)
def test_it_recurs_as_a_clock_on_the_wall_would_say(
    at: datetime, days: tuple[Weekday, ...], hours: Hours
) -> None:
    def by_the_wall(moment: datetime) -> bool:
        local = moment.astimezone(KOLKATA)
        minute = local.hour * 60 + local.minute
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        return any(
            hours.begin <= minute + late < hours.end and (not days or Weekday.of(day) in days)
            for day, late in ((today, 0), (yesterday, 1440))
        )

    spans = list(
        occurrences(at, at + timedelta(microseconds=1), weekdays=days, hours=hours, zone=KOLKATA)
    )

    assert by_the_wall(at) == any(span.holds(at) for span in spans)
    for span in spans:
        assert by_the_wall(span.begin) and not by_the_wall(span.begin - timedelta(minutes=1))
        assert by_the_wall(span.end - timedelta(minutes=1)) and not by_the_wall(span.end)


@given(at=INSTANTS, days=DAYS, hours=HOURS)
def test_spans_are_in_order_and_apart_whatever_the_clock_does(
    at: datetime, days: tuple[Weekday, ...], hours: Hours
) -> None:
    until = at + timedelta(days=30)

    spans = list(occurrences(at, until, weekdays=days, hours=hours, zone=BERLIN))

    assert spans
    assert all(span.begin < span.end for span in spans)
    assert all(first.end < second.begin for first, second in pairwise(spans))
    assert all(span.end > at and span.begin < until for span in spans)


@given(hours=HOURS)
def test_hours_are_written_as_they_are_read(hours: Hours) -> None:
    begin, end = str(hours).split("-")

    assert hours.begin == int(begin[:2]) * 60 + int(begin[3:])
    assert hours.end % 1440 == (int(end[:2]) * 60 + int(end[3:])) % 1440


def test_a_weekday_is_that_of_the_calendar() -> None:
    assert Weekday.MON is Weekday.of(date(2026, 11, 23))
    assert Weekday.SUN is Weekday.of(date(2026, 11, 29))


@pytest.mark.parametrize("name", ["Europe", "localtime", "../etc/passwd", "", "a\0b", "Mars/Base"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone_named(name) is None
