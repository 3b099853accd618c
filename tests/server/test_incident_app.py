"""The incident behind HTTP: webhooks in, deeplinks out, the responder's calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import httpx
import pytest

from gameday.drivers.database import Database
from gameday.errors import PermanentDriverError, StoreError
from gameday.incidents import Incident
from gameday.incidents.deeplinks import Tools
from gameday.ledger import Ledger
from gameday.model.slo import Slo
from gameday.server import incident_app
from gameday.testing.virtual import VirtualClock
from scoring.slo import Objective, workbook_windows
from scoring.timeline import Fact, Kind

pytestmark = pytest.mark.served

MONTH = timedelta(days=30)
SLO = Slo(
    id="checkout-latency",
    service="storefront",
    objective=Objective(0.99, MONTH),
    good_query='x{le="0.1"}',
    total_query="y",
    windows=workbook_windows(MONTH),
)


class Shop:
    """A target that can fail over and nothing else."""

    name, time_scale = "shop", 60.0

    async def check(self) -> None: ...

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        if name != "failover-db":
            raise PermanentDriverError(f"there is no mitigation {name!r}")
        return f"failed over {parameters}"

    async def route_pages(self, url: str) -> None: ...

    async def restore(self) -> None: ...


class FullDisk(Database):
    """A store that cannot write the first fact it is given."""

    is_full = True

    def append(self, run: str, fact: Fact, *, fenced: bool = False) -> None:
        if self.is_full:
            self.is_full = False
            raise StoreError("the disk is full")
        super().append(run, fact, fenced=fenced)


class Desk:
    """An incident, its ledger and a client that speaks to it."""

    def __init__(self, folder: Path, kind: type[Database] = Database) -> None:
        clock = VirtualClock()
        store = kind(f"sqlite:///{folder / 'runs.db'}")
        store.open_run("r", scenario="s", target="t", started_at=clock.now(), documents={})
        self.ledger = Ledger("r", store=store, clock=clock)
        self.incident = Incident(
            self.ledger,
            slo=SLO,
            target=Shop(),
            tools=Tools("http://prom", "http://traces", "http://profiles"),
            deploys=None,
            runbook="# Runbook\n",
            latency_limit=timedelta(milliseconds=100),
        )
        app = incident_app(self.incident, hook_token="hook")
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://gameday",
        )
        self.own = f"/incidents/{self.incident.token}"

    async def page(self) -> None:
        await self.http.post("/hooks/alertmanager/hook", json=webhook())
        received = self.ledger.timeline.first(Kind.PAGE_RECEIVED)
        assert received is not None
        self.incident.page(received, base_url="http://gameday", burn_rate=20.0)

    def kinds(self) -> list[str]:
        return [f.kind for f in self.ledger.timeline]


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
                "startsAt": "2026-01-05T09:00:00.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": "abc",
                **alert,
            }
        ],
        "a_key_of_tomorrow": 1,
    }


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_page_is_recorded_once_however_often_it_is_sent(desk: Desk) -> None:
    first = await desk.http.post("/hooks/alertmanager/hook", json=webhook())
    again = await desk.http.post("/hooks/alertmanager/hook", json=webhook())

    assert (first.json(), again.json()) == ({"recorded": 1}, {"recorded": 0})
    assert desk.kinds() == [Kind.PAGE_RECEIVED]


async def test_a_page_that_could_not_be_written_down_is_taken_when_it_is_sent_again(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, FullDisk)

    first = await desk.http.post("/hooks/alertmanager/hook", json=webhook())
    again = await desk.http.post("/hooks/alertmanager/hook", json=webhook())

    assert (503, {"recorded": 1}) == (first.status_code, again.json())
    assert desk.kinds() == [Kind.PAGE_RECEIVED]


def test_a_page_counts_from_its_arrival_not_from_when_it_was_written_down(desk: Desk) -> None:
    arrived_at = desk.incident.now() - timedelta(milliseconds=70)
    watchdog = webhook(labels={"alertname": "Watchdog"})

    (page,) = desk.incident.receive(webhook(), arrived_at=arrived_at)
    desk.incident.receive(watchdog, arrived_at=arrived_at)

    beat = desk.ledger.timeline.first(Kind.PIPELINE_BEAT)
    assert beat is not None
    assert [arrived_at, arrived_at] == [page.happened_at, beat.happened_at]
    assert page.recorded_at > arrived_at


async def test_a_resolved_page_keeps_the_end_that_prometheus_gave(desk: Desk) -> None:
    await desk.http.post(
        "/hooks/alertmanager/hook", json=webhook("resolved", endsAt="2026-01-05T09:01:00Z")
    )

    fact = desk.ledger.timeline.first(Kind.PAGE_RESOLVED)
    assert fact is not None
    assert fact.data["ends_at"] == datetime(2026, 1, 5, 9, 1, tzinfo=UTC).isoformat()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"alerts": 3}', b'{"alerts": [1]}', b"[" * 100_000, b"x" * 3_000_000],
)
async def test_a_body_that_is_no_webhook_is_refused_with_a_sentence(
    desk: Desk, body: bytes
) -> None:
    answer = await desk.http.post("/hooks/alertmanager/hook", content=body)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert desk.kinds() == []


async def test_a_wrong_token_is_told_nothing(desk: Desk) -> None:
    await desk.page()

    answers = [
        await desk.http.post("/hooks/alertmanager/nope", json=webhook()),
        await desk.http.get("/go/nope/red"),
        await desk.http.get("/incidents/nope"),
        await desk.http.get("/incidents/nope/runbook.md"),
        await desk.http.get("/incidents/nope/deploys"),
        await desk.http.post("/incidents/nope/ack"),
        await desk.http.post("/incidents/nope/findings", json={}),
        await desk.http.post("/incidents/nope/steps", json={}),
        await desk.http.post("/incidents/nope/mitigations", json={}),
    ]

    assert {a.status_code for a in answers} == {404}


async def test_deeplinks_lead_to_the_tools_filtered_to_the_burn_window(desk: Desk) -> None:
    await desk.page()

    red, traces, profile, runbook = [
        (await desk.http.get(f"/go/{desk.incident.link_token}/{link}")).headers["location"]
        for link in ("red", "traces", "profile", "runbook")
    ]

    assert red.startswith("http://prom/graph?g0.expr=")
    asked = parse_qs(urlparse(traces).query)
    assert asked["minDuration"] == ["100ms"]
    assert int(asked["end"][0]) - int(asked["start"][0]) >= 60_000_000 - 123_000
    assert profile.startswith("http://profiles/pyroscope?query=process_cpu")
    assert (await desk.http.get(runbook)).text == "# Runbook\n"
    opened = [f.data["link"] for f in desk.ledger.timeline.of_kind(Kind.LINK_OPENED)]
    assert opened == ["red", "traces", "profile", "runbook"]


async def test_a_link_that_does_not_exist_is_not_found(desk: Desk) -> None:
    await desk.page()

    assert (await desk.http.get(f"/go/{desk.incident.link_token}/logs")).status_code == 404


async def test_acknowledging_twice_is_one_fact(desk: Desk) -> None:
    await desk.http.post(f"{desk.own}/ack")
    await desk.http.post(f"{desk.own}/ack")

    assert desk.kinds() == [Kind.ACKNOWLEDGED]


async def test_findings_and_ticks_are_recorded(desk: Desk) -> None:
    finding = {"step": "trace", "summary": "db", "detail": {"service": "inventory"}}
    await desk.http.post(f"{desk.own}/findings", json=finding)
    await desk.http.post(f"{desk.own}/steps", json={"step": "find-hop", "done": True})

    trace, tick = desk.ledger.timeline
    assert trace.data["detail"] == {"service": "inventory"}
    assert tick.data == {"step": "find-hop", "done": True, "note": ""}


async def test_a_finding_of_no_step_is_refused(desk: Desk) -> None:
    answer = await desk.http.post(f"{desk.own}/findings", json={"step": "guess", "summary": ""})

    assert answer.status_code == 400


async def test_a_mitigation_is_recorded_with_what_it_did(desk: Desk) -> None:
    answer = await desk.http.post(
        f"{desk.own}/mitigations", json={"name": "failover-db", "parameters": {"region": "eu"}}
    )

    assert answer.json() == {"ok": True, "detail": "failed over {'region': 'eu'}"}
    assert desk.kinds() == [Kind.MITIGATION_STARTED, Kind.MITIGATION_APPLIED]


async def test_a_mitigation_that_fails_says_so_and_is_recorded_as_failed(desk: Desk) -> None:
    answer = await desk.http.post(f"{desk.own}/mitigations", json={"name": "pray"})

    assert answer.status_code == 409
    applied = desk.ledger.timeline.first(Kind.MITIGATION_APPLIED)
    assert applied is not None
    assert applied.data["ok"] is False


async def paged_at(desk: Desk, said: str) -> datetime:
    headers = {"x-gameday-arrived-at": said}
    await desk.http.post("/hooks/alertmanager/hook", json=webhook(), headers=headers)
    received = desk.ledger.timeline.first(Kind.PAGE_RECEIVED)
    assert received is not None
    return received.happened_at


async def test_a_page_that_waited_in_a_mailbox_counts_from_its_arrival_there(desk: Desk) -> None:
    arrived_at = desk.incident.now() - timedelta(seconds=2)

    assert arrived_at == await paged_at(desk, arrived_at.isoformat())


@pytest.mark.parametrize("said", ["", "yesterday", "2020-01-01T00:00:00+00:00"])
async def test_what_no_mailbox_would_say_counts_for_nothing(desk: Desk, said: str) -> None:
    now = desk.incident.now()

    assert now <= await paged_at(desk, said)
