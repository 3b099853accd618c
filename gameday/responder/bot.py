"""The reference responder: from the page to the mitigation, along the funnel and nothing else.

It is told what a person on call is told, opens the same links and reads the same data. Every step
is reported as soon as it is known; a step whose tool does not answer is reported as unknown, and
the next ones go on with what can be known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from gameday.diagnosis import findings, red, stacks
from gameday.diagnosis.blame import explain
from gameday.diagnosis.case import Case, revision_of
from gameday.diagnosis.code import packages_of
from gameday.diagnosis.dashboard import drawn
from gameday.diagnosis.graph_reading import read_graph
from gameday.diagnosis.links import Dashboard, ProfileView, TraceSearch
from gameday.diagnosis.remedy import Remedies, Remedy, check_of, remedies, vigil_of
from gameday.diagnosis.sampling import Hunt, sample
from gameday.diagnosis.suspicion import Suspect, accuse
from gameday.errors import DriverError, SpecError, TemporaryDriverError
from gameday.model.page import Finding, Page, Step
from gameday.model.runbook import CauseKind, Runbook
from gameday.model.signals import Profile, Series
from gameday.model.toolbox import NO_TOOLS, Toolbox
from gameday.ports import (
    Clock,
    CodeHistory,
    IncidentDesk,
    ProfileSource,
    SignalSource,
    TraceSource,
)
from gameday.spec.runbook import parse_runbook

__all__ = ["Bot"]

TRIES = 3
"""How often a tool that does not answer is asked."""

STEP = timedelta(seconds=1)
RED_PATIENCE = timedelta(seconds=12)
RED_PAUSE = timedelta(seconds=1.5)
PROFILE_LAG = timedelta(seconds=15)
"""How long to wait for the profile of a cause in code; profilers push every few seconds."""
PROFILE_LAG_WAITING = timedelta(seconds=6)
"""How long where the spans say that the service waits: the profile only adds where."""
VIGIL = timedelta(seconds=60)
VIGIL_PAUSE = timedelta(seconds=2)
T = TypeVar("T")


class Bot:
    """Answers one page at a time.

    The ``open_…`` callables make a source out of the base URL that a deeplink leads to.
    """

    def __init__(
        self,
        desk: IncidentDesk,
        open_metrics: Callable[[str], SignalSource],
        open_traces: Callable[[str], TraceSource],
        open_profiles: Callable[[str], ProfileSource],
        code: CodeHistory,
        clock: Clock,
        toolbox: Toolbox = NO_TOOLS,
    ) -> None:
        self._desk = desk
        self._toolbox = toolbox
        self._open_metrics = open_metrics
        self._open_traces = open_traces
        self._open_profiles = open_profiles
        self._code = code
        self._clock = clock

    async def work(self, page: Page) -> None:
        """Acknowledge, diagnose, mitigate, and stay until the service has recovered.

        Raises:
            DriverError: the incident's desk itself cannot be reached.
        """
        await self._desk.acknowledge()
        case = Case(page)
        await self._step(case, Step.RED, self._read_red)
        await self._step(case, Step.TRACE, self._read_traces)
        await self._step(case, Step.PROFILE, self._read_profile)
        await self._step(case, Step.BLAME, self._read_changes)
        runbook, found = await self._read_runbook(case)
        await self._report(case, found)
        applied = await self._mitigate(case, found)
        if runbook is not None:
            await self._tick_checks(case, runbook)
        if applied is not None:
            await self._desk.tick(applied.step, done=True, note=f"started {applied.name}")
            await self._watch(case, runbook)

    # --- RED --------------------------------------------------------------------------------

    async def _read_red(self, case: Case) -> Finding:
        page = case.page
        dashboard = Dashboard.parse(await self._desk.follow(page.links.red))
        if not dashboard.expressions:
            return findings.unknown(
                Step.RED, "the RED link shows no expressions, or does not say what they draw"
            )
        case.dashboard = dashboard
        # The page may be younger than the rates drawn: look until something moved that users feel,
        # and once more after that, since not every region shows it in the same second.
        give_up = self._clock.elapsed() + RED_PATIENCE
        was_plain = False
        while True:
            now = self._clock.now()
            dashboard, reading = await self._closest_reading(case, dashboard, now)
            is_plain = reading.is_plain(red.SLOW)
            if (is_plain and was_plain) or self._clock.elapsed() >= give_up:
                break
            was_plain = is_plain
            await self._clock.sleep(RED_PAUSE)
        case.dashboard, case.red = dashboard, reading
        return findings.red(reading)

    async def _closest_reading(
        self, case: Case, dashboard: Dashboard, now: datetime
    ) -> tuple[Dashboard, red.RedReading]:
        metrics = self._open_metrics(dashboard.base)

        async def draw(
            expression: str, since: datetime, until: datetime, step: timedelta
        ) -> Sequence[Series]:
            return await self._patiently(
                lambda: metrics.range(expression, since=since, until=until, step=step)
            )

        found = await drawn(draw, dashboard, span=red.BurnSpan.of(case.page), now=now)
        return found.dashboard, found.reading

    # --- traces -----------------------------------------------------------------------------

    async def _read_graph(self, case: Case) -> Finding:
        """Find the cause among the calls between services, where nobody traces them."""
        if case.dashboard is None:
            return findings.unknown(Step.TRACE, "no metrics could be read, and there are no traces")
        metrics, page = self._open_metrics(case.dashboard.base), case.page
        onset = (case.red.onset() if case.red else None) or page.fired_at
        window = case.dashboard.rate_window() or timedelta(seconds=5)
        found = await self._patiently(
            lambda: read_graph(
                metrics,
                self._toolbox.graph,
                service=page.service,
                onset=onset,
                now=self._clock.now(),
                window=window,
            )
        )
        if found is None:
            return findings.unknown(
                Step.TRACE, f"no call of {page.service} is counted in the service graph"
            )
        case.accused = found
        return findings.graph(found)

    async def _read_traces(self, case: Case) -> Finding:
        if self._toolbox.graph:
            return await self._read_graph(case)
        page = case.page
        link = TraceSearch.parse(await self._desk.follow(page.links.traces))
        store = self._open_traces(link.base)
        hunt = Hunt(
            service=self._toolbox.at(link.base).names.to_ours(link.service or page.service),
            since=link.since or page.burn_from,
            onset=case.red.onset() if case.red else None,
            slower=link.min_duration or red.SLOW,
            failures=case.red is None
            or "errors" in case.red.moved()
            or not case.red.is_plain(red.SLOW),
        )
        found = await self._patiently(lambda: sample(store, hunt, self._clock))
        suspect = accuse(found.bad, found.quiet)
        if suspect is None:
            return findings.unknown(
                Step.TRACE, "no slow or failed trace of the burn window is in the trace store"
            )
        case.suspect = suspect
        return findings.trace(suspect, case.region())

    # --- profile ----------------------------------------------------------------------------

    async def _read_profile(self, case: Case) -> Finding:
        link = ProfileView.parse(await self._desk.follow(case.page.links.profile))
        suspect = case.suspect
        if suspect is None:
            return findings.unknown(Step.PROFILE, "the traces name no service to profile")
        source = self._open_profiles(link.base)
        revision = revision_of(suspect)
        reading = await self._wait_for_profile(source, suspect, revision, case.is_code())
        return case.judge_profile(suspect, reading)

    async def _wait_for_profile(
        self, source: ProfileSource, suspect: Suspect, revision: str | None, is_code: bool
    ) -> stacks.ProfileReading | None:
        ids = [t.trace_id for t in suspect.traces]
        ends = [t.root().started_at + t.root().duration for t in suspect.traces]
        since = suspect.first_at() - timedelta(seconds=5)
        deadline = self._clock.elapsed() + (PROFILE_LAG if is_code else PROFILE_LAG_WAITING)
        # A third of the time the spans saw: then the later pushes cannot turn the picture.
        enough = suspect.time * len(ids) / 3
        while True:
            now = self._clock.now()
            profile: Profile = await self._patiently(
                lambda until=max(now, *ends): source.by_trace(  # type: ignore[misc]
                    service=suspect.place.service, trace_ids=ids, since=since, until=until
                )
            )
            packages = packages_of(suspect.place.service, self._toolbox.sources)
            reading = stacks.read(profile, revision=revision, packages=packages)
            if reading is not None and (reading.total >= enough or not is_code):
                return reading
            if self._clock.elapsed() >= deadline:
                return reading
            await self._clock.sleep(STEP)

    # --- changes ----------------------------------------------------------------------------

    async def _read_changes(self, case: Case) -> Finding:
        suspect = case.suspect or case.accused
        if suspect is None:
            return findings.unknown(
                Step.BLAME, "the step before names no service whose changes to look at"
            )
        deploys = await self._patiently(self._desk.deploys)
        return await self._patiently(
            lambda: explain(
                case,
                suspect,
                deploys,
                self._code,
                sources=self._toolbox.sources,
                has_profiles=Step.PROFILE not in self._toolbox.absent,
            )
        )

    # --- mitigation -------------------------------------------------------------------------

    async def _read_runbook(self, case: Case) -> tuple[Runbook | None, Remedies]:
        try:
            text = await self._patiently(lambda: self._desk.read(case.page.links.runbook))
            runbook = parse_runbook(text, f"{case.page.alert}.md")
        except (DriverError, SpecError) as error:
            case.unknown.add(Step.MITIGATE)
            return None, Remedies((), f"the runbook cannot be read: {error}")
        place = case.place()
        if place is None:
            return runbook, Remedies((), "the cause is not known, and nothing is tried at random")
        kind: CauseKind = "code" if case.is_code() and case.deploy else "downstream"
        return runbook, remedies(
            runbook,
            service=place.service,
            downstream=place.downstream or None,
            kind=kind,
            region=case.region(),
        )

    async def _report(self, case: Case, found: Remedies) -> None:
        if Step.MITIGATE in case.unknown:
            await self._hand_in(findings.unknown(Step.MITIGATE, found.reason))
        elif not found.usable:
            await self._hand_in(findings.no_mitigation(found.reason))

    async def _mitigate(self, case: Case, found: Remedies) -> Remedy | None:
        """Start the first fix that can be started; where one fails, the next is tried."""
        for remedy in found.usable:
            cause = str(case.place() or case.page.service)
            await self._hand_in(findings.mitigation(remedy, cause, found.reason))
            try:
                await self._desk.mitigate(remedy.name, remedy.parameters)
            except DriverError as error:
                await self._desk.tick(remedy.step, done=False, note=str(error))
                continue
            return remedy
        return None

    async def _tick_checks(self, case: Case, runbook: Runbook) -> None:
        for check in runbook.first_checks:
            step = check_of(check.id, check.text)
            if step is None:
                await self._desk.tick(check.id, done=False, note="not a check this responder knows")
            elif step in case.unknown:
                await self._desk.tick(check.id, done=False, note="its tool did not answer")
            else:
                await self._desk.tick(check.id, done=True)

    # --- recovery ---------------------------------------------------------------------------

    async def _watch(self, case: Case, runbook: Runbook | None) -> None:
        """Stay until what moved is back, `VIGIL` at most, and note it in the runbook's own step."""
        step = vigil_of(runbook) if runbook else None
        if case.dashboard is None or case.red is None or not case.red.movements:
            if step is not None:
                await self._desk.tick(step.id, done=False, note="RED cannot be read")
            return
        began = self._clock.elapsed()
        quiet = 0
        while quiet < 2 and self._clock.elapsed() - began < VIGIL:
            await self._clock.sleep(VIGIL_PAUSE)
            quiet = quiet + 1 if await self._is_back(case.dashboard, case.red) else 0
        took = (self._clock.elapsed() - began).total_seconds()
        note = f"back at baseline after {took:.0f} s" if quiet >= 2 else f"not back in {took:.0f} s"
        if step is not None:
            await self._desk.tick(step.id, done=quiet >= 2, note=note)

    async def _is_back(self, dashboard: Dashboard, reading: red.RedReading) -> bool:
        now = self._clock.now()
        metrics = self._open_metrics(dashboard.base)
        present: dict[tuple[str, str], float] = {}
        for signal, expression in dashboard.expressions.items():
            try:
                series = await metrics.range(
                    expression, since=now - 3 * STEP, until=now - STEP, step=STEP
                )
            except DriverError:
                return False
            for one in series:
                if one.samples:
                    key = (signal.value, one.labels.get("region", ""))
                    present[key] = max(present.get(key, 0.0), one.samples[-1].value)
        # A region without traffic has no errors and no duration: nobody waits there any more.
        return all(
            present.get((m.signal, m.region), m.before) <= m.before + (m.after - m.before) / 4
            for m in reading.movements
            if m.signal != "rate" and m.after > m.before
        )

    # --- the way of working -----------------------------------------------------------------

    async def _step(
        self, case: Case, step: Step, work: Callable[[Case], Awaitable[Finding]]
    ) -> None:
        if step in self._toolbox.absent:
            return  # there is nothing to read, and nothing to say
        try:
            finding = await work(case)
        except DriverError as error:
            finding = findings.unknown(step, str(error))
        if finding.detail.get("unknown"):
            case.unknown.add(step)
        await self._hand_in(finding)

    async def _hand_in(self, finding: Finding) -> None:
        await self._desk.report(finding.model_copy(update={"found_at": self._clock.now()}))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        for _ in range(TRIES - 1):
            try:
                return await ask()
            except TemporaryDriverError as error:
                await self._clock.sleep(error.retry_after)
        return await ask()
