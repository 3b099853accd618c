"""`gameday serve` put together: the store, the secret, the drills that go on, the pagers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex
from urllib.parse import quote

from gameday.diagnosis.instruments import Instruments
from gameday.drivers.clock import SteadyClock
from gameday.drivers.database import Database
from gameday.errors import StoreError
from gameday.house.lessons.impact import Impacts
from gameday.house.run.drills import drills_of
from gameday.house.run.opening import open_store
from gameday.house.service.documents import IncidentDocuments
from gameday.house.service.key import server_key
from gameday.house.service.lessons import LessonRounds
from gameday.house.service.pruning import prune_for_ever
from gameday.house.service.rollouts import Following, rollouts_of
from gameday.house.targets.instruments import instruments_of_settings
from gameday.incidents.deploys import told_deploys
from gameday.incidents.engine import Engine
from gameday.incidents.links import LINK_LIFETIME, Signer, Templates
from gameday.incidents.lookup import Lookup
from gameday.incidents.paging import Paging
from gameday.incidents.routing import Drill
from gameday.incidents.state import IncidentState
from gameday.incidents.terms import Terms
from gameday.ports import Clock, Order, OrderKind, Pager, Store
from gameday.settings import Settings

LOOK_EVERY = timedelta(seconds=1)
"""How often the runs that go on are looked for; no burn-rate alert fires sooner after a fault."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What an operator may choose for the service."""

    public_url: str = ""
    """How people reach the service; the deeplinks of pages begin with it.
    Empty: the address it listens on."""

    templates: Mapping[str, str] = field(default_factory=dict)
    """Where deeplinks lead."""

    pagerduty_secrets: Sequence[str] = ()
    """Of PagerDuty's webhook subscriptions; several while one is exchanged. None: PagerDuty's
    webhooks are not taken."""

    deploys_from: str = ""
    """``kubernetes/<context>/<namespace>``: whose rollouts are told as deploys."""

    stop_drills: bool = False
    """Whether a real incident that opens while a drill goes on stops all drills."""

    @classmethod
    def of(cls, settings: Settings) -> ServeSettings:
        """Return what the settings say about the service."""
        chosen = settings.service
        return cls(
            public_url=chosen.public_url,
            templates=settings.links.given(),
            pagerduty_secrets=tuple(
                secret.get_secret_value() for secret in chosen.pagerduty_webhook_secret
            ),
            deploys_from=chosen.deploys_from,
            stop_drills=chosen.stop_drills,
        )


