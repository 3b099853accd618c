"""Time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time, so that tests own it.

    Two times, for a wall clock is set by people and daemons, forward and back, while we run. What
    people and strangers read is by the wall clock; how long something took, and until when it is
    waited for, is a difference of `elapsed`.
    """

    def now(self) -> datetime:
        """Return the present instant by the wall clock (aware, UTC)."""

    def elapsed(self) -> timedelta:
        """Return the time since a fixed moment, the same for all processes of this machine.

        It only grows, at the pace of real time, whatever the wall clock is set to. Which moment
        that is means nothing, and another one after the machine was started anew.
        """

    async def sleep(self, duration: timedelta) -> None:
        """Return after this long; cancellable."""
