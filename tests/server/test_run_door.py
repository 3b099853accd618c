"""The door of a run: webhooks in, deeplinks out, and the responder's calls, over its own engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from opened_drill import NOON, RUNBOOK, Desk
from pydantic import SecretStr

from gameday.drivers.sent_pages import SentPages
from gameday.errors import StoreError
from gameday.incidents.alerts import instant
from gameday.ports import Role
from gameday.server.drill import RunDoor
from gameday.server.listening import free_port
from gameday.server.page_door import PageDoor
from gameday.settings import HookSettings
from scoring.timeline import Kind

pytestmark = pytest.mark.served

OF_AN_INCIDENT = (Kind.PAGE_RECEIVED, Kind.INCIDENT_OPENED)


class Caller:
    """Somebody who calls the API of a run with a token."""

    def __init__(self, desk: Desk, role: Role | None = Role.RESPONDER) -> None:
        self.desk = desk
        bearer = {} if role is None else {"authorization": f"Bearer {desk.secrets[role]}"}
        transport = httpx.ASGITransport(app=desk.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url=desk.door.url, headers=bearer)

    async def hook(self, payload: Any, **more: Any) -> httpx.Response:
        body = {"content": payload} if isinstance(payload, bytes) else {"json": payload}
        return await self.http.post(urlsplit(self.desk.door.webhook).path, **body, **more)

    async def say(self, word: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/api/incidents/{self.desk.id}/{word}", json=body)

    async def get(self, what: str = "") -> httpx.Response:
        return await self.http.get(f"/api/incidents/{self.desk.id}{what}")


def webhook(status: str = "firing", **alert: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "status": status,
        "alerts": [
            {
                "status": status,
                "labels": {
                    "alertname": "CheckoutLatencyBudgetBurn",
                    "slo": "checkout-latency",
                    "service": "storefront",
                    "severity": "page",
                    "long_window": "1h",
                },
                "startsAt": (NOON - timedelta(seconds=5)).isoformat(),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "abc",
                **alert,
            }
        ],
        "a_key_of_tomorrow": 1,
    }


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path).opened() as opened:
        yield opened


@pytest.fixture
async def on_call(desk: Desk) -> Caller:
    await desk.page()
    return Caller(desk)


def since_the_fault(desk: Desk) -> list[str]:
    return [f.kind for f in desk.ledger.timeline][2:]


async def test_a_page_is_recorded_once_however_often_it_is_sent(desk: Desk) -> None:
    caller = Caller(desk, None)

    first = await caller.hook(webhook())
    again = await caller.hook(webhook())

    assert (first.json(), again.json()) == ({"recorded": 1}, {"recorded": 0})
    assert since_the_fault(desk) == list(OF_AN_INCIDENT)


async def test_a_page_that_could_not_be_written_down_is_taken_when_it_is_sent_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    caller = Caller(desk, None)
    with monkeypatch.context() as broken:
        broken.setattr(type(desk.store), "commit", full)
        first = await caller.hook(webhook())
    again = await caller.hook(webhook())

    assert (503, {"recorded": 1}) == (first.status_code, again.json())
    assert since_the_fault(desk) == list(OF_AN_INCIDENT)


async def test_a_page_counts_from_its_arrival_not_from_when_it_was_written_down(
    desk: Desk,
) -> None:
    arrived_at = desk.clock.now() - timedelta(milliseconds=70)

    await desk.engine.hook(webhook(), arrived_at=arrived_at)
    await desk.engine.hook(webhook(labels={"alertname": "Watchdog"}), arrived_at=arrived_at)

    page, beat = (
        desk.ledger.timeline.first(kind) for kind in (Kind.PAGE_RECEIVED, Kind.PIPELINE_BEAT)
    )
    assert page is not None and beat is not None
    assert [arrived_at, arrived_at] == [page.happened_at, beat.happened_at]


async def test_a_resolved_page_keeps_the_end_that_prometheus_gave(desk: Desk) -> None:
    await desk.page()
    ends = NOON - timedelta(seconds=1)

    await Caller(desk, None).hook(webhook("resolved", endsAt=ends.isoformat()))

    fact = desk.ledger.timeline.first(Kind.PAGE_RESOLVED)
    assert fact is not None
    assert fact.data["ends_at"] == ends.isoformat()
    assert "recovered" == (await desk.engine.state(desk.id)).state


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        ({"slo": "search-latency", "service": "search", "severity": "page"}, "a stranger's page"),
        ({"slo": "checkout-latency", "service": "other", "severity": "page"}, "another service's"),
    ],
)
async def test_what_the_drill_does_not_explain_stands_in_the_run_and_is_none_of_its_incidents(
    desk: Desk, labels: dict[str, str], kept: str
) -> None:
    caller = Caller(desk, None)

    for _ in range(2):
        await caller.hook(webhook(labels={"alertname": "Other", **labels}))

    [fact] = desk.of_kind(Kind.PAGE_RECEIVED)
    assert (labels["service"], None) == (fact.data["service"], fact.data["drill"]), kept
    assert [] == list(await desk.engine.listed(limit=10, only_open=False))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"alerts": 3}', b'{"alerts": [1]}', b"[" * 100_000]
)
async def test_a_body_that_is_no_webhook_is_refused_with_a_sentence(
    desk: Desk, body: bytes
) -> None:
    answer = await Caller(desk, None).hook(body)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert since_the_fault(desk) == []


async def test_a_body_that_is_too_large_is_not_read(desk: Desk) -> None:
    answer = await Caller(desk, None).hook(b"x" * 3_000_000)

    assert answer.status_code == 413


async def test_a_wrong_token_opens_nothing(on_call: Caller) -> None:
    http, id = Caller(on_call.desk, None).http, on_call.desk.id

    answers = [
        await http.post("/hooks/alertmanager/nope", json=webhook()),
        await http.get(f"/api/incidents/{id}"),
        await http.get(f"/api/incidents/{id}/runbook"),
        await http.get(f"/api/incidents/{id}/deploys"),
        await http.post(f"/api/incidents/{id}/ack"),
        await http.post(f"/api/incidents/{id}/finding", json={}),
        await http.post(f"/api/incidents/{id}/step", json={}),
        await http.post(f"/api/incidents/{id}/mitigation", json={}),
    ]

    assert {a.status_code for a in answers} == {401}
    assert (await http.get("/go/nope")).status_code == 403


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.WEBHOOK, 403), (Role.OBSERVER, 403), (Role.FACILITATOR, 403), (Role.RESPONDER, 200)],
)
async def test_only_the_on_call_answers_a_drill(desk: Desk, role: Role, status: int) -> None:
    await desk.page()
    caller = Caller(desk, role)

    answers = [await caller.say("ack"), await caller.say("mitigation", name="failover-db")]

    assert {a.status_code for a in answers} == {status}
    assert len(desk.of_kind(Kind.ACKNOWLEDGED)) == (status == 200)


async def test_deeplinks_lead_to_the_tools_filtered_to_the_burn_window(on_call: Caller) -> None:
    desk = on_call.desk

    red, traces, profile = [
        (await on_call.http.get(desk.link(view))).headers["location"]
        for view in ("red", "traces", "profile")
    ]
    runbook = await on_call.http.get(desk.link("runbook"))

    assert red.startswith("http://prom/graph?g0.expr=")
    asked = parse_qs(urlsplit(traces).query)
    assert asked["minDuration"] == ["100ms"]
    # The long window of the branch that fired, which is 60 s here, up to the page 5 s after it.
    assert int(asked["end"][0]) - int(asked["start"][0]) == 65_000_000
    assert profile.startswith("http://profiles/pyroscope?query=process_cpu")
    assert runbook.text == RUNBOOK.read_text(encoding="utf-8")
    assert desk.links_opened() == [
        (view, "on-call") for view in ("red", "traces", "profile", "runbook")
    ]


async def test_people_are_led_where_the_system_says_and_programs_to_its_tools(
    tmp_path: Path,
) -> None:
    links = {
        "red": "https://grafana.example/d/r?var-service={service}&from={from}&to={to}",
        "runbook": "https://wiki.example/{slo}?of={incident}",
    }
    async with Desk(tmp_path, links=links).opened() as desk:
        await desk.page()
        program, person = Caller(desk), Caller(desk, None)

        asked = (await program.http.get(desk.link("red"))).headers["location"]
        text = await program.http.get(desk.link("runbook"))
        red, traces, runbook = [
            (await person.http.get(desk.link(view))).headers["location"]
            for view in ("red", "traces", "runbook")
        ]

    # The long window of the branch that fired, which is 60 s here, up to the page 5 s after it.
    until = round(NOON.timestamp() * 1000)
    expected = "https://grafana.example/d/r?var-service=storefront"
    assert asked.startswith("http://prom/graph?g0.expr=")
    assert RUNBOOK.read_text(encoding="utf-8") == text.text
    assert f"{expected}&from={until - 65_000}&to={until}" == red
    assert traces.startswith("http://traces/search?")
    assert f"https://wiki.example/checkout-latency?of={quote(desk.id, safe='')}" == runbook


async def test_acknowledging_twice_is_one_fact(on_call: Caller) -> None:
    await on_call.say("ack")
    await on_call.say("ack")

    assert [f.data["by"] for f in on_call.desk.of_kind(Kind.ACKNOWLEDGED)] == ["on-call"]


async def test_findings_and_ticks_are_recorded(on_call: Caller) -> None:
    await on_call.say("finding", step="trace", summary="db", detail={"service": "inventory"})
    await on_call.say("step", step="find-hop", done=True)

    trace, tick = on_call.desk.of_kind(Kind.FINDING) + on_call.desk.of_kind(Kind.RUNBOOK_STEP)
    assert trace.data["detail"] == {"service": "inventory"}
    assert (tick.data["step"], tick.data["done"], tick.data["note"]) == ("find-hop", True, "")


async def test_a_finding_of_no_step_is_refused(on_call: Caller) -> None:
    answer = await on_call.say("finding", step="guess", summary="")

    assert answer.status_code == 400


async def test_a_mitigation_is_done_and_recorded_with_what_it_did(on_call: Caller) -> None:
    answer = await on_call.say("mitigation", name="failover-db", parameters={"region": "eu"})

    assert answer.status_code == 200
    assert answer.json()["data"]["detail"] == "failed over {'region': 'eu'}"
    started, applied = on_call.desk.of_kind(Kind.MITIGATION_STARTED) + on_call.desk.of_kind(
        Kind.MITIGATION_APPLIED
    )
    assert (started.id, True) == (applied.data["asked"], applied.data["ok"])


async def test_a_mitigation_that_fails_says_so_and_is_recorded_as_failed(on_call: Caller) -> None:
    answer = await on_call.say("mitigation", name="pray")

    assert answer.status_code == 409
    assert "there is no mitigation 'pray'" in answer.json()["error"]
    [applied] = on_call.desk.of_kind(Kind.MITIGATION_APPLIED)
    assert applied.data["ok"] is False


async def test_a_mitigation_before_the_page_is_done_on_the_record_of_the_run(desk: Desk) -> None:
    body = {"name": "failover-db", "parameters": {"region": "eu"}}

    said = {
        role: (await Caller(desk, role).http.post("/api/mitigation", json=body)).status_code
        for role in (None, *Role)
    }
    failed = await Caller(desk).http.post("/api/mitigation", json={"name": "pray"})

    assert [role for role, status in said.items() if status == 200] == [Role.RESPONDER]
    assert failed.status_code == 409
    assert [f.data["ok"] for f in desk.of_kind(Kind.MITIGATION_APPLIED)] == [True, False]


@pytest.mark.parametrize("word", ["resolve", "false-alarm", "role", "merge"])
async def test_a_drills_incident_is_closed_by_its_run(on_call: Caller, word: str) -> None:
    bodies = {"role": {"role": "commander", "name": "ann"}, "merge": {"into": on_call.desk.id}}

    answer = await on_call.say(word, **bodies.get(word, {"anyway": True}))

    assert answer.status_code == 409
    assert "closed by its run" in answer.json()["error"]


async def test_the_deploys_are_those_of_the_target(on_call: Caller) -> None:
    (deploy,) = (await on_call.get("/deploys")).json()["deploys"]

    assert ("checkout", "c0ffee1234567") == (deploy["service"], deploy["revision"])


async def test_its_severity_is_the_scenarios(on_call: Caller) -> None:
    shown = (await on_call.get()).json()

    assert ("SEV-1", "r1") == (shown["severity"], shown["drill"])


async def test_everything_said_is_in_the_runs_timeline_and_stored_as_its(on_call: Caller) -> None:
    await on_call.say("ack")
    await on_call.say("note", text="looking")
    desk = on_call.desk

    stored = [f.id for f in desk.store.facts("r1")]
    assert [f.id for f in desk.ledger.timeline] == stored
    assert {Kind.ACKNOWLEDGED, Kind.NOTED} <= {f.kind for f in desk.ledger.timeline}


async def paged_at(desk: Desk, said: str) -> datetime:
    await Caller(desk, None).hook(webhook(), headers={"x-gameday-arrived-at": said})
    received = desk.ledger.timeline.first(Kind.PAGE_RECEIVED)
    assert received is not None
    return received.happened_at


async def test_a_page_that_waited_in_a_mailbox_counts_from_its_arrival_there(desk: Desk) -> None:
    arrived_at = desk.clock.now() - timedelta(seconds=2)

    assert arrived_at == await paged_at(desk, arrived_at.isoformat())


@pytest.mark.parametrize(
    "said", ["", "yesterday", "2020-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:00"]
)
async def test_what_no_mailbox_would_say_counts_for_nothing(desk: Desk, said: str) -> None:
    assert desk.clock.now().astimezone(UTC) == await paged_at(desk, said)


async def test_a_run_takes_the_pages_that_are_sent_to_it_once_they_are_awaited(
    desk: Desk,
) -> None:
    with free_port() as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    pages = SentPages(lambda labels: {**labels, "sent": "here"}, instant, now=desk.clock.now)
    settings = HookSettings(listen=listen, token=SecretStr("t"))
    door = RunDoor(
        free_port(),
        run="r1",
        store=desk.store,
        instruments=desk.instruments,
        key=b"k" * 32,
        now=desk.clock.now,
        pages=(PageDoor(settings), pages.take),
    )
    with closing(door):
        async with (
            door.serving(desk.incidents.served),
            httpx.AsyncClient(headers={"authorization": "Bearer t"}, trust_env=False) as http,
        ):
            url = f"http://{listen}/hooks/alertmanager"
            page = webhook(startsAt=desk.clock.now().isoformat())
            early = await http.post(url, json=page)
            await pages.carry(door.webhook)
            taken = await http.post(url, json=page)

    (paged,) = desk.of_kind(Kind.PAGE_RECEIVED)
    assert (503, 200) == (early.status_code, taken.status_code)
    assert "here" == paged.data["labels"]["sent"]
