"""`gameday serve` put together: the store, the secret, the drills that go on, the pagers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import stat
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from gameday.drivers.clock import SystemClock
from gameday.drivers.database import Database
from gameday.errors import PlanRefused, StoreError, TemporaryDriverError, UsageError
from gameday.house.run.opening import open_store
from gameday.house.service.rollouts import Following, rollouts_of
from gameday.incidents.engine import Engine
from gameday.incidents.links import LINK_LIFETIME, Signer
from gameday.incidents.paging import Paging
from gameday.incidents.routing import Drill
from gameday.incidents.state import IncidentState
from gameday.model.plan_record import recorded
from gameday.ports import Order, OrderKind, Pager, Store
from gameday.settings import PagerSettings, Settings, variable
from scoring.funnel import THEORY_MARGIN
from scoring.paging import DELIVERY
from scoring.slo import Severity
from scoring.timeline import Kind

KEY_BYTES = 32

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


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running service that its HTTP face needs."""

    engine: Engine
    store: Database
    signer: Signer
    link_of: Callable[[str, str, datetime], str]
    settings: ServeSettings

    def ready(self) -> None:
        """Return where the store answers; `StoreError` says why it does not."""
        self.store.incidents(limit=1)


@asynccontextmanager
async def service(
    settings: Settings,
    chosen: ServeSettings,
    *,
    url: str,
    pagers: Mapping[str, Pager] | None = None,
    tick: timedelta = timedelta(seconds=1),
) -> AsyncIterator[Service]:
    """Run the engine for as long as the context lasts.

    Args:
        url: where the service listens.
        pagers: per role, see `gameday.incidents.paging.Paging`.

    Raises:
        StoreError: the store or the server's secret cannot be used.
        UsageError: where deploys come from is not said as it must be.
        DriverError: the cluster they come from is not in the kubeconfig, or not allowed.
    """
    clock = SystemClock()
    rollouts = rollouts_of(chosen.deploys_from)
    signer = Signer(server_key(settings.state))
    base = chosen.public_url or url

    def link_of(incident: str, view: str, paged_at: datetime) -> str:
        token = signer.token(incident, view, expires_at=paged_at + LINK_LIFETIME)
        return f"{base}/go/{token}"

    with open_store(settings) as store:
        drills = DrillWatch(store)
        engine = Engine(
            store,
            clock=clock,
            paging=Paging(
                pagers or {},
                link_of=link_of,
                incident_url=lambda incident: f"{base}/console/incidents/{incident}",
            ),
            drills=drills.now,
            on_real=_stopping(store, clock) if chosen.stop_drills else None,
        )
        watching = [asyncio.create_task(drills.watch())]
        try:
            async with engine.running(tick=tick):
                if rollouts is not None:
                    tell = partial(engine.deploy, by=chosen.deploys_from)
                    following = Following(rollouts, tell, clock=clock)
                    watching.append(asyncio.create_task(following.forever()))
                yield Service(engine, store, signer, link_of, chosen)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)


def pagers_of(clock: SystemClock, settings: Settings) -> Mapping[str, Pager]:
    """Return the pager of each role that the settings name one for.

    That of ``[pager]`` is the on-call's and the rota's, that of ``[drill_pager]`` the drills'.

    Raises:
        UsageError: one cannot be right, or several are given for the same people.
    """
    found: dict[str, Pager] = {}
    for table, roles in (("pager", ("on-call", "rota")), ("drill_pager", ("drill on-call",))):
        pager = _pager(table, getattr(settings, table), clock)
        if pager is not None:
            found |= dict.fromkeys(roles, pager)
    return found


