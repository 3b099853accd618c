"""What every clock promises."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from gameday.ports import Clock

__all__ = ["ClockContract", "RunningClock"]

T = TypeVar("T")

MOMENT = timedelta(milliseconds=20)


class Runs(Protocol):
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
    run: Runs = asyncio.run


class ClockContract:
    """For a `gameday.ports.Clock`."""

    def test_its_instants_are_aware_and_in_utc(self, subject: RunningClock) -> None:
        assert timedelta(0) == subject.clock.now().utcoffset()

    def test_sleeping_takes_at_least_as_long_as_was_said(self, subject: RunningClock) -> None:
        clock = subject.clock

        async def slept() -> tuple[datetime, datetime]:
            before = clock.now()
            await clock.sleep(MOMENT)
            return before, clock.now()

        before, after = subject.run(slept())

        # The wall clock and the one that sleeps are two; they differ by less than a millisecond.
        assert MOMENT - timedelta(milliseconds=1) <= after - before

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
