"""The wall clock is set, in every process that lives long: what is timed there takes as long."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from gameday.conductor import Outcome, Recoverer, Sentinel
from gameday.diagnosis.sampling import PATIENCE, Hunt, sample
from gameday.drivers.clock import SteadyClock
from gameday.drivers.webhook import Webhook
from gameday.errors import TemporaryDriverError
from gameday.house.service.serve import follow_wall_clock
from gameday.incidents.engine import Engine
from gameday.incidents.paging import Paging
from gameday.incidents.state import State
from gameday.model.notification import Action, Notification, Receipt
from gameday.model.page import Links
from gameday.model.signals import Trace
from gameday.ports import Undo
from gameday.testing.disk import Inline
from gameday.testing.memory import MemoryStore
from gameday.testing.virtual import START, VirtualClock
from scoring.timeline import Kind

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LEASE = 5 * SECOND
UNDO = Undo("u1", "experiment", "run", "u1 is taken back", "gameday recover run")

pytestmark = pytest.mark.parametrize(
    "step",
    [
        pytest.param(timedelta(hours=-1), id="an hour back", marks=pytest.mark.row),
        pytest.param(timedelta(seconds=-120), id="two minutes back"),
        pytest.param(timedelta(seconds=-40), id="forty seconds back", marks=pytest.mark.row),
        pytest.param(timedelta(hours=1), id="an hour ahead", marks=pytest.mark.row),
        pytest.param(timedelta(days=1), id="a day ahead"),
    ],
)


class Target:
    """One thing in place."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.is_there = True
        self.answers = True
        self.recovered_at: list[timedelta] = []

    async def is_present(self, undo: Undo) -> bool:
        return self.is_there

    async def recover(self, undo: Undo) -> None:
        self.recovered_at.append(self.clock.elapsed())
        if not self.answers:
            raise TemporaryDriverError("the proxy does not answer")
        self.is_there = False


class Watched:
    """A sentinel over a run that holds one undo."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.target = Target(self.clock)
        self.store = MemoryStore()
        self.store.open_run("run", scenario="s", target="t", started_at=START, documents={})
        self.store.save_undo(UNDO)
        self.sentinel = Sentinel(
            "run",
            undoer=self.target,
            store=self.store,
            clock=self.clock,
            lease=LEASE,
            budget=10 * SECOND,
            end_run=self.end_run,
        )

    async def end_run(self) -> bool:
        return True


async def set_after(clock: VirtualClock, after: timedelta, step: timedelta) -> None:
    await clock.sleep(after)
    clock.step(step)


async def test_a_sentinels_lease_is_as_long(step: timedelta) -> None:
    run = Watched()
    run.sentinel.hold(UNDO, at_most=5 * MINUTE)

    async def play() -> Outcome:
        setting = asyncio.create_task(set_after(run.clock, SECOND, step))
        outcome = await run.sentinel.watch()
        await setting
        return outcome

    assert Outcome.TOOK_OVER == await run.clock.run(play())
    assert LEASE <= run.target.recovered_at[0] < LEASE + SECOND / 10


async def test_a_sentinel_takes_a_fault_back_when_its_time_is_over_and_ends_no_run_that_lives(
    step: timedelta,
) -> None:
    run = Watched()
    run.sentinel.hold(UNDO, at_most=MINUTE)

    async def live() -> Outcome:
        watching = asyncio.create_task(run.sentinel.watch())
        await set_after(run.clock, SECOND, step)
        for _ in range(90):
            await run.clock.sleep(SECOND)
            run.sentinel.beat()
        run.sentinel.farewell()
        return await watching

    assert Outcome.RELIEVED == await run.clock.run(live())
    (recovered_at,) = run.target.recovered_at
    assert MINUTE <= recovered_at < MINUTE + SECOND / 10


async def test_a_recovery_is_tried_for_as_long_as_its_budget_says(step: timedelta) -> None:
    run = Watched()
    run.target.answers = False
    recovery = Recoverer(
        undoer=run.target, store=run.store, clock=run.clock, budget=20 * SECOND, source="conductor"
    )

    async def play() -> str:
        setting = asyncio.create_task(set_after(run.clock, SECOND, step))
        error = await recovery.take_back(UNDO, record=lambda *_, **__: None, by="conductor")
        await setting
        return error

    assert "the proxy does not answer" == await run.clock.run(play())
    assert 20 * SECOND <= run.clock.elapsed() < 25 * SECOND


async def test_a_delivery_is_tried_for_as_long_as_its_patience_says(step: timedelta) -> None:
    clock, tries = VirtualClock(), []

    def refuse(request: httpx.Request) -> httpx.Response:
        tries.append(clock.elapsed())
        if len(tries) == 2:
            clock.step(step)
        return httpx.Response(503, text="later")

    pager = Webhook("https://h.example/x", clock=clock, transport=httpx.MockTransport(refuse))
    sent = Notification(
        "I", "it burns", "storefront", "gameday", Links(red="", traces="", profile="", runbook="")
    )

    with pytest.raises(TemporaryDriverError, match="given up after"):
        await clock.run(pager.page(sent))

    assert len(tries) > 4
    assert 30 * SECOND < clock.elapsed() <= 90 * SECOND


async def test_the_bot_looks_for_traces_as_long_as_it_means_to(step: timedelta) -> None:
    clock = VirtualClock()

    class Traces:
        async def search(self, **_: Any) -> list[Trace]:
            return []

    async def play() -> None:
        setting = asyncio.create_task(set_after(clock, SECOND, step))
        hunt = Hunt("storefront", START - MINUTE, None, SECOND)
        await sample(Traces(), hunt, clock)  # type: ignore[arg-type]
        await setting

    await clock.run(play())

    assert PATIENCE <= clock.elapsed() < PATIENCE + 5 * SECOND


# --- the service ----------------------------------------------------------------------------------


class Bell:
    """A pager that notes when it was rung."""

    name = "bell"

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.is_down = False
        self.rung: list[tuple[Action, timedelta]] = []

    async def _take(self, action: Action, notification: Notification) -> Receipt:
        if self.is_down:
            raise TemporaryDriverError("the bell is down")
        self.rung.append((action, self.clock.elapsed()))
        return Receipt(self.name, action, notification.key, START)

    async def page(self, notification: Notification) -> Receipt:
        return await self._take(Action.PAGE, notification)

    async def acknowledge(self, notification: Notification) -> Receipt:
        return await self._take(Action.ACKNOWLEDGE, notification)

    async def resolve(self, notification: Notification) -> Receipt:
        return await self._take(Action.RESOLVE, notification)


class Served:
    """An engine of the service in virtual time."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.wall = VirtualClock()
        self.clock = SteadyClock(self.wall)
        self.on_call, self.rota = Bell(self.wall), Bell(self.wall)
        self.engine = Engine(
            store or MemoryStore(),
            clock=self.clock,
            paging=Paging({"on-call": self.on_call, "rota": self.rota}),
            disk=Inline(),
        )

    async def hook(self, *, ends: datetime | None = None) -> None:
        alert = {
            "status": "resolved" if ends else "firing",
            "fingerprint": "f",
            "startsAt": START.isoformat(),
            "endsAt": ends.isoformat() if ends else None,
            "labels": {"service": "storefront", "slo": "latency", "severity": "page"},
        }
        await self.engine.hook({"alerts": [alert]})

    async def state(self) -> State:
        (row,) = await self.engine.listed(limit=10, only_open=False)
        return (await self.engine.state(row.id)).state