LAG = timedelta(seconds=1)
"""A wall clock that is further from the service's than this was set, and not slewed."""


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running service that its HTTP face needs."""

    engine: Engine
    store: Database
    signer: Signer
    link_of: Callable[[str, str, datetime], str]
    settings: ServeSettings
    lookup: Lookup
    instruments: Instruments
    problems: Sequence[str] = ()
    """What cannot be read around the service: a runbook, an SLO."""

    def ready(self) -> None:
        """Return where the store answers and takes facts; `StoreError` says why it does not."""
        trouble = self.engine.trouble()
        if trouble:
            raise StoreError(trouble)
        self.store.incidents(limit=1)


@asynccontextmanager
async def service(
    settings: Settings,
    chosen: ServeSettings,
    *,
    url: str,
    pagers: Mapping[str, Pager] | None = None,
    tick: timedelta = timedelta(seconds=1),
    wall: Clock | None = None,
) -> AsyncIterator[Service]:
    """Run the engine for as long as the context lasts.

    Args:
        url: where the service listens.
        pagers: per role, see `gameday.incidents.paging.Paging`.
        wall: the clock it goes by; the machine's where None.

    Raises:
        StoreError: the store or the server's secret cannot be used.
        UsageError: where deploys come from is not said as it must be, or the address of an
            instrument is none.
        DriverError: the cluster they come from is not in the kubeconfig, or not allowed.
    """
    clock = SteadyClock(wall)
    rollouts = rollouts_of(chosen.deploys_from)
    instruments, documents = instruments_of_settings(settings.tools), IncidentDocuments()
    signer = Signer(server_key(settings.state))
    base = chosen.public_url or url

    def link_of(incident: str, view: str, paged_at: datetime) -> str:
        token = signer.token(incident, view, expires_at=paged_at + LINK_LIFETIME)
        return f"{base}/go/{token}"

    with open_store(settings) as store:
        drills = DrillWatch(store, clock)
        # Before the engine looks at anything: whose a drill's incident is has to be known.
        await asyncio.to_thread(drills.look)
        engine = Engine(
            store,
            clock=clock,
            paging=Paging(
                pagers or {},
                link_of=link_of,
                incident_url=lambda incident: f"{base}/console/incidents/{incident}",
                api_url=lambda incident: f"{base}/api/incidents/{incident}",
                list_url=lambda service: f"{base}/console/incidents?q={quote(service)}",
            ),
            terms=Terms(
                drills=drills.now,
                on_real=_stopping(store, clock) if chosen.stop_drills else None,
            ),
        )
        watching = [asyncio.create_task(drills.watch())]
        try:
            async with engine.running(tick=tick):
                watching.append(asyncio.create_task(follow_wall_clock(clock, engine)))
                pruning = prune_for_ever(store, settings, clock=clock, holder=token_hex(8))
                watching.append(asyncio.create_task(pruning))
                lessons = LessonRounds(store, clock=clock, measure=Impacts(instruments.metrics).of)
                watching.append(asyncio.create_task(lessons.forever()))
                if rollouts is not None:
                    tell = partial(engine.deploy, by=chosen.deploys_from)
                    following = Following(rollouts, tell, clock=clock)
                    watching.append(asyncio.create_task(following.forever()))
                lookup = Lookup(
                    destinations=Templates(chosen.templates),
                    runbook=documents.runbook,
                    runbook_text=documents.runbook_text,
                    slower=documents.slower,
                    time_scale=partial(documents.time_scale, instruments.alerts),
                    deploys=partial(told_deploys, engine),
                )
                problems = documents.problems
                yield Service(engine, store, signer, link_of, chosen, lookup, instruments, problems)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)


async def follow_wall_clock(clock: SteadyClock, engine: Engine) -> None:
    """Follow a wall clock that was set, as soon as no incident is open that is timed by another."""
    told = timedelta(0)
    while True:
        lag = clock.lag()
        if abs(lag) <= LAG:
            told = timedelta(0)
        elif not engine.open_incidents():
            _log.warning("wall clock was set, and is followed seconds=%.0f", lag.total_seconds())
            clock.follow()
        elif abs(lag - told) > LAG:
            told = lag
            _log.warning(
                "wall clock was set, and is followed once no incident is open seconds=%.0f",
                lag.total_seconds(),
            )
        await clock.sleep(LOOK_EVERY)


class DrillWatch:
    """The drills that go on, as of the last look into the store of runs."""

    def __init__(self, runs: Store, clock: Clock) -> None:
        self._runs = runs
        self._clock = clock
        self._found: Sequence[Drill] = ()

    def now(self) -> Sequence[Drill]:
        """Return the drills of the last look; at once."""
        return self._found

    def look(self) -> None:
        """Look once; blocks while it does."""
        try:
            self._found = drills_of(self._runs, now=self._clock.now())
        except StoreError as error:
            # A drill of the last look has not ended because nobody can look.
            _log.warning("runs cannot be read error=%s", error)

    async def watch(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_EVERY.total_seconds())


def _stopping(runs: Store, clock: Clock) -> Callable[[IncidentState], None]:
    def stop(incident: IncidentState) -> None:
        if any(o.kind is OrderKind.STOP for o in runs.orders()):
            return
        reason = f"real incident {incident.id}: {incident.summary}"
        runs.give(Order(OrderKind.STOP, None, reason, "gameday serve", clock.now()))

    return stop
