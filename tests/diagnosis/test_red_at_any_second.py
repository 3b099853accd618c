"""A RED reading is right or unknown at any second after the page, whatever was done meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from drawn_incident import (
    ACTS,
    BEFORE,
    HERE,
    KINDS,
    SHORT,
    THERE,
    DrawnIncident,
    at,
    drawn_incident,
    planned,
)

from gameday.diagnosis.red import BurnSpan, RedReading, Signal, read
from gameday.model.signals import Sample, Series

FEW = [*range(5), 43]
MANY = range(6, 66)
MOST_UNKNOWN = 0.05
"""The share of seconds at which a reading may leave something open; measured: 0.002."""


def reading(incident: DrawnIncident, now: datetime) -> RedReading:
    seen = incident.seen(now)
    return read(seen, span=incident.span, now=now, short_window=SHORT, tail_ratio=0.1)


def counted(seeds: Sequence[int], every: int) -> tuple[int, int, list[tuple[int, int, list[str]]]]:
    """Return how many were read, how many are unknown, and every wrong one."""
    read_in_all = unknown = 0
    wrong = []
    for seed in seeds:
        incident = drawn_incident(seed)
        for number, now in enumerate(incident.seconds()):
            if number % every and number > 3:
                continue
            read_in_all += 1
            found = reading(incident, now)
            mistakes = incident.mistakes(found)
            if mistakes:
                wrong.append((seed, number, mistakes))
            unknown += not found.movements or bool(found.unclear) or found.onset() is None
    return read_in_all, unknown, wrong


def test_a_reading_is_never_wrong_at_any_of_some_moments() -> None:
    read_in_all, unknown, wrong = counted(FEW, every=12)

    assert [] == wrong
    assert unknown <= MOST_UNKNOWN * read_in_all


@pytest.mark.row
def test_a_reading_is_never_wrong_at_any_second() -> None:
    read_in_all, unknown, wrong = counted(MANY, every=1)

    print(f"{read_in_all} readings, {len(wrong)} wrong, {unknown / read_in_all:.1%} unknown")
    assert [] == wrong
    assert unknown <= MOST_UNKNOWN * read_in_all


def test_the_seeds_draw_every_kind_act_and_past() -> None:
    drawn = [planned(seed) for seed in range(20)]

    assert set(KINDS) == {i.kind for i in drawn}
    assert set(ACTS) == {i.act for i in drawn}
    assert set(BEFORE) == {i.before for i in drawn}
    assert {(HERE,), (THERE,), (HERE, THERE)} == {i.hit for i in drawn}


def line(region: str, values: Sequence[float | None]) -> Series:
    samples = [Sample(at(n), v) for n, v in enumerate(values) if v is not None]
    return Series({"region": region}, tuple(samples))


@pytest.mark.parametrize("later", [0, 5, 30, 67])
def test_draining_the_sick_region_does_not_make_the_well_one_the_trouble(later: int) -> None:
    """10 → 475 ms, then all the load on the other region: 10 → 21 ms there."""
    sick: list[float | None] = [*[0.01] * 70, *[0.475] * 24, *[None] * 76]
    well: list[float | None] = [*[0.01] * 94, *[0.021] * 76]
    now = 92 + later

    found = read(
        {Signal.DURATION: [line("eu-west", sick[:now]), line("us-east", well[:now])]},
        span=BurnSpan(at(0), at(30), at(90)),
        now=at(now),
        short_window=SHORT,
    )

    assert ("eu-west", "10 → 475 ms") == (found.region(), found.movements[0].text())
    assert at(70) == found.onset()


def test_what_half_breaks_the_promise_is_left_open() -> None:
    found = read(
        {
            Signal.DURATION: [
                line("eu-west", [*[0.01] * 70, *[0.5] * 30]),
                line("us-east", [*[0.01] * 70, *[0.12] * 30]),
            ]
        },
        span=BurnSpan(at(0), at(30), at(90)),
        now=at(95),
        short_window=timedelta(seconds=5),
    )

    assert (None, ("eu-west",), ("us-east",)) == (
        found.region(),
        found.affected(),
        found.unclear,
    )


@pytest.mark.parametrize(
    ("per_second", "tail_ratio", "is_plain"),
    [
        (8.0, 0.1, True),  # four of forty
        (5.0, 0.1, False),  # two and a half of twenty-five
        (8.0, 0.01, False),  # the 99th percentile: one may have done it
        (80.0, 0.01, True),
        (80.0, None, False),  # a mean, or whatever it is
    ],
)
def test_a_short_rise_is_trouble_where_one_odd_request_cannot_have_made_it(
    per_second: float, tail_ratio: float | None, is_plain: bool
) -> None:
    found = read(
        {
            Signal.RATE: [line("eu-west", [per_second] * 100)],
            Signal.DURATION: [line("eu-west", [*[0.01] * 96, *[0.475] * 4])],
        },
        span=BurnSpan(at(0), at(38), at(98)),
        now=at(100),
        short_window=SHORT,
        tail_ratio=tail_ratio,
    )

    assert is_plain == found.is_plain(timedelta(milliseconds=100))


@pytest.mark.parametrize(("share", "is_plain"), [(0.5, True), (0.05, False)])
def test_so_do_failures_that_are_more_than_a_handful(share: float, is_plain: bool) -> None:
    found = read(
        {
            Signal.RATE: [line("eu-west", [8.0] * 100)],
            Signal.ERRORS: [line("eu-west", [*[0.0] * 96, *[share] * 4])],
        },
        span=BurnSpan(at(0), at(38), at(98)),
        now=at(100),
        short_window=SHORT,
    )

    assert is_plain == found.is_plain(timedelta(milliseconds=100))