async def test_the_service_tries_a_page_again_and_wakes_the_rota_in_time(step: timedelta) -> None:
    served = Served()

    async def play() -> None:
        async with served.engine.running():
            served.on_call.is_down = True
            await served.hook()
            await served.wall.sleep(SECOND)
            served.wall.step(step)
            await served.wall.sleep(SECOND)
            served.on_call.is_down = False
            await served.wall.sleep(MINUTE)

    await served.wall.run(play())

    (first, *_), (second, *_) = served.on_call.rung, served.rota.rung
    assert Action.PAGE == first[0] == second[0]
    assert first[1] <= 8 * SECOND
    assert 30 * SECOND <= second[1] <= 33 * SECOND


async def test_the_service_closes_what_has_cleared_when_it_has_been_quiet(step: timedelta) -> None:
    served, seen = Served(), []

    async def play() -> None:
        async with served.engine.running():
            await served.hook()
            await served.wall.sleep(MINUTE)
            await served.hook(ends=START + MINUTE)
            served.wall.step(step)
            for _ in range(62):
                await served.wall.sleep(MINUTE / 2)
                seen.append((served.wall.elapsed(), await served.state()))

    await served.wall.run(play())

    closed = [at for at, state in seen if state is State.RESOLVED]
    assert 31 * MINUTE <= closed[0] <= 32 * MINUTE


async def test_the_service_follows_the_wall_clock_once_nothing_it_times_is_open(
    step: timedelta,
) -> None:
    served = Served()

    async def play() -> tuple[timedelta, timedelta]:
        async with served.engine.running():
            following = asyncio.create_task(follow_wall_clock(served.clock, served.engine))
            await served.hook()
            served.wall.step(step)
            await served.wall.sleep(5 * MINUTE)
            while_open = served.clock.lag()
            await served.hook(ends=START + 5 * MINUTE)
            await served.wall.sleep(40 * MINUTE)
            following.cancel()
        return while_open, served.clock.lag()

    assert (step, timedelta(0)) == await served.wall.run(play())
    assert served.wall.now() == served.clock.now()


async def test_what_a_process_claimed_before_a_clock_was_set_holds_nobody_up(
    step: timedelta,
) -> None:
    store = MemoryStore()
    served = Served(store)
    before = START - step  # as the clock stood that was set meanwhile

    async def play() -> None:
        async with served.engine.running():
            served.on_call.is_down = True
            await served.hook()
            await served.wall.sleep(SECOND)
            (row,) = await served.engine.listed(limit=10, only_open=False)
            state = await served.engine.state(row.id)
            due = {str(e.data["duty"]) for e in state.events if e.kind == Kind.PAGE_FAILED}
            for key in due:
                claim = f"{row.id}/{key}"
                assert store.claim(claim, holder="dead", now=before, until=before + 10 * SECOND)
            served.on_call.is_down = False
            await served.wall.sleep(25 * SECOND)

    await served.wall.run(play())

    assert served.on_call.rung[0][1] <= 20 * SECOND
