"""What blocks, done in a thread that nobody waits for in the end.

The loop's own threads are waited for when it ends: a name server or an API server that hangs would
hold up the end of the process, long after everybody gave up on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["aside"]

T = TypeVar("T")


async def aside(call: Callable[[], T]) -> T:
    """Return what a call returns that blocks, or raise what it raises."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()

    def told(value: T) -> None:
        if not found.done():
            found.set_result(value)

    def failed(error: BaseException) -> None:
        if not found.done():
            found.set_exception(error)

    def do() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who asked
            try:
                value = call()
            except Exception as error:  # noqa: BLE001 - whoever awaits it is told
                loop.call_soon_threadsafe(failed, error)
            else:
                loop.call_soon_threadsafe(told, value)

    threading.Thread(target=do, daemon=True).start()
    return await found
