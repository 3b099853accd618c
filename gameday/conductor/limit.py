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
    task.add_done_callback(heard)
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


def heard(task: asyncio.Future[Any]) -> None:
    """Let nobody be told of a task's error but whoever awaits it.

    For a task whose caller may be gone by then; asyncio prints a traceback otherwise.
    """
    if not task.cancelled():
        task.exception()
