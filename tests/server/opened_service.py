"""A service with every role's token, over the real application and a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from opened_drill import a_lookup

from gameday.drivers.database import Database
from gameday.incidents.access import new_token
from gameday.incidents.deploys import told_deploys
from gameday.incidents.engine import Engine
from gameday.incidents.links import Signer
from gameday.incidents.paging import Paging
from gameday.incidents.routing import Drill
from gameday.incidents.terms import Terms
from gameday.ports import Pager, Role
from gameday.server.gate import Gate
from gameday.server.service import service_app
from gameday.testing.virtual import VirtualClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Service:
    """A service under test."""

    engine: Engine
    store: Database
    signer: Signer
    clock: VirtualClock
    tokens: Mapping[str, str]
    http: httpx.AsyncClient
    app: Any

    def as_(self, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[role]}"}

    async def send(self, *alerts: Mapping[str, Any], **more: Any) -> httpx.Response:
        return await self.http.post(
            "/hooks/alertmanager",
            json={"version": "4", "alerts": list(alerts), **more},
            headers=self.as_("webhook"),
        )

    async def post(self, path: str, body: Any = None, role: str = "responder") -> httpx.Response:
        return await self.http.post(path, json=body or {}, headers=self.as_(role))

    async def get(self, path: str, role: str = "observer") -> httpx.Response:
        return await self.http.get(path, headers=self.as_(role))

    async def incidents(self) -> list[dict[str, Any]]:
        return list((await self.get("/api/incidents")).json()["incidents"])


Opening = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    """Open the service on this test's store; again and again for restarts."""
    clock, signer = VirtualClock(NOON), Signer(b"k" * 32)
    tokens: dict[str, str] = {}

    @asynccontextmanager
    async def opened(
        pagers: Mapping[str, Pager] | None = None,
        drills: Sequence[Drill] = (),
        pagerduty_secrets: Sequence[str] = ("secret of before", "secret of now"),
        **more: Any,
    ) -> AsyncIterator[Service]:
        store = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
        for role in Role:
            if str(role) not in tokens:
                tokens[str(role)], token = new_token(role, f"the {role}", now=clock.now())
                store.add_token(token)

        def link_of(incident: str, view: str, paged_at: datetime) -> str:
            token = signer.token(incident, view, expires_at=paged_at + timedelta(hours=72))
            return f"http://here/go/{token}"

        engine = Engine(
            store,
            clock=clock,
            paging=Paging(pagers or {}, link_of=link_of),
            terms=Terms(drills=lambda: drills, **more),
        )
        app = service_app(
            engine,
            Gate(store.tokens),
            signer,
            link_of=link_of,
            lookup=a_lookup(deploys=partial(told_deploys, engine)),
            pagerduty_secrets=pagerduty_secrets,
            ready=store.last_number,
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            engine.running(),
            httpx.AsyncClient(transport=transport, base_url="http://here") as http,
        ):
            yield Service(engine, store, signer, clock, tokens, http, app)
        store.close()

    return opened


@pytest.fixture
async def service(opening: Opening) -> AsyncIterator[Service]:
    async with opening() as opened:
        yield opened


@pytest.fixture
def firing() -> Callable[..., dict[str, Any]]:
    """Return what makes one alert of a webhook."""

    def alert(
        fingerprint: str = "f1",
        *,
        starts: datetime = NOON,
        ends: datetime | None = None,
        annotations: Mapping[str, str] | None = None,
        **labels: str,
    ) -> dict[str, Any]:
        return {
            "status": "resolved" if ends else "firing",
            "fingerprint": fingerprint,
            "startsAt": starts.isoformat(),
            "endsAt": ends.isoformat() if ends else "0001-01-01T00:00:00Z",
            "labels": {
                "alertname": "Burn",
                "service": "storefront",
                "slo": "checkout-latency",
                "severity": "page",
                **labels,
            },
            "annotations": dict(annotations or {}),
        }

    return alert
