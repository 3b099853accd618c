"""Simulated nights on call: whatever happens, who must be awake is woken, and nobody without cause.

A seed draws what happens to two services: alerts fire, clear and fire again, one at a time or in
storms of many SLOs at once; people acknowledge (here or in the pager), close and merge, processes
die, the disk is full, the pager is away, asks to wait, or takes a page and never says so. The
engine, its dispatcher and the driver are the real ones; the pager behind it is a fake of
PagerDuty's public API, and time is virtual.

What should be is worked out beside the engine, from what it was told alone: for each line (an SLO
of a service) since when somebody has to be awake, and whether they have answered: an answer to a
page is one for each line that the page tells of, and for no other.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack, suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from gameday.errors import GamedayError, Refused, StoreError
from gameday.incidents.engine import Engine
from gameday.incidents.paging import Paging
from gameday.testing.disk import Inline
from gameday.testing.lines import SERVICES, SLOS, Line, Lines, Truth, alert
from gameday.testing.phones import NightStore, Phones, Wake
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Fact, Kind

__all__ = ["Night", "night"]

SECOND = timedelta(seconds=1)
TICK = timedelta(seconds=5)
WITHIN = timedelta(seconds=90)
"""A page is delivered this soon after it is due, or after the last trouble on its way: the longest
pause between two tries, and the claim of a process that died."""

UNDER_WAY = timedelta(seconds=20)
"""A call that was under way when its cause was gone may still arrive for as long as it is tried."""

PROMPT = timedelta(seconds=30) + 2 * TICK
"""A page is delivered this soon after it is due in a night without any trouble."""


@dataclass
class Night:
    """What came of one seed.

    Attributes:
        violations: what should not be, in sentences.
        did: what was done how often.
        wakes: how often a phone rang.
        shared: how often it rang about several incidents at once; told: about how many.
        slowest: the longest that somebody who had to be awake was not called, trouble left out.
    """

    seed: int
    violations: list[str] = field(default_factory=list)
    did: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wakes: int = 0
    shared: int = 0
    told: int = 0
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
        self.truth = Lines()
        self.engines: list[tuple[Engine, AsyncExitStack, NightStore]] = []
        self.trouble_at: datetime | None = None
        self.numbers = iter(range(10**6))
        self.needed_at: dict[Line, datetime] = {}
        self.told: dict[str, frozenset[Line]] = {}
        self.taken_back: set[str] = set()
        self.judged = self.were = 0

    async def played(self) -> Night:
        await self.clock.run(self._play(), limit=10**6)
        return self.found

    async def _play(self) -> None:
        for _ in range(self.rng.choice([1, 1, 2])):
            await self._start()
        self.were = len(self.engines)
        ends = self.clock.now() + timedelta(minutes=self.minutes)
        while self.clock.now() < ends:
            await self._happens()
            pause = self.rng.choice([1, 5, 5, 20, 45, 90])
            await self._pass(timedelta(seconds=pause))
        await self._quiet()
        for _, stack, _ in self.engines:
            await stack.aclose()
        self.found.wakes = len(self.phones.wakes)
        several = [len(self._told(w.key)) for w in self.phones.wakes if "/all-" in w.key]
        self.found.shared, self.found.told = len(several), sum(several)

    async def _start(self) -> None:
        store = copy(self.disk)
        number = next(self.numbers)
        ids = (f"{number * 10**6 + n:016d}" for n in range(10**6))
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
            [
                "fires",
                "clears",
                "storms",
                "storm eases",
                "answers",
                "takes back",
                "closes",
                "merges",
                "dies",
                "trouble",
            ],
            [8, 6, 3, 3, 6, 1, 1, 1, 2, 2],
        )[0]
        service = self.rng.choice(SERVICES)
        engine = self.rng.choice(self.engines)[0]
        did = False
        with suppress(StoreError, Refused):
            match does:
                case "fires":
                    did = await self._fires(engine, (service, SLOS[0]))
                case "clears":
                    did = await self._clears(engine, (service, SLOS[0]))
                case "storms":
                    did = await self._storms(engine, service)
                case "storm eases":
                    did = await self._eases(engine, service)
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

    async def _fires(self, engine: Engine, line: Line) -> bool:
        truth, now = self.truth[line], self.clock.now()
        fingerprint = self.rng.choice(["a", "b", "c"])
        if fingerprint in truth.fires and self.rng.random() < 0.7:
            # Told once more: no news.
            await self._hook(engine, alert(line, fingerprint, truth.fires[fingerprint]))
            return False
        starts_at = now
        told = [alert(line, fingerprint, starts_at)]
        before = truth.fires.get(fingerprint)
        if before is not None:
            if before >= now - SECOND:
                return False
            # It cleared and fired again between two webhooks.
            told.insert(0, alert(line, fingerprint, before, ends_at=now - SECOND))
        await self._hook(engine, *told)
        if not truth.fires.keys() - {fingerprint}:
            truth.since, truth.answered_at, truth.part_of = now, None, None
            truth.taken_back_at = None
        truth.fires[fingerprint] = starts_at
        return True

    async def _clears(self, engine: Engine, line: Line) -> bool:
        truth, now = self.truth[line], self.clock.now()
        if not truth.fires:
            return False
        every = sorted(truth.fires)
        gone = every if self.rng.random() < 0.6 else [self.rng.choice(every)]
        await self._hook(engine, *(alert(line, f, truth.fires[f], ends_at=now) for f in gone))
        for fingerprint in gone:
            del truth.fires[fingerprint]
        if not truth.fires:
            truth.over_at, truth.since = now, None
        return True

    async def _storms(self, engine: Engine, service: str) -> bool:
        """Many SLOs of a service break, in a few webhooks one after the other."""
        idle = [slo for slo in SLOS[1:] if not self.truth[service, slo].fires]
        self.rng.shuffle(idle)
        broken = idle[: self.rng.randint(3, len(SLOS))]
        sev = self.rng.choice(["", "", "SEV-1"])
        while broken:
            some = [broken.pop() for _ in range(min(len(broken), self.rng.choice([1, 4, 8, 13])))]
            now = self.clock.now()
            lines = [(service, slo) for slo in some]
            await self._hook(engine, *(alert(line, "a", now, sev=sev) for line in lines))
            for line in lines:
                self.truth[line] = Truth(fires={"a": now}, since=now, sev=sev)
            await self._pass(SECOND * self.rng.choice([0, 1, 4, 12]))
        return True

    async def _eases(self, engine: Engine, service: str) -> bool:
        """A storm is over, or half of it."""
        fires = [(service, slo) for slo in SLOS[1:] if self.truth[service, slo].fires]
        gone = [line for line in fires if self.rng.random() < self.rng.choice([0.5, 1])]
        now = self.clock.now()
        if not gone:
            return False
        of = self.truth
        await self._hook(
            engine, *(alert(n, "a", of[n].fires["a"], ends_at=now, sev=of[n].sev) for n in gone)
        )
        for line in gone:
            of[line].fires.clear()
            of[line].over_at, of[line].since = now, None
        return True

    async def _newest(self, engine: Engine, line: Line) -> str | None:
        rows = await engine.listed(limit=10**6, only_open=False)
        return next((r.id for r in rows if (r.service, r.slo) == line), None)

    async def _answers(self, engine: Engine, service: str) -> bool:
        needy = [line for line in self.truth if line[0] == service and self.truth.needs(line)[0]]
        line = self.rng.choice(needy) if needy else (service, SLOS[0])
        incident = await self._newest(engine, line)
        since = self.truth.needs(line)[1]
        if incident is None or since is None or not needy:
            return False
        wakes = self.phones.wakes
        of = sorted({w.key for w in wakes if w.at >= since and line in self._told(w.key)})
        rings = [key for key in of if self.phones.status(key) == "triggered"]
        if rings and self.rng.random() < 0.5:
            of = [self.rng.choice(rings)]
            self.phones.fake.incidents[of[0]].status = "acknowledged"
            await engine.answered(self.phones.said("incident.acknowledged", of[0]))
            await self._heard(engine, of, certainly=of)
        else:
            await engine.say(incident, Kind.ACKNOWLEDGED, {}, by="ann", source="responder")
            self.truth[line].answered_at = self.clock.now()
            # Sent once more to who has it already, a page rings for nobody; one that got no answer
            # may never have come.
            known = {
                fact.data["key"]
                for fact in self._delivered()
                if fact.data["incident"] == incident and _asked_since(fact) >= since
            }
            await self._heard(engine, {*of, *known}, certainly=known)
        return True

    def _delivered(self) -> Sequence[Fact]:
        facts = (one.fact for one in self.disk.facts_after(0, limit=10**6))
        return [fact for fact in facts if fact.kind == Kind.PAGE_DELIVERED]

    async def _heard(
        self, engine: Engine, keys: Collection[str], *, certainly: Collection[str]
    ) -> None:
        """An answer to these pages is one for whatever they tell of, and for nothing else."""
        now = self.clock.now()
        delivered = self._delivered()
        for line in self.truth:
            is_needed, since = self.truth.needs(line)
            incident = await self._newest(engine, line) if is_needed and since else None
            if incident is None or since is None:
                continue
            state = await engine.state(incident)
            about = [w for w in self.phones.wakes if w.key in keys and line in self._told(w.key)]
            own = [w for w in about if "/all-" not in w.key]
            # Who answers a page that still rings has read of all that it tells of, also of what
            # was answered in between and taken back.
            began = self.truth.burns_alone_since(line) or since
            may = any(w.at >= began for w in about) or any(
                w.key.partition("/")[0] == incident for w in own
            )
            must = any(w.at >= since for w in about) and any(
                f.data["incident"] == incident
                and f.data["key"] in certainly
                and f.happened_at >= since
                and _asked_since(f) >= began
                and "/all-" in f.data["key"]
                for f in delivered
            )
            if state.acked_at is not None and not may:
                self._violated(f"{line} is answered by a page that came before it")
            if state.acked_at is None and must:
                self._violated(f"{line} is not answered by the page that told of it")
            if state.acked_at is not None:
                self.truth[line].answered_at = now

    async def _takes_back(self, engine: Engine, service: str) -> bool:
        """PagerDuty's own timeout: whoever acknowledged has been silent for too long."""
        if any(store.is_full for _, _, store in self.engines):
            return False  # it would be told again and again, until there is room
        keys = [k for k in self.phones.fake.incidents if self.phones.status(k) == "acknowledged"]
        mine = [k for k in keys if any(self._is_answered(n) for n in self._told(k))]
        mine = [k for k in mine if any(line[0] == service for line in self._told(k))]
        if not mine:
            return False
        key = self.rng.choice(mine)
        answered = [line for line in self._told(key) if self._is_answered(line)]
        self.phones.fake.incidents[key].status = "triggered"
        self.phones.wakes.append(Wake(self.clock.now(), key))
        self.taken_back.add(key)
        await engine.answered(self.phones.said("incident.unacknowledged", key))
        for line in answered:
            incident = await self._newest(engine, line)
            if incident is not None and (await engine.state(incident)).acked_at is None:
                self.truth[line].taken_back_at = self.clock.now()
                self.truth[line].answered_at = None
        return True

    def _is_answered(self, line: Line) -> bool:
        is_needed, since = self.truth.needs(line)
        return since is not None and not is_needed and self.truth[line].part_of is None

    async def _closes(self, engine: Engine, service: str) -> bool:
        line = (service, self.rng.choice(SLOS))
        incident = await self._newest(engine, line)
        if incident is None or self.truth[line].fires:
            return False
        await engine.say(incident, Kind.RESOLVED, {"text": ""}, by="ann", source="responder")
        return True

    async def _merges(self, engine: Engine, service: str) -> bool:
        other = next(s for s in SERVICES if s != service), SLOS[0]
        line = service, self.rng.choice([SLOS[0], self.rng.choice(SLOS)])
        mine, whole = await self._newest(engine, line), await self._newest(engine, other)
        if mine is None or whole is None or not self.truth[line].fires:
            return False
        if not self.truth[other].fires or self.truth[other].part_of:
            return False
        await engine.say(mine, Kind.MERGED, {"into": whole}, by="ann", source="responder")
        self.truth[line].part_of = (other, self.clock.now())
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

    def _check(self) -> None:
        now = self.clock.now()
        limit = PROMPT if self.trouble_at is None else WITHIN
        for line in self.truth:
            is_needed, since = self.truth.needs(line)
            if not is_needed or since is None:
                continue
            self.needed_at[line] = now
            if self._is_troubled():
                continue
            due = max(since, self.trouble_at or since)
            if self._rang(line, since):
                continue
            if now - due > limit:
                late = (now - due).total_seconds()
                self._violated(f"{line} burns since {since:%H:%M:%S}, unheard for {late:.0f} s")
            self.found.slowest = max(self.found.slowest, now - due)

        for wake in self.phones.wakes[self.judged :]:
            self._judge(wake)
        self.judged = len(self.phones.wakes)

    def _rang(self, line: Line, since: datetime) -> bool:
        recent = takewhile(lambda wake: wake.at >= since, reversed(self.phones.wakes))
        return any(line in self._told(wake.key) for wake in recent)

    def _judge(self, wake: Wake) -> None:
        """Look whether there was a cause for a phone to ring."""
        is_late = self.trouble_at is not None and wake.at - self.trouble_at <= 2 * UNDER_WAY
        grace = UNDER_WAY if is_late else 3 * TICK
        told = [self.needed_at.get(line) for line in self._told(wake.key)]
        if not any(at is not None and at >= wake.at - grace for at in told):
            self._violated(f"{wake.key} rang at {wake.at:%H:%M:%S} without a cause")
        rang = sum(w.key == wake.key for w in self.phones.wakes)
        if rang > 1 and not is_late and wake.key not in self.taken_back:
            self._violated(f"{wake.key} rang {rang} times")

    def _told(self, key: str) -> frozenset[Line]:
        """Return the lines that a page tells of."""
        if key not in self.told:
            rows = [self.disk.incident(id) for id in self.phones.told_of(key)]
            self.told[key] = frozenset((row.service, row.slo) for row in rows if row is not None)
        return self.told[key]

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
        for line, truth in self.truth.items():
            for fingerprint, at in sorted(truth.fires.items()):
                over = alert(line, fingerprint, at, ends_at=self.clock.now(), sev=truth.sev)
                with suppress(GamedayError):
                    await self._hook(self.engines[0][0], over)
            self.truth[line] = Truth(over_at=self.clock.now())
            self._check()
        await self._pass(timedelta(minutes=4))
        facts = [one.fact for one in self.disk.facts_after(0, limit=10**6)]
        # What was taken from a process that died over it is on nobody's record.
        known = {f.data["key"] for f in facts if f.data.get("key")}
        left = [k for k in phones.fake.incidents if phones.status(k) != "resolved" and k in known]
        if left:
            self._violated(f"the pager still holds {', '.join(left)}")
        paged: dict[tuple[str, str], set[str]] = defaultdict(set)
        for fact in self._delivered():
            paged[fact.data["incident"], fact.data["duty"]].add(fact.data["key"])
        for (incident, duty), sent in paged.items():
            # Two processes, neither of which can write, do not know what the other was told.
            if len(sent) > 1 and not (self.found.did["disk is full"] and self.were > 1):
                self._violated(f"{incident} was paged for {duty} as {', '.join(sorted(sent))}")


def _asked_since(delivered: Fact) -> datetime:
    """Return since when somebody was asked to answer what was paged, however late it rang."""
    return datetime.fromisoformat(delivered.data["duty"].split("/")[1])
