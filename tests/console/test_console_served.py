"""The console of `gameday serve`: the same pages over the engine's incidents."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from opened_drill import NOON, RUNBOOK, a_lookup, csrf_of, instruments

from gameday.drivers.database import Database
from gameday.incidents.access import new_token
from gameday.incidents.deploys import told_deploys
from gameday.incidents.engine import Engine
from gameday.incidents.links import Signer, Templates
from gameday.ports import Role
from gameday.server.console import Console
from gameday.server.console.incidents import EngineIncidents
from gameday.server.console.runs import StoredRuns
from gameday.server.gate import Gate, GateDoors
from gameday.server.service import service_app
from gameday.server.sessions import Sessions
from gameday.spec.runbook import parse_runbook
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Kind

pytestmark = pytest.mark.served


@dataclass
class Served:
    """A service with a console, and tokens of every role."""

    engine: Engine
    store: Database
    signer: Signer
    clock: VirtualClock
    tokens: dict[Role, str]
    app: Any
    console: Console

    def browser(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://here")

    async def signed_in(self, role: Role = Role.RESPONDER) -> httpx.AsyncClient:
        http = self.browser()
        answer = await http.post("/console/sign-in", data={"token": self.tokens[role]})
        assert answer.status_code == 303, answer.text
        return http

    async def fire(self, name: str = "Burn", service: str = "storefront", **told: Any) -> str:
        """Let an alert fire; return the id of its incident."""
        await self.engine.hook(
            {
                "version": "4",
                "alerts": [
                    {
                        "status": "firing",
                        "fingerprint": f"{name}/{service}",
                        "startsAt": (NOON - timedelta(seconds=5)).isoformat(),
                        "labels": {
                            "alertname": name,
                            "service": service,
                            "slo": "checkout-latency",
                            "severity": "page",
                        },
                        **told,
                    }
                ],
            }
        )
        rows = await self.engine.listed(limit=10, only_open=False)
        return next(r.id for r in rows if r.service == service)

    def link(self, incident: str, view: str) -> str:
        ends = self.clock.now() + timedelta(hours=1)
        return f"/go/{self.signer.token(incident, view, expires_at=ends)}"

    async def opened_by(self, incident: str) -> list[tuple[str, str | None]]:
        words = (await self.engine.state(incident)).events
        return [(w.data["link"], w.data["by"]) for w in words if w.kind == Kind.LINK_OPENED]


@pytest.fixture(params=[{}], ids=["no templates"])
async def served(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    templates: dict[str, str] = request.param
    clock, signer, tokens = VirtualClock(NOON), Signer(b"k" * 32), {}
    store = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    for role in Role:
        tokens[role], token = new_token(role, f"the {role}", now=clock.now())
        store.add_token(token)
    engine, gate = Engine(store, clock=clock), Gate(store.tokens)
    runbook = parse_runbook(RUNBOOK.read_text(encoding="utf-8"), "checkout-latency.md")

    def link_of(incident: str, view: str, paged_at: Any) -> str:
        return "http://here/go/" + signer.token(
            incident, view, expires_at=paged_at + timedelta(hours=72)
        )

    lookup = a_lookup(
        destinations=Templates(templates),
        runbook={"Burn": runbook}.get,
        slower=lambda _: timedelta(milliseconds=100),
        deploys=partial(told_deploys, engine),
    )
    console = Console(
        incidents=EngineIncidents(engine, link_of=link_of, lookup=lookup, facts_of=store.facts),
        runs=StoredRuns(store, now=clock.now),
        sessions=Sessions(b"k" * 32, GateDoors(gate), now=clock.now),
        instruments=instruments(),
        now=clock.now,
    )
    app = service_app(engine, gate, signer, link_of=link_of, lookup=lookup, console=console)
    async with engine.running():
        yield Served(engine, store, signer, clock, tokens, app, console)
    store.close()


async def test_a_real_incident_is_worked_on_from_the_list_to_its_end(served: Served) -> None:
    id = await served.fire()
    http = await served.signed_in()
    listed = (await http.get("/console/incidents")).text
    page = f"/console/incidents/{id}"
    csrf = csrf_of((await http.get(page)).text)

    for path, fields in (
        ("ack", {}),
        ("role", {"role": "commander"}),
        ("findings/red", {"moved": "duration", "region": "eu-west"}),
        ("findings/trace", {"service": "inventory", "downstream": "db", "region": "eu-west"}),
        ("findings/profile", {"where": "off-cpu", "waiting_in": "db"}),
        ("findings/blame", {"explained": "no"}),
        ("mitigations", {"fix": "failover-db", "p.region": "eu-west"}),
        ("ticks", {"step": "watch-recovery", "done": "yes"}),
        ("notes", {"text": "it gets better"}),
        ("close", {"word": "false-alarm", "text": "an exercise"}),
    ):
        answer = await http.post(f"{page}/{path}", data={"csrf": csrf, **fields})
        assert answer.status_code == 303, (path, answer.text)
    state = await served.engine.state(id)

    assert f'href="{page}"' in listed
    assert str(state.state) == "false alarm"
    assert state.roles["commander"] == "the responder"
    done = {p.name for p in state.phases if p.at}
    assert {"acked", "red", "trace", "profile", "blame", "mitigated"} <= done
    assert {w.data["by"] for w in state.events if w.source == "responder"} == {"the responder"}


@pytest.mark.parametrize("view", ["", "/red", "/traces", "/profile", "/blame", "/runbook"])
async def test_every_view_of_a_real_incident_shows_its_instruments(
    served: Served, view: str
) -> None:
    id = await served.fire()
    http = await served.signed_in()

    answer = await http.get(f"/console/incidents/{id}{view}")

    assert answer.status_code == 200
    assert "Cannot be read now" not in answer.text


async def test_resolving_while_alerts_fire_is_refused_in_words(served: Served) -> None:
    id = await served.fire()
    http = await served.signed_in()
    csrf = csrf_of((await http.get(f"/console/incidents/{id}")).text)

    answer = await http.post(
        f"/console/incidents/{id}/close", data={"csrf": csrf, "word": "resolve"}
    )

    assert answer.status_code == 409
    assert "still fire" in answer.text


async def test_two_incidents_of_one_trouble_are_merged(served: Served) -> None:
    id, other = await served.fire(), await served.fire("Other", "checkout")
    http = await served.signed_in()
    page = f"/console/incidents/{id}"
    shown = (await http.get(page)).text
    csrf = csrf_of(shown)

    nothing = await http.post(f"{page}/merge", data={"csrf": csrf, "into": "-"})
    answer = await http.post(f"{page}/merge", data={"csrf": csrf, "into": other})

    assert f'<option value="{other}">' in shown
    assert f'<option value="{id}">' not in shown
    assert nothing.status_code == 400 and "Choose one" in nothing.text
    assert answer.headers["location"] == f"/console/incidents/{other}"
    state = await served.engine.state(id)
    assert (str(state.state), state.merged_into) == ("merged", other)
    assert "Merge it into" not in (await http.get(page)).text
    observer = await served.signed_in(Role.OBSERVER)
    assert "Merge it into" not in (await observer.get(f"/console/incidents/{other}")).text


async def test_an_incident_is_not_merged_into_one_that_does_not_exist(served: Served) -> None:
    id = await served.fire()
    http = await served.signed_in()
    csrf = csrf_of((await http.get(f"/console/incidents/{id}")).text)

    sent = {"csrf": csrf, "into": "nope"}
    answer = await http.post(f"/console/incidents/{id}/merge", data=sent)

    assert answer.status_code == 404
    assert (await served.engine.state(id)).is_open


async def test_the_list_can_be_searched_and_shows_what_is_over(served: Served) -> None:
    await served.fire()
    over = await served.fire("Other", "checkout", status="resolved", endsAt=NOON.isoformat())
    served.clock.advance(timedelta(hours=1))
    await served.engine.tick()
    http = await served.signed_in(Role.OBSERVER)

    def found(html: str) -> list[str]:
        return re.findall(r"<strong>(\w+)</strong>", html)

    assert found((await http.get("/console/incidents")).text) == ["storefront"]
    everything = (await http.get("/console/incidents?state=all")).text
    assert found(everything) == ["storefront", "checkout"] or over in everything
    assert found((await http.get("/console/incidents?state=all&q=CHECKOUT+resolved")).text) == [
        "checkout"
    ]
    assert "No incident matches" in (await http.get("/console/incidents?q=banana")).text


async def test_a_link_in_the_responders_browser_counts_and_leads_to_the_view(
    served: Served,
) -> None:
    id = await served.fire()
    http = await served.signed_in()

    answer = await http.get(served.link(id, "red"))

    assert answer.headers["location"] == f"/console/incidents/{id}/red"
    assert await served.opened_by(id) == [("red", "the responder")]


async def test_a_link_without_a_session_leads_through_signing_in_and_counts_for_nobody(
    served: Served,
) -> None:
    id = await served.fire()
    http = served.browser()

    answer = await http.get(served.link(id, "traces"), follow_redirects=True)

    assert answer.url.path == "/console/sign-in"
    assert answer.url.params["next"] == f"/console/incidents/{id}/traces"
    assert await served.opened_by(id) == [("traces", None)]


@pytest.mark.parametrize(
    "served", [{"red": "https://grafana.example/d/red?s={service}"}], ids=["grafana"], indirect=True
)
async def test_where_a_tool_is_configured_the_link_leads_there(served: Served) -> None:
    id = await served.fire()
    http = await served.signed_in()

    answer = await http.get(served.link(id, "red"))
    page = await http.get(f"/console/incidents/{id}/red")

    assert answer.headers["location"] == "https://grafana.example/d/red?s=storefront"
    assert "Open the dashboard" in page.text


async def test_a_revoked_token_ends_its_sessions(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.server.gate.KNOWN_FOR", 0.0)
    http = await served.signed_in()
    [token] = [t for t in served.store.tokens() if t.role is Role.RESPONDER]

    served.store.revoke_token(token.id, at=served.clock.now())

    assert (await http.get("/console/whoami")).json() == {"in": False}


async def test_a_webhooks_token_opens_no_page(served: Served) -> None:
    answer = await served.browser().post(
        "/console/sign-in", data={"token": served.tokens[Role.WEBHOOK]}
    )

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_an_incident_that_does_not_exist_is_not_here(served: Served) -> None:
    http = await served.signed_in()

    answer = await http.get("/console/incidents/nope")

    assert answer.status_code == 404
    assert "there is no incident" in answer.text


async def test_no_secret_in_a_link_signs_in_to_the_service(served: Served) -> None:
    answer = await served.browser().get(f"/console/enter/{served.tokens[Role.RESPONDER]}")

    assert answer.status_code == 403


async def test_a_stream_counts_as_a_request_and_not_as_a_slow_one(served: Served) -> None:
    id = await served.fire()
    http = await served.signed_in(Role.OBSERVER)
    served.console.streams.close()

    await http.get(f"/console/incidents/{id}/events")
    measures = await http.get(
        "/metrics", headers={"authorization": f"Bearer {served.tokens[Role.OBSERVER]}"}
    )

    about = [line for line in measures.text.splitlines() if "{incident}/events" in line]
    assert [line.partition("{")[0] for line in about] == [
        "gameday_http_requests_total",
        "gameday_http_requests_created",
    ]


async def test_an_acknowledgement_by_pager_is_heard_by_the_open_console(served: Served) -> None:
    id = await served.fire()
    http = await served.signed_in()
    before = await served.console.incidents.pulse(id)

    await served.engine.say(id, Kind.ACKNOWLEDGED, {}, by="ann", source="pagerduty")
    live = await http.get(f"/console/incidents/{id}/live?here=overview")

    assert before != await served.console.incidents.pulse(id)
    assert 'data-acked="yes"' in live.text
