"""Playing one plan: the numbered steps of a game day."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gameday.conductor.aftermath import aftermath
from gameday.conductor.deadlines import GRACE, Deadlines, injecting
from gameday.conductor.guard import Guard, Probe
from gameday.conductor.limit import CALL, heard, limited
from gameday.conductor.mitigations import ReversibleMitigations
from gameday.conductor.steady import Forget, SteadyStateCheck
from gameday.conductor.undos import Undos
from gameday.conductor.watch import Watch
from gameday.errors import (
    DriverError,
    Ground,
    PlanRefused,
    Refusal,
    RunAborted,
    SteadyStateNotMet,
)
from gameday.ledger import Ledger
from gameday.plan import Plan
from gameday.ports import (
    AlertSource,
    Clock,
    EffectSource,
    FaultDriver,
    PlannedFault,
    Responder,
    Store,
    Target,
)
from gameday.settings import Settings
from scoring.run_facts import BEAT_WITHIN
from scoring.timeline import Fact, Kind

T = TypeVar("T")

FAREWELL = timedelta(seconds=5)
"""How long a responder may still note what they saw once the alert has cleared."""


class Conductor:
    """Plays one plan and leaves nothing behind.

    1. Check the target, have it forget an earlier drill's bad minutes where it may, route its pages
       here, wait for the steady state.
    2. For each fault: commit its undo, hand it to the sentinel, inject it, note when it was there.
    3. Watch Prometheus.
    4. When the page arrives, wait until the responder, whom the engine of incidents pages,
       mitigated and the alert cleared, or until it is too late.
    5. Recover every fault, last first, and prove it; take the mitigations back.

    The guard ends steps 1 to 4 where an abort rule, an order or a real page says so, and they may
    be cancelled at any moment; step 5 always runs to its end.

    Args:
        responder: whoever is paged; None: nobody answers.
        undos: of this run.
        mitigations: what the responder may have done, for as long as the run goes on.
        probes: per name in the scenario's abort rules, what tells whether its steady state holds.
        effects: what tells of the target what a drill sets off; None where nothing does.
        forget: makes the target forget what its Prometheus has measured; None: it may not.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        ledger: Ledger,
        store: Store,
        clock: Clock,
        faults: FaultDriver,
        alerts: AlertSource,
        target: Target,
        responder: Responder | None,
        settings: Settings,
        undos: Undos,
        mitigations: ReversibleMitigations,
        deadlines: Deadlines,
        probes: Mapping[str, Probe] | None = None,
        effects: EffectSource | None = None,
        forget: Forget | None = None,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._faults = faults
        self._alerts = alerts
        self._target = target
        self._responder = responder
        self._settings = settings
        self._effects = effects
        self._forget = forget
        self._undos = undos
        self._mitigations = mitigations
        self._deadlines = deadlines
        self.watch = Watch(plan, ledger=ledger, alerts=alerts, clock=clock, every=settings.poll)
        self._guard = Guard(
            plan,
            ledger=ledger,
            store=store,
            alerts=alerts,
            watch=self.watch,
            clock=clock,
            probes=probes or {},
            effects=effects,
            unwatched=undos.unwatched,
        )

    async def play(self, *, webhook: str) -> None:
        """Play the plan from the steady state to the proven recovery.

        Args:
            webhook: where the target's Alertmanager shall send its pages.

        Raises:
            PlanRefused: the steady state did not hold, the system's or that of the only experiment
                begun; nothing was injected.
            RunAborted: an abort rule, an order or a real page stopped the run; everything was
                recovered.
            RecoveryError: a fault is still in place, or what it set off goes on without it.
            DriverError: the target cannot be reached or a fault could not be injected; what was
                injected before is recovered.
        """
        try:
            try:
                await self._unless_aborted(self._drill(webhook))
            finally:
                # Its error goes before whatever ended the drill: what is left matters most.
                await to_the_end(self._take_back())
            aborted = self._ledger.timeline.last(Kind.RUN_ABORTED)
            if aborted is not None:
                after = await aftermath(self._guard, self._ledger, self._clock)
                raise RunAborted(f"{aborted.data['reason']}{after and f'. {after}'}")
        finally:
            if self._effects is not None:
                await self._effects.end()

    async def _take_back(self) -> None:
        # First, or what is done meanwhile would stay.
        await self._mitigations.close()
        if self._responder is not None:
            await self._responder.leave()
        await self._undos.take_back()

    async def _unless_aborted(self, drill: Coroutine[Any, Any, None]) -> None:
        """Await the drill; end it where the guard finds a reason to, and record that."""
        playing = asyncio.ensure_future(drill)
        guarding = asyncio.ensure_future(self._guard.reason())
        both: set[asyncio.Future[Any]] = {playing, guarding}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
                return
            reason = guarding.result()
            self._ledger.record(
                Kind.RUN_ABORTED,
                source="conductor",
                data={"reason": reason.text, "by": reason.by},
            )
        finally:
            for task in both:
                task.cancel()
            await to_the_end(asyncio.wait(both))
            for task in both:
                if not task.cancelled():
                    task.exception()  # heard; what ended the drill is raised above

    async def _drill(self, webhook: str) -> None:
        await self._limited(self._target.check(), "the target")
        if self._responder is not None:
            await self._responder.stand_by()
        steady = SteadyStateCheck(
            self._plan,
            ledger=self._ledger,
            alerts=self._alerts,
            clock=self._clock,
            every=self._settings.poll,
            forget=self._forget,
        )
        # Before any page comes here: one of the earlier drill would open an incident of this one.
        await steady.cleared()
        await self._limited(self._target.route_pages(webhook), "the target's Alertmanager")
        await steady.awaited()
        if self._effects is not None:
            await self._limited(self._effects.begin(), "the target")
            self._guard.watch_effects()
        await self._between_injection_and_recovery()

    # --- 2. to 4. ---------------------------------------------------------------------------

    async def _between_injection_and_recovery(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                play = tasks.create_task(self._play_faults())
                first = await _either(self._first_injection(), play)
                if first is not None:
                    watch = tasks.create_task(self.watch.watch(first.happened_at))
                    await _either(self._outcome(first), watch)
                    watch.cancel()
                play.cancel()
        except BaseExceptionGroup as group:
            raise _root(group) from group

    async def _first_injection(self) -> Fact:
        fact = await self._ledger.expect(lambda f: f.kind == Kind.FAULT_INJECTED)
        assert fact is not None  # waits without a limit
        return fact

    async def _play_faults(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for fault in self._plan.faults:
                tasks.create_task(self._play_fault(fault))

    async def _play_fault(self, fault: PlannedFault) -> None:
        await self._clock.sleep(fault.at)
        within = injecting(fault)
        fault = await self._pinned(fault)
        await self._undos.keep(fault.undo, at_most=fault.duration + within + GRACE)
        self._undos.asked(fault.undo)
        asked_at = self._clock.now()
        try:
            injection = await self._limited(
                self._faults.inject(fault), f"the target of {fault.experiment}", within
            )
        except DriverError as error:
            if isinstance(error, SteadyStateNotMet):
                await to_the_end(self._undos.leave_alone(fault.undo))
                if not self._undos.of_faults:
                    self._ledger.record(
                        Kind.STEADY_STATE_CHECKED,
                        source="chaostoolkit",
                        subject=fault.experiment,
                        data={"met": False, "burn_rates": {}},
                    )
                    raise PlanRefused(_unsteady(fault, error)) from error
            self._not_injected(fault, error)
            raise
        self._ledger.record(
            Kind.FAULT_INJECTED,
            source="chaostoolkit",
            subject=fault.undo.id,
            data={"fault": fault.experiment, "undo": fault.undo.id, **injection.detail},
            happened_at=_believed(injection.injected_at, since=asked_at, now=self._clock.now()),
        )
        await self._undos.answered(fault.undo, at_most=fault.duration + GRACE)
        await self._clock.sleep(fault.duration)
        await to_the_end(self._undos.expire(fault.undo))

    async def _pinned(self, fault: PlannedFault) -> PlannedFault:
        pinning = self._faults.pinned(fault.undo)
        try:
            undo = await self._limited(pinning, f"the target of {fault.experiment}")
        except DriverError as error:
            self._not_injected(fault, error)
            raise
        return replace(fault, undo=undo)

    def _not_injected(self, fault: PlannedFault, error: DriverError) -> None:
        said = {"fault": fault.experiment, "error": str(error)}
        kind, undo = Kind.INJECTION_FAILED, fault.undo.id
        self._ledger.record(kind, source="chaostoolkit", subject=undo, data=said)

    async def _outcome(self, injected: Fact) -> None:
        if not self._plan.expects_alert:
            await self._clock.sleep(self._plan.silent_for)
            self._record_pipeline()
            return
        due = self._plan.awaited_for + self._plan.target.timing.group_wait
        waits_until = injected.happened_at + due + self._settings.detection_slack
        page = await self._ledger.expect(
            lambda f: (
                f.kind == Kind.PAGE_RECEIVED
                and f.happened_at > injected.happened_at
                and f.data.get("slo") == self._plan.slo.id
                and f.data.get("severity") == "page"
            ),
            within=max(waits_until - self._clock.now(), timedelta(seconds=1)),
        )
        if page is None:
            self._record_pipeline()
        if page is None or self._responder is None:
            return
        ended = asyncio.ensure_future(self._responder.ended())
        ended.add_done_callback(heard)
        try:
            await self._read_faults()
            mitigation = await self._mitigation(ended)
            if mitigation is not None:
                await self._read_faults(mitigated=True)
                await self._cleared(mitigation)
                leave = asyncio.ensure_future(self._clock.sleep(FAREWELL))
                both: set[asyncio.Future[Any]] = {ended, leave}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                leave.cancel()
        finally:
            if not ended.done():
                ended.cancel()
        if ended.done() and not ended.cancelled():
            code, detail = ended.result()
            self._ledger.record(
                Kind.RESPONDER_ENDED,
                source="responder",
                data={"code": code, "detail": detail},
            )

    async def _mitigation(self, ended: asyncio.Future[tuple[int, str]]) -> Fact | None:
        """Return the first mitigation that worked; None if the responder stops without one."""
        applied = asyncio.ensure_future(
            self._ledger.expect(
                lambda f: f.kind == Kind.MITIGATION_APPLIED and bool(f.data.get("ok"))
            )
        )
        patience = asyncio.ensure_future(self._clock.sleep(self._settings.answer_patience))
        try:
            awaited: set[asyncio.Future[Any]] = {applied, ended, patience}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            return applied.result() if applied.done() else None
        finally:
            applied.cancel()
            patience.cancel()

    async def _cleared(self, mitigation: Fact) -> None:
        """Return once no page branch fires any more, or when it should long have cleared."""
        quiet = 0
        waited = max(self._ledger.now() - mitigation.happened_at, timedelta(0))
        deadline = self._clock.elapsed() - waited + self._deadlines.clears_within()
        while self._clock.elapsed() < deadline:
            await self._clock.sleep(self._settings.poll)
            quiet = 0 if self.watch.firing() else quiet + 1
            if quiet == 1:
                await self._read_faults(mitigated=True)
            if quiet >= 3:  # a branch that was about to fire would have by now
                return

    def _record_pipeline(self) -> None:
        """Record whether a page could have come through, where none did: a beat just came."""
        beat = self._ledger.timeline.last(Kind.PIPELINE_BEAT)
        alive = beat is not None and self._clock.now() - beat.happened_at <= BEAT_WITHIN
        last = beat.happened_at.isoformat() if beat else None
        self._ledger.record(
            Kind.MEASUREMENT,
            source="conductor",
            subject=self._plan.slo.id,
            data={"what": "pipeline", "alive": alive, "last_beat_at": last},
        )

    async def _read_faults(self, *, mitigated: bool = False) -> None:
        """Read each fault back from the target and record whether it is still in place.

        One that was in place when the page came, that nobody but the responder has touched since,
        and that is gone once the mitigation is applied, was taken away *by* the mitigation: a
        rollback ends the bad deploy itself.
        """
        for undo in self._undos.of_faults:
            reads = self._ledger.timeline.of_kind(Kind.FAULT_READ)
            seen = [f for f in reads if f.subject == undo.id]
            present: bool | None
            try:
                present = await self._limited(self._faults.is_present(undo), "the target")
            except DriverError:
                present = None
            was_in_place = any(f.data.get("present") is True for f in seen)
            removed = mitigated and was_in_place and present is False
            by = {"by": "mitigation"} if removed else {}
            self._ledger.record(
                Kind.FAULT_READ,
                source="target",
                subject=undo.id,
                data={"undo": undo.id, "present": present, **by},
            )

    async def _limited(
        self, call: Coroutine[Any, Any, T], what: str, within: timedelta = CALL
    ) -> T:
        return await limited(self._clock, call, what, within)


def _believed(said: datetime, *, since: datetime, now: datetime) -> datetime:
    """Return when something was, by whoever reads a clock of their own: it may have been set."""
    return said if since <= said <= now else now


def _root(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a task group, out of however many groups it is wrapped in."""
    first = group.exceptions[0]
    return _root(first) if isinstance(first, BaseExceptionGroup) else first


async def _either(wanted: Awaitable[T], guard: asyncio.Task[None]) -> T | None:
    """Return the result of ``wanted``; None if the guard ends first.

    A guard that ends with an error belongs to the caller's task group, which raises it.
    """
    task = asyncio.ensure_future(wanted)
    task.add_done_callback(heard)
    try:
        await asyncio.wait({task, guard}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        if not task.done():
            task.cancel()


async def to_the_end(wanted: Awaitable[T]) -> T:
    """Return the result of ``wanted`` however often the caller is cancelled meanwhile.

    A cancellation that came meanwhile goes on afterwards: recovery is not something that a second
    Ctrl-C may stop half-way.
    """
    task = asyncio.ensure_future(wanted)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001 - it is the task's own; result() raises it below
            break
    if cancelled is not None and not task.cancelled() and task.exception() is None:
        raise cancelled
    return task.result()


def _unsteady(fault: PlannedFault, error: DriverError) -> Refusal:
    remedy = f"see the steady-state-hypothesis of the experiment {fault.experiment}"
    return Refusal(Ground.STEADY_STATE, str(error), remedy)
