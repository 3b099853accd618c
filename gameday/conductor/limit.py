"""A time limit on a call to the outside, by the run's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from gameday.errors import TemporaryDriverError
from gameday.ports import Clock

T = TypeVar("T")

CALL = timedelta(seconds=60)
"""The longest any call may take: drivers have shorter limits of their own, which say more."""


async def limited(
    clock: Clock, call: Coroutine[Any, Any, T], what: str, within: timedelta = CALL
) -> T:
    """Return what a call returns.

    Raises:
        TemporaryDriverError: it did not answer in time; it was cancelled.
    """
    task = asyncio.ensure_future(call)
    timer = asyncio.ensure_future(clock.sleep(within))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TemporaryDriverError(f"{what} did not answer within {within.total_seconds():g} s")
    finally:
        timer.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
