"""A drill while `gameday serve` works on the same store: one incident, shown by both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from opened_drill import INJECTED, NOON, Desk, a_lookup, csrf_of, instruments

from gameday.drivers.database import Database
from gameday.house.run.drills import drills_of
from gameday.incidents.access import new_token
from gameday.incidents.deploys import told_deploys
from gameday.incidents.engine import Engine
from gameday.incidents.links import Signer
from gameday.incidents.paging import Paging
from gameday.incidents.terms import Terms
from gameday.model.notification import Action, Notification, Receipt
from gameday.ports import Role
from gameday.server.console import Console
from gameday.server.console.incidents import EngineIncidents
from gameday.server.console.runs import StoredRuns
from gameday.server.gate import Gate, GateDoors
from gameday.server.service import service_app
from gameday.server.sessions import Sessions
from gameday.testing.results import run_result
from scoring.timeline import Kind
from scoring.verdict import RunVerdict

pytestmark = pytest.mark.served


class Bell:
    """A pager that remembers what it was told."""

    name = "bell"

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    async def _take(self, action: Action, notification: Notification) -> Receipt:
        self.said.append((str(action), notification.key))
        return Receipt(self.name, action, notification.key, NOON)

    async def page(self, notification: Notification) -> Receipt:
        return await self._take(Action.PAGE, notification)

    async def acknowledge(self, notification: Notification) -> Receipt:
        return await self._take(Action.ACKNOWLEDGE, notification)

    async def resolve(self, notification: Notification) -> Receipt:
        return await self._take(Action.RESOLVE, notification)


@dataclass
class Both:
    """A run that goes on, the service beside it, and the pagers of the real rota."""

    desk: Desk
    engine: Engine
    rota: Bell
    tokens: dict[Role, str]
    app: Any

    def http(self, role: Role | None = None) -> httpx.AsyncClient:
        headers = {} if role is None else {"authorization": f"Bearer {self.tokens[role]}"}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://serve", headers=headers)

    async def signed_in(self, role: Role) -> httpx.AsyncClient:
        http = self.http()
        answer = await http.post("/console/sign-in", data={"token": self.tokens[role]})
        assert answer.status_code == 303, answer.text
        return http

    async def say(self, word: str, role: Role = Role.RESPONDER, **body: Any) -> httpx.Response:
        path = f"/api/incidents/{self.desk.id}/{word}"
        return await self.http(role).post(path, json=body)

    async def pass_time(self, **time: float) -> None:
        """Move the clock both share, and let both do what is due."""
        self.desk.clock.advance(timedelta(**time))
        for engine in (self.engine, self.desk.engine):
            await engine.tick()
            while engine.busy:
                await asyncio.gather(*engine.busy)
                await asyncio.sleep(0)


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    desk = Desk(tmp_path, hears_deploys=True)
    store = Database(f"sqlite:///{tmp_path / 'runs.db'}")
    clock, signer, tokens, rota = desk.clock, Signer(b"k" * 32), {}, Bell()
    for role in Role:
        tokens[role], token = new_token(role, f"the {role}", now=clock.now())
        store.add_token(token)
    engine = Engine(
        store,
        clock=clock,
        paging=Paging(dict.fromkeys(("on-call", "rota"), rota)),
        terms=Terms(drills=lambda: drills_of(store, now=clock.now())),
    )
    gate = Gate(store.tokens)

    def link_of(*_: object) -> str:
        return "http://serve/go/x"

    lookup = a_lookup(deploys=partial(told_deploys, engine))
    console = Console(
        incidents=EngineIncidents(engine, link_of=link_of, lookup=lookup, facts_of=store.facts),
        runs=StoredRuns(store, now=clock.now),
        sessions=Sessions(b"k" * 32, GateDoors(gate), now=clock.now),
        instruments=instruments(),
        now=clock.now,
    )
    app = service_app(engine, gate, signer, link_of=link_of, lookup=lookup, console=console)
    async with desk.opened(), engine.running():
        await desk.page()
        yield Both(desk, engine, rota, tokens, app)
    store.close()


async def until(holds: Callable[[], Any], both: Both) -> None:
    """Wait until this is so; the two hear of each other by looking."""
    async with asyncio.timeout(30):
        while not holds():
            await both.desk.engine.state(both.desk.id)
            await asyncio.sleep(0.01)


async def test_a_drill_is_in_the_services_list_and_console_while_it_runs_as_a_drill(
    both: Both,
) -> None:
    (row,) = (await both.http(Role.OBSERVER).get("/api/incidents")).json()["incidents"]
    http = await both.signed_in(Role.RESPONDER)
    listed = (await http.get("/console/incidents")).text
    shown = await http.get(f"/console/incidents/{both.desk.id}")

    assert (both.desk.id, "r1", "triggered") == (row["id"], row["drill"], row["state"])
    assert 'class="chip drill"' in listed and 'class="chip drill"' in shown.text
    for text in (listed, shown.text):
        assert INJECTED not in text and "slow-db" not in text


async def test_its_page_never_goes_to_the_real_rota(both: Both) -> None:
    for seconds in (0, 31, 300, 600):
        await both.pass_time(seconds=seconds)

    assert [] == both.rota.said


async def test_a_real_page_during_the_drill_does(both: Both) -> None:
    alert = {
        "status": "firing",
        "fingerprint": "real",
        "startsAt": NOON.isoformat(),
        "labels": {"alertname": "A", "service": "payments", "slo": "pay", "severity": "page"},
    }

    await both.engine.hook({"alerts": [alert]})
    await both.pass_time(seconds=1)

    rows = await both.engine.listed(limit=10, only_open=True)
    (real,) = [r for r in rows if r.drill is None]
    assert [("page", real.id)] == both.rota.said


async def test_what_is_said_to_the_service_is_in_the_runs_timeline(both: Both) -> None:
    answers = [await both.say("ack"), await both.say("note", text="looking")]

    assert {200} == {a.status_code for a in answers}
    await until(lambda: both.desk.of_kind(Kind.NOTED), both)
    [acked] = both.desk.of_kind(Kind.ACKNOWLEDGED)
    assert "the responder" == acked.data["by"]


async def test_a_mitigation_asked_of_the_service_is_done_once_by_the_run(both: Both) -> None:
    asked = asyncio.create_task(both.say("mitigation", name="failover-db"))
    await until(lambda: both.desk.of_kind(Kind.MITIGATION_APPLIED), both)
    while not asked.done():
        await both.engine.state(both.desk.id)
        await asyncio.sleep(0.01)
    answer = await asked

    assert (200, "failed over {}") == (answer.status_code, answer.json()["data"]["detail"])
    assert [True] == [f.data["ok"] for f in both.desk.of_kind(Kind.MITIGATION_APPLIED)]


async def test_nobody_closes_it_there_and_no_facilitator_answers_it(both: Both) -> None:
    closing = await both.say("resolve", anyway=True)
    answering = await both.say("ack", Role.FACILITATOR)
    http = await both.signed_in(Role.FACILITATOR)
    page = f"/console/incidents/{both.desk.id}"
    shown = (await http.get(page)).text
    clicked = await http.post(f"{page}/ack", data={"csrf": csrf_of(shown)})

    assert (409, 403, 403) == (closing.status_code, answering.status_code, clicked.status_code)
    assert "Awaited from the on-call" in shown
    assert [] == both.desk.of_kind(Kind.ACKNOWLEDGED)


async def test_once_the_run_has_ended_what_is_left_is_the_services(both: Both) -> None:
    both.desk.ledger.record(Kind.RUN_ENDED, source="conductor", data={"verdict": "passed"})
    both.desk.store.close_run("r1", ended_at=NOON, result=run_result(RunVerdict.PASSED, run="r1"))

    answers = [
        await both.say("postmortem", url="https://wiki.example/1"),
        await both.say("resolve", anyway=True),
    ]

    assert {200} == {a.status_code for a in answers}
    kinds = [f.kind for f in both.desk.store.facts("r1")]
    assert kinds.index(Kind.RUN_ENDED) < kinds.index(Kind.POSTMORTEM_DRAFTED)


async def test_what_a_pipeline_told_the_service_went_live_in_a_drill_that_hears_it(
    both: Both,
) -> None:
    await both.engine.deploy({"service": "storefront", "revision": "b" * 40}, by="a pipeline")
    bearer = {"authorization": f"Bearer {both.desk.secrets[Role.RESPONDER]}"}

    async with both.desk.browser() as http:
        answer = await http.get(f"/api/incidents/{both.desk.id}/deploys", headers=bearer)

    told = [(d["service"], d["revision"]) for d in answer.json()["deploys"]]
    assert [("checkout", "c0ffee1234567"), ("storefront", "b" * 40)] == told
