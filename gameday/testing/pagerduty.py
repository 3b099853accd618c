"""PagerDuty as far as gameday knows it, on loopback: Events API v2 in, webhooks (v3) out, signed.

Its REST API v2 tells of a service, its incidents and their alerts.

What people do in its app is done by methods; each is told to whoever is subscribed, as PagerDuty
tells it. What an integration does, by an event, is told as well, with the integration as its agent.

Sources: PagerDuty's developer documentation, "Events API v2: Overview", "Webhooks: Overview" and
"Verifying Signatures", "List incidents", "List alerts for an incident", "Get a service". Of the
incidents' lists the filters ``service_ids[]`` and ``statuses[]`` are kept, and pages of them.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gameday.testing.served import PatientServer

__all__ = ["FakePagerDuty", "PagedIncident", "fake_pagerduty", "from_alertmanager"]

ROUTING_KEY = "r0ut1ngk3y-of-32-characters-long"
TOKEN = "a key that only reads"
"""A key of the REST API."""
SERVICE = "PSERVICE"
SECRET = "the secret of a webhook subscription"
INTEGRATION = {
    "id": "PINTEGR",
    "summary": "gameday",
    "type": "events_api_v2_inbound_integration_reference",
}
STATUS = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}
ANSWERED_WITHIN = 5.0
"""Seconds that PagerDuty waits for the answer to a webhook."""


@dataclass(slots=True)
class PagedIncident:
    """One incident as PagerDuty holds it.

    Attributes:
        key: the ``dedup_key`` it was triggered with.
        event: the event that triggered it, as it came.
        created_at: when it was opened; told to a second.
        changed_by: the type of who changed its status last, as the REST API names types.
        assignees: names of whom it is assigned to.
    """

    id: str
    number: int
    key: str
    event: Mapping[str, Any]
    status: str = "triggered"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed_by: str = "service_reference"
    assignees: tuple[str, ...] = ("On Call",)


@dataclass(slots=True)
class FakePagerDuty:
    """What was sent to it, and what is done in its app.

    Attributes:
        url: base URL of its Events API.
        events: every event that was accepted, in order.
        incidents: by ``dedup_key``; a resolved one is opened anew by the next trigger.
        webhooks: URLs that are told of everything.
        answers: status of each webhook's answer, in order; 0: there was none.
        service_status: how its one service stands.
        over: incidents that were resolved and opened anew under the same key.
    """

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    incidents: dict[str, PagedIncident] = field(default_factory=dict)
    webhooks: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    service_status: str = "active"
    over: list[PagedIncident] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # --- what people do in its app -----------------------------------------------------------

    def acknowledge(
        self, key: str, *, by: str | None = "Ann", at: datetime | None = None
    ) -> datetime:
        """Acknowledge an incident and return when, to the millisecond.

        Args:
            by: a user; None: an automation.
            at: when; None: now.
        """
        self.incidents[key].status = "acknowledged"
        return self._tell("incident.acknowledged", key, agent=_user(by), at=at)

    def unacknowledge(self, key: str, *, at: datetime | None = None) -> datetime:
        """Take the acknowledgement back, as its timeout does."""
        self.incidents[key].status = "triggered"
        return self._tell("incident.unacknowledged", key, agent=None, at=at)

    def reassign(self, key: str, to: str, *, by: str = "Ann") -> datetime:
        """Assign an incident to somebody else."""
        self.incidents[key].assignees = (to,)
        return self._tell("incident.reassigned", key, agent=_user(by), at=None)

    def resolve(self, key: str, *, by: str | None = "Ann") -> datetime:
        """Resolve an incident."""
        self.incidents[key].status = "resolved"
        self.incidents[key].changed_by = "user_reference" if by else "service_reference"
        return self._tell("incident.resolved", key, agent=_user(by), at=None)

    # --- what comes from an integration ------------------------------------------------------

    def take(self, event: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take an event of the Events API and return (status, answer)."""
        action, key = event.get("event_action"), str(event.get("dedup_key") or "")
        wrong = []
        if event.get("routing_key") != ROUTING_KEY:
            wrong.append("'routing_key' is invalid")
        if action not in STATUS:
            wrong.append("'event_action' is invalid (must be trigger, acknowledge or resolve)")
        payload = event.get("payload") or {}
        if action == "trigger" and not all(
            payload.get(k) for k in ("summary", "source", "severity")
        ):
            wrong.append("'payload' is missing or lacks summary, source or severity")
        if wrong:
            answer = {"status": "invalid event", "message": "Event object is invalid"}
            return 400, {**answer, "errors": wrong}
        self.events.append(dict(event))
        self._note(str(action), key, event)
        return 202, {"status": "success", "message": "Event processed", "dedup_key": key}

    def _note(self, action: str, key: str, event: Mapping[str, Any]) -> None:
        known = self.incidents.get(key)
        is_open = known is not None and known.status != "resolved"
        if action == "trigger" and not is_open:
            number = next(self._numbers)
            self.over += [] if known is None else [known]
            self.incidents[key] = PagedIncident(f"PD{number:05d}", number, key, dict(event))
        elif action != "trigger" and known is not None and is_open:
            known.status = STATUS[action]
            known.changed_by = "service_reference"
        else:
            return
        self._later(f"incident.{STATUS[action]}", key)

    def _later(self, kind: str, key: str) -> None:
        if not self.webhooks:
            return
        # The webhook follows the answer: who sent the event may be the one who is told.
        telling = {"agent": INTEGRATION, "at": None}
        threading.Thread(target=self._tell, args=(kind, key), kwargs=telling, daemon=True).start()

    # --- the REST API ------------------------------------------------------------------------

    def tell(
        self, path: str, asked: Mapping[str, Sequence[str]], authorization: str
    ) -> tuple[int, dict[str, Any]]:
        """Return (status, answer) of a question to the REST API.

        Args:
            asked: the parameters, as `urllib.parse.parse_qs` reads them.
        """
        if authorization != f"Token token={TOKEN}":
            return 401, {"error": {"message": "Invalid Token", "code": 2006}}
        every = [*self.over, *self.incidents.values()]
        match path.strip("/").split("/"):
            case ["services", id] if id == SERVICE:
                return 200, {
                    "service": {"id": SERVICE, "name": "Shop", "status": self.service_status}
                }
            case ["incidents"]:
                statuses = asked.get("statuses[]", ["triggered", "acknowledged", "resolved"])
                found = [
                    _incident(one)
                    for one in every
                    if one.status in statuses
                    if SERVICE in asked.get("service_ids[]", [SERVICE])
                ]
                return 200, _paged("incidents", found, asked)
            case ["incidents", id] if one := next((o for o in every if o.id == id), None):
                return 200, {"incident": _incident(one)}
            case ["incidents", id, "alerts"] if one := next((o for o in every if o.id == id), None):
                return 200, _paged("alerts", [_alert(one)], asked)
        return 404, {"error": {"message": "Not Found", "code": 2100}}

    # --- webhooks ----------------------------------------------------------------------------

    def _tell(
        self, kind: str, key: str, *, agent: Mapping[str, str] | None, at: datetime | None
    ) -> datetime:
        import httpx

        now = at or datetime.now(UTC)
        occurred_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        raw = json.dumps({"event": self._event(kind, key, agent, occurred_at)}).encode()
        signature = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-pagerduty-signature": f"v1={signature}",
            "x-webhook-id": f"W{next(self._numbers):08d}",
            "x-webhook-subscription": "PSUBSCR",
        }
        for url in self.webhooks:
            try:
                answer = httpx.post(
                    url, content=raw, headers=headers, timeout=ANSWERED_WITHIN, trust_env=False
                )
                self.answers.append(answer.status_code)
            except httpx.HTTPError:
                self.answers.append(0)
        return occurred_at

    def _event(
        self, kind: str, key: str, agent: Mapping[str, str] | None, occurred_at: datetime
    ) -> dict[str, Any]:
        incident = self.incidents[key]
        stamp = occurred_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "id": f"E{next(self._numbers):08d}",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": stamp,
            "agent": None if agent is None else dict(agent),
            "client": None,
            "data": {
                "id": incident.id,
                "type": "incident",
                "number": incident.number,
                "status": incident.status,
                "incident_key": incident.key,
                "title": incident.event["payload"]["summary"],
                "service": {"id": SERVICE, "summary": "Shop", "type": "service_reference"},
                "assignees": [_user(name) for name in incident.assignees],
                "urgency": "high",
                "priority": None,
                "resolve_reason": None,
            },
        }


