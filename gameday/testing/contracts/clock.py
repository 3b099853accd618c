"""What every clock promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from gameday.ports import Clock

__all__ = ["ClockContract", "RunningClock", "SettableClock", "SettableClockContract"]

T = TypeVar("T")

MOMENT = timedelta(milliseconds=20)
HOUR = timedelta(hours=1)


class LetsRun(Protocol):
    """Lets work on a clock come to its end."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Return what the work returns."""
        ...


@dataclass(frozen=True)
class RunningClock:
    """A clock under the contract.

    Attributes:
        run: plays work that sleeps on the clock to its end; `asyncio.run` for one that goes by
            itself.
    """

    clock: Clock
    run: LetsRun = asyncio.run


@dataclass(frozen=True, kw_only=True)
class SettableClock(RunningClock):
    """A clock under the contract, whose wall clock can be set.

    Attributes:
        step: sets it forward by this long, or back.
    """

    step: Callable[[timedelta], None]


class ClockContract:
    """For a `gameday.ports.Clock`."""

    def test_its_instants_are_aware_and_in_utc(self, subject: RunningClock) -> None:
        assert timedelta(0) == subject.clock.now().utcoffset()

    def test_sleeping_takes_at_least_as_long_as_was_said(self, subject: RunningClock) -> None:
        clock = subject.clock

        async def slept() -> tuple[timedelta, timedelta]:
            before = clock.elapsed()
            await clock.sleep(MOMENT)
            return before, clock.elapsed()

        before, after = subject.run(slept())

        # What measures and what sleeps are two clocks; they differ by less than a millisecond.
        assert MOMENT - timedelta(milliseconds=1) <= after - before

    def test_the_time_that_has_elapsed_never_shrinks(self, subject: RunningClock) -> None:
        read = [subject.clock.elapsed() for _ in range(1000)]

        assert sorted(read) == read

    def test_sleeping_for_no_time_or_less_returns(self, subject: RunningClock) -> None:
        async def slept() -> None:
            await subject.clock.sleep(timedelta(0))
            await subject.clock.sleep(timedelta(seconds=-1))

        subject.run(slept())

    def test_a_sleeper_can_be_cancelled(self, subject: RunningClock) -> None:
        async def cancelled() -> bool:
            sleeper = asyncio.ensure_future(subject.clock.sleep(timedelta(days=1)))
            await subject.clock.sleep(MOMENT)
            sleeper.cancel()
            await asyncio.wait([sleeper])
            return sleeper.cancelled()

        assert subject.run(cancelled())

    def test_who_sleeps_less_long_wakes_first(self, subject: RunningClock) -> None:
        woken: list[int] = []

        async def sleep(times: int) -> None:
            await subject.clock.sleep(times * MOMENT)
            woken.append(times)

        async def all_of_them() -> None:
            await asyncio.gather(sleep(3), sleep(1), sleep(2))

        subject.run(all_of_them())

        assert [1, 2, 3] == woken


class SettableClockContract:
    """For a `gameday.ports.Clock` whose wall clock can be set, as that of every machine can be.

    Beside `ClockContract`: what sets the time of a real machine is nobody's to try.
    """

    def test_setting_the_wall_clock_changes_neither_a_duration_nor_a_sleep(
        self, subject: SettableClock
    ) -> None:
        clock = subject.clock
        began, wall = clock.elapsed(), clock.now()

        async def slept() -> None:
            sleeper = asyncio.ensure_future(clock.sleep(MOMENT))
            for by in (HOUR, -2 * HOUR):
                await asyncio.sleep(0)
                subject.step(by)
            await sleeper

        subject.run(slept())

        assert MOMENT == clock.elapsed() - began
        assert MOMENT - HOUR == clock.now() - wall
