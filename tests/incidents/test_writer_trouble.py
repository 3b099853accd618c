"""What the writer says of a store that takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from test_incident_engine import NOON, webhook

from gameday.drivers.database import Database
from gameday.errors import StoreError
from gameday.incidents import writer as writing
from gameday.incidents.disk import Threads
from gameday.incidents.engine import Engine
from gameday.incidents.writer import Writer
from gameday.testing.virtual import VirtualClock

T = TypeVar("T")


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
    monkeypatch.setattr(writing, "PATIENCE", 0.05)
    writer, disk = held()
    assert "" == writer.trouble()

    write = asyncio.create_task(writer._written(lambda: 7))
    await asyncio.sleep(0.1)
    assert "the store has been taking a write for" in writer.trouble()
    disk.free.set()

    assert (7, "") == (await write, writer.trouble())


async def test_the_service_is_in_trouble_from_the_first_sender_on_that_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "PATIENCE", 0.05)
    writer, disk = held()
    write = asyncio.create_task(writer._written(lambda: 7))
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="send it again"):
        await writer.commit([], is_resent=True)

    assert "the store has been taking a write for" in writer.trouble()
    disk.free.set()
    assert 7 == await write


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


class Stuck(Threads):
    """A disk whose writes wait while it is told so, as behind a session that is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    async def write(self, call: Callable[[], T]) -> T:
        await self.free.wait()
        return await super().write(call)


async def test_whoever_sends_alerts_is_told_to_come_back_while_a_write_is_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Stuck()
    with closing(Database(f"sqlite:///{tmp_path / 'gameday.db'}")) as store:
        engine = Engine(store, clock=VirtualClock(NOON), disk=disk)
        async with engine.running():
            await engine.hook(webhook("first"))
            disk.free.clear()
            monkeypatch.setattr(writing, "PATIENCE", 0.05)
            for _ in range(3):
                with pytest.raises(StoreError, match="send it again"):
                    await engine.hook(webhook("second"), is_resent=True)
            monkeypatch.setattr(writing, "PATIENCE", 60.0)
            disk.free.set()

            await engine.hook(webhook("second"))

        facts = store.group_facts("storefront/checkout-latency")
    assert ["first", "second"] == [
        f.data["fingerprint"] for f in facts if f.kind == "page.received"
    ]


async def test_whoever_comes_to_a_write_that_is_stuck_already_waits_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer, disk = held()
    write = asyncio.create_task(writer._written(lambda: 7))
    await asyncio.sleep(0.01)
    monkeypatch.setattr(writing, "PATIENCE", 0.001)

    coming = writer.commit([], is_resent=True)
    with pytest.raises(StoreError, match="send it again"):
        coming.send(None)

    disk.free.set()
    assert 7 == await write
