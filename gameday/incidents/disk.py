"""How the store is used: from threads, since it blocks and the event loop must not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Disk(Protocol):
    """Runs the calls of the store."""

    async def write(self, call: Callable[[], T]) -> T:
        """Return the outcome of a call that sees, and is seen by, every other one made here."""

    async def read(self, call: Callable[[], T]) -> T:
        """Return the outcome of a call that waits for no writer."""

    def close(self) -> None:
        """Return when what is under way is done; nothing may be asked afterwards."""


class Threads:
    """One thread that writes, in order, and two that read meanwhile."""

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reader")

    async def write(self, call: Callable[[], T]) -> T:
        """Return the outcome of a call that sees, and is seen by, every other one made here."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, call)

    async def read(self, call: Callable[[], T]) -> T:
        """Return the outcome of a call that waits for no writer."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def close(self) -> None:
        """End the threads when what they do is done."""
        self._writer.shutdown()
        self._readers.shutdown()
