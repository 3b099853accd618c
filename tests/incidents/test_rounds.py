"""What is looked at again, and when: all that changed or is due, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from test_incident_engine import DRILL, NOON, House, only, webhook

from gameday.errors import StoreError
from gameday.incidents.agenda import LEFT_OVER, Agenda
from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.alerts import Alert
from gameday.incidents.duties import Act, Share, next_due, owed
from gameday.incidents.engine import Engine
from gameday.incidents.incident import QUIET, Incident
from gameday.incidents.memory import Memory
from gameday.incidents.openings import row_of
from gameday.incidents.standing import KEPT, is_done, standing, stands_until
from gameday.incidents.state import IncidentState
from gameday.testing.disk import Inline
from gameday.testing.memory import MemoryStore
from gameday.testing.phones import NightStore
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Fact, Kind

SECOND, MOMENT = timedelta(seconds=1), datetime.resolution
SHARES = (
    Share(),
    Share(going_on=frozenset({"run-1"})),
    Share(run="run-1"),
    Share(run="run-1", escalates=True),
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


# --- until when an incident stands as it does, pure -----------------------------------------------


class Told:
    """A group of which a seed draws what is heard, and what of the duties is done."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.memory = Memory(MemoryStore(), Inline())
        self.group = self.memory.groups["g"] = AlertGroup("g")
        self.now = NOON
        self.number = 0
        self.drill = self.rng.choice([None, None, "run-1"])
        until = self.rng.choice([None, timedelta(minutes=1), timedelta(hours=1)])
        self.until = NOON + until if self.drill and until else None
        self.sev = self.rng.choice(["SEV-1", "page", "page", "ticket", "SEV-5"])
        self.began: dict[str, datetime] = {}
        self.fires()
        for _ in range(self.rng.randrange(12)):
            self.passes()
            self.happens()
        self.passes()

    def passes(self) -> None:
        pauses = (0.0, 1.0, 30.0, 30.000001, 200.0, 300.0, 1800.0, 3601.0, 90_000.0)
        self.now += timedelta(seconds=self.rng.choice(pauses))

    def happens(self) -> None:
        words = (Kind.ACKNOWLEDGED, Kind.UNACKNOWLEDGED, Kind.MITIGATION_APPLIED, Kind.RESOLVED)
        rare = (Kind.FALSE_ALARM, Kind.POSTMORTEM_DRAFTED, Kind.MERGED)
        match self.rng.randrange(8):
            case 0 | 1:
                self.fires()
            case 2 | 3:
                self.clears()
            case 4 | 5:
                self.does_what_is_due()
            case 6:
                self.say(self.rng.choice(words), ok=True, by="ann")
            case _:
                self.say(self.rng.choice(rare), into="another", by="ann")

    def hear(self, fingerprint: str, ends_at: datetime | None) -> None:
        labels = {"service": "storefront", "slo": "s", "severity": self.sev}
        starts_at = self.began[fingerprint]
        alert = Alert(fingerprint, starts_at, ends_at, self.now, labels, {})
        alert = replace(alert, drill=self.drill, drill_until=self.until)
        self.group.add(alert.to_fact())
        for found in self.group.incidents():
            if not found.ids:
                anchor = found.first.told.firing_id
                self.say(Kind.INCIDENT_OPENED, id=f"i{self.number}", anchor=anchor)

    def fires(self) -> None:
        fingerprint = self.rng.choice("ab")
        self.began.setdefault(fingerprint, self.now)
        self.hear(fingerprint, None)

    def clears(self) -> None:
        for fingerprint in sorted(self.began):
            self.hear(fingerprint, self.now)
        self.began.clear()

    def say(self, kind: Kind, id: str = "", **data: Any) -> None:
        self.number += 1
        incident = id or self.group.incidents()[-1].ids[0]
        data = {**data, "incident": incident}
        self.group.add(Fact(f"w{self.number:04d}", str(kind), self.now, self.now, "t", "s", data))

    def does_what_is_due(self) -> None:
        found = self.group.incidents()[-1]
        share = self.rng.choice(SHARES)
        for duty in owed(self.stands(found, self.now), now=self.now, share=share).duties:
            kind = Kind.PAGE_DELIVERED if duty.act is Act.PAGE else Kind.REMINDED
            told: dict[str, Any] = {"duty": duty.key, "to": duty.to, "level": duty.level}
            told["keys"], told["key"] = list(duty.keys), next(iter(duty.keys), "")
            self.say(kind, **told)

    def stands(self, found: Incident, at: datetime) -> IncidentState:
        return standing(self.memory, "g", found, now=at)


