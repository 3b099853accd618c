"""The system's clock."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta

from gameday.ports import Clock


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        """Return the present instant."""
        return datetime.now(UTC)

    def elapsed(self) -> timedelta:
        """Return the time since the machine was started, that in which it was asleep included."""
        # Linux leaves the sleep of the machine out of CLOCK_MONOTONIC; elsewhere it has no other.
        if sys.platform == "linux":
            return timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
        return timedelta(seconds=time.monotonic())

    async def sleep(self, duration: timedelta) -> None:
        """Return after this long; at once for zero and less."""
        await asyncio.sleep(max(0.0, duration.total_seconds()))


class SteadyClock:
    """The instants of one process: the wall clock's as it began, moved on by what has elapsed.

    Somebody sets the wall clock while a run or a service goes on: it was wrong, a virtual machine
    was moved, a time service caught up. Two instants of one process would then tell a wrong
    duration, and a later one could stand before an earlier one. By this clock they do not; how far
    it is from the wall clock is told by `lag`, and `follow` takes the wall clock's instant anew.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._zero = self._measured()

    def _measured(self) -> datetime:
        # The instant at which nothing had elapsed.
        return self._clock.now() - self._clock.elapsed()

    def now(self) -> datetime:
        """Return the present instant."""
        return self._zero + self._clock.elapsed()

    def elapsed(self) -> timedelta:
        """Return the time since a fixed moment, as the clock below has it."""
        return self._clock.elapsed()

    async def sleep(self, duration: timedelta) -> None:
        """Return after this long; at once for zero and less."""
        await self._clock.sleep(duration)

    def lag(self) -> timedelta:
        """Return how far the wall clock was set ahead since; negative: set back."""
        return self._measured() - self._zero

    def follow(self) -> None:
        """Take the wall clock's instant anew; nothing must be under way that is being timed."""
        self._zero = self._measured()
