"""The system's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Wall-clock time in UTC."""

    def now(self) -> datetime:
        """Return the present instant."""
        return datetime.now(UTC)

    async def sleep(self, duration: timedelta) -> None:
        """Return after this long; at once for zero and less."""
        await asyncio.sleep(max(0.0, duration.total_seconds()))
