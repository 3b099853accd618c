"""The far side of simulated pages: PagerDuty and the phones it rings, and a store in trouble."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from gameday.drivers.pagerduty import PagerDuty
from gameday.errors import StoreError
from gameday.incidents.pagerduty_events import PagerDutyEvent, parse
from gameday.model.record import GroupFact, IncidentRow, Written
from gameday.ports import AuditEntry
from gameday.testing.memory import MemoryStore
from gameday.testing.pagerduty import ROUTING_KEY, FakePagerDuty
from gameday.testing.virtual import VirtualClock

__all__ = ["NightStore", "Phones", "Wake", "firing"]


@dataclass(frozen=True, slots=True)
class Wake:
    """Somebody's phone rang."""

    at: datetime
    key: str


class Phones:
    """PagerDuty's Events API as the driver reaches it, and the phones that it rings.

    Attributes:
        wakes: each time that a phone rang: a page under a key that was not open.
        refused: how many calls were answered 429.
        per_minute: calls in any minute; None: as many as come.
        is_away: nobody answers; is_mute: it does what it is asked, and nobody hears the answer.
    """

    def __init__(self, clock: VirtualClock, *, per_minute: int | None = None) -> None:
        self.fake = FakePagerDuty(url="http://127.0.0.1:1")
        self.wakes: list[Wake] = []
        self.refused = 0
        self.per_minute = per_minute
        self.is_away = self.is_mute = False
        self._clock = clock
        self._calls: deque[datetime] = deque()

    def driver(self, rng: random.Random) -> PagerDuty:
        """Return a driver that calls it, as one process has it."""
        transport = httpx.MockTransport(self._answered)
        return PagerDuty(
            ROUTING_KEY, clock=self._clock, url=self.fake.url, rng=rng, transport=transport
        )

    def status(self, key: str) -> str:
        """Return how a page stands; empty where there is none."""
        known = self.fake.incidents.get(key)
        return known.status if known else ""

    def _answered(self, request: httpx.Request) -> httpx.Response:
        if self.is_away:
            raise httpx.ConnectError("nobody answers", request=request)
        now = self._clock.now()
        if self.per_minute is not None:
            while self._calls and self._calls[0] <= now - timedelta(minutes=1):
                self._calls.popleft()
            if len(self._calls) >= self.per_minute:
                self.refused += 1
                return httpx.Response(429, json={"message": "too many"})
        self._calls.append(now)
        event = json.loads(request.content)
        key = str(event.get("dedup_key"))
        rings = event.get("event_action") == "trigger" and self.status(key) in ("", "resolved")
        status, said = self.fake.take(event)
        if rings and status < 300:
            self.wakes.append(Wake(now, key))
        if self.is_mute:
            raise httpx.ReadError("the answer is lost", request=request)
        return httpx.Response(status, json=said)

    def told_of(self, key: str) -> frozenset[str]:
        """Return the incidents that a page tells of, as whoever is woken reads it."""
        details = self.fake.incidents[key].event["payload"].get("custom_details") or {}
        named = str(details.get("told_of") or key.partition("/")[0])
        return frozenset(named.split(", "))

    def said(self, kind: str, key: str) -> PagerDutyEvent:
        """Return what it tells of a key, as its webhook does; by a person."""
        user = {"id": "PANN", "summary": "Ann", "type": "user_reference"}
        agent = user if kind == "incident.acknowledged" else None
        raw = json.dumps({"event": self.fake._event(kind, key, agent, self._clock.now())})
        found = parse(raw.encode(), webhook_id=f"W{len(self.wakes)}-{self._clock.now()}")
        assert isinstance(found, PagerDutyEvent)
        return found


class NightStore(MemoryStore):
    """A store whose disk may be full, and whose process may be dead."""

    is_full = False
    is_dead = False

    def commit(
        self,
        facts: Sequence[GroupFact],
        *,
        rows: Sequence[IncidentRow] = (),
        audit: Sequence[AuditEntry] = (),
        unless_beyond: int | None = None,
    ) -> Written:
        """Write, unless there is no room."""
        self._check()
        return super().commit(facts, rows=rows, audit=audit, unless_beyond=unless_beyond)

    def claim(self, *keys: str, holder: str, now: datetime, until: datetime) -> frozenset[str]:
        """Claim, unless there is no room."""
        self._check()
        return super().claim(*keys, holder=holder, now=now, until=until)

    def release(self, *keys: str, holder: str) -> None:
        """Release, unless there is no room."""
        self._check()
        super().release(*keys, holder=holder)

    def _check(self) -> None:
        if self.is_full or self.is_dead:
            raise StoreError("the disk is full" if self.is_full else "its process is dead")


def firing(
    service: str,
    fingerprint: str,
    starts_at: datetime,
    *,
    ends_at: datetime | None = None,
    sev: str = "",
    slo: str = "latency",
) -> dict[str, Any]:
    """Return an alert that pages, as a webhook tells it; one that has an end has cleared."""
    return {
        "status": "resolved" if ends_at else "firing",
        "fingerprint": f"{service}-{slo}-{fingerprint}",
        "startsAt": starts_at.isoformat(),
        "endsAt": ends_at.isoformat() if ends_at else None,
        "labels": {"service": service, "slo": slo, "severity": "page", "sev": sev},
    }
