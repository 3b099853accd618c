"""Playing a scenario on a target, from its files to its stored, judged result."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from gameday import plan
from gameday.conductor import Conductor, Recoverer
from gameday.conductor.deadlines import Deadlines
from gameday.conductor.limit import limited
from gameday.conductor.mitigations import ReversibleMitigations
from gameday.conductor.run import to_the_end
from gameday.conductor.undos import Undos
from gameday.drivers.clock import SteadyClock, SystemClock
from gameday.errors import DriverError, GamedayError, PlanRefused, RecoveryError, StoreError
from gameday.governance.admission import Admitted
from gameday.house.processes.sentinel_process import sentinel
from gameday.house.processes.undoers import Undoers
from gameday.house.run.announcement import announced
from gameday.house.run.drill import Door, DrillIncidents, Loom, at_home
from gameday.house.run.endings import timeline_path, write_timeline
from gameday.house.run.judgement import expectation, judge, unjudged
from gameday.house.run.stories import Story
from gameday.house.targets.instruments import toolbox_of
from gameday.house.targets.open_system import OpenSystem
from gameday.ledger import Ledger
from gameday.model.page import Page
from gameday.model.result import RunResult
from gameday.model.scenario import ResponderKind
from gameday.model.signals import samples
from gameday.model.toolbox import Toolbox
from gameday.ports import (
    AlertSource,
    Clock,
    FaultDriver,
    Lease,
    Pager,
    Responder,
    Store,
    Undoer,
)
from gameday.settings import Settings
from scoring.detection import recompute
from scoring.form import to_json
from scoring.run_facts import RunFacts
from scoring.slo import NoData, nominal
from scoring.timeline import Kind
from scoring.verdict import RunVerdict

OnPlan = Callable[[plan.Plan, Ledger, Conductor], None]
"""Told about a run before it begins."""


def _responder(
    kind: ResponderKind,
    *,
    clock: Clock,
    token: str,
    at_home: Callable[[Page], Page],
    toolbox: Toolbox,
) -> Responder | None:
    if kind is ResponderKind.NONE:
        return None
    if kind is ResponderKind.BOT:
        from gameday.house.processes.bot_process import BotProcess

        return BotProcess(clock=clock, token=token, at_home=at_home, toolbox=toolbox)
    from gameday.house.processes.person import Person

    return Person(clock=clock)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run needs beside the system it plays on; a rehearsal brings its own.

    Attributes:
        clock: whose time it is.
        sentinel: starts the run's sentinel, given the run's id and its lease.
        responder: whoever answers pages, given what the scenario asks for.
        undoer: understands every kind of undo, given the system's own driver of faults.
        loom: what the engine of incidents is driven by.
    """

    clock: Clock = field(default_factory=SystemClock)
    sentinel: Callable[..., AbstractAsyncContextManager[Lease]] = sentinel
    responder: Callable[..., Responder | None] = _responder
    undoer: Callable[[FaultDriver], Undoer] = Undoers
    loom: Loom = field(default_factory=Loom)


