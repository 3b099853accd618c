"""What the engine does by itself: pages, escalation, reminders, drills told from real incidents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.drivers.database import Database
from gameday.errors import StoreError, TemporaryDriverError
from gameday.incidents.alerts import Alert
from gameday.incidents.dispatch import RETRY_AFTER
from gameday.incidents.duties import Act, Share, duties
from gameday.incidents.engine import Engine
from gameday.incidents.links import LinkRefused, Signer
from gameday.incidents.paging import Paging
from gameday.incidents.routing import Drill, routed
from gameday.incidents.state import IncidentState
from gameday.incidents.terms import Terms
from gameday.model.notification import Action, Notification, Receipt
from gameday.ports import GroupFact
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DRILL = Drill(
    run="run-1",
    service="storefront",
    slo="checkout-latency",
    collateral=frozenset({"search-latency"}),
    since=NOON - timedelta(seconds=10),
    until=NOON + timedelta(minutes=5),
)


class Bell:
    """A pager that remembers what it was told."""

    def __init__(self, name: str = "bell") -> None:
        self.name = name
        self.said: list[tuple[str, str, bool]] = []
        self.is_down = False

    async def _take(self, action: Action, notification: Notification) -> Receipt:
        if self.is_down:
            raise TemporaryDriverError("the bell is down")
        self.said.append((str(action), notification.key, notification.drill))
        return Receipt(self.name, action, notification.key, NOON)

    async def page(self, notification: Notification) -> Receipt:
        return await self._take(Action.PAGE, notification)

    async def acknowledge(self, notification: Notification) -> Receipt:
        return await self._take(Action.ACKNOWLEDGE, notification)

    async def resolve(self, notification: Notification) -> Receipt:
        return await self._take(Action.RESOLVE, notification)


def webhook(
    *fingerprints: str, ends: datetime | None = None, starts: datetime = NOON, **labels: str
) -> dict[str, Any]:
    return {
        "alerts": [
            {
                "status": "resolved" if ends else "firing",
                "fingerprint": fingerprint,
                "startsAt": starts.isoformat(),
                "endsAt": ends.isoformat() if ends else "0001-01-01T00:00:00Z",
                "labels": {
                    "service": "storefront",
                    "slo": "checkout-latency",
                    "severity": "page",
                    **labels,
                },
            }
            for fingerprint in fingerprints
        ]
    }


class House:
    """An engine on a store that outlives it, with a bell per role."""

    def __init__(self, path: Path) -> None:
        self.store = Database(f"sqlite:///{path / 'gameday.db'}")
        self.clock = VirtualClock(NOON)
        self.bells = {to: Bell() for to in ("on-call", "rota", "drill on-call")}
        self.drills: Sequence[Drill] = ()
        self.stopped: list[IncidentState] = []

    def engine(self, *, run: str | None = None, escalates: bool = False) -> Engine:
        """Return the service's engine, or that of a run."""
        return Engine(
            self.store,
            clock=self.clock,
            paging=Paging(self.bells),
            terms=Terms(
                run=run,
                drills=lambda: self.drills,
                escalates=escalates,
                on_real=self.stopped.append,
            ),
        )

    async def after(self, engine: Engine, **time: float) -> None:
        self.clock.advance(timedelta(**time))
        await engine.tick()
        while engine.busy:
            await asyncio.gather(*engine.busy)
            await asyncio.sleep(0)

    def rung(self) -> dict[str, list[str]]:
        return {to: [f"{s[0]} {s[1]}" for s in b.said] for to, b in self.bells.items() if b.said}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


async def only(engine: Engine) -> IncidentState:
    (row,) = await engine.listed(limit=10, only_open=False)
    return await engine.state(row.id)


