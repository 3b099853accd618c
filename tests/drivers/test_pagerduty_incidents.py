"""Incidents of PagerDuty, handed on as Alertmanager's own webhook would hand on their alerts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from gameday.drivers.pagerduty_incidents import PagedService, PagerDutyIncidents
from gameday.errors import PermanentDriverError
from gameday.testing.pagerduty import SERVICE, TOKEN, FakePagerDuty, from_alertmanager

WEBHOOK = "http://run/hook"
CREATED = datetime(2026, 11, 28, 10, 0, 3, tzinfo=UTC)


def alert(name: str, starts_at: str = "2026-11-28T10:00:01.5Z") -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "summary": "a = b"},
        "annotations": {"summary": name, "runbook": "http://wiki"},
        "startsAt": starts_at,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": f"f-{name}",
    }


class Both:
    """A PagerDuty, and the webhook that is told of its incidents."""

    def __init__(self, *, token: str = TOKEN, service: str = SERVICE) -> None:
        self.fake = FakePagerDuty()
        self.told: list[tuple[str, str, str]] = []
        self.bodies: list[Mapping[str, Any]] = []
        self.arrived: list[str | None] = []
        self.asked = 0
        self.refuses = 0
        self.lose_alerts = False
        self.now = CREATED
        self.incidents = PagerDutyIncidents(
            "http://pagerduty",
            token,
            service,
            lambda labels: {**labels, "slo": "s"} if labels["alertname"] == "Ours" else None,
            poll=timedelta(0),
            transport=httpx.MockTransport(self._answer),
            now=lambda: self.now,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "pagerduty":
            path = request.url.path
            self.asked += path == "/incidents"
            if self.lose_alerts and path.endswith("/alerts"):
                return httpx.Response(200, json={"alerts": [], "more": False})
            asked = parse_qs(request.url.query.decode())
            status, said = self.fake.tell(path, asked, request.headers["authorization"])
            return httpx.Response(status, json=said)
        if self.refuses:
            self.refuses -= 1
            return httpx.Response(400)
        body = json.loads(request.content)
        self.bodies.append(body)
        self.arrived.append(request.headers.get("x-gameday-arrived-at"))
        for one in body["alerts"]:
            labels = one["labels"]
            self.told.append((labels["alertname"], one["status"], labels.get("slo", "")))
        return httpx.Response(200)

    def fire(self, key: str, *alerts: Mapping[str, Any], is_text: bool = False) -> None:
        """Have Alertmanager send these alerts as one group."""
        self.fake.take(from_alertmanager(key, *alerts, is_text=is_text))
        self.fake.incidents[key].created_at = CREATED

    def clear(self, key: str) -> None:
        """Have Alertmanager say that the group is over."""
        self.fake.take({**from_alertmanager(key), "event_action": "resolve"})

    async def looked(self) -> None:
        """Wait until the incidents were asked for twice."""
        asked = self.asked
        while self.asked < asked + 2:
            await asyncio.sleep(0)


async def test_an_incident_is_told_when_it_is_opened_and_when_it_is_over() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"))
    await both.looked()
    await both.looked()
    both.clear("g")
    await both.looked()

    assert [("Ours", "firing", "s"), ("Ours", "resolved", "s")] == both.told


async def test_a_page_has_come_when_its_incident_was_created() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"))
    await both.looked()

    assert ["2026-11-28T10:00:03+00:00"] == both.arrived


async def test_no_page_has_come_before_its_alert_within_the_second_that_is_cut_off() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours", "2026-11-28T10:00:03.4Z"))
    await both.looked()

    assert ["2026-11-28T10:00:03.400000+00:00"] == both.arrived


async def test_a_start_that_cannot_be_true_moves_no_page() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours", "2026-11-28T11:00:00Z"))
    await both.looked()

    assert ["2026-11-28T10:00:03+00:00"] == both.arrived


@pytest.mark.parametrize(
    ("is_text", "kept"),
    [
        (False, ("annotations", "startsAt", "generatorURL", "fingerprint")),
        (True, ("annotations", "generatorURL")),
    ],
)
async def test_alerts_are_read_in_both_forms_that_alertmanager_writes(
    is_text: bool, kept: tuple[str, ...]
) -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"), alert("Theirs"), is_text=is_text)
    await both.looked()

    (body,) = both.bodies
    assert [
        {
            **{name: alert(which)[name] for name in kept},
            "status": "firing",
            "labels": alert(which)["labels"] | own,
        }
        for which, own in (("Ours", {"slo": "s"}), ("Theirs", {}))
    ] == body["alerts"]


async def test_labels_that_stand_among_the_custom_details_are_read() -> None:
    both = Both()
    event = from_alertmanager("g")
    event["payload"]["custom_details"] = {"alertname": "Ours", "zone": "eu", "count": 3}

    await both.incidents.carry(WEBHOOK)
    both.fake.take(event)
    await both.looked()

    assert [{"alertname": "Ours", "zone": "eu", "slo": "s"}] == [
        a["labels"] for a in both.bodies[0]["alerts"]
    ]


async def test_an_incident_that_names_no_alert_is_somebody_elses_by_its_title() -> None:
    both = Both()
    event = from_alertmanager("g")
    event["payload"] |= {"summary": "The cellar is flooded", "custom_details": {}}

    await both.incidents.carry(WEBHOOK)
    both.fake.take(event)
    await both.looked()

    assert [{"alertname": "The cellar is flooded", "severity": "page"}] == [
        a["labels"] for a in both.bodies[0]["alerts"]
    ]


async def test_alerts_that_are_not_there_yet_are_waited_for() -> None:
    both = Both()
    both.lose_alerts = True

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"))
    await both.looked()
    told_without = list(both.told)
    both.lose_alerts = False
    await both.looked()

    assert ([], [("Ours", "firing", "s")]) == (told_without, both.told)


async def test_an_incident_without_alerts_is_told_by_its_title_after_a_while() -> None:
    both = Both()
    both.lose_alerts = True

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"))
    await both.looked()
    both.now += timedelta(seconds=10)
    await both.looked()

    assert [("[FIRING:1] g", "firing", "")] == both.told


async def test_what_was_open_before_is_left_alone_unless_it_is_meant() -> None:
    both = Both()
    both.fire("theirs", alert("Theirs"))
    both.fire("ours", alert("Ours"))

    await both.incidents.carry(WEBHOOK)
    both.fire("new", alert("New"))
    await both.looked()
    both.clear("theirs")
    await both.looked()

    assert [("New", "firing", ""), ("Ours", "firing", "s")] == sorted(both.told)


async def test_what_joins_an_open_incident_is_no_page() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Theirs"))
    await both.looked()
    both.fake.take(from_alertmanager("g", alert("Theirs"), alert("Ours")))
    await both.looked()

    assert [("Theirs", "firing", "")] == both.told


async def test_an_incident_that_somebody_acknowledged_is_not_over() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"))
    await both.looked()
    both.fake.acknowledge("g", by=None)
    await both.looked()
    found = await both.incidents.open_incidents()

    assert [("Ours", "firing", "s")] == both.told
    assert ["PD00001"] == [one.id for one in found]


async def test_what_a_person_resolves_has_not_cleared() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"))
    await both.looked()
    both.fake.resolve("g", by="Ann")
    await both.looked()

    assert [("Ours", "firing", "s")] == both.told


async def test_an_alert_that_is_sent_again_after_that_is_another_page() -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.fire("g", alert("Ours"))
    await both.looked()
    both.fake.resolve("g", by="Ann")
    await both.looked()
    both.fire("g", alert("Ours"))
    await both.looked()

    assert [("Ours", "firing", "s")] * 2 == both.told


@pytest.mark.parametrize("act", [Both.fire, Both.clear])
async def test_what_the_webhook_did_not_take_is_told_again(act: Callable[..., None]) -> None:
    both = Both()

    await both.incidents.carry(WEBHOOK)
    both.refuses = act is Both.fire
    both.fire("g", alert("Ours"))
    await both.looked()
    await both.looked()
    both.refuses = act is Both.clear
    both.clear("g")
    await both.looked()
    await both.looked()

    assert [("Ours", "firing", "s"), ("Ours", "resolved", "s")] == both.told


async def test_incidents_beyond_one_answer_are_asked_for_too() -> None:
    both = Both()
    for number in range(130):
        both.fire(f"g{number}", alert("Theirs"))

    found = await both.incidents.open_incidents()

    assert list(range(1, 131)) == sorted(one.number for one in found)


@pytest.mark.parametrize(
    ("status", "pages"), [("active", True), ("disabled", False), ("maintenance", False)]
)
async def test_a_service_says_whether_it_calls_anybody(status: str, pages: bool) -> None:
    both = Both()
    both.fake.service_status = status

    assert PagedService("Shop", pages, status) == await both.incidents.service()


@pytest.mark.parametrize(
    ("both", "said"),
    [
        (Both(token="HUNTER2"), "answers 401 to /services/PSERVICE: Invalid Token"),
        (Both(service="PNONE"), "has no service 'PNONE' for this key"),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_the_drill(both: Both, said: str) -> None:
    with pytest.raises(PermanentDriverError) as caught:
        await both.incidents.alive()

    assert said in str(caught.value)
    assert "HUNTER2" not in str(caught.value)


async def test_what_is_no_pagerduty_is_refused_before_the_drill() -> None:
    incidents = PagerDutyIncidents(
        "http://pagerduty",
        TOKEN,
        SERVICE,
        lambda _: None,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"status": "success"})),
    )

    with pytest.raises(PermanentDriverError, match="not as PagerDuty's REST API does"):
        await incidents.alive()
    with pytest.raises(PermanentDriverError, match="not as PagerDuty's REST API does"):
        await incidents.carry(WEBHOOK)


@pytest.mark.parametrize("wrong", [{"created_at": "yesterday"}, {"incident_number": None}])
async def test_an_incident_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    said = {"id": "P1", "created_at": "2026-11-28T10:00:03Z", "incident_number": 1, **wrong}

    def answer(request: httpx.Request) -> httpx.Response:
        name = "alerts" if request.url.path.endswith("/alerts") else "incidents"
        listed = [] if name == "alerts" else [said]
        return httpx.Response(200, json={name: listed, "more": False})

    incidents = PagerDutyIncidents(
        "http://pagerduty",
        TOKEN,
        SERVICE,
        lambda _: None,
        transport=httpx.MockTransport(answer),
    )

    with pytest.raises(PermanentDriverError, match="not as PagerDuty's REST API does"):
        await incidents.open_incidents()
