"""A flood of incidents at a pager that takes so many calls a minute, and a worse one later."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.incidents.engine import Engine
from gameday.incidents.paging import Paging
from gameday.testing.disk import Inline
from gameday.testing.phones import NightStore, Phones, firing
from gameday.testing.virtual import VirtualClock

__all__ = ["Flood", "flood"]


@dataclass(frozen=True, slots=True)
class Flood:
    """What came of many incidents at once and one that is worse a while later.

    Attributes:
        delivered_after: from the webhook of the worse one to its page; None: it was not delivered.
        delivered: pages that were delivered in all; refused: calls that were answered 429.
    """

    delivered_after: timedelta | None
    delivered: int
    refused: int


def flood(incidents: int, *, per_minute: int, later: timedelta, waits: timedelta) -> Flood:
    """Open so many incidents of as many services, and a SEV-1 later, at a pager of this pace."""
    clock = VirtualClock()
    phones = Phones(clock, per_minute=per_minute)
    pagers = dict.fromkeys(("on-call", "rota"), phones.driver(random.Random(0)))
    engine = Engine(NightStore(), clock=clock, paging=Paging(pagers), disk=Inline())

    async def fires(*services: str, sev: str = "") -> None:
        alerts = [firing(service, "a", clock.now(), sev=sev) for service in services]
        await engine.hook({"alerts": alerts})

    async def played() -> datetime:
        async with engine.running(tick=timedelta(seconds=1), follow=timedelta(seconds=30)):
            names = [f"service-{number}" for number in range(incidents)]
            for first in range(0, incidents, 100):
                await fires(*names[first : first + 100])
            await clock.sleep(later)
            worse_at = clock.now()
            await fires("payments", sev="SEV-1")
            await clock.sleep(waits)
            return worse_at

    worse_at = asyncio.run(clock.run(played(), limit=10**7))
    events = phones.fake.incidents
    rang = [w for w in phones.wakes if events[w.key].event["payload"]["component"] == "payments"]
    after = rang[0].at - worse_at if rang else None
    return Flood(after, len(phones.wakes), phones.refused)
