"""PagerDuty's webhooks: what is believed, what is read, what is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.incidents.pagerduty_events import (
    LARGEST,
    EventKind,
    NoEvent,
    PagerDutyEvent,
    parse,
    verify,
)

SECRET = "the secret of the subscription"
USER = {"id": "PLH1HKV", "summary": "Tenex Engineer", "type": "user_reference"}
INCIDENT = {
    "id": "PGR0VU2",
    "type": "incident",
    "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
    "number": 2,
    "status": "acknowledged",
    "incident_key": "checkout/latency/7",
    "title": "too slow",
    "service": {"id": "PF9KMXH", "summary": "API Service", "type": "service_reference"},
    "assignees": [{"id": "PTUXL6G", "summary": "User 123"}, {"id": "PX"}, 7, None],
    "priority": {"id": "PSO75BM", "summary": "P1"},
    "urgency": "high",
    "resolve_reason": None,
    "key_of_tomorrow": {"x": [1]},
}


def signed(body: bytes, secret: str = SECRET) -> str:
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def webhook(type: str = "incident.acknowledged", data: Any = None, **event: Any) -> bytes:
    whole = {
        "id": "01EVENT",
        "event_type": type,
        "resource_type": "incident",
        "occurred_at": "2026-01-01T12:00:00.123Z",
        "agent": USER,
        "client": None,
        "data": INCIDENT if data is None else data,
    } | event
    return json.dumps({"event": whole}).encode()


def read(body: bytes, **more: Any) -> PagerDutyEvent:
    event = parse(body, **more)
    assert isinstance(event, PagerDutyEvent), event
    return event


# --- what is believed -------------------------------------------------------------------------


def test_a_signature_is_the_hmac_of_the_raw_body() -> None:
    # Calculated with: printf '{"event":{}}' | openssl dgst -sha256 -hmac 's3cret'
    expected = "v1=352991ebcbce339cc66a2794cf09fe782c95f38e7988e48bda8ded984a11311c"

    assert verify(b'{"event":{}}', expected, ["s3cret"])


@pytest.mark.parametrize(
    "header",
    [
        signed(b"body"),
        f"{signed(b'body', 'old')},{signed(b'body')}",
        f"{signed(b'body')},{signed(b'body', 'old')}",
        f"v0=abc, {signed(b'body')}",
        f"v2={'0' * 64},{signed(b'body')},v1=short,,",
    ],
)
def test_one_signature_of_several_is_enough(header: str) -> None:
    assert verify(b"body", header, [SECRET])


def test_any_of_our_secrets_will_do_while_one_is_exchanged() -> None:
    assert verify(b"body", signed(b"body", "old"), ["", "new", "old"])


@pytest.mark.parametrize(
    ("body", "header", "secrets"),
    [
        (b"body", None, [SECRET]),
        (b"body", "", [SECRET]),
        (b"", signed(b""), [SECRET]),
        (b"body", signed(b"body"), []),
        (b"body", signed(b"body", ""), [""]),
        (b"body", signed(b"body", "other"), [SECRET]),
        (b"body", signed(b"body").removeprefix("v1="), [SECRET]),
        (b"body", signed(b"body").replace("v1", "v2"), [SECRET]),
        (b"body", signed(b"body").upper(), [SECRET]),
        (b"body", "v1=" + signed(b"body").upper().removeprefix("V1="), [SECRET]),
        (b"body", signed(b"body") + "0", [SECRET]),
        (b"body", "v1=é" + "0" * 63, [SECRET]),
        (b"body", "v1=" + "٣" * 64, [SECRET]),
        (b"body", "x," * 5000 + signed(b"body"), [SECRET]),
        (b"body", "x," * 40 + signed(b"body"), [SECRET]),
    ],
)
def test_what_is_not_signed_is_not_believed(
    body: bytes, header: str | None, secrets: list[str]
) -> None:
    assert not verify(body, header, secrets)


@given(st.binary(min_size=1, max_size=400), st.data())
def test_one_bit_changed_in_the_body_is_enough_to_refuse(body: bytes, data: st.DataObject) -> None:
    header = signed(body)
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    changed = bytearray(body)
    changed[bit // 8] ^= 1 << bit % 8

    assert verify(body, header, [SECRET])
    assert not verify(bytes(changed), header, [SECRET])


def test_one_bit_changed_in_the_signature_is_enough_to_refuse() -> None:
    believed = []
    for bit in range(8 * len(signed(b"body"))):
        changed = bytearray(signed(b"body").encode())
        changed[bit // 8] ^= 1 << bit % 8
        if verify(b"body", changed.decode("latin-1"), [SECRET]):
            believed.append(bit)

    assert verify(b"body", signed(b"body"), [SECRET])
    assert [] == believed


@given(st.integers(0, 8 * len(SECRET) - 1))
def test_one_bit_changed_in_the_secret_is_enough_to_refuse(bit: int) -> None:
    changed = bytearray(SECRET.encode())
    changed[bit // 8] ^= 1 << bit % 8

    assert not verify(b"body", signed(b"body"), [changed.decode("latin-1")])


@given(st.binary(max_size=100), st.text(max_size=200), st.lists(st.text(max_size=20), max_size=3))
def test_no_header_and_no_secret_is_an_error(body: bytes, header: str, secrets: list[str]) -> None:
    assert not verify(body, header, secrets)


# --- what is read -----------------------------------------------------------------------------


def test_an_acknowledgement_by_a_person() -> None:
    event = read(webhook(), webhook_id="01WEBHOOK")

    assert (
        PagerDutyEvent(
            id="01EVENT",
            webhook_id="01WEBHOOK",
            kind=EventKind.ACKNOWLEDGED,
            type="incident.acknowledged",
            occurred_at=datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC),
            agent=event.agent,
            incident="PGR0VU2",
            key="checkout/latency/7",
            number=2,
            title="too slow",
            status="acknowledged",
            service="API Service",
            urgency="high",
            priority="P1",
            assignees=("User 123", "PX"),
            note="",
            resolve_reason="",
            merged_into="",
            url="https://acme.pagerduty.com/incidents/PGR0VU2",
        )
        == event
    )
    assert event.is_by_person
    assert ("event:01EVENT", "webhook:01WEBHOOK") == event.ids


@pytest.mark.parametrize("kind", [k for k in EventKind if k is not EventKind.OTHER])
def test_every_kind_is_told_by_its_name(kind: EventKind) -> None:
    assert kind is read(webhook(kind.value)).kind


@pytest.mark.parametrize(
    "type", ["incident.role.assigned", "incident.task.created", "pagey.ping", "service.updated"]
)
def test_a_kind_we_do_not_know_is_tolerated(type: str) -> None:
    event = read(webhook(type, data={"type": "ping", "message": "Hello"}))

    assert (EventKind.OTHER, type, "") == (event.kind, event.type, event.incident)


@pytest.mark.parametrize(
    "agent",
    [
        None,
        {},
        "PLH1HKV",
        {"id": "PSVC", "type": "service_reference"},
        {"id": "PINT", "type": "inbound_integration_reference"},
        {"id": "PAPP", "type": "app_reference"},
        {"id": "P1", "summary": "without a type"},
        {"id": "P1", "type": ["user_reference"]},
    ],
)
def test_automation_is_no_person(agent: Any) -> None:
    assert not read(webhook(agent=agent)).is_by_person


def test_a_note_names_the_incident_beside_itself() -> None:
    note = {
        "id": "P2LA89X",
        "type": "incident_note",
        "content": "failing over\x00 now",
        "incident": {"id": "PGR0VU2", "summary": "too slow", "type": "incident_reference"},
    }

    event = read(webhook("incident.annotated", data=note))

    assert ("PGR0VU2", "too slow", "failing over now", "") == (
        event.incident,
        event.title,
        event.note,
        event.key,
    )


def test_a_merge_names_the_incident_that_goes_on() -> None:
    reason = {"type": "merge_resolve_reason", "incident": {"id": "PMAIN"}}

    event = read(webhook("incident.resolved", data=INCIDENT | {"resolve_reason": reason}))

    assert ("merge_resolve_reason", "PMAIN") == (event.resolve_reason, event.merged_into)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-01T12:00:00.123Z", datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)),
        ("2026-01-01T13:00:00+01:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        (1767268800123, datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)),
        ("2026-01-01T12:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (10**400, None),
        (float("nan"), None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_an_instant_is_aware_or_unknown(written: Any, expected: datetime | None) -> None:
    assert expected == read(webhook(occurred_at=written)).occurred_at


def test_absent_keys_are_tolerated() -> None:
    event = read(b'{"event": {"id": "E", "event_type": "incident.acknowledged"}}')

    assert ("E", "", None, None) == (event.id, event.incident, event.occurred_at, event.agent)
    assert not event.is_by_person


def test_without_an_id_of_its_own_the_delivery_tells_an_event_apart() -> None:
    event = read(b'{"event": {"event_type": "incident.resolved"}}', webhook_id="W")

    assert ("webhook:W",) == event.ids


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b'{"event": []}',
        b'{"event": {}}',
        b'{"event": {"id": "E"}}',
        b'{"event": {"id": "E", "event_type": 7}}',
        b'{"event": {"event_type": "incident.resolved"}}',
        b'{"messages": []}',
        b"[" * 200_000,
        b'{"event":' * 100_000,
        b'{"event": ' + b"9" * 10_000 + b"}",
        b" " * (LARGEST + 1),
    ],
    ids=lambda b: repr(b[:30]),
)
def test_what_is_not_an_event_is_refused_with_a_reason(body: bytes) -> None:
    refusal = parse(body)

    assert isinstance(refusal, NoEvent)
    assert refusal.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*INCIDENT, "incident", "content", "summary", "name"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(st.binary(max_size=300))
def test_no_bytes_are_an_error(body: bytes) -> None:
    assert isinstance(parse(body), PagerDutyEvent | NoEvent)


@given(st.sampled_from([*EventKind]), JSON, JSON, JSON)
def test_no_shape_of_an_event_is_an_error(
    kind: EventKind, data: Any, agent: Any, instant: Any
) -> None:
    event = read(webhook(kind.value, data=data, agent=agent, occurred_at=instant))

    # What is read can be stored: UTF-8, no zero bytes, whole numbers of 64 bits.
    for text in (event.title, event.note, event.key, event.incident, *event.assignees):
        assert "\x00" not in text.encode().decode()
    assert event.occurred_at is None or event.occurred_at.tzinfo is UTC


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\ud800x", "\x00x", "\x1b[2Jx"])
def test_hostile_text_is_cut_and_cleaned(text: str) -> None:
    event = read(webhook(data=INCIDENT | {"title": text}), webhook_id=text)

    assert len(event.title.encode()) <= 1024
    assert event.title.isprintable()
    assert event.webhook_id == event.title
