"""How fast one receiver is asked, and who is next: one limit for all that is sent there."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import timedelta

from gameday.ports import Clock

__all__ = ["Pace"]

MINUTE = timedelta(minutes=1)

BURST = 6
"""A sixth of a minute's calls may go at once, and the rest of them evenly: so no minute, wherever
it begins, holds more than are allowed, and there is always room soon for what is urgent."""


class Pace:
    """The turns at one receiver: the most urgent is next, then whoever came first.

    Args:
        per_minute: calls in any minute; None: as many as come.
    """

    def __init__(self, clock: Clock, *, per_minute: int | None = None) -> None:
        self._clock = clock
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.Task[None] | None = None
        self._held_until: timedelta | None = None
        self._filled_at: timedelta | None = None
        self._burst = max(1.0, (per_minute or 0) / BURST)
        self._every = None if per_minute is None else MINUTE / max(1.0, per_minute - self._burst)
        self._left = self._burst

    async def turn(self, urgency: int) -> None:
        """Return when the receiver may be asked once.

        Args:
            urgency: the smallest goes first.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._numbers), future))
        self._let_in()
        try:
            await future
        finally:
            if future.cancelled():
                self._waiting = [one for one in self._waiting if one[2] is not future]
                heapq.heapify(self._waiting)
            if not self._waiting and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def hold(self, duration: timedelta) -> None:
        """Ask nothing for this long: the receiver said so."""
        until = self._clock.elapsed() + duration
        if self._held_until is None or until > self._held_until:
            self._held_until = until

    def held(self) -> timedelta:
        """Return for how long nothing is asked."""
        now = self._clock.elapsed()
        return max(timedelta(0), (self._held_until or now) - now)

    def _let_in(self) -> None:
        while self._waiting:
            wait = self._wait()
            if wait > timedelta(0):
                if self._timer is None or self._timer.done():
                    self._timer = asyncio.create_task(self._again_after(wait))
                return
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                self._left -= 1
                future.set_result(None)

    async def _again_after(self, wait: timedelta) -> None:
        await self._clock.sleep(wait)
        self._timer = None
        self._let_in()

    def _wait(self) -> timedelta:
        """Return how long until the next may go."""
        now = self._clock.elapsed()
        if held := self.held():
            return held
        if self._every is None:
            return timedelta(0)
        if self._filled_at is not None:
            self._left = min(self._burst, self._left + (now - self._filled_at) / self._every)
        self._filled_at = now
        if self._left >= 1 - 1e-9:
            return timedelta(0)
        return max((1 - self._left) * self._every, timedelta(milliseconds=1))