async def play(
    story: Story,
    system: OpenSystem,
    admitted: Admitted,
    *,
    store: Store,
    settings: Settings,
    door: Door,
    tool: Pager | None = None,
    on_plan: OnPlan = lambda *_: None,
    around: Surroundings | None = None,
) -> tuple[RunResult, GamedayError | None]:
    """Play what was admitted and return (its result, the error that ended it early or None).

    The result is stored and judged in every case: also of a run that was refused, aborted, failed
    or interrupted. Only a cancellation, or what nobody thought of, goes on to the caller, after all
    of that.

    Args:
        door: where the run is reached.
        tool: the pager that calls a drill's on-call, beside the console; None: nothing does.
        on_plan: told about the run before it begins; the live view hangs on this.
        around: the clock, the sentinel and the responder; the real ones where None.

    Raises:
        StoreError: not even its beginning could be written down.
    """
    around = around or Surroundings()
    clock = SteadyClock(around.clock)  # a run is timed by one clock, whatever is set meanwhile
    planned = admitted.plan
    story = story.in_force(system.slo)
    run = planned.run
    store.open_run(
        run,
        scenario=story.scenario.metadata.name,
        target=system.target.name,
        started_at=clock.now(),
        documents=story.documents.to_mapping(),
    )
    ledger = Ledger(run, store=store, clock=clock)
    ending = _Ending()
    open_ = AsyncExitStack()
    # The run's note on this machine outlives its doors: whoever sees it gone looks for the result.
    with ExitStack() as noted:
        with ending.noted():
            _record_start(ledger, admitted, story)
            try:
                lease = await open_.enter_async_context(around.sentinel(run, lease=settings.lease))
                undos = _undos(store, ledger, clock, settings, lease, around.undoer(system.faults))
                deadlines = Deadlines(planned, ledger=ledger, settings=settings)
                mitigations = ReversibleMitigations(
                    system.target, run=run, undos=undos, at_most=deadlines.longest
                )
                responder = around.responder(
                    story.scenario.spec.responder,
                    clock=clock,
                    token=door.token,
                    at_home=at_home(door),
                    toolbox=toolbox_of(system),
                )
                incidents = DrillIncidents(
                    run,
                    story,
                    system,
                    store=store.of_run(run),
                    ledger=ledger,
                    door=door,
                    clock=clock,
                    responder=responder,
                    tool=tool,
                    mitigator=mitigations,
                    escalates=settings.drill.escalates,
                    loom=around.loom,
                )
                await open_.enter_async_context(incidents.running())
                await open_.enter_async_context(door.serving(incidents.served))
                noted.enter_context(announced(settings, run, door.url, token=door.token))
                conductor = Conductor(
                    planned,
                    ledger=ledger,
                    store=store,
                    clock=clock,
                    faults=system.faults,
                    alerts=system.alerts,
                    target=system.target,
                    responder=responder,
                    settings=settings,
                    undos=undos,
                    mitigations=mitigations,
                    deadlines=deadlines,
                    probes={
                        name: partial(system.faults.steady, str(path))
                        for name, path in story.probes.items()
                    },
                    effects=system.effects,
                    forget=system.forget,
                )
                on_plan(planned, ledger, conductor)
                # Noted at once: what comes while the doors close must not replace it.
                with ending.noted():
                    await conductor.play(webhook=door.webhook)
                if ending.cancelled is None and ending.defect is None:
                    with ending.noted():
                        await _measure(planned, ledger, system.alerts, clock)
            finally:
                await to_the_end(open_.aclose())
        path = timeline_path(settings, run)
        result = _conclude(ledger, story, ending, timeline=path)
        with ending.noted():
            write_timeline(path, ledger.timeline)
        with ending.noted():
            store.close_run(run, ended_at=clock.now(), result=result)
    if ending.defect is not None:
        raise ending.defect
    if ending.cancelled is not None and not isinstance(ending.error, RecoveryError):
        raise ending.cancelled
    return result, ending.error


def _undos(
    store: Store, ledger: Ledger, clock: Clock, settings: Settings, lease: Lease, undoer: Undoer
) -> Undos:
    recovery = Recoverer(
        undoer=undoer, store=store, clock=clock, budget=settings.recovery_budget, lease=lease
    )
    return Undos(
        ledger=ledger,
        store=store,
        lease=lease,
        clock=clock,
        recovery=recovery,
        settle=settings.lease,
    )


