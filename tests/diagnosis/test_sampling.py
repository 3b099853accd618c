"""Which traces stand for many, where the onset that the metrics tell of is too early."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.diagnosis.sampling import Hunt, look
from gameday.model.signals import Span, Trace
from gameday.testing.telemetry import FakeTraces
from gameday.testing.virtual import START

FAULT = START + timedelta(seconds=30)
NOW = START + timedelta(seconds=60)
SLOWER = timedelta(milliseconds=100)


def request(number: int, second: float, *, bad: bool = False) -> Trace:
    at = START + timedelta(seconds=second)
    took = timedelta(milliseconds=500 if bad else 5)
    ids = f"{number:032x}"
    return Trace(ids, (Span(ids, "a", None, "GET", "server", "shop", at, took, bad),))


def requests(*, spared: bool = True, before: bool = True) -> FakeTraces:
    """Two requests a second for a minute, of which every other one fails in its second half."""
    made = [request(n, n / 2, bad=n >= 60 and n % 2 == 0) for n in range(120)]
    return FakeTraces(
        [t for t in made if t.root().error or (before if t.root().started_at < FAULT else spared)]
    )


@pytest.mark.parametrize("spared", [True, False])
async def test_what_came_before_the_first_to_suffer_is_quieter_than_what_was_spared(
    spared: bool,
) -> None:
    hunt = Hunt(service="shop", since=START, onset=START, slower=SLOWER)

    found = await look(requests(spared=spared), hunt, now=NOW)

    assert FAULT == found.bad[0].root().started_at
    assert len(found.quiet) >= 5
    assert all(t.root().started_at < FAULT for t in found.quiet)


async def test_where_nothing_came_before_what_was_spared_is_the_comparison() -> None:
    hunt = Hunt(service="shop", since=START, onset=FAULT, slower=SLOWER)

    found = await look(requests(before=False), hunt, now=NOW)

    assert len(found.quiet) >= 5
    assert all(t.root().started_at >= FAULT for t in found.quiet)


async def test_quiet_traces_come_from_before_the_last_seconds_as_well() -> None:
    """What hangs has not sent its last spans: of those seconds only the others' are there."""
    made = [request(n, n / 20) for n in range(600)]
    bad = [request(1000 + n, 30 + n / 2, bad=True) for n in range(20)]
    hunt = Hunt(service="shop", since=START, onset=FAULT, slower=SLOWER)

    found = await look(FakeTraces([*made, *bad]), hunt, now=NOW)

    ages = [FAULT - t.root().started_at for t in found.quiet]
    assert 20 == len(ages)
    assert sum(age > timedelta(seconds=5) for age in ages) >= 10
    assert sum(age <= timedelta(seconds=5) for age in ages) >= 3


async def test_without_an_onset_quiet_traces_come_from_all_the_time_before() -> None:
    """Of many bad traces the newest are found, so what came right before them was spared."""
    made = [request(n, n / 20, bad=n >= 600 and n % 2 == 0) for n in range(1200)]
    hunt = Hunt(service="shop", since=START, onset=None, slower=SLOWER)

    found = await look(FakeTraces(made), hunt, now=NOW)

    assert any(t.root().started_at < FAULT for t in found.quiet)
    assert all(not t.root().error for t in found.quiet)
