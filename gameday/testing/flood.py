"""A flood of incidents at a pager that takes so many calls a minute, and one on a full disk."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gameday.incidents.engine import Engine
from gameday.incidents.paging import Paging
from gameday.testing.disk import Inline
from gameday.testing.phones import NightStore, Phones, firing
from gameday.testing.virtual import VirtualClock

__all__ = ["Flood", "flood", "sent_on_a_full_disk"]


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


def flood(
    incidents: int,
    *,
    per_minute: int,
    later: timedelta,
    waits: timedelta,
    services: int | None = None,
) -> Flood:
    """Open so many incidents, and a SEV-1 later, at a pager of this pace.

    Args:
        services: among which they are; None: each is another one's.
    """
    clock = VirtualClock()
    phones = Phones(clock, per_minute=per_minute)
    engine = _engine(NightStore(), clock, phones)
    many = services or incidents

    async def played() -> datetime:
        async with engine.running(tick=timedelta(seconds=1), follow=timedelta(seconds=30)):
            for first in range(0, incidents, 100):
                numbers = range(first, min(first + 100, incidents))
                await engine.hook(_alerts(clock, numbers, services=many))
            await clock.sleep(later)
            worse_at = clock.now()
            await engine.hook({"alerts": [firing("payments", "a", worse_at, sev="SEV-1")]})
            await clock.sleep(waits)
            return worse_at

    worse_at = asyncio.run(clock.run(played(), limit=10**7))
    events = phones.fake.incidents
    rang = [w for w in phones.wakes if events[w.key].event["payload"]["component"] == "payments"]
    after = rang[0].at - worse_at if rang else None
    return Flood(after, len(phones.wakes), phones.refused)


def sent_on_a_full_disk(
    incidents: int, *, services: int, lasts: timedelta = timedelta(minutes=10)
) -> Counter[str]:
    """Return how often each page was sent where the disk is full as soon as the alerts are on it.

    Args:
        incidents: among so many services.
        lasts: for how long it is full.
    """
    clock = VirtualClock()
    phones = Phones(clock)
    store = NightStore()
    engine = _engine(store, clock, phones)

    async def played() -> None:
        async with engine.running(tick=timedelta(seconds=1), follow=timedelta(seconds=30)):
            await engine.hook(_alerts(clock, range(incidents), services=services))
            store.is_full = True
            await clock.sleep(lasts)
            store.is_full = False

    asyncio.run(clock.run(played(), limit=10**7))
    events = phones.fake.events
    return Counter(e["dedup_key"] for e in events if e["event_action"] == "trigger")


def _engine(store: NightStore, clock: VirtualClock, phones: Phones) -> Engine:
    pagers = dict.fromkeys(("on-call", "rota"), phones.driver(random.Random(0)))
    return Engine(store, clock=clock, paging=Paging(pagers), disk=Inline())


def _alerts(clock: VirtualClock, numbers: Iterable[int], *, services: int) -> dict[str, Any]:
    now = clock.now()
    return {
        "alerts": [
            firing(f"service-{number % services}", "a", now, slo=f"slo-{number // services}")
            for number in numbers
        ]
    }
