"""How fast one receiver is asked, and who is next."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.http.pace import MINUTE, Pace
from gameday.testing.virtual import START, VirtualClock


def seconds(at: datetime) -> float:
    return (at - START).total_seconds()


async def turns(
    pace: Pace, clock: VirtualClock, asked: list[tuple[float, int]]
) -> list[tuple[int, float]]:
    """Return (urgency, second of its turn) of calls that are asked for at these seconds."""
    had: list[tuple[int, float]] = []

    async def one(at: float, urgency: int) -> None:
        await clock.sleep(timedelta(seconds=at))
        await pace.turn(urgency)
        had.append((urgency, seconds(clock.now())))

    await clock.run(asyncio.wait_for(asyncio.gather(*(one(*a) for a in asked)), None))
    return had


async def test_no_minute_holds_more_calls_than_are_allowed() -> None:
    clock = VirtualClock()

    had = await turns(Pace(clock, per_minute=120), clock, [(0, 0)] * 500)

    instants = [at for _, at in had]
    busiest = max(sum(a <= b < a + MINUTE.total_seconds() for b in instants) for a in instants)
    assert busiest <= 120
    assert 500 / 120 <= instants[-1] / 60 < 500 / 100


async def test_what_is_urgent_is_next_however_many_wait() -> None:
    clock = VirtualClock()

    had = await turns(Pace(clock, per_minute=120), clock, [*[(0, 2)] * 1000, (60, 0)])

    (at,) = [at for urgency, at in had if urgency == 0]
    assert 60 <= at < 61


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_everybody_has_a_turn_in_the_order_of_urgency(asked: list[int]) -> None:
    clock = VirtualClock()

    had = asyncio.run(turns(Pace(clock, per_minute=6), clock, [(0, u) for u in asked]))

    assert sorted(asked) == sorted(u for u, _ in had)
    later = [u for u, _ in had[1:]]
    assert later == sorted(later)


async def test_nobody_asks_while_the_receiver_wants_to_be_left_alone() -> None:
    clock = VirtualClock()
    pace = Pace(clock)
    pace.hold(timedelta(seconds=30))
    pace.hold(timedelta(seconds=5))

    had = await turns(pace, clock, [(0, 1), (0, 0), (40, 0)])

    assert [(0, 30.0), (1, 30.0), (0, 40.0)] == had


async def test_whoever_gives_up_waiting_holds_nobody_up() -> None:
    clock = VirtualClock()
    pace = Pace(clock, per_minute=60)
    pace.hold(timedelta(seconds=10))
    gone = asyncio.ensure_future(pace.turn(0))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone

    assert [(0, 10.0)] == await turns(pace, clock, [(0, 0)])
