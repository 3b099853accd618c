"""Two engines on one store, as two processes have it: one incident, one page, nothing missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from copy import copy
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from test_incident_engine import NOON, Bell, webhook

from gameday.drivers.database import Database
from gameday.incidents.dispatch import CLAIM
from gameday.incidents.engine import Engine
from gameday.incidents.paging import Paging
from gameday.model.notification import Notification, Receipt
from gameday.ports import GroupFact
from gameday.testing.memory import MemoryStore
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Fact, Kind


class Slow(Bell):
    """A pager that takes a page and does not answer for as long as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def page(self, notification: Notification) -> Receipt:
        receipt = await super().page(notification)
        await self.may_answer.wait()
        return receipt


class Two:
    """Two engines, one store, one pager that both send to."""

    def __init__(self, stores: Sequence[Database | MemoryStore]) -> None:
        self.clock = VirtualClock(NOON)
        self.bell: Bell = Bell()
        self.engines: list[Engine] = []
        self.stores = stores

    def engine(self, number: int) -> Engine:
        pagers = dict.fromkeys(("on-call", "rota"), self.bell)
        return Engine(self.stores[number], clock=self.clock, paging=Paging(pagers))

    async def tick(self, *engines: Engine, **time: float) -> None:
        self.clock.advance(timedelta(**time))
        await asyncio.gather(*(engine.tick() for engine in engines))
        while busy := [task for engine in engines for task in engine.busy]:
            await asyncio.gather(*busy)
            await asyncio.sleep(0)

    def pages(self) -> list[str]:
        return [key for act, key, _ in self.bell.said if act == "page"]


@pytest.fixture(params=["sqlite", "memory"])
def started_by_hand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Two]:
    """Two engines that the test starts itself."""
    if request.param == "memory":
        memory = MemoryStore()
        # What one of them is made to do must not happen to the other.
        yield Two([memory, copy(memory)])
        return
    stores = [Database(f"sqlite:///{tmp_path / 'gameday.db'}") for _ in range(2)]
    yield Two(stores)
    for store in stores:
        store.close()


@pytest.fixture
async def two(started_by_hand: Two) -> AsyncIterator[Two]:
    made = started_by_hand
    async with AsyncExitStack() as stack:
        for number in range(2):
            made.engines.append(await stack.enter_async_context(made.engine(number).running()))
        yield made


async def ids(engine: Engine) -> list[str]:
    return [r.id for r in await engine.listed(limit=100, only_open=False)]


