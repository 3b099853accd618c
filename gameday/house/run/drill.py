"""A run's own engine of incidents, put together on a drill's terms."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote

from gameday.conductor.limit import limited
from gameday.diagnosis.changes import recent
from gameday.errors import DriverError, SpecError, StoreError
from gameday.house.run.drills import drill_of, is_disposable
from gameday.house.run.judgement import open_faults
from gameday.house.run.stories import Story
from gameday.house.targets.open_system import OpenSystem
from gameday.incidents.deeplinks import ToolLinks
from gameday.incidents.deploys import BACK, BEFORE, told_deploys
from gameday.incidents.disk import Disk, Threads
from gameday.incidents.engine import RUN, Engine
from gameday.incidents.links import LINK_LIFETIME, Signer
from gameday.incidents.lookup import Lookup
from gameday.incidents.paging import Burn, LinkOf, Paging
from gameday.incidents.routing import Drill
from gameday.incidents.state import IncidentState
from gameday.incidents.terms import Mitigator, Terms
from gameday.ledger import Ledger
from gameday.model.notification import Action, Notification, Receipt
from gameday.model.page import Links, Page
from gameday.model.runbook import Runbook
from gameday.model.signals import Deploy
from gameday.model.slo import latency_limit
from gameday.ports import Clock, IncidentStore, Pager, Responder
from gameday.spec.runbook import parse_runbook
from scoring.slo import nominal
from scoring.timeline import Kind

RATES_WITHIN = timedelta(seconds=3)
"""A page waits no longer than this for the burn rate that it shows."""

BEAT_EVERY = timedelta(seconds=4)
"""Beats of the watchdog are recorded this often; they may come more often."""

TOLD_WITHIN = timedelta(seconds=5)
"""How long a run that ends waits for its pager to hear that it is over."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the HTTP face of a run stands on.

    Attributes:
        mitigate: (name, parameters, by) → (whether it worked, what was done): what is done before
            there is a page, on the record of the run alone.
    """

    engine: Engine
    lookup: Lookup
    link_of: LinkOf
    signer: Signer
    mitigate: Callable[[str, Mapping[str, str], str], Awaitable[tuple[bool, str]]]


class Door(Protocol):
    """Where a run is reached. It is known before anything is served, for pages to name it.

    Attributes:
        url: as programs of this machine reach it.
        people_url: as people reach it; the links of pages begin with it.
        webhook: where the target's Alertmanager sends its pages.
        token: the on-call's.
        key: signs the links.
    """

    url: str
    people_url: str
    webhook: str
    token: str
    key: bytes

    def serving(self, served: Served) -> AbstractAsyncContextManager[None]:
        """Serve for as long as the context lasts."""


def drawn() -> str:
    """Return an id nobody can guess."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Loom:
    """What an engine is driven by: the machine's own, or a simulation's.

    Attributes:
        disk: makes the calls of the store.
        token: draws an id.
    """

    disk: Callable[[], Disk] = Threads
    token: Callable[[], str] = drawn


class DrillPager:
    """The pager of a drill's on-call: whoever answers, and the tool that calls them; or either.

    Who answers is paged first: a tool that does not answer must not hold a drill up. What could
    not be delivered is tried again as a whole, which those who took it do not mind.
    """

    name = "the drill's pager"

    def __init__(self, responder: Responder | None, tool: Pager | None) -> None:
        self._all: list[Pager] = [p for p in (responder, tool) if p is not None]

    async def page(self, notification: Notification) -> Receipt:
        """Page them all."""
        return _joined([await p.page(notification) for p in self._all], Action.PAGE)

    async def acknowledge(self, notification: Notification) -> Receipt:
        """Tell them all that somebody has it."""
        told = [await p.acknowledge(notification) for p in self._all]
        return _joined(told, Action.ACKNOWLEDGE)

    async def resolve(self, notification: Notification) -> Receipt:
        """Tell them all that it is over."""
        return _joined([await p.resolve(notification) for p in self._all], Action.RESOLVE)


def _joined(receipts: list[Receipt], action: Action) -> Receipt:
    names = " and ".join(r.pager for r in receipts)
    notes = tuple(n for r in receipts for n in r.notes)
    last = receipts[-1]
    return Receipt(names, action, last.key, last.accepted_at, last.said, last.tries, notes)


def at_home(door: Door) -> Callable[[Page], Page]:
    """Return what makes a page's links lead to the run's own server, for programs beside it."""

    def turned(page: Page) -> Page:
        links = {
            name: url.replace(door.people_url, door.url, 1)
            for name, url in page.links.model_dump().items()
        }
        return page.model_copy(update={"links": Links(**links)})

    return turned