def asked(told: Told, found: Incident, at: datetime) -> tuple[Any, ...]:
    """Return all that a round goes by."""
    state = told.stands(found, at)
    wants = [owed(state, now=at, share=share) for share in SHARES]
    return replace(state, now=NOON), wants, row_of(state), is_done(found, at)


@pytest.mark.parametrize("hundred", range(15))
def test_until_the_instant_that_is_named_nothing_is_asked_for_that_was_not_before(
    hundred: int,
) -> None:
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        told = Told(seed)
        for found in told.group.incidents():
            assert_nothing_changes(told, found)


def assert_nothing_changes(told: Told, found: Incident) -> None:
    until = stands_until(found, told.stands(found, told.now), now=told.now)
    if until == told.now:
        return  # it goes with another: nothing is promised
    end = (until or told.now + timedelta(days=400)) - MOMENT
    before = asked(told, found, told.now)
    for at in (end, *(told.now + (end - told.now) * told.rng.random() ** 4 for _ in range(3))):
        assert before == asked(told, found, at)


def test_most_instants_that_are_named_are_those_at_which_something_changes() -> None:
    named = changed = 0
    for seed in range(300):
        told = Told(seed)
        found = told.group.incidents()[-1]
        until = stands_until(found, told.stands(found, told.now), now=told.now)
        if until is not None and until > told.now:
            named += 1
            changed += asked(told, found, told.now) != asked(told, found, until)

    assert named > 100
    assert changed > 0.7 * named


def incident(*facts: Fact, labels: str = "page") -> Incident:
    said = {"service": "storefront", "slo": "s", "severity": labels}
    group = AlertGroup("g", [Alert("a", NOON, None, NOON, said, {}).to_fact(), *facts])
    return group.incidents()[-1]


def due_at(found: Incident, after: float) -> float | None:
    memory, now = Memory(MemoryStore(), Inline()), NOON + timedelta(seconds=after)
    at = next_due(standing(memory, "g", found, now=now), now=now)
    return None if at is None else (at - NOON).total_seconds()


@pytest.mark.parametrize(
    ("after", "expected"),
    [(0, 30.000001), (30, 30.000001), (30.000001, 330), (330, 630), (900, 930), (930, None)],
)
def test_what_nobody_answers_asks_again_when_the_next_is_to_be_woken(
    after: float, expected: float | None
) -> None:
    assert expected == due_at(incident(), after)


def test_what_wakes_nobody_asks_for_nothing() -> None:
    assert due_at(incident(labels="ticket"), 0) is None


def test_what_has_cleared_stands_so_until_it_is_resolved_and_then_until_it_is_let_go() -> None:
    said = {"service": "storefront", "slo": "s", "severity": "ticket"}
    found = AlertGroup("g", [Alert("a", NOON, NOON, NOON, said, {}).to_fact()]).incidents()[-1]
    memory, until = Memory(MemoryStore(), Inline()), []
    now: datetime | None = NOON
    while now is not None:
        now = stands_until(found, standing(memory, "g", found, now=now), now=now)
        until += [now - NOON] if now else []

    assert [QUIET + MOMENT, QUIET + KEPT + MOMENT] == until


# --- the agenda -----------------------------------------------------------------------------------


def test_what_was_stirred_is_taken_once_and_what_is_due_when_it_is_time() -> None:
    agenda = Agenda()
    agenda.stir("a", "b", "a")
    first = agenda.take(NOON)
    agenda.put("a", NOON + SECOND)
    agenda.put("b", None)

    taken = [agenda.take(NOON + n * SECOND / 2) for n in range(4)]

    assert ("a", "b") == first
    assert [(), (), ("a",), ()] == taken


def test_an_appointment_that_was_moved_or_dropped_is_not_kept() -> None:
    agenda = Agenda()
    agenda.put("a", NOON + SECOND)
    agenda.put("a", NOON + 3 * SECOND)
    agenda.put("b", NOON + SECOND)
    agenda.drop("b")

    assert ((), ("a",)) == (agenda.take(NOON + SECOND), agenda.take(NOON + 3 * SECOND))


def test_what_is_stirred_while_it_is_looked_at_is_taken_again() -> None:
    agenda = Agenda()
    agenda.stir("a")
    agenda.take(NOON)
    agenda.stir("a")
    agenda.put("a", None)

    assert ("a",) == agenda.take(NOON)


