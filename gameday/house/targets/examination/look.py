"""A system while it is looked at: what several inquiries need of its tools, each asked once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gameday.conductor.limit import heard
from gameday.drivers.alertmanager import AlertmanagerRoutes, AlertmanagerState, PolledPages
from gameday.drivers.pagerduty_incidents import OpenIncident, PagedService
from gameday.drivers.prometheus import PrometheusSurvey
from gameday.errors import DriverError, PermanentDriverError
from gameday.house.targets.declared_cluster import connected
from gameday.house.targets.deploy_logs import deploy_log_of
from gameday.house.targets.examination.inquiry import NotAsked
from gameday.house.targets.heard_pages import pagerduty_of
from gameday.house.targets.sent_here import Came, SentHere
from gameday.http.aside import aside
from gameday.http.credentials import credentials_of
from gameday.http.knock import named
from gameday.incidents.deploys import BACK
from gameday.model.access import GrafanaSource, Reached
from gameday.model.signals import Deploy
from gameday.model.slo import Slo
from gameday.model.system import PagerDutyService, System
from gameday.rules.loaded import LoadedRules

if TYPE_CHECKING:
    from gameday.drivers.kubernetes import Cluster

T = TypeVar("T")


def named_source(source: GrafanaSource) -> str:
    """Return what the check of a data source is called."""
    return f"grafana {source.datasource}"


PROMETHEUS, RULES, ALERTMANAGER, PAGERDUTY, WEBHOOK, CLUSTER = (
    "prometheus",
    "prometheus of the rules",
    "alertmanager",
    "pagerduty",
    "webhook",
    "cluster",
)
"""What the checks are called that everything else of these tools rests on."""

LISTENS = timedelta(seconds=3.5)
"""How long it is awaited that something is sent to us: a beat of a watchdog comes in that time."""

SENDER_TELLS = timedelta(seconds=2)
"""How long an Alertmanager is waited for that may not be reached from here."""

PATIENCE = timedelta(seconds=2)
"""How long an API server is waited for: what asks it in a thread goes on when nobody waits."""


class Look:
    """One look at a system.

    What rests on a tool that does not answer raises `NotAsked`: that is told once, by the check of
    the tool itself.

    Attributes:
        slos: those that are drilled on it.
        mitigations: those that are needed, by name; none: all of them.
        troubles: why a data source of a Grafana could not be looked up.
        sent_here: where pages come that are sent to us.
    """

    def __init__(
        self,
        system: System,
        slos: Sequence[Slo],
        mitigations: Sequence[str],
        troubles: Mapping[GrafanaSource, DriverError],
        sent_here: SentHere = SentHere(),
    ) -> None:
        self.system = system
        self.troubles = troubles
        self.sent_here = sent_here
        self.slos = slos
        self.mitigations = mitigations
        self._asked: dict[str, asyncio.Future[Any]] = {}

    @classmethod
    @asynccontextmanager
    async def at(
        cls,
        system: System,
        slos: Sequence[Slo],
        mitigations: Sequence[str] = (),
        *,
        troubles: Mapping[GrafanaSource, DriverError] = MappingProxyType({}),
        sent_here: SentHere = SentHere(),
    ) -> AsyncIterator[Look]:
        """Look at a system for as long as the context lasts; nothing is asked after it."""
        look = cls(system, slos, mitigations, troubles, sent_here)
        try:
            yield look
        finally:
            left = [one for one in look._asked.values() if not one.done()]
            for one in left:
                one.cancel()
            if left:
                await asyncio.wait(left)

    def address(self, place: Reached) -> str:
        """Return where a tool is.

        Raises:
            NotAsked: behind an API server that does not answer, or in no data source of Grafana's.
        """
        if place.grafana is not None and place.grafana in self.troubles:
            raise NotAsked(named_source(place.grafana))
        if not place.url:
            raise NotAsked(CLUSTER)
        return place.url

    @property
    def url(self) -> str:
        """Where Prometheus is; see `address` for errors."""
        return self.address(self.system.spec.metrics.prometheus)

    @property
    def alertmanager(self) -> Reached:
        """How Alertmanager is reached, where pages are heard of there; see `address` for errors."""
        told = self.system.spec.pages.alertmanager
        assert told is not None  # whoever asks for it has seen that
        self.address(told)
        return told

    def prometheus(self) -> PrometheusSurvey:
        """Return Prometheus, to be asked as a drill asks it.

        Raises:
            PermanentDriverError: a secret is not where the document says.
        """
        told = self.system.spec.metrics.prometheus
        return PrometheusSurvey(self.url, credentials=credentials_of(told))

    # --- of Prometheus --------------------------------------------------------------------

    async def prometheus_answers(self) -> None:
        """Return when it does, asked with the tenant, the token and the certificates.

        Raises:
            DriverError: it does not.
        """

        async def ask() -> None:
            await named(self.url)
            await self.prometheus().values("vector(1)")

        await self._once(PROMETHEUS, ask)

    async def of_prometheus(self, ask: Callable[[PrometheusSurvey], Awaitable[T]]) -> T:
        """Return what a Prometheus says that answers.

        Raises:
            NotAsked: it does not answer.
            DriverError: it does not answer this.
        """
        try:
            await self.prometheus_answers()
        except DriverError as error:
            raise NotAsked(PROMETHEUS) from error
        return await ask(self.prometheus())

    async def of_evaluating(self, ask: Callable[[PrometheusSurvey], Awaitable[T]]) -> T:
        """Return what the Prometheus says that evaluates the rules; see `of_prometheus`."""
        told = self.system.spec.alerts.prometheus
        if told is None:
            return await self.of_prometheus(ask)
        try:
            await self.evaluating_answers(told)
        except DriverError as error:
            raise NotAsked(RULES) from error
        return await ask(PrometheusSurvey(told.url, credentials=credentials_of(told)))

    async def evaluating_answers(self, told: Reached) -> None:
        """Return when the Prometheus does that evaluates the rules, where it is another.

        Raises:
            DriverError: it does not.
        """

        async def ask() -> None:
            await named(self.address(told))
            await PrometheusSurvey(told.url, credentials=credentials_of(told)).values("vector(1)")

        await self._once(RULES, ask)

    async def rules(self) -> LoadedRules:
        """Return the rules in force; see `of_prometheus` for errors."""
        return await self._once("rules", lambda: self.of_evaluating(lambda p: p.loaded_rules()))

    async def sent_to(self) -> Sequence[str] | None:
        """Return where Prometheus sends alerts; None: it does not tell. See `of_prometheus`."""
        return await self._once("sent to", lambda: self.of_evaluating(lambda p: p.alertmanagers()))

    # --- of Alertmanager ------------------------------------------------------------------

    async def beats(self) -> bool:
        """Return whether a watchdog fires there.

        Raises:
            DriverError: it does not answer, asked with the token and the certificates.
        """

        async def ask() -> bool:
            await named(self.alertmanager.url)
            credentials = credentials_of(self.alertmanager)
            pages = PolledPages(self.alertmanager.url, lambda _: None, credentials=credentials)
            return await pages.beats()

        return await self._once(ALERTMANAGER, ask)

    async def routes(self) -> Mapping[str, Any] | None:
        """Return Alertmanager's configuration; None: it does not tell.

        Raises:
            NotAsked: it does not answer.
        """

        async def ask() -> Mapping[str, Any] | None:
            await self.alertmanager_answers()
            credentials = credentials_of(self.alertmanager)
            routes = AlertmanagerRoutes(self.alertmanager.url, credentials=credentials)
            try:
                return await routes.configuration()
            except PermanentDriverError:
                return None  # Mimir's and Grafana's tell alerts, and not their configuration

        return await self._once("routes", ask)

    async def alertmanager_answers(self) -> None:
        """Return when it does.

        Raises:
            NotAsked: it does not.
        """
        try:
            await self.beats()
        except DriverError as error:
            raise NotAsked(ALERTMANAGER) from error

    def alertmanager_state(self) -> AlertmanagerState:
        """Return Alertmanager, to be asked who it is and what is silenced there."""
        credentials = credentials_of(self.alertmanager)
        return AlertmanagerState(self.alertmanager.url, credentials=credentials)

    # --- of PagerDuty ---------------------------------------------------------------------

    async def paged_service(self) -> PagedService:
        """Return the service of PagerDuty whose incidents are the pages.

        Raises:
            DriverError: PagerDuty does not answer, or knows no such service.
        """

        async def ask() -> PagedService:
            await named(self._pagerduty.url)
            return await pagerduty_of(self._pagerduty, lambda _: None).service()

        return await self._once(PAGERDUTY, ask)

    async def open_incidents(self) -> Sequence[OpenIncident]:
        """Return the incidents that are open there.

        Raises:
            NotAsked: PagerDuty does not answer.
            DriverError: it does not answer this.
        """

        async def ask() -> Sequence[OpenIncident]:
            try:
                await self.paged_service()
            except DriverError as error:
                raise NotAsked(PAGERDUTY) from error
            return await pagerduty_of(self._pagerduty, lambda _: None).open_incidents()

        return await self._once("open incidents", ask)

    @property
    def _pagerduty(self) -> PagerDutyService:
        told = self.system.spec.pages.pagerduty
        assert told is not None  # whoever asks for it has seen that
        return told

    # --- of what is sent to us ------------------------------------------------------------

    async def came(self) -> Came:
        """Return what is sent to us while we look; nothing where nobody does.

        Raises:
            UsageError: the address cannot be opened.
        """
        return await self._once("came", lambda: self.sent_here.came(within=LISTENS))

    async def sending(self) -> tuple[str, Mapping[str, Any]] | None:
        """Return the address and the configuration of an Alertmanager that Prometheus sends to.

        None: Prometheus does not tell, or none of them does. See `of_prometheus` for errors.
        """

        async def asked(url: str) -> tuple[str, Mapping[str, Any]] | None:
            with suppress(DriverError, TimeoutError):
                async with asyncio.timeout(SENDER_TELLS.total_seconds()):
                    return url, await AlertmanagerRoutes(url).configuration()
            return None

        async def ask() -> tuple[str, Mapping[str, Any]] | None:
            told = await asyncio.gather(*(asked(url) for url in await self.sent_to() or ()))
            return next((one for one in told if one is not None), None)

        return await self._once("sending", ask)

    # --- of the deploys -------------------------------------------------------------------

    async def deploys(self) -> Sequence[Deploy]:
        """Return what went live lately, oldest first; empty where no source is named.

        Raises:
            DriverError: a source does not answer.
        """

        async def ask() -> Sequence[Deploy]:
            log, now = deploy_log_of(self.system.spec), datetime.now(UTC)
            return [] if log is None else await log.deploys(since=now - BACK, until=now)

        return await self._once("deploys", ask)

    # --- of the cluster -------------------------------------------------------------------

    async def cluster(self) -> Cluster:
        """Return the cluster, which answers and is waited for a moment only.

        Raises:
            DriverError: there is no such context, the settings do not allow it, or it does not.
        """
        at = self.system.spec.kubernetes
        assert at is not None  # whoever asks for it has seen that

        def connect() -> Cluster:
            cluster = connected(at, patience=PATIENCE)
            cluster.version()
            return cluster

        return await self._once(CLUSTER, lambda: aside(connect))

    async def answering_cluster(self) -> Cluster:
        """Return the same, for what rests on it.

        Raises:
            NotAsked: it does not answer.
        """
        try:
            return await self.cluster()
        except DriverError as error:
            raise NotAsked(CLUSTER) from error

    async def _once(self, name: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if name not in self._asked:
            asking = asyncio.ensure_future(ask())
            asking.add_done_callback(heard)
            self._asked[name] = asking
        # Who gives up waiting takes the answer from nobody else.
        return cast(T, await asyncio.shield(self._asked[name]))
