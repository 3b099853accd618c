"""An incident of a service that is over, in a store: paged, diagnosed, mitigated, resolved."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from gameday.incidents.engine import Engine
from gameday.ports import IncidentStore
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS = {
    "alertname": "CheckoutLatencyBudgetBurn",
    "service": "storefront",
    "slo": "checkout-latency",
    "long_window": "1h",
}


async def closed_incident(
    store: IncidentStore, clock: VirtualClock | None = None, *, severity: str = "SEV-2"
) -> str:
    """Have an incident begin now, be looked after, and be resolved 12 minutes later.

    Returns:
        Its id.
    """
    clock = clock or VirtualClock(NOON)
    engine = Engine(store, clock=clock)
    async with engine.running():
        began = clock.now()
        await engine.deploy({"service": "storefront", "revision": "4f1c2d3e"}, by="ci")
        await after(engine, clock, minutes=3)
        fired_at = clock.now() - timedelta(seconds=30)
        await engine.hook(_webhook(fired_at, severity))
        await engine.tick()
        (id,) = [r.id for r in await engine.listed(limit=9, only_open=True) if r.opened_at >= began]

        async def say(kind: str, **data: object) -> None:
            await engine.say(id, kind, data, by="Ada Byron", source="responder")

        await after(engine, clock, seconds=20)
        await say(Kind.ACKNOWLEDGED)
        await after(engine, clock, seconds=50)
        await say(
            Kind.FINDING,
            step="trace",
            summary="inventory waits; they forgot the index",
            detail={"service": "inventory", "downstream": "db"},
        )
        await after(engine, clock, minutes=1)
        await say(Kind.MITIGATION_APPLIED, name="drain-region", parameters={}, ok=False)
        await say(Kind.MITIGATION_APPLIED, name="failover-db", parameters={}, ok=True)
        await after(engine, clock, minutes=4)
        await engine.hook(_webhook(fired_at, severity, ended_at=clock.now()))
        await after(engine, clock, minutes=3)
        await say(Kind.RESOLVED, text="the standby serves", anyway=True)
        await engine.tick()
    return id


async def after(engine: Engine, clock: VirtualClock, **time: float) -> None:
    """Let so much time pass, and the engine do what is due."""
    clock.advance(timedelta(**time))
    await engine.tick()
    while engine.busy:
        await asyncio.gather(*engine.busy)
        await asyncio.sleep(0)


def _webhook(
    fired_at: datetime, severity: str, *, ended_at: datetime | None = None
) -> dict[str, object]:
    return {
        "alerts": [
            {
                "status": "resolved" if ended_at else "firing",
                "fingerprint": "f1",
                "startsAt": fired_at.isoformat(),
                "endsAt": ended_at.isoformat() if ended_at else "0001-01-01T00:00:00Z",
                "labels": {**LABELS, "severity": severity},
                "annotations": {"summary": "Checkouts take too long"},
            }
        ]
    }