async def test_a_page_goes_out_once_and_again_to_the_rota_while_nobody_answers(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        for seconds in (0, 10, 19, 2, 60, 240):
            await house.after(engine, seconds=seconds)
        id = (await only(engine)).id
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        for _ in range(3):
            await house.after(engine, minutes=30)

    assert {
        "on-call": [f"page {id}", f"acknowledge {id}"],
        "rota": [
            f"page {id}/2",
            f"page {id}/3",
            f"acknowledge {id}/2",
            f"acknowledge {id}/3",
        ],
    } == house.rung()


async def test_an_escalation_that_fell_due_while_the_service_was_down_is_made_up_for_once(
    house: House,
) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
    house.clock.advance(timedelta(minutes=12))
    async with house.engine().running() as engine:
        await house.after(engine)
        await house.after(engine)
        id = (await only(engine)).id

    assert {"on-call": [f"page {id}"], "rota": [f"page {id}/4"]} == house.rung()


async def test_a_pager_that_is_down_is_tried_again_and_stands_on_record_once(
    house: House,
) -> None:
    bell = house.bells["on-call"]
    bell.is_down = True
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
        await house.after(engine, seconds=RETRY_AFTER.total_seconds())
        bell.is_down = False
        await house.after(engine, seconds=RETRY_AFTER.total_seconds())
        state = await only(engine)

    failures = [w for w in state.events if w.kind == Kind.PAGE_FAILED]
    assert (1, 1) == (len(failures), len(bell.said))


async def test_a_page_that_was_still_being_tried_when_it_was_over_is_resolved_too(
    house: House,
) -> None:
    class Slow(Bell):
        is_asked, may_answer = asyncio.Event(), asyncio.Event()

        async def page(self, notification: Notification) -> Receipt:
            self.is_asked.set()
            await self.may_answer.wait()
            return await super().page(notification)

    house.bells["rota"] = slow = Slow()
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
        house.clock.advance(timedelta(seconds=31))
        await engine.tick()
        await slow.is_asked.wait()
        await engine.hook(webhook("a", ends=house.clock.now()))
        await engine.tick()
        while not any(s[0] == "resolve" for s in house.bells["on-call"].said):
            await asyncio.sleep(0)
        slow.may_answer.set()
        for _ in range(3):
            await house.after(engine, seconds=1)

    assert ["page", "resolve"] == [s[0] for s in slow.said]


async def test_the_pager_hears_that_it_is_over_and_a_ticket_wakes_nobody(house: House) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await engine.hook(webhook("t", slo="slow-burn", severity="ticket"))
        await house.after(engine)
        await engine.hook(webhook("a", ends=NOON + timedelta(seconds=20)))
        await house.after(engine, seconds=25)
        await house.after(engine, hours=1)

    ((first, second),) = house.rung().values()
    assert ("page", "resolve") == (first.split()[0], second.split()[0])
    assert first.split()[1] == second.split()[1]


async def test_the_postmortem_of_a_sev2_is_asked_for_after_a_restart_too(house: House) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await engine.hook(webhook("a", ends=NOON + timedelta(minutes=1)))
        id = (await only(engine)).id
        house.clock.advance(timedelta(minutes=2))
        await engine.say(id, Kind.RESOLVED, {"text": ""}, by="ann", source="responder")
        await house.after(engine)
    reminders = []
    for hours in (23, 2, 22, 2, 48):
        house.clock.advance(timedelta(hours=hours))
        async with house.engine().running() as engine:
            await house.after(engine)
            state = await engine.state(id)
            reminders.append(sum(str(w.data.get("duty")).startswith("postm") for w in state.events))

    assert [0, 1, 1, 2, 2] == reminders


async def test_a_restart_opens_incidents_for_facts_that_had_none_yet(house: House) -> None:
    alert = Alert("a", NOON, None, NOON, webhook("a")["alerts"][0]["labels"], {})
    house.store.commit([GroupFact(alert.group, alert.to_fact())])

    async with house.engine().running() as engine:
        assert "storefront" == (await only(engine)).service


@pytest.mark.parametrize("escalates", [False, True])
async def test_a_drills_page_goes_to_its_on_call_and_to_the_rota_only_by_its_terms(
    house: House, escalates: bool
) -> None:
    house.drills = [DRILL]
    async with house.engine(run="run-1", escalates=escalates).running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
        await house.after(engine, seconds=31)
        state = await only(engine)

    assert "run-1" == state.drill
    assert [("page", state.id, True)] == house.bells["drill on-call"].said
    woken = [("page", f"{state.id}/2", False)] if escalates else []
    assert woken == house.bells["rota"].said
    assert [] == house.stopped


async def test_the_service_does_no_duty_of_a_drill_that_goes_on(house: House) -> None:
    house.drills = [DRILL]
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        for _ in range(4):
            await house.after(engine, seconds=60)
        assert "triggered" == (await only(engine)).state

    assert {} == house.rung()


async def test_a_run_does_no_duty_of_a_real_incident(house: House) -> None:
    async with house.engine(run="run-1").running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine, seconds=60)

    assert {} == house.rung()


