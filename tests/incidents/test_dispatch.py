"""Who is called first, and what is not called twice: the dispatcher between duties and pagers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_incident_engine import Bell, House, webhook

from gameday.errors import StoreError, TemporaryDriverError
from gameday.incidents.dispatch import AT_ONCE
from gameday.incidents.engine import Engine
from gameday.model.notification import Notification, Receipt
from scoring.timeline import Kind


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


def pages(house: House, to: str = "on-call") -> list[str]:
    return [key for act, key, _ in house.bells[to].said if act == "page"]


def full(*_: Any, **__: Any) -> None:
    raise StoreError("the disk is full")


async def a_page_on_a_full_disk(
    house: House, engine: Engine, monkeypatch: pytest.MonkeyPatch, *, is_claimed: bool
) -> None:
    with monkeypatch.context() as broken:
        await engine.hook(webhook("a"))
        broken.setattr(house.store, "commit", full)
        if not is_claimed:
            broken.setattr(house.store, "claim", full)
        for _ in range(60):
            house.clock.advance(timedelta(seconds=10))
            try:
                await house.after(engine)
            except StoreError:
                continue


@pytest.mark.parametrize("is_claimed", [True, False])
async def test_a_full_disk_sends_no_page_twice_and_keeps_nobody_asleep(
    house: House, monkeypatch: pytest.MonkeyPatch, is_claimed: bool
) -> None:
    async with house.engine().running() as engine:
        await a_page_on_a_full_disk(house, engine, monkeypatch, is_claimed=is_claimed)

    sent = pages(house) + pages(house, "rota")
    assert len(sent) == len(set(sent))
    assert sent


async def test_what_the_pager_took_is_written_down_when_the_disk_has_room_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.engine().running() as engine:
        await a_page_on_a_full_disk(house, engine, monkeypatch, is_claimed=True)
        await house.after(engine)
        (row,) = await engine.listed(limit=10, only_open=True)
        state = await engine.state(row.id)
        sent = sorted(pages(house) + pages(house, "rota"))
        written = sorted(w.data["key"] for w in state.events if w.kind == Kind.PAGE_DELIVERED)
        await engine.say(row.id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        await house.after(engine)

    assert sent == written == sorted(set(sent))
    told = [key for b in house.bells.values() for act, key, _ in b.said if act == "acknowledge"]
    assert sent == sorted(told)


class Slow(Bell):
    """A pager that answers one call after the other, when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Notification] = []
        self.may_answer = asyncio.Event()

    async def page(self, notification: Notification) -> Receipt:
        self.asked.append(notification)
        await self.may_answer.wait()
        return await super().page(notification)


async def test_a_worse_incident_waits_for_no_call_about_a_lesser_one(house: House) -> None:
    house.bells["on-call"] = slow = Slow()
    async with house.engine().running() as engine:
        for number in range(3 * AT_ONCE):
            await engine.hook(webhook("a", service=f"s{number}"))
        await engine.tick()
        while len(slow.asked) < AT_ONCE:
            await asyncio.sleep(0)
        await engine.hook(webhook("a", service="payments", sev="SEV-1"))
        await engine.tick()
        while slow.asked[-1].service != "payments":
            await asyncio.sleep(0)
        under_way = len(slow.asked)
        slow.may_answer.set()
        await house.after(engine)

    assert AT_ONCE + 1 == under_way
    assert slow.asked[-1].urgency > slow.asked[AT_ONCE].urgency == 0


async def test_what_is_over_before_its_turn_is_not_paged(house: House) -> None:
    house.bells["on-call"] = slow = Slow()
    async with house.engine().running() as engine:
        for number in range(AT_ONCE + 1):
            await engine.hook(webhook("a", service=f"s{number}"))
        await engine.tick()
        while len(slow.asked) < AT_ONCE:
            await asyncio.sleep(0)
        first = {n.service for n in slow.asked}
        (late,) = {f"s{n}" for n in range(AT_ONCE + 1)} - first
        await engine.hook(webhook("a", service=late, ends=house.clock.now()))
        slow.may_answer.set()
        await house.after(engine)

    assert first == {n.service for n in slow.asked}


async def test_a_pager_that_asks_to_wait_is_waited_for(house: House) -> None:
    class Busy(Bell):
        tries = 0

        async def page(self, notification: Notification) -> Receipt:
            self.tries += 1
            raise TemporaryDriverError("too many", retry_after=timedelta(minutes=2))

    house.bells["on-call"] = busy = Busy()
    tries = []
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
        house.bells["rota"].is_down = True
        for _ in range(3):
            await house.after(engine, seconds=9)
            tries.append(busy.tries)

    assert [1, 1, 1] == tries
