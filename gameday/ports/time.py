"""Time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """Return the present instant (aware, UTC)."""

    async def sleep(self, duration: timedelta) -> None:
        """Return after this long; cancellable."""
