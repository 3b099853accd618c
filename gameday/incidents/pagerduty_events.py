"""PagerDuty's webhooks (v3), checked and read: bytes in, an event or a refusal out. No I/O.

Sources: PagerDuty's developer documentation, "Webhooks: Overview", "Behavior" and "Verifying
Signatures". PagerDuty delivers at least once, in order per incident, and wants an answer within
five seconds; a 4xx drops the webhook for good, three dropped in a row switch the subscription off
for a day.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

__all__ = [
    "ID_HEADER",
    "LARGEST",
    "SIGNATURE_HEADER",
    "Agent",
    "EventKind",
    "PagerDutyEvent",
    "NoEvent",
    "parse",
    "verify",
]

SIGNATURE_HEADER = "X-PagerDuty-Signature"
ID_HEADER = "X-Webhook-Id"

LARGEST = 2 * 1024 * 1024
"""Bytes of a body that is still read; PagerDuty itself drops webhooks above 256 KB."""

_MOST_SIGNATURES = 32
_LONGEST_HEADER = 8192
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")
_LONGEST_WORD = 1024
_LONGEST_NOTE = 25_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EventKind(StrEnum):
    """What happened to an incident at PagerDuty; what gameday does not know is ``other``."""

    TRIGGERED = "incident.triggered"
    ACKNOWLEDGED = "incident.acknowledged"
    UNACKNOWLEDGED = "incident.unacknowledged"
    ESCALATED = "incident.escalated"
    REASSIGNED = "incident.reassigned"
    DELEGATED = "incident.delegated"
    REOPENED = "incident.reopened"
    RESOLVED = "incident.resolved"
    ANNOTATED = "incident.annotated"
    PRIORITY_UPDATED = "incident.priority_updated"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Agent:
    """Who or what caused an event, as PagerDuty names it.

    Attributes:
        type: ``user_reference`` for a person; services, integrations and apps have their own.
    """

    id: str
    name: str
    type: str

    @property
    def is_person(self) -> bool:
        """Whether PagerDuty says that this is a user; what has no type is not known to be one."""
        return self.type in {"user", "user_reference"}


@dataclass(frozen=True, slots=True)
class PagerDutyEvent:
    """One event of PagerDuty's. Texts are cut to a sane length and free of control characters.

    Attributes:
        id: the event's own id; part of the signed body.
        webhook_id: the ``X-Webhook-Id`` of the delivery, the same for each attempt; empty where
            the header was missing. It is not signed.
        kind: what happened; ``type`` keeps PagerDuty's word for it.
        occurred_at: when, by PagerDuty (milliseconds); None where it says nothing readable.
        agent: who did it; None may mean automation.
        incident: PagerDuty's id of the incident; empty for events about something else.
        key: the ``dedup_key`` we paged with; empty where the event does not carry it (a note's
            does not: go by ``incident`` then).
        number: the incident's number; None if unknown.
        assignees: names of whom it is assigned to now.
        note: text of a note, for ``annotated``.
        resolve_reason: type of it, e.g. ``merge_resolve_reason``; empty for an ordinary one.
        merged_into: PagerDuty's id of the incident this one was merged into; usually empty.
    """

    id: str
    webhook_id: str
    kind: EventKind
    type: str
    occurred_at: datetime | None
    agent: Agent | None
    incident: str
    key: str
    number: int | None
    title: str
    status: str
    service: str
    urgency: str
    priority: str
    assignees: tuple[str, ...]
    note: str
    resolve_reason: str
    merged_into: str
    url: str

    @property
    def is_by_person(self) -> bool:
        """Whether a person did it; without an agent it may be automation, and does not count."""
        return self.agent is not None and self.agent.is_person

    @property
    def ids(self) -> tuple[str, ...]:
        """Both names of the event, to drop repeats by: seen under either, it is a repeat.

        The webhook's id alone would not do: it is not signed, so an old webhook could be sent
        again under a new one.
        """
        return tuple(
            f"{kind}:{id}" for kind, id in (("event", self.id), ("webhook", self.webhook_id)) if id
        )


@dataclass(frozen=True, slots=True)
class NoEvent:
    """Why a body is not an event of PagerDuty's, in a sentence fit for a 400."""

    reason: str


