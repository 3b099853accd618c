"""What the instruments show of an incident, read for its pages with the eyes of `diagnosis`.

An instrument that cannot be read gives `Unreadable` with a sentence, never an error: the page has
to work at 3 am also when Prometheus does not.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gameday.diagnosis import findings, stacks
from gameday.diagnosis.blame import explain
from gameday.diagnosis.case import Case, revision_of
from gameday.diagnosis.code import packages_of
from gameday.diagnosis.dashboard import DrawnDashboard, drawn
from gameday.diagnosis.graph_reading import read_graph
from gameday.diagnosis.instruments import Instruments
from gameday.diagnosis.links import Dashboard
from gameday.diagnosis.red import SLOW, BurnSpan
from gameday.diagnosis.sampling import Hunt, TraceSample, look
from gameday.diagnosis.suspicion import accuse
from gameday.errors import DriverError
from gameday.model.page import Finding, Links, Page, Step
from gameday.model.signals import Blame, Deploy, Profile, Series
from gameday.server.console.subject import View
from gameday.settings import variable

PATIENCE = timedelta(seconds=8)
"""How long a page waits for an instrument before it says that it does not answer."""

FRESH = timedelta(seconds=2)
"""Readings this young are shown again: ten people on one incident ask Prometheus once."""

KEPT = 50
"""Incidents whose readings are kept."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A view that cannot be shown, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class RedPanel:
    """The RED dashboard and what it shows."""

    drawn: DrawnDashboard
    finding: Finding
    onset: datetime | None


@dataclass(frozen=True, slots=True)
class TracePanel:
    """The traces that stand for many, and whom they accuse.

    Attributes:
        bulk: per trace, the ids of the spans that are the accused place.
    """

    sample: TraceSample
    finding: Finding
    bulk: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class ProfilePanel:
    """The stacks seen while the traces were served.

    Attributes:
        leaf: the widest own leaf; None where the profiler saw none.
        trace_ids: of which traces; several where the reader chose none.
        services: those of the traces, whose profiles can be chosen.
    """

    service: str
    profile: Profile
    leaf: stacks.Leaf | None
    finding: Finding
    trace_ids: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlamePanel:
    """The last change of the function, beside what went live when."""

    finding: Finding
    deploys: tuple[Deploy, ...]
    blame: Blame | None
    onset: datetime | None


@dataclass(slots=True)
class _Read:
    """What is known of one incident; each panel with the instant it was read (monotonic)."""

    case: Case
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    panels: dict[str, tuple[float, Any]] = field(default_factory=dict)