def from_alertmanager(
    key: str, *firing: Mapping[str, Any], is_text: bool = False
) -> dict[str, Any]:
    """Return the event that Alertmanager sends of a group of alerts.

    Args:
        firing: as Alertmanager's webhook tells them.
        is_text: as older versions write them, by the template ``__text_alert_list``.
    """
    told = "".join(map(_text_of, firing)) if is_text else json.dumps(firing)
    details = {"firing": told, "resolved": "" if is_text else "[]", "num_firing": str(len(firing))}
    return {
        "routing_key": ROUTING_KEY,
        "event_action": "trigger",
        "dedup_key": key,
        "client": "Alertmanager",
        "payload": {
            "summary": f"[FIRING:{len(firing)}] {key}",
            "source": "Alertmanager",
            "severity": "error",
            "custom_details": {**details, "num_resolved": "0"},
        },
    }


def _text_of(alert: Mapping[str, Any]) -> str:
    def pairs(name: str) -> str:
        return "".join(f" - {k} = {v}\n" for k, v in sorted(alert.get(name, {}).items()))

    source = alert.get("generatorURL", "")
    return f"Labels:\n{pairs('labels')}Annotations:\n{pairs('annotations')}Source: {source}\n"


def _incident(one: PagedIncident) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": "incident",
        "incident_number": one.number,
        "title": one.event["payload"]["summary"],
        "created_at": one.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "status": one.status,
        "incident_key": one.key,
        "urgency": "high",
        "last_status_change_by": {"id": "PWHO", "type": one.changed_by},
    }


