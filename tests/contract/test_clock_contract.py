"""The clocks: the system's, and the ones tests own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from gameday.drivers.clock import SystemClock
from gameday.testing.contracts import (
    ClockContract,
    RunningClock,
    SettableClock,
    SettableClockContract,
)
from gameday.testing.machine import Machine
from gameday.testing.virtual import VirtualClock


class TestSystemClock(ClockContract):
    @pytest.fixture
    def subject(self) -> RunningClock:
        return RunningClock(SystemClock())


class TestVirtualClock(ClockContract, SettableClockContract):
    @pytest.fixture
    def subject(self) -> SettableClock:
        clock = VirtualClock()
        return SettableClock(clock, lambda work: asyncio.run(clock.run(work)), step=clock.step)


class TestMachineClock(ClockContract, SettableClockContract):
    @pytest.fixture
    def subject(self) -> Iterator[SettableClock]:
        machine = Machine()
        yield SettableClock(
            machine.clock,
            lambda work: machine.run(work, within=timedelta(hours=1)),
            step=machine.clock.step,
        )
        machine.close()


def test_a_hand_wakes_those_who_have_slept_long_enough_and_no_others() -> None:
    clock, woken = VirtualClock(), []

    async def sleep(seconds: int) -> None:
        await clock.sleep(timedelta(seconds=seconds))
        woken.append(seconds)

    async def play() -> list[list[int]]:
        sleepers = [asyncio.ensure_future(sleep(seconds)) for seconds in (3, 1, 2)]
        seen = []
        for by in (0.5, 0.5, 1.5):
            await asyncio.sleep(0.01)
            clock.advance(timedelta(seconds=by))
            await asyncio.sleep(0.01)
            seen.append(list(woken))
        sleepers[0].cancel()
        clock.advance(timedelta(seconds=5))
        await asyncio.wait(sleepers)
        return seen

    assert [[], [1], [1, 2]] == asyncio.run(play())
    assert [1, 2] == woken
    assert timedelta(seconds=7.5) == clock.elapsed()


def test_a_hand_does_not_turn_time_back() -> None:
    with pytest.raises(ValueError, match="see `step`"):
        VirtualClock().advance(timedelta(seconds=-1))


def test_where_sleeping_passes_at_once_it_is_written_down_and_moves_the_clock() -> None:
    clock = VirtualClock(passes_at_once=True)
    began = clock.now()

    asyncio.run(clock.sleep(timedelta(hours=1)))

    assert [timedelta(hours=1)] == clock.slept
    assert timedelta(hours=1) == clock.elapsed() == clock.now() - began