class Readings:
    """The instruments, read incident by incident."""

    def __init__(self, instruments: Instruments, *, now: Callable[[], datetime]) -> None:
        self._of = instruments
        self._now = now
        self._reads: OrderedDict[str, _Read] = OrderedDict()

    @property
    def absent(self) -> frozenset[Step]:
        """The steps that do not apply here: the system has no instrument for them."""
        return self._of.absent

    async def burn(self, view: View) -> Mapping[str, float | None] | Unreadable:
        """Return the present burn rate per nominal window."""
        alerts = self._of.alerts
        if alerts is None:
            return _missing("Prometheus", "prometheus_url")
        return await self._fresh(
            view, "burn", "Prometheus", lambda _: alerts.burn_rates(slo=view.slo)
        )

    async def red(self, view: View) -> RedPanel | Unreadable:
        """Return the RED dashboard of the incident's service, up to now."""
        if self._of.metrics is None:
            return _missing("Prometheus", "prometheus_url")
        return await self._fresh(view, "red", "Prometheus", lambda r: self._red(view, r.case))

    async def traces(self, view: View) -> TracePanel | Unreadable:
        """Return the slow and failed traces that stand for many."""
        if self._of.traces is None and not self._of.graph:
            return self._missing(Step.TRACE, "the trace store", "traces_url")
        read = self._read(view)
        if read.case.red is None:
            await self.red(view)  # the onset narrows the search; it goes on without
        return await self._fresh(
            view, "traces", "the trace store", lambda r: self._traces(view, r.case)
        )

    async def profile(
        self, view: View, trace: str | None = None, *, service: str | None = None
    ) -> ProfilePanel | Unreadable:
        """Return the profile of the slow and failed traces, or of the one that is named.

        Args:
            service: whose; None: the one that the trace's finding names, or, where the machine was
                asked, the one that it accuses; else the paged one.
        """
        if self._of.profiles is None:
            return self._missing(Step.PROFILE, "the profile store", "profiles_url")
        if self._read(view).case.suspect is None:
            seen = await self.traces(view)
            if isinstance(seen, Unreadable):
                return Unreadable(f"the traces say whose profile to read, and {seen.why}")
        if self._read(view).case.suspect is None:
            return Unreadable("the traces accuse no service yet; look at them again")
        if trace is not None and trace not in self._shown(view):
            return Unreadable("this trace is not among those that are shown; choose it there")
        whose = service or self._whose(view)
        if whose not in self._services(view):
            if service is not None:
                return Unreadable(
                    f"no span of {service} is in these traces; choose a service there"
                )
            whose = view.service
        return await self._fresh(
            view,
            f"profile/{trace or ''}/{whose}",
            "the profile store",
            lambda r: self._profile(r.case, trace, whose),
        )

    def places(self, view: View) -> Mapping[str, Sequence[str]]:
        """Return the regions and services to choose among, as far as they were read; asks nobody.

        A runbook has to be there at once, also where no instrument answers.
        """
        case = self._read(view).case
        return {
            "region": case.red.regions if case.red is not None else (),
            "service": sorted(self._services(view)) if case.suspect is not None else (),
        }

    def _services(self, view: View) -> frozenset[str]:
        """Return whose profiles can be read: the services of the slow and failed traces."""
        suspect = self._read(view).case.suspect
        traces = suspect.traces if suspect is not None else ()
        return frozenset({view.service, *(s.service for t in traces for s in t.spans)})

    def _whose(self, view: View) -> str:
        suspect = self._read(view).case.suspect
        if suspect is not None and (Step.PROFILE in view.said.hints or not view.is_open):
            return suspect.place.service
        found = view.said.findings.get(Step.TRACE)
        return str((found.detail.get("service") if found else None) or view.service)

    async def blame(
        self, view: View, deploys: Callable[[], Awaitable[Sequence[Deploy]]]
    ) -> BlamePanel | Unreadable:
        """Return who changed the function last, and what went live when."""
        if self._read(view).case.place() is None:
            await self.traces(view)
        suspect = self._read(view).case.suspect
        if suspect is not None:
            # Whichever profile people look at, the machine reads that of the service it accuses.
            await self.profile(view, service=suspect.place.service)
        return await self._fresh(
            view, "blame", "the deploy timeline", lambda r: self._blame(r.case, deploys)
        )

    def _shown(self, view: View) -> frozenset[str]:
        """Return the ids of the bad traces that were shown last."""
        read = self._read(view)
        _, panel = read.panels.get("traces", (0.0, None))
        shown = panel.sample.bad if isinstance(panel, TracePanel) else ()
        accusing = read.case.suspect.traces if read.case.suspect else ()
        return frozenset(t.trace_id for t in (*shown, *accusing))

    def _missing(self, step: Step, what: str, setting: str) -> Unreadable:
        if step in self.absent:
            return Unreadable(f"{what} is not there on this system: the step does not apply")
        return _missing(what, setting)

    # --- reading ----------------------------------------------------------------------------

    async def _red(self, view: View, case: Case) -> RedPanel:
        metrics = self._of.metrics
        assert metrics is not None

        async def draw(
            expression: str, since: datetime, until: datetime, step: timedelta
        ) -> Sequence[Series]:
            return await metrics.range(expression, since=since, until=until, step=step)

        found = await drawn(
            draw,
            Dashboard("", self._of.red.of(view.service, window=view.short)),
            span=BurnSpan.of(case.page),
            now=self._now(),
            limit=view.slower or SLOW,
        )
        case.dashboard, case.red = found.dashboard, found.reading
        return RedPanel(found, findings.red(found.reading), found.reading.onset())

    async def _graph(self, view: View, case: Case) -> TracePanel:
        """Return what the calls between services tell, where nobody traces them."""
        metrics = self._of.metrics
        assert metrics is not None  # whoever names a graph names where its metrics are
        found = await read_graph(
            metrics,
            self._of.graph,
            service=view.service,
            onset=(case.red.onset() if case.red else None) or view.paged_at,
            now=self._now(),
            window=view.short,
        )
        nothing = f"no call of {view.service} is counted in the service graph"
        case.accused = found
        finding = findings.graph(found) if found else findings.unknown(Step.TRACE, nothing)
        return TracePanel(TraceSample((), ()), finding, {})

    async def _traces(self, view: View, case: Case) -> TracePanel:
        store = self._of.traces
        if store is None:
            return await self._graph(view, case)
        slower = view.slower or SLOW
        hunt = Hunt(
            service=view.service,
            since=view.burn_since,
            onset=case.red.onset() if case.red else None,
            slower=slower,
            failures=case.red is None
            or "errors" in case.red.moved()
            or not case.red.is_plain(slower),
        )
        found = await look(store, hunt, now=self._now())
        suspect = accuse(found.bad, found.quiet)
        if suspect is None:
            nothing = "no slow or failed trace of the burn window is in the trace store"
            return TracePanel(found, findings.unknown(Step.TRACE, nothing), {})
        case.suspect = suspect
        place = suspect.place
        bulk = {
            t.trace_id: frozenset(
                s.span_id
                for s in t.spans
                if s.service == place.service and s.name == suspect.span and s.kind == suspect.kind
            )
            for t in found.bad
        }
        return TracePanel(found, findings.trace(suspect, case.region()), bulk)

    async def _profile(self, case: Case, trace: str | None, service: str) -> ProfilePanel:
        source, suspect = self._of.profiles, case.suspect
        assert source is not None and suspect is not None
        ids = (trace,) if trace else tuple(t.trace_id for t in suspect.traces)
        ends = [t.root().started_at + t.root().duration for t in suspect.traces]
        profile = await source.by_trace(
            service=service,
            trace_ids=ids,
            since=suspect.first_at() - timedelta(seconds=5),
            until=max(self._now(), *ends),
        )
        services = tuple(sorted({s.service for t in suspect.traces for s in t.spans}))
        if service != suspect.place.service:
            other = f"the machine reads the profile of {suspect.place.service}"
            finding = findings.unknown(Step.PROFILE, other)
            return ProfilePanel(service, profile, None, finding, ids, services)
        packages = packages_of(suspect.place.service, self._of.sources)
        reading = stacks.read(profile, revision=revision_of(suspect), packages=packages)
        finding = case.judge_profile(suspect, reading)
        leaf = None
        if reading is not None:
            leaf = case.leaf or reading.talking or reading.working
        return ProfilePanel(service, profile, leaf, finding, ids, services)

    async def _blame(
        self, case: Case, deploys: Callable[[], Awaitable[Sequence[Deploy]]]
    ) -> BlamePanel:
        live = tuple(await deploys())
        suspect, code = case.suspect or case.accused, self._of.code
        assert code is not None
        case.blamed = None
        if suspect is None:
            nothing = "the step before names no service whose changes to look at"
            return BlamePanel(findings.unknown(Step.BLAME, nothing), live, None, case.onset())
        try:
            finding = await explain(
                case,
                suspect,
                live,
                code,
                sources=self._of.sources,
                has_profiles=Step.PROFILE not in self.absent,
            )
        except DriverError as error:
            # The deploy timeline is worth showing all the same.
            finding = findings.unknown(Step.BLAME, str(error))
        return BlamePanel(finding, live, case.blamed, case.onset())

    # --- once for everybody -----------------------------------------------------------------

    def _read(self, view: View) -> _Read:
        read = self._reads.pop(view.id, None)
        if read is None or read.case.page.burn_until != view.paged_at:
            read = _Read(Case(_page(view)))
        self._reads[view.id] = read
        while len(self._reads) > KEPT:
            self._reads.popitem(last=False)
        return read

    async def _fresh(
        self, view: View, name: str, what: str, ask: Callable[[_Read], Awaitable[T]]
    ) -> T | Unreadable:
        read = self._read(view)
        async with read.lock:
            at, panel = read.panels.get(name, (0.0, None))
            if panel is not None and time.monotonic() - at < FRESH.total_seconds():
                known: T | Unreadable = panel
                return known
            found: T | Unreadable
            try:
                found = await asyncio.wait_for(ask(read), PATIENCE.total_seconds())
            except DriverError as error:
                found = Unreadable(str(error))
            except TimeoutError:
                found = Unreadable(f"{what} did not answer within {PATIENCE.total_seconds():.0f} s")
            read.panels[name] = (time.monotonic(), found)
            return found


def _missing(what: str, setting: str) -> Unreadable:
    name = variable("tools", setting)
    return Unreadable(f"nobody said where {what} is: set {name} for the server")


def _page(view: View) -> Page:
    return Page(
        incident="",
        service=view.service,
        slo=view.slo,
        alert=view.alert,
        fired_at=view.fired_at,
        burn_from=view.burn_since,
        burn_until=view.paged_at,
        links=Links(red="", traces="", profile="", runbook=""),
    )
