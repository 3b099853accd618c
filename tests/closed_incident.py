"""An incident of a service that is over, in a store: paged, diagnosed, mitigated, resolved."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slow_db_run import START, slow_db

from gameday.drivers.clock import SystemClock
from gameday.house.run.judgement import Documents, judge
from gameday.house.run.stories import read_story
from gameday.incidents.alerts import Alert
from gameday.incidents.engine import Engine
from gameday.incidents.terms import Terms
from gameday.ports import GroupFact, IncidentStore, WholeStore
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Fact, Kind, Timeline

REPOSITORY = Path(__file__).resolve().parents[1]
RUN = "20261123-0800-5f3a"
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


async def ended_drill(store: WholeStore, *, is_resolved: bool = False) -> str:
    """Have a run that has ended, with its incident, which is open still, or resolved by now.

    Returns:
        The incident's id.
    """
    story = read_story(str(REPOSITORY / "scenarios/slow-db.yaml"))
    texts = story.documents.to_mapping()
    store.open_run(RUN, scenario="slow-db", target="sandbox", started_at=START, documents=texts)
    facts = [f for f in slow_db() if f.kind != Kind.PAGE_RECEIVED]
    ended_at = START + timedelta(seconds=70)
    facts.append(Fact("f0099", Kind.RUN_ENDED, ended_at, ended_at, "conductor"))
    alert = Alert(
        "a",
        START + timedelta(seconds=28.5),
        None,
        START + timedelta(seconds=29),
        {
            "alertname": "CheckoutLatencyBudgetBurn",
            "service": "storefront",
            "slo": "checkout-latency",
            "severity": "page",
            "long_window": "1h",
        },
        {},
        drill=RUN,
    )
    store.commit([GroupFact(alert.group, alert.to_fact(), RUN)])
    for fact in facts:
        store.append(RUN, fact)
    result = judge(RUN, Timeline.of(store.facts(RUN)), Documents.of(texts))
    store.close_run(RUN, ended_at=ended_at, result=result)
    async with Engine(
        store, clock=SystemClock(), terms=Terms(has_duties=False)
    ).running() as engine:
        (row,) = await engine.listed(limit=10, only_open=False)
        if is_resolved:
            said = {"text": "the game day is over", "anyway": True}
            await engine.say(row.id, Kind.RESOLVED, said, by="gameday", source="conductor")
            await engine.tick()
    return row.id


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
