"""Time that passes only when nobody has anything left to do."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SETTLE = 80
"""Turns of the event loop after which everybody who can go on has gone on, at the latest."""


class VirtualClock:
    """A `gameday.ports.Clock` whose hours take microseconds and whose order is always the same.

    It moves when somebody moves it: `run`, for work that sleeps on it, goes on to the next who
    wakes whenever nobody has anything left to do; `advance` is a hand's, for a test that says
    itself how late it is; and where sleeping `passes_at_once`, whoever sleeps moves it on.

    Attributes:
        slept: for how long was slept, in the order in which it began.
    """

    def __init__(self, start: datetime = START, *, passes_at_once: bool = False) -> None:
        """Stand still at an instant.

        Args:
            passes_at_once: who sleeps moves the clock on instead of waiting; for what is tried
                alone, since of two who sleep the second would wake after the first.
        """
        self.slept: list[timedelta] = []
        self._start = start
        self._passes_at_once = passes_at_once
        self._elapsed = timedelta(0)
        self._stepped = timedelta(0)
        self._sleepers: list[tuple[timedelta, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """Return the present virtual instant, as the wall clock has it."""
        return self._start + self._elapsed + self._stepped

    def elapsed(self) -> timedelta:
        """Return how much virtual time has passed, whatever the wall clock was set to."""
        return self._elapsed

    def step(self, by: timedelta) -> None:
        """Set the wall clock forward, or back where negative; who sleeps is not woken by it."""
        self._stepped += by

    def advance(self, by: timedelta) -> None:
        """Move on by this long, and wake everybody who has slept for long enough then."""
        if by < timedelta(0):
            raise ValueError(f"time does not go back by {-by}: a wall clock does, see `step`")
        self._elapsed += by
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            _, _, future = heapq.heappop(self._sleepers)
            # The hand may be in another thread than who sleeps, and whose loop has ended is gone.
            if not future.get_loop().is_closed():
                future.get_loop().call_soon_threadsafe(_wake, future)

    async def sleep(self, duration: timedelta) -> None:
        """Return once the clock has been moved that far."""
        self.slept.append(duration)
        if duration <= timedelta(0) or self._passes_at_once:
            self._elapsed += max(duration, timedelta(0))
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + duration, next(self._numbers), future))
        await future

    async def run(self, work: Coroutine[Any, Any, T], *, limit: int = 100_000) -> T:
        """Return the result of ``work``, moving time on whenever everybody sleeps.

        Raises:
            TimeoutError: nobody sleeps and nothing moves, or ``limit`` wake-ups were not enough.
        """
        task = asyncio.ensure_future(work)
        # Where the loop shows what it still has to do, nobody needs to be given turns for nothing.
        ready = getattr(asyncio.get_running_loop(), "_ready", None)
        try:
            for _ in range(limit):
                for _ in range(SETTLE):
                    await asyncio.sleep(0)
                    if task.done():
                        return task.result()
                    if ready is not None and not ready:
                        break
                while self._sleepers and self._sleepers[0][2].done():
                    heapq.heappop(self._sleepers)
                if not self._sleepers:
                    raise TimeoutError("nobody sleeps and nothing moves")
                at, _, future = heapq.heappop(self._sleepers)
                self._elapsed = max(self._elapsed, at)
                future.set_result(None)
            raise TimeoutError(f"not done after {limit} wake-ups")
        finally:
            if not task.done():
                task.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():  # or was cancelled meanwhile
        future.set_result(None)