def verify(raw_body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Return whether PagerDuty signed exactly these bytes with one of our secrets.

    HMAC-SHA256 of the raw body, lower-case hex behind ``v1=``, several of them separated by commas
    while a secret is rotated: any signature may match any secret. Other versions are passed over.
    Every pair is compared, each in constant time. Never raises.

    Args:
        raw_body: the request's body as it came, before any decoding.
        header: value of ``X-PagerDuty-Signature``; None where it is missing.
        secrets: those of the webhook subscriptions; an empty one verifies nothing, because
            anybody can sign with it.
    """
    if not raw_body or not header or len(header) > _LONGEST_HEADER:
        return False
    given = [
        match[1].encode()
        for part in header.split(",")[:_MOST_SIGNATURES]
        if (match := _SIGNATURE.fullmatch(part.strip(" ")))
    ]
    is_signed = False
    for secret in filter(None, secrets):
        key = secret.encode("utf-8", "surrogatepass")
        expected = hmac.new(key, raw_body, hashlib.sha256).hexdigest().encode()
        for signature in given:
            is_signed |= hmac.compare_digest(expected, signature)
    return is_signed


def parse(raw_body: bytes, *, webhook_id: str | None = None) -> PagerDutyEvent | NoEvent:
    """Return the event in a webhook's body, or why there is none. Never raises.

    Unknown keys and kinds are tolerated, and so are absent ones, except those without which an
    event cannot be told from another: what happened, and an id.

    Args:
        raw_body: a verified body; see `verify`.
        webhook_id: value of ``X-Webhook-Id``.
    """
    if len(raw_body) > LARGEST:
        return NoEvent(f"the body has {len(raw_body)} bytes; more than {LARGEST} are not read")
    try:
        document = json.loads(raw_body)
    except (ValueError, RecursionError):
        return NoEvent("the body is not JSON")
    event = document.get("event") if isinstance(document, dict) else None
    if not isinstance(event, dict):
        return NoEvent("the body has no object `event`; is this a v3 webhook of PagerDuty?")
    type = _word(event.get("event_type"))
    if not type:
        return NoEvent("the event has no `event_type`")
    id, delivery = _word(event.get("id")), _word(webhook_id)
    if not id and not delivery:
        return NoEvent(f"the event has no `id`, and the request no {ID_HEADER}")
    kind = EventKind(type) if type in EventKind.__members__.values() else EventKind.OTHER
    data = _object(event.get("data"))
    is_incident = data.get("type") == "incident" or (
        "type" not in data and type.startswith("incident.")
    )
    # Notes, responders and status updates name the incident beside themselves.
    about = data if is_incident else _object(data.get("incident"))
    reason = _object(data.get("resolve_reason")) if is_incident else {}
    return PagerDutyEvent(
        id=id,
        webhook_id=delivery,
        kind=kind,
        type=type,
        occurred_at=_instant(event.get("occurred_at")),
        agent=_agent(event.get("agent")),
        incident=_word(about.get("id")),
        key=_word(about.get("incident_key")),
        number=_number(about.get("number")),
        title=_word(about.get("title") or about.get("summary")),
        status=_word(about.get("status")),
        service=_name(about.get("service")),
        urgency=_word(about.get("urgency")),
        priority=_name(about.get("priority")),
        assignees=tuple(name for raw in _list(about.get("assignees")) if (name := _name(raw))),
        note=_text(data.get("content"), _LONGEST_NOTE) if kind is EventKind.ANNOTATED else "",
        resolve_reason=_word(reason.get("type")),
        merged_into=_word(_object(reason.get("incident")).get("id")),
        url=_word(about.get("html_url")),
    )


def _object(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _list(raw: Any) -> list[Any]:
    return raw[:100] if isinstance(raw, list) else []


def _text(raw: Any, longest: int) -> str:
    return _CONTROL.sub("", raw[:longest]).strip() if isinstance(raw, str) else ""


def _word(raw: Any) -> str:
    return _text(raw, _LONGEST_WORD)


def _name(raw: Any) -> str:
    reference = _object(raw)
    return _word(reference.get("summary") or reference.get("name") or reference.get("id"))


def _number(raw: Any) -> int | None:
    # Databases hold 64 bits.
    is_number = isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < 2**63
    return raw if is_number else None


def _agent(raw: Any) -> Agent | None:
    reference = _object(raw)
    if not reference:
        return None
    return Agent(
        id=_word(reference.get("id")), name=_name(reference), type=_word(reference.get("type"))
    )


def _instant(raw: Any) -> datetime | None:
    """Return an ISO 8601 text with an offset, or milliseconds since 1970, as UTC; else None."""
    try:
        if isinstance(raw, str):
            instant = datetime.fromisoformat(raw)
            return instant.astimezone(UTC) if instant.tzinfo else None
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return _EPOCH + timedelta(milliseconds=raw)
    except (ValueError, OverflowError):
        pass
    return None