class DrillIncidents:
    """The incidents of one run, in an engine of its own.

    Args:
        responder: whoever answers; tool: the pager that the operator chose for drills.
        mitigator: does what the responder asks for.
    """

    def __init__(
        self,
        run: str,
        story: Story,
        system: OpenSystem,
        *,
        store: IncidentStore,
        ledger: Ledger,
        door: Door,
        clock: Clock,
        responder: Responder | None,
        tool: Pager | None,
        mitigator: Mitigator,
        escalates: bool = False,
        loom: Loom = Loom(),
    ) -> None:
        self._run = run
        self._story = story
        self._system = system
        self._ledger = ledger
        self._clock = clock
        self._mitigator = mitigator
        self._drill: Drill | None = None
        self._beat_at: datetime | None = None
        scale = system.target.time_scale
        self._is_disposable = is_disposable(system.target.name, scale)
        self._links = ToolLinks(
            system.tools,
            story.slo,
            windows={nominal(w.long): w.long / scale for w in story.slo.windows},
            slower=latency_limit(story.slo),
            now=clock.now,
        )
        signer = Signer(door.key)

        def link_of(incident: str, view: str, paged_at: datetime) -> str:
            token = signer.token(incident, view, expires_at=paged_at + LINK_LIFETIME)
            return f"{door.people_url}/go/{token}"

        pagers = {"drill on-call": DrillPager(responder, tool)} if responder or tool else {}
        self.engine = Engine(
            store,
            clock=clock,
            paging=Paging(
                pagers,
                link_of=link_of,
                incident_url=lambda i: f"{door.people_url}/console/incidents/{i}",
                api_url=lambda i: f"{door.url}/api/incidents/{i}",
                list_url=lambda service: f"{door.people_url}/console/incidents?q={quote(service)}",
                burn=self._burn,
            ),
            terms=Terms(
                run=run,
                drills=self._drills,
                is_disposable=self._is_disposable,
                escalates=escalates,
                mitigator=mitigator,
                heard=ledger.heard,
                beat=self._beat,
            ),
            disk=loom.disk(),
            token=loom.token,
        )
        self.engine.listen(ledger.hear)
        self.served = Served(self.engine, self._lookup(), link_of, signer, self._mitigate)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the engine for as long as the context lasts, and close what it leaves behind."""
        async with self.engine.running():
            try:
                yield
            finally:
                with suppress(StoreError, DriverError):
                    await self._close()

    def _drills(self) -> tuple[Drill, ...]:
        if self._drill is None:
            facts = self._ledger.timeline.facts
            self._drill = drill_of(self._run, facts, self._story.documents.to_mapping())
        return () if self._drill is None else (self._drill,)

    def _beat(self, at: datetime) -> None:
        if self._beat_at is None or at - self._beat_at >= BEAT_EVERY:
            self._ledger.record(
                Kind.PIPELINE_BEAT, source="alertmanager", subject="Watchdog", happened_at=at
            )
            self._beat_at = at

    async def _burn(self, incident: IncidentState) -> Burn:
        long = incident.first.told.labels.get("long_window", "")
        try:
            asking = self._system.alerts.burn_rates(slo=incident.slo)
            rates = await limited(self._clock, asking, "Prometheus", RATES_WITHIN)
        except DriverError:
            rates = {}
        return Burn(self._links.window(incident), rates.get(long))

    async def _close(self) -> None:
        """Close the run's incidents, and let the pager hear it.

        Left open is what burns on a target where somebody is on call, or what is not proven gone:
        `gameday serve` has an eye on that.
        """
        mine = [r for r in await self.engine.listed(limit=50, only_open=True) if r.drill]
        for row in mine:
            if row.drill != self._run or open_faults(self._ledger.timeline):
                continue
            state = await self.engine.state(row.id)
            if state.is_open and (state.cleared_at is not None or self._is_disposable):
                said = {"text": "the game day is over", "anyway": True, "by_person": False}
                await self.engine.say(row.id, Kind.RESOLVED, said, by="gameday", source=RUN)
        await self.engine.tick()
        if self.engine.busy:
            timer = asyncio.ensure_future(self._clock.sleep(TOLD_WITHIN))
            told = asyncio.gather(*self.engine.busy, return_exceptions=True)
            both: set[asyncio.Future[Any]] = {timer, told}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            timer.cancel()

    async def _mitigate(
        self, name: str, parameters: Mapping[str, str], by: str
    ) -> tuple[bool, str]:
        asked = {"name": name, "parameters": dict(parameters), "by": by}
        self._ledger.record(Kind.MITIGATION_STARTED, source="responder", subject=name, data=asked)
        try:
            ok, detail = True, await self._mitigator.mitigate(name, parameters)
        except (DriverError, StoreError) as error:
            ok, detail = False, str(error)
        outcome = {**asked, "ok": ok, "detail": detail}
        self._ledger.record(Kind.MITIGATION_APPLIED, source="target", subject=name, data=outcome)
        return ok, detail

    # --- looked up ---------------------------------------------------------------------------

    def _lookup(self) -> Lookup:
        text = self._story.documents.runbook
        read: Runbook | None = None
        with suppress(SpecError):
            read = parse_runbook(text, "runbook.md")

        async def scale(_slo: str) -> float:
            return self._system.target.time_scale

        return Lookup(
            destinations=self._links,
            runbook=lambda _alert: read,
            runbook_text=lambda _alert: text,
            slower=lambda _slo: latency_limit(self._story.slo) or timedelta(0),
            time_scale=scale,
            deploys=self._deploys,
        )

    async def _deploys(self, incident: IncidentState) -> list[Deploy]:
        found: list[Deploy] = []
        if self._system.hears_deploys:
            found += await told_deploys(self.engine, incident)
        if self._system.deploys is not None:
            now = self._clock.now()
            told = await self._system.deploys.deploys(since=now - BACK, until=now)
            found += recent(told, since=now - BEFORE)
        return sorted(found, key=lambda deploy: deploy.deployed_at)
