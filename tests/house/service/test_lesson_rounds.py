"""After an incident, over hours, days and weeks: drafted, reminded, reported late, once each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from closed_incident import NOON, after, closed_incident, ended_drill

from gameday.drivers.database import Database
from gameday.errors import StoreError
from gameday.house.lessons.postmortems import freeze
from gameday.house.service.lessons import LessonRounds
from gameday.incidents.engine import Engine
from gameday.model.action_item import (
    ActionChange,
    ActionKind,
    ActionWord,
    Filing,
    action_id,
)
from gameday.model.postmortem import Impact, IncidentStory
from gameday.ports import RunRecord
from gameday.testing.memory import MemoryStore
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Kind

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def unmeasured(_: IncidentStory) -> Impact:
    return Impact("the counters are gone")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    yield database
    database.close()


def filed(store: Database | MemoryStore, clock: VirtualClock) -> str:
    filing = Filing(cause="c", kind=ActionKind.DETECT, title="Watch the lag", owner="Ops")
    item = action_id(filing.cause, filing.kind)
    found = ActionChange(
        id="f", item=item, word=ActionWord.FOUND, at=clock.now(), by="gameday", filing=filing
    )
    store.change_actions([found])
    return item


class Service:
    """One process of the service: its engine and its rounds, which a restart forgets."""

    def __init__(self, store: Database, clock: VirtualClock) -> None:
        self._store = store
        self._clock = clock
        self.engine = Engine(store, clock=clock)
        self.rounds = LessonRounds(store, clock=clock, measure=unmeasured)

    async def until(self, instant: datetime) -> None:
        """Do what is due, hour by hour, up to an instant; while the engine runs."""
        while self._clock.now() < instant:
            await self.rounds.go()
            await after(self.engine, self._clock, hours=1)
        await self.rounds.go()


def words(store: Database, incident: str, item: str) -> dict[str, list[str]]:
    row = store.incident(incident)
    assert row is not None
    duties = [f.data["duty"] for f in store.group_facts(row.group) if f.kind == Kind.REMINDED]
    said = [duty for duty in duties if duty.startswith("postmortem")]
    reminded = [c.id.split("/")[1] for c in store.action_changes(item) if c.word == "reminded"]
    return {"incident": said, "item": reminded}


@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "a restart each time"])
async def test_over_a_month_each_thing_is_said_once(store: Database, restarts: bool) -> None:
    clock = VirtualClock(NOON)
    id = await closed_incident(store, clock)
    resolved, item = clock.now(), filed(store, clock)
    services: list[Service] = []
    seen = []

    async with AsyncExitStack() as running:
        for days in (1 / 24, 0.9, 1.1, 2.1, 6.9, 7.1, 31):
            if restarts or not services:
                await running.aclose()
                services.append(Service(store, clock))
                await running.enter_async_context(services[-1].engine.running())
            await services[-1].until(resolved + days * DAY)
            seen.append(words(store, id, item))

    halfway, overdue = "postmortem/halfway", "postmortem/overdue"
    assert [
        {"incident": [], "item": []},
        {"incident": [], "item": []},
        {"incident": [halfway], "item": ["begin"]},
        {"incident": [halfway, overdue], "item": ["begin"]},
        {"incident": [halfway, overdue], "item": ["begin"]},
        {"incident": [halfway, overdue], "item": ["begin", "due"]},
        {"incident": [halfway, overdue], "item": ["begin", "due", "month"]},
    ] == seen
    assert 1 == sum(service.rounds.drafted for service in services)
    postmortem = store.postmortem(id)
    assert postmortem is not None
    assert resolved <= postmortem.drafted_at <= resolved + HOUR


async def test_a_service_that_was_down_all_the_while_says_all_of_it_at_once_and_once(
    store: Database,
) -> None:
    clock = VirtualClock(NOON)
    id = await closed_incident(store, clock)
    item = filed(store, clock)
    clock.advance(8 * DAY)

    for _ in range(2):
        service = Service(store, clock)
        async with service.engine.running():
            await service.until(clock.now() + HOUR)

    assert ["begin", "due"] == words(store, id, item)["item"]
    assert store.postmortem(id) is not None


async def test_what_is_published_in_time_is_not_spoken_of(store: Database) -> None:
    clock = VirtualClock(NOON)
    id = await closed_incident(store, clock)
    item = filed(store, clock)
    service = Service(store, clock)

    async with service.engine.running():
        await service.until(clock.now() + HOUR)
        known = store.postmortem(id)
        assert known is not None
        freeze(store, known, known.text, facts=(), url="", by="x", now=clock.now())
        await service.engine.say(id, Kind.POSTMORTEM_DRAFTED, {"url": "x"}, by="x", source="x")
        closed = ActionChange(
            id="c", item=item, word=ActionWord.CLOSED, at=clock.now(), by="somebody"
        )
        store.change_actions([closed])
        await service.until(clock.now() + 8 * DAY)

    assert {"incident": [], "item": []} == words(store, id, item)


@pytest.mark.parametrize("severity", ["SEV-3", "SEV-4"])
async def test_of_what_wakes_nobody_no_postmortem_is_drafted(
    store: Database, severity: str
) -> None:
    clock = VirtualClock(NOON)
    id = await closed_incident(store, clock, severity=severity)
    rounds = LessonRounds(store, clock=clock, measure=unmeasured)

    await rounds.go()

    assert (0, None) == (rounds.drafted, store.postmortem(id))


async def test_two_processes_at_once_draft_and_remind_once(store: Database) -> None:
    clock = VirtualClock(NOON)
    id = await closed_incident(store, clock)
    item = filed(store, clock)
    clock.advance(2 * DAY)
    both = [LessonRounds(store, clock=clock, measure=unmeasured) for _ in range(2)]

    await asyncio.gather(*(rounds.go() for rounds in both))

    assert (1, 1) == (sum(r.drafted for r in both), sum(r.reminded for r in both))
    assert ["begin"] == words(store, id, item)["item"]


async def test_of_a_drill_it_is_drafted_once_its_run_has_ended(
    store: Database, tmp_path: Path
) -> None:
    incident = await ended_drill(store, is_resolved=True)
    clock = VirtualClock(datetime.now(UTC) + HOUR)
    (record,) = store.runs()

    class Running(Database):
        goes_on = True

        def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
            return (replace(record, ended_at=None),) if self.goes_on else (record,)

    running = Running(f"sqlite:///{tmp_path / 'gameday.db'}")
    rounds = LessonRounds(running, clock=clock, measure=unmeasured)
    await rounds.go()
    before = store.postmortem(incident)
    running.goes_on = False
    await rounds.go()
    running.close()

    assert before is None
    assert (found := store.postmortem(incident)) is not None
    assert "260 of 640 events were bad" in found.text


async def test_a_persons_draft_is_left_as_it_is(store: Database) -> None:
    clock = VirtualClock(NOON)
    id = await closed_incident(store, clock)
    rounds = LessonRounds(store, clock=clock, measure=unmeasured)
    await rounds.go()
    known = store.postmortem(id)
    assert known is not None
    edited = replace(known, text="mine\n")
    store.put_postmortem(edited, known=known)

    await LessonRounds(store, clock=clock, measure=unmeasured).go()

    assert edited == store.postmortem(id)


async def test_a_store_that_does_not_answer_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = VirtualClock(NOON)

    class Down(MemoryStore):
        is_down = True

        def runs_to_learn_from(self) -> Sequence[str]:
            if self.is_down:
                raise StoreError("the disk is full")
            return super().runs_to_learn_from()

    store = Down()
    id = await closed_incident(store, clock)
    slept = len(clock.slept)
    rounds = LessonRounds(store, clock=clock, measure=unmeasured)
    task = asyncio.create_task(rounds.forever(every=timedelta(minutes=1)))
    while len(clock.slept) == slept:
        await asyncio.sleep(0)
    store.is_down = False
    clock.advance(timedelta(minutes=1))
    while store.postmortem(id) is None:
        await asyncio.sleep(0)
    task.cancel()

    assert "lessons wait for the store error=the disk is full" in caplog.text