async def test_what_is_left_of_a_drill_when_its_run_has_ended_is_the_services(
    house: House,
) -> None:
    house.drills = [DRILL]
    async with house.engine(run="run-1").running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
        id = (await only(engine)).id
    house.drills = []
    async with house.engine().running() as engine:
        await engine.hook(webhook("a", ends=NOON + timedelta(seconds=50)))
        await house.after(engine, seconds=60)

    assert {"drill on-call": [f"page {id}", f"resolve {id}"]} == house.rung()


async def test_a_drills_severity_is_the_scenarios_and_it_wakes_by_its_alerts(house: House) -> None:
    house.drills = [replace(DRILL, severity="SEV-3")]
    async with house.engine(run="run-1").running() as engine:
        await engine.hook(webhook("t", severity="ticket"))
        await house.after(engine)
        assert {} == house.rung()
        await engine.hook(webhook("a"))
        await house.after(engine)
        state = await only(engine)

    assert ("SEV-3", True) == (state.severity, state.wakes)
    assert {"drill on-call": [f"page {state.id}"]} == house.rung()


async def test_a_drill_that_outlives_its_reset_goes_to_the_rota_though_it_was_answered(
    house: House,
) -> None:
    house.drills = [DRILL]
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await house.after(engine)
        id = (await only(engine)).id
        await engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        await house.after(engine, minutes=5)
        assert not house.bells["rota"].said
        await house.after(engine, seconds=1)
        await house.after(engine, minutes=10)

    pages = [s for s in house.bells["rota"].said if s[0] == "page"]
    assert [("page", f"{id}/2", False)] == pages


async def test_nothing_outlives_a_drill_where_nobody_is_on_call(house: House) -> None:
    house.drills = [replace(DRILL, is_disposable=True)]
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        house.drills = []
        await house.after(engine, minutes=15)

    assert {} == house.rung()


async def test_a_real_incident_that_opens_during_a_drill_is_real_and_may_stop_it(
    house: House,
) -> None:
    house.drills = [DRILL]
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        await engine.hook(webhook("b", service="payments"))
        await engine.hook(webhook("t", slo="slow-burn", severity="ticket"))
        await house.after(engine)

    assert ["payments"] == [i.service for i in house.stopped]
    assert ["page"] == [s[0] for s in house.bells["on-call"].said]


async def test_an_alert_that_the_drill_does_not_explain_is_an_incident_of_its_own_and_pages(
    house: House,
) -> None:
    house.drills = [DRILL]
    async with house.engine().running() as engine:
        await engine.hook(webhook("a"))
        (drill,) = await engine.listed(limit=10, only_open=False)
        await engine.say(drill.id, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        house.drills = []
        await engine.hook(webhook("b"))
        await house.after(engine)
        rows = await engine.listed(limit=10, only_open=False)

    (real,) = [r for r in rows if r.id != drill.id]
    assert (None, "run-1") == (real.drill, drill.drill)
    assert [f"page {real.id}"] == house.rung()["on-call"]


async def test_a_ticket_that_fires_on_keeps_no_incident_from_being_over(house: House) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("t", severity="ticket"))
        await engine.hook(webhook("a"))
        await house.after(engine)
        await engine.hook(webhook("a", ends=NOON + timedelta(seconds=20)))
        await house.after(engine, seconds=25)
        state = await only(engine)
        assert ("recovered", 1) == (state.state, state.firing)
        await house.after(engine, hours=5)
        await engine.hook(webhook("a", starts=house.clock.now()))
        await house.after(engine)
        rows = await engine.listed(limit=10, only_open=False)

    (again,) = [r for r in rows if r.id != state.id]
    assert ["triggered", "resolved"] == [r.state for r in rows]
    pages = [p for p in house.rung()["on-call"] if p.startswith("page")]
    assert [f"page {state.id}", f"page {again.id}"] == pages


