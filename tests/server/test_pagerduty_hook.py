"""PagerDuty's webhooks, in: what its people do is on the incident's record, once."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from opened_service import NOON, Opening, Service

Firing = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.served

ANN = {"id": "PANN", "type": "user_reference", "summary": "Ann"}
ROBOT = {"id": "PSVC", "type": "service_reference", "summary": "Checkout"}


def event(
    kind: str,
    key: str = "",
    *,
    id: str = "E1",
    agent: Mapping[str, Any] | None = ANN,
    at: datetime | None = NOON + timedelta(seconds=20),
    **data: Any,
) -> bytes:
    about = {"id": "PINC", "type": "incident", "incident_key": key, **data}
    if kind == "incident.annotated":
        about = {"id": "N1", "type": "incident_note", "incident": {"id": "PINC"}, **data}
    said = {"id": id, "event_type": kind, "agent": agent, "data": about}
    if at is not None:
        said["occurred_at"] = at.isoformat()
    return json.dumps({"event": said}).encode()


def signed(raw: bytes, *, secret: str = "secret of now") -> str:
    return "v1=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


async def deliver(
    service: Service, raw: bytes, *, delivery: str = "", signature: str | None = None
) -> httpx.Response:
    headers = {"x-pagerduty-signature": signed(raw) if signature is None else signature}
    if delivery:
        headers["x-webhook-id"] = delivery
    return await service.http.post("/hooks/pagerduty", content=raw, headers=headers)


async def begun(service: Service, firing: Firing, **more: Any) -> str:
    await service.send(firing(**more))
    service.clock.advance(timedelta(minutes=1))
    return str((await service.incidents())[0]["id"])


async def shown(service: Service, incident: str) -> dict[str, Any]:
    return dict((await service.get(f"/api/incidents/{incident}")).json())


async def test_a_persons_ack_in_pagerduty_is_an_ack_at_the_time_pagerduty_names(
    service: Service, firing: Firing
) -> None:
    incident = await begun(service, firing)

    answer = await deliver(service, event("incident.acknowledged", incident))

    state = await shown(service, incident)
    assert (200, {"recorded": 1}) == (answer.status_code, answer.json())
    assert ("acknowledged", {"on-call": "Ann"}) == (state["state"], state["roles"])
    assert (20.0, "met") == (
        state["phases"]["acked"]["seconds_from_page"],
        state["phases"]["acked"]["verdict"],
    )
    assert [("Ann", "incident.acked")] == [(a.who, a.what) for a in service.store.audit()]


async def test_an_ack_of_the_rotas_page_is_one_of_the_same_incident(
    service: Service, firing: Firing
) -> None:
    incident = await begun(service, firing)

    await deliver(service, event("incident.acknowledged", f"{incident}/2"))

    assert "acknowledged" == (await shown(service, incident))["state"]


@pytest.mark.parametrize("agent", [None, ROBOT, {"id": "X"}])
async def test_an_ack_by_nobody_is_automation_and_answers_nothing(
    service: Service, firing: Firing, agent: Any
) -> None:
    incident = await begun(service, firing)

    answer = await deliver(service, event("incident.acknowledged", incident, agent=agent))

    state = await shown(service, incident)
    assert ({"recorded": 1}, "triggered") == (answer.json(), state["state"])
    assert [False] == [
        f["data"]["by_person"] for f in state["timeline"] if f["kind"] == "pager.said"
    ]


async def test_an_ack_that_is_taken_back_is_asked_for_again_but_its_time_stands(
    service: Service, firing: Firing
) -> None:
    incident = await begun(service, firing)
    await deliver(service, event("incident.acknowledged", incident))

    gone = event(
        "incident.unacknowledged", incident, id="E2", agent=None, at=NOON + timedelta(seconds=50)
    )
    await deliver(service, gone)

    state = await shown(service, incident)
    assert ("triggered", "met") == (state["state"], state["phases"]["acked"]["verdict"])
    again = event("incident.acknowledged", incident, id="E3", at=NOON + timedelta(seconds=55))
    await deliver(service, again)
    assert "acknowledged" == (await shown(service, incident))["state"]


async def test_a_note_belongs_to_the_incident_by_pagerdutys_own_id(
    service: Service, firing: Firing
) -> None:
    incident = await begun(service, firing)
    note = event("incident.annotated", id="E2", content="failing over <script>")
    before = await deliver(service, note)
    await deliver(service, event("incident.triggered", incident, agent=None))

    after = await deliver(service, note)

    assert ({"recorded": 0}, {"recorded": 1}) == (before.json(), after.json())
    words = (await shown(service, incident))["timeline"]
    (noted,) = [f for f in words if f["kind"] == "incident.noted"]
    assert ("failing over <script>", "Ann") == (noted["data"]["text"], noted["data"]["by"])


async def test_who_it_is_reassigned_to_is_on_call(service: Service, firing: Firing) -> None:
    incident = await begun(service, firing)
    assignees = [{"id": "P2", "type": "user_reference", "summary": "Bob"}]

    await deliver(service, event("incident.reassigned", incident, assignees=assignees))

    assert {"on-call": "Bob"} == (await shown(service, incident))["roles"]


async def test_a_resolve_in_pagerduty_closes_what_fires_no_more_and_only_that(
    service: Service, firing: Firing
) -> None:
    incident = await begun(service, firing)

    await deliver(service, event("incident.resolved", incident))
    early = await shown(service, incident)
    await service.send(firing(ends=NOON + timedelta(seconds=30)))
    at = NOON + timedelta(seconds=40)
    merged = {"resolve_reason": {"type": "merge_resolve_reason", "incident": {"id": "P9"}}}
    await deliver(service, event("incident.resolved", incident, id="E2", at=at, **merged))
    recovered = await shown(service, incident)
    await deliver(service, event("incident.resolved", incident, id="E3", at=at))

    assert ("acknowledged", "recovered", "resolved") == (
        early["state"],
        recovered["state"],
        (await shown(service, incident))["state"],
    )


async def test_a_replay_is_ignored_also_after_a_restart_and_under_another_id(
    opening: Opening, firing: Firing
) -> None:
    async with opening() as service:
        incident = await begun(service, firing)
        raw = event("incident.acknowledged", incident)
        first = await deliver(service, raw, delivery="W1")
        again = await deliver(service, raw, delivery="W1")
        # The header is not signed: an old body can come back under any.
        renamed = await deliver(service, raw, delivery="W2")
        # And without an id of its own in the body, the delivery's is what there is.
        nameless = event("incident.escalated", incident, id="")
        unsure = [await deliver(service, nameless, delivery="W3") for _ in range(2)]
    async with opening() as service:
        late = await deliver(service, raw, delivery="W1")
        words = (await shown(service, incident))["timeline"]

    recorded = [a.json()["recorded"] for a in (first, again, renamed, *unsure, late)]
    assert [1, 0, 0, 1, 0, 0] == recorded
    assert 1 == sum(w["kind"] == "incident.acked" for w in words)


async def test_a_signature_with_any_one_bit_changed_is_refused(
    service: Service, firing: Firing
) -> None:
    incident = await begun(service, firing)
    raw = event("incident.acknowledged", incident)
    right = signed(raw)

    for place in range(len(right)):
        for bit in range(7):
            changed = bytearray(right.encode())
            changed[place] ^= 1 << bit
            if not 32 < changed[place] < 127:
                continue  # no header can hold it
            answer = await deliver(service, raw, signature=changed.decode())
            assert 401 == answer.status_code
    assert "triggered" == (await shown(service, incident))["state"]


async def test_a_body_with_any_one_bit_changed_is_refused(service: Service, firing: Firing) -> None:
    raw = event("incident.acknowledged", await begun(service, firing))
    right = signed(raw)

    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        answer = await deliver(service, bytes(changed), signature=right)
        assert 401 == answer.status_code


@pytest.mark.parametrize(
    ("signature", "status"),
    [
        ("", 401),
        ("v1=", 401),
        ("v2={now}", 401),
        ("v1={other}", 401),
        ("v2=abc,v1={other},v1={now}", 200),
        ("v1={before}", 200),
    ],
)
async def test_any_signature_of_version_one_by_any_secret_counts(
    service: Service, firing: Firing, signature: str, status: int
) -> None:
    raw = event("incident.acknowledged", await begun(service, firing))
    made = {
        name: signed(raw, secret=f"secret of {name}").removeprefix("v1=")
        for name in ("now", "before", "other")
    }

    answer = await deliver(service, raw, signature=signature.format(**made))

    assert status == answer.status_code


async def test_without_a_secret_the_hook_is_closed_whatever_is_sent(
    opening: Opening, firing: Firing
) -> None:
    async with opening(pagerduty_secrets=()) as service:
        raw = event("incident.acknowledged", "x")
        answer = await deliver(service, raw, signature=signed(raw, secret=""))

    assert 403 == answer.status_code
    assert "GAMEDAY_PAGERDUTY_WEBHOOK_SECRET" in answer.json()["error"]


@pytest.mark.parametrize(
    ("raw", "status", "recorded"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b'{"event": {}}', 400, None),
        (b'{"event": {"event_type": "pagey.ping", "id": "P"}}', 200, 0),
        (event("incident.acknowledged", "no-such-incident"), 200, 0),
        (event("incident.acknowledged", ""), 200, 0),
        (event("incident.acknowledged", "x" * 5000), 200, 0),
        (event("incident.acknowledged", "a\u0000b\ud800"), 200, 0),
        (b'{"event":' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400, None),
        (b" " * (5 * 1024 * 1024), 413, None),
    ],
    ids=lambda v: repr(v)[:30],
)
async def test_a_signed_body_of_any_shape_is_answered_with_a_sentence(
    service: Service, raw: bytes, status: int, recorded: int | None
) -> None:
    answer = await deliver(service, raw)

    assert status == answer.status_code
    assert recorded == answer.json().get("recorded")


async def test_an_ack_without_a_time_counts_and_says_that_the_time_is_its_arrivals(
    service: Service, firing: Firing
) -> None:
    incident = await begun(service, firing)

    await deliver(service, event("incident.acknowledged", incident, at=None))

    state = await shown(service, incident)
    (acked,) = [f for f in state["timeline"] if f["kind"] == "incident.acked"]
    assert "acknowledged" == state["state"]
    assert "arrival" == acked["data"]["timed_by"]