def test_a_clock_that_was_set_back_has_everything_looked_at_again() -> None:
    agenda = Agenda()
    agenda.take(NOON)
    agenda.put("a", None)
    agenda.put("b", NOON + SECOND)

    assert {"a", "b"} == set(agenda.take(NOON - SECOND))


def test_appointments_that_are_moved_for_ever_take_no_room() -> None:
    agenda = Agenda()
    for n in range(10_000):
        agenda.put("a", NOON + n * SECOND)

    assert len(agenda._heap) <= 2 + LEFT_OVER
    assert ("a",) == agenda.take(NOON + timedelta(days=1))


# --- the rounds -----------------------------------------------------------------------------------


async def test_what_is_open_and_asks_for_nothing_is_not_looked_at_again(house: House) -> None:
    async with house.engine().running() as engine:
        for n in range(20):
            await engine.hook(webhook("a", slo=f"slo-{n}", severity="ticket"))
        await house.after(engine)
        before = engine.looked
        for _ in range(10):
            await house.after(engine, seconds=1)

        assert 20 == engine.open_incidents()
        assert 0 == engine.looked - before


async def test_only_what_is_heard_of_or_due_is_looked_at_among_many(house: House) -> None:
    async with house.engine().running() as engine:
        for n in range(20):
            await engine.hook(webhook("a", slo=f"slo-{n}", severity="ticket"))
        await engine.hook(webhook("a", service="till", slo="paid"))
        await house.after(engine)
        await house.after(engine)
        before = engine.looked
        await house.after(engine, seconds=30)
        nothing_is_due = engine.looked - before
        await house.after(engine, seconds=1)
        await house.after(engine)

    assert 0 == nothing_is_due
    assert {"on-call": 1, "rota": 1} == {to: len(said) for to, said in house.rung().items()}
    # Once when it was due, once when it was written down.
    assert 2 == engine.looked - before


async def test_what_a_run_that_is_over_has_not_told_its_pager_the_service_does(
    house: House,
) -> None:
    house.drills = [replace(DRILL, is_disposable=True)]
    async with house.engine(run="run-1").running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
    async with house.engine().running() as engine:
        id = (await only(engine)).id
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        await house.after(engine)
        before = house.rung()
        house.drills = []
        await house.after(engine, seconds=1)

    assert {"drill on-call": [f"page {id}"]} == before
    assert {"drill on-call": [f"page {id}", f"acknowledge {id}"]} == house.rung()


async def test_a_row_that_could_not_be_written_is_written_in_the_next_round() -> None:
    store, clock = NightStore(), VirtualClock(NOON)
    async with Engine(store, clock=clock, disk=Inline()).running() as engine:
        await engine.hook(webhook("a", severity="ticket"))
        await engine.tick()
        id = (await only(engine)).id
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        store.is_full = True
        with pytest.raises(StoreError):
            await engine.tick()
        store.is_full = False
        await engine.tick()
        (row,) = await engine.listed(limit=2, only_open=False)

    assert "acknowledged" == row.state


async def test_two_rounds_at_once_make_one_call_of_a_storm(house: House) -> None:
    async with house.engine().running() as engine:
        alerts = [webhook("a", slo=f"slo-{n}")["alerts"][0] for n in range(30)]
        await engine.hook({"alerts": alerts})
        await house.after(engine)
        house.clock.advance(timedelta(seconds=31))
        await asyncio.gather(engine.tick(), engine.tick(), engine.tick())
        await house.after(engine)

    (called,) = house.rung()["rota"]
    assert "/all-" in called


# --- what stands in the line of an incident -------------------------------------------------------


async def test_the_line_of_an_incident_holds_its_instants(house: House) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("a", team="books", region="eu"))
        await house.after(engine)
        id = (await only(engine)).id
        await house.after(engine, minutes=2)
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        await house.after(engine, minutes=3)
        done = {"name": "failover-db", "parameters": {}, "ok": True, "detail": ""}
        await engine.say(id, Kind.MITIGATION_APPLIED, done, by="ann", source="responder")
        await house.after(engine)
        state = await engine.state(id)

    row = house.store.incident(id)
    assert row is not None
    assert (state.starts_at, NOON + timedelta(minutes=2), NOON + timedelta(minutes=5)) == (
        row.began_at,
        row.acked_at,
        row.mitigated_at,
    )
    assert (None, None, "books", "eu") == (row.cleared_at, row.closed_at, row.team, row.region)