def alert(**changes: Any) -> Alert:
    said: dict[str, Any] = {
        "service": "storefront",
        "slo": "checkout-latency",
        "after": 1,
    } | changes
    starts_at = NOON + timedelta(seconds=said["after"])
    labels = {"service": said["service"], "slo": said["slo"]}
    return Alert("a", starts_at, None, starts_at, labels, {})


@pytest.mark.parametrize(
    ("changes", "is_drills"),
    [
        ({}, True),
        ({"slo": "search-latency", "service": "search"}, True),
        ({"service": "payments"}, False),
        ({"slo": "checkout-availability"}, False),
        ({"after": -10}, True),
        ({"after": -11}, False),
        ({"after": 300}, True),
        ({"after": 301}, False),
    ],
)
def test_whose_page_it_is(changes: dict[str, Any], is_drills: bool) -> None:
    assert ("run-1" if is_drills else None) == routed(alert(**changes), [DRILL]).drill
    assert routed(alert(**changes), []).drill is None


async def test_what_the_disk_refused_was_never_seen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    async with house.engine().running() as engine:
        with monkeypatch.context() as broken:
            broken.setattr(house.store, "commit", full)
            with pytest.raises(StoreError):
                await engine.hook(webhook("a"))
            assert 0 == len(await engine.listed(limit=10, only_open=False))
        assert 1 == await engine.hook(webhook("a"))


async def test_many_webhooks_at_once_share_a_transaction_and_none_is_lost(house: House) -> None:
    async with house.engine().running() as engine:
        sent = [engine.hook(webhook(f"f{n}", f"f{n + 1}")) for n in range(200)]
        recorded = await asyncio.gather(*sent)
        state = await only(engine)

    assert (201, 201) == (sum(recorded), len(state.firings))
    assert engine.commits < 20


async def test_an_old_incident_is_let_go_of_and_found_again(house: House) -> None:
    async with house.engine().running() as engine:
        await engine.hook(webhook("a", ends=NOON + timedelta(seconds=1)))
        id = (await only(engine)).id
        for _ in range(3):
            await house.after(engine, days=3)
        assert 0 == engine.open_incidents()
        assert 0 == await engine.hook(webhook("a", ends=NOON + timedelta(seconds=1)))
        assert id == (await engine.state(id)).id
        assert 1 == await engine.hook(webhook("a", starts=house.clock.now()))
        assert 2 == len(await engine.listed(limit=10, only_open=False))


@given(st.integers(0, 100_000), st.booleans())
def test_an_unanswered_page_has_one_level_due_at_most(seconds: int, is_drill: bool) -> None:
    from gameday.incidents.alert_group import AlertGroup
    from gameday.incidents.state import state_of

    first = routed(alert(after=0), [DRILL] if is_drill else [])
    group = AlertGroup(first.group, [first.to_fact()])
    now = NOON + timedelta(seconds=seconds)
    labels = {**first.labels, "severity": "page"}
    group = AlertGroup(
        first.group, [Alert("a", NOON, None, NOON, labels, {}, "", first.drill).to_fact()]
    )

    state = state_of(group.incidents()[0], group=group.name, now=now)

    found = duties(state, now=now, share=Share("run-1" if is_drill else None, escalates=True))

    assert {Act.PAGE} == {d.act for d in found}
    late = [d for d in found if d.level > 1]
    assert (["rota"] if seconds > 30 else []) == [d.to for d in late]
    first = [d.to for d in found if d.level == 1]
    assert (["drill on-call"] if is_drill else [] if seconds > 30 else ["on-call"]) == first


@given(st.binary(min_size=32, max_size=32), st.text(max_size=60))
def test_no_text_is_a_link_that_was_not_made(key: bytes, text: str) -> None:
    signer = Signer(key)
    token = signer.token("I", "red", expires_at=NOON)

    assert ("I", "red") == signer.read(token, now=NOON)
    for forged in (
        text,
        f"{token}{text}x",
        f"{text}.{text}",
        Signer(key[::-1] + b"x").token("I", "red", expires_at=NOON),
    ):
        with pytest.raises(LinkRefused):
            signer.read(forged, now=NOON)


def test_a_virtual_clock_is_a_clock_of_the_engine(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'x.db'}")) as store:
        assert Engine(store, clock=VirtualClock()).now().tzinfo is UTC