def _pager(table: str, chosen: PagerSettings, clock: SystemClock) -> Pager | None:
    from gameday.drivers.pagerduty import PagerDuty
    from gameday.drivers.slack import Slack
    from gameday.drivers.webhook import Webhook

    key, slack, webhook = (
        secret.get_secret_value()
        for secret in (chosen.pagerduty_key, chosen.slack_url, chosen.webhook_url)
    )
    kinds = {"pagerduty_key": key, "slack_url": slack, "webhook_url": webhook}
    given = [variable(table, kind) for kind, value in kinds.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are pagers of the same people; choose one")
    if key:
        return PagerDuty(key, clock=clock, url=chosen.pagerduty_url)
    if slack:
        return Slack(slack, clock=clock)
    if webhook:
        secret = chosen.webhook_secret.get_secret_value()
        token = chosen.webhook_token.get_secret_value()
        return Webhook(webhook, clock=clock, secrets=[secret] if secret else (), token=token)
    return None


class DrillWatch:
    """The drills that go on, as of the last look into the store of runs."""

    def __init__(self, runs: Store) -> None:
        self._runs = runs
        self._found: Sequence[Drill] = ()

    def now(self) -> Sequence[Drill]:
        """Return the drills of the last look; at once."""
        return self._found

    async def watch(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                self._found = await asyncio.to_thread(drills_of, self._runs)
            except StoreError as error:
                # Without knowledge of a drill every page is real: the safe side.
                self._found = ()
                _log.warning("runs cannot be read error=%s", error)
            await asyncio.sleep(LOOK_EVERY.total_seconds())


def drills_of(runs: Store) -> Sequence[Drill]:
    """Return what the runs that go on explain; a run without a fault yet explains nothing."""
    found = (_drill(runs, record.id) for record in runs.runs(limit=20) if record.ended_at is None)
    return tuple(d for d in found if d is not None)


def _drill(runs: Store, run: str) -> Drill | None:
    facts = runs.facts(run)
    injected = [f.happened_at for f in facts if f.kind == Kind.FAULT_INJECTED]
    plan = recorded(facts)
    if not injected or plan is None or any(f.kind == Kind.RUN_ENDED for f in facts):
        return None
    begins = min((f.at_seconds for f in plan.faults), default=0.0)
    lasts = max((f.at_seconds + f.duration_seconds for f in plan.faults), default=0.0) - begins
    resets = [b.resets_after_s or 0.0 for b in plan.branches if b.severity is Severity.PAGE]
    clears = max(resets, default=0.0) * THEORY_MARGIN
    since = min(injected)
    scenario = yaml.safe_load(runs.documents(run).get("scenario") or "{}") or {}
    expect = (scenario.get("spec") or {}).get("expect") or {}
    return Drill(
        run=run,
        service=plan.service,
        slo=plan.slo,
        collateral=frozenset(expect.get("collateral") or ()),
        since=since,
        until=since + timedelta(seconds=lasts + clears) + DELIVERY,
    )


def _stopping(runs: Store, clock: SystemClock) -> Callable[[IncidentState], None]:
    def stop(incident: IncidentState) -> None:
        if any(o.kind is OrderKind.STOP for o in runs.orders()):
            return
        reason = f"real incident {incident.id}: {incident.summary}"
        runs.give(Order(OrderKind.STOP, None, reason, "gameday serve", clock.now()))

    return stop


def ask(
    method: str, incident: str, word: str = "", body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the running service answers about an incident.

    Where it is, and by which token it is asked, is said by the settings.

    Raises:
        UsageError: there is no token, or the service says that the request is wrong.
        PlanRefused: the service says that it cannot be done as the incident stands.
        TemporaryDriverError: it does not answer.
    """
    import httpx

    chosen = Settings.from_environment().client
    base, token = chosen.server, chosen.token.get_secret_value()
    if not token:
        raise UsageError(
            "set GAMEDAY_TOKEN to a token of your own: `gameday token create --role responder`"
        )
    path = f"/api/incidents/{quote(incident, safe='')}" + (f"/{word}" if word else "")
    try:
        answer = httpx.request(
            method,
            base + path,
            json=body,
            headers={"authorization": f"Bearer {token}"},
            timeout=10,
        )
        said = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise TemporaryDriverError(
            f"no service answers at {base} ({type(error).__name__}): start `gameday serve`, or set "
            "GAMEDAY_SERVER"
        ) from error
    if answer.is_success and isinstance(said, dict):
        return said
    reason = str(said.get("error", "")) if isinstance(said, dict) else ""
    if answer.status_code == 409:
        raise PlanRefused(reason)
    if answer.status_code >= 500:
        raise TemporaryDriverError(f"{base} answers {answer.status_code}: {reason}")
    raise UsageError(reason or f"{base} answers {answer.status_code}")


def server_key(state: Path) -> bytes:
    """Return the secret that signs deeplinks; made at first use, readable by its owner only.

    Raises:
        StoreError: it cannot be read or written, or others can read it.
    """
    path = state / "server.key"
    try:
        state.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_key(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise StoreError(f"{str(path)!r} can be read by others: `chmod 600` it")
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"the server's secret {str(path)!r} cannot be used: {error}") from error
    if len(key) < KEY_BYTES:
        raise StoreError(f"{str(path)!r} is too short to be a secret: delete it, links end with it")
    return key


def _write_key(path: Path) -> None:
    # Written aside and linked: another process sees the whole key or none, and of two that begin
    # at once both use the first one's.
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
