"""What the writer says of a store that takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gameday.errors import StoreError
from gameday.incidents import writer as writing
from gameday.incidents.writer import Writer


class Held:
    """A disk whose writes wait until they are let go, or fail."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.error: StoreError | None = None

    async def write(self, call: Callable[[], Any]) -> Any:
        await self.free.wait()
        if self.error is not None:
            raise self.error
        return call()


def held() -> tuple[Writer, Held]:
    disk = Held()
    return Writer(None, disk, None, after=None), disk  # type: ignore[arg-type]


async def test_a_write_that_takes_long_is_trouble_until_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "STUCK", 0.05)
    writer, disk = held()
    assert "" == writer.trouble()

    write = asyncio.create_task(writer._written(lambda: 7))
    await asyncio.sleep(0.1)
    assert "the store has been taking a write for" in writer.trouble()
    disk.free.set()

    assert (7, "") == (await write, writer.trouble())


async def test_a_write_that_failed_is_trouble_for_a_while_or_until_one_succeeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer, disk = held()
    disk.free.set()
    disk.error = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await writer._written(lambda: 7)

    assert "the last write failed: the disk is full" == writer.trouble()
    monkeypatch.setattr(writing, "SORE", 0.0)
    assert "" == writer.trouble()  # nobody would try while it is not ready
    monkeypatch.setattr(writing, "SORE", 10.0)
    disk.error = None
    await writer._written(lambda: 7)
    assert "" == writer.trouble()