def _alert(one: PagedIncident) -> dict[str, Any]:
    details = one.event["payload"].get("custom_details", {})
    return {
        "id": f"A{one.id}",
        "type": "alert",
        "status": "resolved" if one.status == "resolved" else "triggered",
        "alert_key": one.key,
        "body": {
            "type": "alert_body",
            "contexts": [],
            "details": details,
            "cef_details": {"details": details},
        },
    }


def _paged(
    name: str, found: Sequence[Mapping[str, Any]], asked: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    limit, offset = (int(asked.get(k, [d])[0]) for k, d in (("limit", "25"), ("offset", "0")))
    shown = list(found[offset : offset + limit])
    more = offset + limit < len(found)
    return {name: shown, "limit": limit, "offset": offset, "more": more, "total": None}


def _user(name: str | None) -> dict[str, str] | None:
    if name is None:
        return None
    return {"id": f"P{name.upper()[:6]}", "summary": name, "type": "user_reference"}


@contextmanager
def fake_pagerduty() -> Iterator[FakePagerDuty]:
    """Listen on a free port of loopback until the context ends."""
    fake = FakePagerDuty()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = parse_qs(parts.query)
            self._answer(*fake.tell(parts.path, asked, self.headers.get("authorization", "")))

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, said = 404, {"message": "there is no such resource"}
            if self.path == "/v2/enqueue":
                status, said = fake.take(json.loads(raw))
            self._answer(status, said)

        def _answer(self, status: int, said: Mapping[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = PatientServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
