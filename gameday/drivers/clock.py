"""The system's clock."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta


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
