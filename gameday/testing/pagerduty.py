"""PagerDuty as far as gameday knows it, on loopback: Events API v2 in, webhooks (v3) out, signed.

What people do in its app is done by methods; each is told to whoever is subscribed, as PagerDuty
tells it. What an integration does, by an event, is told as well, with the integration as its agent.

Sources: PagerDuty's developer documentation, "Events API v2: Overview", "Webhooks: Overview" and
"Verifying Signatures".
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["FakePagerDuty", "PagedIncident", "fake_pagerduty"]

ROUTING_KEY = "r0ut1ngk3y-of-32-characters-long"
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
        assignees: names of whom it is assigned to.
    """

    id: str
    number: int
    key: str
    event: Mapping[str, Any]
    status: str = "triggered"
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
    """

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    incidents: dict[str, PagedIncident] = field(default_factory=dict)
    webhooks: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
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
            self.incidents[key] = PagedIncident(f"PD{number:05d}", number, key, dict(event))
        elif action != "trigger" and known is not None and is_open:
            known.status = STATUS[action]
        else:
            return
        self._later(f"incident.{STATUS[action]}", key)

    def _later(self, kind: str, key: str) -> None:
        if not self.webhooks:
            return
        # The webhook follows the answer: who sent the event may be the one who is told.
        telling = {"agent": INTEGRATION, "at": None}
        threading.Thread(target=self._tell, args=(kind, key), kwargs=telling, daemon=True).start()

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
                "service": {"id": "PSERVICE", "summary": "Shop", "type": "service_reference"},
                "assignees": [_user(name) for name in incident.assignees],
                "urgency": "high",
                "priority": None,
                "resolve_reason": None,
            },
        }


def _user(name: str | None) -> dict[str, str] | None:
    if name is None:
        return None
    return {"id": f"P{name.upper()[:6]}", "summary": name, "type": "user_reference"}


@contextmanager
def fake_pagerduty() -> Iterator[FakePagerDuty]:
    """Listen on a free port of loopback until the context ends."""
    fake = FakePagerDuty()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, said = 404, {"message": "there is no such resource"}
            if self.path == "/v2/enqueue":
                status, said = fake.take(json.loads(raw))
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