async def test_what_one_was_told_the_other_shows(two: Two) -> None:
    one, other = two.engines
    await one.hook(webhook("a"))
    (incident,) = await ids(other)
    await other.say(incident, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")

    assert "acknowledged" == (await one.state(incident)).state
    assert 1 == len((await other.state(incident)).firings)


async def test_alerts_of_one_line_told_to_both_at_once_are_one_incident(two: Two) -> None:
    one, other = two.engines
    told = [
        engine.hook(webhook(f"f{number}", service=f"s{number % 3}"))
        for number in range(30)
        for engine in (one, other)
    ]

    await asyncio.gather(*told)
    await two.tick(one, other)

    assert 3 == len(await ids(one))
    for incident in await ids(one):
        assert () == (await other.state(incident)).also
        assert 10 == len((await one.state(incident)).firings)
    opened = [
        one
        for one in two.stores[0].facts_after(0, limit=1000)
        if one.fact.kind == Kind.INCIDENT_OPENED
    ]
    assert 3 == len(opened)


async def test_a_page_is_sent_by_one_of_them(two: Two) -> None:
    await two.engines[0].hook(webhook("a"))

    for _ in range(3):
        await two.tick(*two.engines, seconds=1)
    (incident,) = await ids(two.engines[0])
    for seconds in (31, 1, 300, 1):
        await two.tick(*two.engines, seconds=seconds)

    assert [incident, f"{incident}/2", f"{incident}/3"] == two.pages()


async def test_the_page_of_one_that_died_over_it_is_sent_by_the_other_when_its_claim_is_over(
    started_by_hand: Two,
) -> None:
    two = started_by_hand
    two.bell = slow = Slow()
    async with two.engine(0).running() as one:
        await one.hook(webhook("a"))
        await one.tick()
        while not slow.said:
            await asyncio.sleep(0)
        # As SIGKILL does it: no word of the page, and the claim is not given back.
        key = next(iter(one._dispatch._tasks))
        claims = [two.stores[1].claim(key, holder="x", now=NOON, until=NOON + CLAIM)]
        two.stores[0].release = lambda *_, **__: None  # type: ignore[method-assign]
        # The one thing a killed process does not do.
    slow.may_answer.set()
    async with two.engine(1).running() as other:
        await two.tick(other, seconds=CLAIM.total_seconds() - 1)
        before = two.pages()
        await two.tick(other, seconds=1)
        await two.tick(other, seconds=1)

    assert [frozenset()] == claims
    assert (1, 2) == (len(before), len(two.pages()))
    # At least once, and under one key, by which the pager knows the repeat.
    assert 1 == len(set(two.pages()))


async def test_an_answer_that_came_while_the_page_was_claimed_keeps_it_from_being_sent(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two.engines
    await one.hook(webhook("a"))
    await two.tick(one)
    (incident,) = await ids(one)
    state = await one.state(incident)

    def answered_meanwhile(claim: Callable[..., bool], key: str, **more: Any) -> bool:
        fact = one._word(state, Kind.ACKNOWLEDGED, {"by": "ann"}, source="responder")
        two.stores[1].commit([GroupFact(state.group, fact)])
        return claim(key, **more)

    # Whichever of them is first: the clock wakes the other's own ticks as well.
    for store in two.stores:
        monkeypatch.setattr(store, "claim", partial(answered_meanwhile, store.claim))
    await two.tick(one, seconds=31)

    assert [incident] == two.pages()
    assert "acknowledged" == (await other.state(incident)).state


async def test_whoever_listens_hears_what_either_was_told_once(two: Two) -> None:
    heard: list[str] = []
    two.engines[1].listen(lambda said: heard.append(str(said.fact.kind)))

    await two.engines[0].hook(webhook("a"))
    await two.engines[1].hook(webhook("b"))
    await two.tick(two.engines[1])

    assert 2 == heard.count(str(Kind.PAGE_RECEIVED))
    assert 1 == heard.count(str(Kind.INCIDENT_OPENED))


async def test_a_run_that_writes_to_the_same_store_disturbs_nobody(two: Two) -> None:
    one, other = two.engines
    numbers = iter(range(1, 100))
    heard: list[str] = []
    one.listen(lambda said: heard.append(str(said.fact.kind)))

    def record() -> None:
        fact = Fact(f"f{next(numbers)}", Kind.MEASUREMENT, NOON, NOON, "conductor")
        two.stores[1].append("r", fact)

    for number in range(5):
        record()
        await one.hook(webhook(f"a{number}"))
        record()
        await other.hook(webhook(f"b{number}"))
    await two.tick(one, other)

    (incident,) = await ids(one)
    assert 10 == (await one.state(incident)).firing == (await other.state(incident)).firing
    assert 10 == heard.count(str(Kind.PAGE_RECEIVED)) == len(two.stores[0].facts("r"))
    assert [incident] == two.pages()


async def test_what_is_committed_about_an_incident_with_a_run_is_in_its_timeline(two: Two) -> None:
    one, other = two.engines
    await one.hook(webhook("a"))
    (incident,) = await ids(one)
    state = await one.state(incident)
    drafted = one._word(state, Kind.POSTMORTEM_DRAFTED, {"path": "p"}, source="responder")

    two.stores[1].commit([GroupFact(state.group, drafted, run="r")])

    assert drafted in (await other.state(incident)).events
    assert [drafted] == list(two.stores[0].facts("r"))


async def test_a_storm_that_both_heard_of_is_in_the_pages_of_both_once(two: Two) -> None:
    one, other = two.engines
    alerts = [a for n in range(9) for a in webhook(f"f{n}", slo=f"slo-{n}")["alerts"]]
    await one.hook({"alerts": alerts[:5]})
    await other.hook({"alerts": alerts[5:]})
    await two.tick(one, other)
    await two.tick(one, other, seconds=16)

    states = [await one.state(incident) for incident in await ids(one)]
    paged = [[w for w in s.events if w.kind == Kind.PAGE_DELIVERED] for s in states]
    assert [1] * 9 == [len(facts) for facts in paged]
    assert {fact.data["key"] for (fact,) in paged} == set(two.pages())
