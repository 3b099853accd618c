"""Simulated nights on call: whatever happens, who must be awake is woken, and nobody without cause.

A seed draws what happens to two services: alerts fire, clear and fire again, people acknowledge
(here or in the pager), close and merge, processes die, the disk is full, the pager is away, asks
to wait, or takes a page and never says so. The engine, its dispatcher and the driver are the real
ones; the pager behind it is a fake of PagerDuty's public API, and time is virtual.

What should be is worked out beside the engine, from what it was told alone: for each service since
when somebody has to be awake, and whether they have answered.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gameday.errors import GamedayError, Refused, StoreError
from gameday.incidents.engine import Engine
from gameday.incidents.paging import Paging
from gameday.testing.disk import Inline
from gameday.testing.phones import NightStore, Phones, Wake, firing
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Kind

__all__ = ["Night", "night"]

SECOND = timedelta(seconds=1)
TICK = timedelta(seconds=5)
WITHIN = timedelta(seconds=90)
"""A page is delivered this soon after it is due, or after the last trouble on its way: the longest
pause between two tries, and the claim of a process that died."""

UNDER_WAY = timedelta(seconds=100)
"""A call that was under way when its cause was gone may still arrive for as long as it is tried."""

SERVICES = ("checkout", "search")


@dataclass
class _Truth:
    """What should be of one service, by what was told.

    Attributes:
        fires: fingerprint → when it fired.
        since: since when somebody has to be awake for it; answered_at: when they answered.
        over_at: when all of it had cleared.
        part_of: the service that it was merged with, and when.
    """

    fires: dict[str, datetime] = field(default_factory=dict)
    since: datetime | None = None
    answered_at: datetime | None = None
    over_at: datetime | None = None
    part_of: tuple[str, datetime] | None = None


@dataclass
class Night:
    """What came of one seed.

    Attributes:
        violations: what should not be, in sentences.
        did: what was done how often.
        wakes: how often a phone rang.
        slowest: the longest that somebody who had to be awake was not called, trouble left out.
    """

    seed: int
    violations: list[str] = field(default_factory=list)
    did: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wakes: int = 0
    slowest: timedelta = timedelta(0)


def night(seed: int, *, minutes: int = 15) -> Night:
    """Play one night and return what came of it; the same seed gives the same night."""
    return asyncio.run(_Player(seed, minutes).played())


class _Player:
    def __init__(self, seed: int, minutes: int) -> None:
        self.rng = random.Random(seed)
        self.found = Night(seed)
        self.clock = VirtualClock()
        self.minutes = minutes
        self.phones = Phones(self.clock, per_minute=self.rng.choice([None, None, 120, 6]))
        self.disk = NightStore()
        self.truth = {service: _Truth() for service in SERVICES}
        self.engines: list[tuple[Engine, AsyncExitStack, NightStore]] = []
        self.trouble_at: datetime | None = None
        self.numbers = iter(range(10**6))
        self.needed_at: dict[str, datetime] = {}
        self.taken_back: set[str] = set()
        self.judged = 0

    async def played(self) -> Night:
        await self.clock.run(self._play(), limit=10**6)
        return self.found

    async def _play(self) -> None:
        for _ in range(self.rng.choice([1, 1, 2])):
            await self._start()
        ends = self.clock.now() + timedelta(minutes=self.minutes)
        while self.clock.now() < ends:
            await self._happens()
            pause = self.rng.choice([1, 5, 5, 20, 45, 90])
            await self._pass(timedelta(seconds=pause))
        await self._quiet()
        for _, stack, _ in self.engines:
            await stack.aclose()
        self.found.wakes = len(self.phones.wakes)

    async def _start(self) -> None:
        store = copy(self.disk)
        number = next(self.numbers)
        ids = (f"{number:04d}{n:012d}" for n in range(10**6))
        pagers = dict.fromkeys(("on-call", "rota"), self.phones.driver(random.Random(number)))
        engine = Engine(
            store,
            clock=self.clock,
            paging=Paging(pagers),
            disk=Inline(),
            token=lambda: next(ids),
        )
        stack = AsyncExitStack()
        await stack.enter_async_context(engine.running(tick=TICK, follow=timedelta(seconds=30)))
        self.engines.append((engine, stack, store))

    async def _pass(self, duration: timedelta) -> None:
        until = self.clock.now() + duration
        while self.clock.now() < until:
            await self.clock.sleep(min(TICK, until - self.clock.now()))
            if self._is_troubled():
                self.trouble_at = self.clock.now()
            self._check()

    def _is_troubled(self) -> bool:
        phones = self.phones
        is_full = any(store.is_full for _, _, store in self.engines)
        return phones.is_away or phones.is_mute or is_full or phones.per_minute == 6

    # --- what happens ------------------------------------------------------------------------

    async def _happens(self) -> None:
        does = self.rng.choices(
            ["fires", "clears", "answers", "takes back", "closes", "merges", "dies", "trouble"],
            [8, 6, 5, 1, 1, 1, 2, 2],
        )[0]
        service = self.rng.choice(SERVICES)
        engine = self.rng.choice(self.engines)[0]
        did = False
        with suppress(StoreError, Refused):
            match does:
                case "fires":
                    did = await self._fires(engine, service)
                case "clears":
                    did = await self._clears(engine, service)
                case "answers":
                    did = await self._answers(engine, service)
                case "takes back":
                    did = await self._takes_back(engine, service)
                case "closes":
                    did = await self._closes(engine, service)
                case "merges":
                    did = await self._merges(engine, service)
                case "dies":
                    did = await self._dies()
                case _:
                    does = self._trouble()
                    did = True
        self.found.did[does] += did

    async def _hook(self, engine: Engine, *alerts: dict[str, Any]) -> None:
        await engine.hook({"alerts": list(alerts)})

    async def _fires(self, engine: Engine, service: str) -> bool:
        truth, now = self.truth[service], self.clock.now()
        fingerprint = self.rng.choice(["a", "b", "c"])
        if fingerprint in truth.fires and self.rng.random() < 0.7:
            # Told once more: no news.
            await self._hook(engine, firing(service, fingerprint, truth.fires[fingerprint]))
            return False
        starts_at = now
        told = [firing(service, fingerprint, starts_at)]
        before = truth.fires.get(fingerprint)
        if before is not None:
            if before >= now - SECOND:
                return False
            # It cleared and fired again between two webhooks.
            told.insert(0, firing(service, fingerprint, before, ends_at=now - SECOND))
        await self._hook(engine, *told)
        if not truth.fires.keys() - {fingerprint}:
            truth.since, truth.answered_at, truth.part_of = now, None, None
        truth.fires[fingerprint] = starts_at
        return True

    async def _clears(self, engine: Engine, service: str) -> bool:
        truth, now = self.truth[service], self.clock.now()
        if not truth.fires:
            return False
        every = sorted(truth.fires)
        gone = every if self.rng.random() < 0.6 else [self.rng.choice(every)]
        await self._hook(engine, *(firing(service, f, truth.fires[f], ends_at=now) for f in gone))
        for fingerprint in gone:
            del truth.fires[fingerprint]
        if not truth.fires:
            truth.over_at, truth.since = now, None
        return True

    async def _newest(self, engine: Engine, service: str) -> str | None:
        rows = await engine.listed(limit=50, only_open=False)
        return next((r.id for r in rows if r.service == service), None)

    async def _answers(self, engine: Engine, service: str) -> bool:
        incident = await self._newest(engine, service)
        if incident is None or not self._needs(service)[0]:
            return False
        mine = [w.key for w in self.phones.wakes if w.key.partition("/")[0] == incident]
        rings = [k for k in mine if self.phones.status(k) == "triggered"]
        if rings and self.rng.random() < 0.5:
            key = self.rng.choice(rings)
            self.phones.fake.incidents[key].status = "acknowledged"
            await engine.answered(self.phones.said("incident.acknowledged", key))
        else:
            await engine.say(incident, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
        self.truth[service].answered_at = self.clock.now()
        return True

    async def _takes_back(self, engine: Engine, service: str) -> bool:
        """PagerDuty's own timeout: whoever acknowledged has been silent for too long."""
        is_needed, since = self._needs(service)
        keys = [k for k in self.phones.fake.incidents if self.phones.status(k) == "acknowledged"]
        incident = await self._newest(engine, service)
        mine = [k for k in keys if k.partition("/")[0] == incident]
        if since is None or is_needed or not mine or self.truth[service].part_of:
            return False
        if any(store.is_full for _, _, store in self.engines):
            return False  # it would be told again and again, until there is room
        key = self.rng.choice(mine)
        self.phones.fake.incidents[key].status = "triggered"
        self.phones.wakes.append(Wake(self.clock.now(), key))
        self.taken_back.add(key)
        await engine.answered(self.phones.said("incident.unacknowledged", key))
        self.truth[service].since, self.truth[service].answered_at = self.clock.now(), None
        return True

    async def _closes(self, engine: Engine, service: str) -> bool:
        incident = await self._newest(engine, service)
        if incident is None or self.truth[service].fires:
            return False
        await engine.say(incident, Kind.RESOLVED, {"text": ""}, by="ann", source="responder")
        return True

    async def _merges(self, engine: Engine, service: str) -> bool:
        other = next(s for s in SERVICES if s != service)
        mine, whole = await self._newest(engine, service), await self._newest(engine, other)
        if mine is None or whole is None or not self.truth[service].fires:
            return False
        if not self.truth[other].fires or self.truth[other].part_of:
            return False
        await engine.say(mine, Kind.MERGED, {"into": whole}, by="ann", source="responder")
        self.truth[service].part_of = (other, self.clock.now())
        return True

    async def _dies(self) -> bool:
        engine, stack, store = self.engines.pop(self.rng.randrange(len(self.engines)))
        # What a killed process had under way is not written down, nor are its claims given back.
        store.is_dead = True
        for task in engine.busy:
            task.cancel()
        await stack.aclose()
        self.trouble_at = self.clock.now()
        await self._start()
        return True

    def _trouble(self) -> str:
        phones = self.phones
        ends = phones.is_away or phones.is_mute or any(s.is_full for _, _, s in self.engines)
        phones.is_away = phones.is_mute = False
        for _, _, store in self.engines:
            store.is_full = False
        self.trouble_at = self.clock.now()
        if ends:
            return "trouble ends"
        kind = self.rng.choice(["is away", "is mute", "disk is full"])
        phones.is_away, phones.is_mute = kind == "is away", kind == "is mute"
        for _, _, store in self.engines:
            store.is_full = kind == "disk is full"
        return kind

    # --- what should be ----------------------------------------------------------------------

    def _needs(self, service: str) -> tuple[bool, datetime | None]:
        """Return (whether somebody has to be woken for it, since when it burns by itself)."""
        truth = self.truth[service]
        if not truth.fires or truth.since is None:
            return False, None
        since = truth.since
        if truth.part_of is not None:
            other, merged_at = truth.part_of
            whole = self.truth[other]
            if whole.fires and (whole.part_of is None or whole.part_of[0] != service):
                return False, None
            since = max(since, merged_at, whole.over_at or merged_at)
        answered = truth.answered_at is not None and truth.answered_at >= since
        return not answered, since

    def _check(self) -> None:
        now = self.clock.now()
        for service in SERVICES:
            is_needed, since = self._needs(service)
            if not is_needed or since is None:
                continue
            self.needed_at[service] = now
            due = max(since, self.trouble_at or since)
            rang = [w for w in self.phones.wakes if w.at >= since and self._is_of(w, service)]
            if not rang and now - due > WITHIN and not self._is_troubled():
                late = (now - due).total_seconds()
                self._violated(f"{service} burns since {since:%H:%M:%S}, unheard for {late:.0f} s")
            if not rang and not self._is_troubled():
                self.found.slowest = max(self.found.slowest, now - due)

        for wake in self.phones.wakes[self.judged :]:
            self._judge(wake)
        self.judged = len(self.phones.wakes)

    def _judge(self, wake: Wake) -> None:
        """Look whether there was a cause for a phone to ring."""
        is_late = self.trouble_at is not None and wake.at - self.trouble_at <= 2 * UNDER_WAY
        grace = UNDER_WAY if is_late else 3 * TICK
        service = next(s for s in SERVICES if self._is_of(wake, s))
        needed_at = self.needed_at.get(service)
        if needed_at is None or needed_at < wake.at - grace:
            self._violated(f"{wake.key} rang at {wake.at:%H:%M:%S} without a cause")
        rang = sum(w.key == wake.key for w in self.phones.wakes)
        if rang > 1 and not is_late and wake.key not in self.taken_back:
            self._violated(f"{wake.key} rang {rang} times")

    def _is_of(self, wake: Wake, service: str) -> bool:
        event = self.phones.fake.incidents[wake.key].event
        return bool(event["payload"]["component"] == service)

    def _violated(self, sentence: str) -> None:
        said = f"at {self.clock.now():%H:%M:%S}: {sentence}"
        if len(self.found.violations) < 5:
            self.found.violations.append(said)

    async def _quiet(self) -> None:
        """All clears, trouble ends; then the pager believes that all is over, and stays so."""
        self._check()
        phones = self.phones
        phones.is_away = phones.is_mute = False
        phones.per_minute = None
        for _, _, store in self.engines:
            store.is_full = False
        for service in SERVICES:
            for fingerprint, starts_at in sorted(self.truth[service].fires.items()):
                with suppress(GamedayError):
                    await self._hook(
                        self.engines[0][0],
                        firing(service, fingerprint, starts_at, ends_at=self.clock.now()),
                    )
            self.truth[service] = _Truth(over_at=self.clock.now())
            self._check()
        await self._pass(timedelta(minutes=4))
        facts = [one.fact for one in self.disk.facts_after(0, limit=10**6)]
        # What was taken from a process that died over it is on nobody's record.
        known = {f.data["key"] for f in facts if f.data.get("key")}
        left = [k for k in phones.fake.incidents if phones.status(k) != "resolved" and k in known]
        if left:
            self._violated(f"the pager still holds {', '.join(left)}")