@dataclass(slots=True)
class _Ending:
    """How a run ended, whatever comes while it is being closed.

    Attributes:
        error: what ended it early: the first one, but something left in place goes before all.
        cancelled: an interruption; it goes on when everything else is done.
        defect: what nobody thought of; likewise, for it must not leave a run without an end.
    """

    error: GamedayError | None = None
    cancelled: asyncio.CancelledError | None = None
    defect: Exception | None = None

    def has_failed(self, result: RunResult) -> bool:
        """Return whether the run broke off, or something it changed is not proven gone."""
        if self.defect is not None:
            return True
        if isinstance(self.error, RecoveryError):
            return bool(result.recovery.open)
        return self.cancelled is None and isinstance(self.error, DriverError | StoreError)

    def mistake(self) -> dict[str, str]:
        """Return what the end of the run says of a defect; empty where there is none."""
        if self.defect is None:
            return {}
        return {"reason": f"a mistake in gameday: {type(self.defect).__name__}"}

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep what ends this context, and go on."""
        try:
            yield
        except GamedayError as failure:
            if self.error is None or isinstance(failure, RecoveryError):
                self.error = failure
        except asyncio.CancelledError as interruption:
            self.cancelled = interruption
        except Exception as defect:  # noqa: BLE001 - it is raised when the run has its end
            self.defect = self.defect or defect


def _conclude(ledger: Ledger, story: Story, ending: _Ending, *, timeline: Path) -> RunResult:
    """Judge a run by what it recorded, record its end, and return its result.

    A run that cannot be judged has an end as well: it failed.
    """
    where = str(timeline)
    with ending.noted():
        if ending.cancelled is not None:
            ledger.record(Kind.RUN_ABORTED, source="operator", data={"reason": "interrupted"})
        elif ending.defect is not None or isinstance(ending.error, DriverError | StoreError):
            # The timeline alone cannot tell an unreachable target from a refusal.
            failed = {"verdict": str(RunVerdict.FAILED)} | ending.mistake()
            ledger.record(Kind.RUN_ENDED, source="conductor", data=failed)
        elif isinstance(ending.error, PlanRefused):
            reasons = to_json(ending.error.refusals)
            ledger.record(Kind.RUN_REFUSED, source="conductor", data={"refusals": reasons})
    result = None
    with ending.noted():
        result = judge(ledger.run, ledger.timeline, story.documents, timeline_path=where)
    if result is None:
        result = unjudged(ledger.run, ledger.timeline, timeline_path=where)
    if ending.has_failed(result):
        # Also where the store did not take the fact that says so.
        result = replace(result, verdict=RunVerdict.FAILED)
    with ending.noted():
        if ledger.timeline.last(Kind.RUN_ENDED) is None:
            ended = {"verdict": str(result.verdict)} | ending.mistake()
            ledger.record(Kind.RUN_ENDED, source="conductor", data=ended)
    return result if ending.defect is None else replace(result, verdict=RunVerdict.FAILED)


def _record_start(ledger: Ledger, admitted: Admitted, story: Story) -> None:
    planned, spec = admitted.plan, story.scenario.spec
    digest = hashlib.sha256(story.documents.scenario.encode()).hexdigest()
    ledger.record(
        Kind.RUN_STARTED,
        source="conductor",
        subject=story.scenario.metadata.name,
        data={
            "scenario": story.scenario.metadata.name,
            "target": planned.target.name,
            "time_scale": planned.target.time_scale,
            "responder": str(spec.responder),
            "digest": digest[:16],
        },
    )
    record = replace(planned.record(), notices=admitted.notices)
    ledger.record(Kind.PLAN_MADE, source="conductor", subject=story.slo.id, data=record.to_json())
    if admitted.permission is not None:
        given = admitted.permission.to_json()
        ledger.record(Kind.START_PERMITTED, source="operator", data=given)


async def _measure(planned: plan.Plan, ledger: Ledger, alerts: AlertSource, clock: Clock) -> None:
    """Recompute from the raw counters when the alert had to fire and to clear, and record it."""
    injected = ledger.timeline.first(Kind.FAULT_INJECTED)
    if injected is None:
        return
    now = ledger.now()
    longest = max((w.long for w in planned.page_windows), default=timedelta(0))
    try:
        reading = alerts.counters(
            good_query=planned.slo.good_query or planned.slo.bad_query,
            total_query=planned.slo.total_query,
            since=injected.happened_at - longest - timedelta(seconds=15),
            until=now,
        )
        counters = await limited(clock, reading, "Prometheus")
        started_at = await limited(clock, alerts.started_at(), "Prometheus")
    except DriverError as error:
        _unmeasured(ledger, str(error))
        return
    # The one that the judges will count the reset from.
    applied = RunFacts(ledger.timeline, expectation(planned.scenario, planned.slo)).mitigation
    alerts_fired = ledger.timeline.of_kind(Kind.ALERT_FIRED)
    fired = {str(f.data.get("long")) for f in alerts_fired}
    mitigated = applied.happened_at if applied else None
    seen = recompute(
        samples(counters.good),
        samples(counters.total),
        () if planned.slo.unread else planned.page_windows,
        planned.real_objective,
        timing=planned.target.timing,
        injected_at=injected.happened_at.timestamp(),
        until=now.timestamp(),
        mitigated_at=mitigated.timestamp() if mitigated else None,
        fired=None
        if planned.slo.is_joint
        else [
            real
            for declared, real in zip(planned.slo.windows, planned.windows, strict=True)
            if nominal(declared.long) in fired and real in planned.page_windows
        ],
        # All branches stand in one group of rules, which Prometheus evaluates at one instant.
        evaluated_at=alerts_fired[0].happened_at.timestamp() if alerts_fired else None,
        counts_bad=bool(planned.slo.bad_query),
    )
    if isinstance(seen, NoData):
        _unmeasured(ledger, seen.reason)
        return
    start = injected.happened_at.timestamp()
    settled = mitigated.timestamp() if mitigated else start
    ledger.record(
        Kind.MEASUREMENT,
        source="prometheus",
        subject=planned.slo.id,
        data={
            "what": "detection",
            "prometheus_started_at": started_at.isoformat() if started_at else None,
            "predicted_seconds": _after(seen.fires_at, start),
            "upper_seconds": _after(seen.fires_at_latest, start),
            "resets_predicted_seconds": _after(seen.resets_at, settled),
            "resets_upper_seconds": _after(seen.resets_at_latest, settled),
            "windows_full": None if planned.slo.unread else seen.windows_full,
            "windows_clean": None if planned.slo.unread else seen.windows_clean,
            "history_ratio": seen.history_ratio,
            "budget_spent_ratio": seen.budget_spent_ratio,
            "unpredicted": planned.slo.unread,
            "bad_events": seen.bad_events,
            "all_events": seen.all_events,
        },
    )


def _unmeasured(ledger: Ledger, error: str) -> None:
    ledger.record(
        Kind.MEASUREMENT_FAILED, source="conductor", data={"what": "counters", "error": error}
    )


def _after(instant: float | None, start: float) -> float | None:
    return None if instant is None else round(instant - start, 3)


def as_json(value: Mapping[str, Any]) -> str:
    """Return an object as ``--json`` prints it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
