"""Whole game days in milliseconds: the real conductor and the real sentinel in a simulated world.

`rehearse` plays what a seed draws, from the plan to the judged result, and checks afterwards that
the promises of a run were kept. All that is not simulated is the product itself: `house.play`, the
conductor, the ledger, the incident, the sentinel, the judges.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

from gameday.conductor import Outcome, Recoverer
from gameday.errors import GamedayError
from gameday.governance.admission import Admitted
from gameday.house.run.drill import Loom
from gameday.house.run.judgement import Documents
from gameday.house.run.planning import make_plan
from gameday.house.run.play import Surroundings, play
from gameday.house.run.stories import Story, rubric_text
from gameday.house.targets.open_system import OpenSystem
from gameday.incidents import deeplinks
from gameday.model.result import RunResult
from gameday.model.scenario import ResponderKind
from gameday.ports import AlertSource, FaultDriver, Order, OrderKind, Store, Target, Undo, Undoer
from gameday.settings import RunSettings, Settings, StoreSettings
from gameday.testing.burning import SimulatedAlertmanager, SimulatedPrometheus
from gameday.testing.disk import Inline
from gameday.testing.drawing import LANDS_WITHIN, OPERATOR, RUN, SENTINEL, Drawn, DrawnMoment, draw
from gameday.testing.failures import KILLING, ORDERS, Calls, Failure, Port, Way
from gameday.testing.machine import Machine, MachineClock, StandsStill
from gameday.testing.memory import MemoryStore
from gameday.testing.oncall import OnCall, RehearsalDoor
from gameday.testing.promises import THEIRS, Promises
from gameday.testing.sentinel import SentinelPost
from gameday.testing.world import SHIELD, SimulatedFaults, SimulatedTarget, SimulatedUndoer, World
from scoring.verdict import RunVerdict

__all__ = ["Parts", "Rehearsed", "rehearse"]

RUN_ID = "rehearsed"
TIME_SCALE = 60.0
LONGEST = timedelta(minutes=30)
"""Nothing a seed draws may keep a run, a sentinel or an operator busy for longer."""

REAL = "cart"
"""The service that has a real incident."""

BY_HAND = 10
"""How often somebody types ``gameday recover`` before they give up."""

STORE = (
    *("open_run", "append", "save_undo", "close_undo", "open_undos", "give", "orders"),
    *("close_run", "facts", "documents"),
)
STORE_OF_INCIDENTS = (
    *("commit", "group_facts", "facts_after", "last_number", "open_groups"),
    *("incidents", "incident"),
)
ALERTS = ("alerts", "counters", "burn_rates", "timing", "values")
FAULTS = ("pinned", "inject", "steady", "is_present", "recover")
TARGET = ("check", "mitigate", "route_pages")
UNDOER = ("is_present", "recover")

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: orders}
spec:
  service: web
  indicator:
    metadata: {name: orders}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: good}}}
        total: {metricSource: {type: Prometheus, spec: {query: total}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""

Play = Callable[..., Coroutine[Any, Any, tuple[RunResult, GamedayError | None]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a rehearsal that a test may replace: to see whether the promises notice.

    Attributes:
        faults: the driver that injects, given the world.
        undoer: of run, sentinel and operator, given the world.
        play: how a run is played.
    """

    faults: Callable[[World], FaultDriver] = SimulatedFaults
    undoer: Callable[[World], Undoer] = SimulatedUndoer
    play: Play = play


@dataclass(slots=True)
class Rehearsed:
    """One rehearsal and what came of it.

    Attributes:
        outcome: how the run ended: a verdict, ``interrupted``, ``killed``, or the name of the error
            that went on to its caller.
        error: name of the error that ended it early; empty without one.
        verdict: of the stored result; None where none was stored.
        sentinel: how its watch ended; ``killed``, or ``never started``.
        by_hand: how often ``gameday recover`` was needed.
        happened: what went wrong, as (second, failure).
        violations: promises that were not kept; empty when all is well.
        timeline: the stored facts, a line of JSON each, then every change of the world.
        seconds: of virtual time.
        calls: how often each outside call was made.
    """

    seed: int
    drawn: Drawn
    outcome: str = ""
    error: str = ""
    verdict: RunVerdict | None = None
    sentinel: str = "never started"
    by_hand: int = 0
    happened: list[tuple[float, Failure | DrawnMoment]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    timeline: str = ""
    seconds: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)


def rehearse(seed: int, *, drawn: Drawn | None = None, parts: Parts | None = None) -> Rehearsed:
    """Play what a seed draws and return what came of it; never raises for what a run does.

    Args:
        drawn: something else than what the seed draws.
        parts: what is to replace the real thing.
    """
    scene = _Scene(seed, drawn or draw(seed), parts or Parts())
    return scene.play()


@cache
def _settings() -> Settings:
    folder = Path(tempfile.mkdtemp(prefix="gameday-rehearsal-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Settings(
        store=StoreSettings(state=folder),
        run=RunSettings(
            recovery_budget=timedelta(seconds=6),
            answer_patience=timedelta(seconds=40),
            detection_slack=timedelta(seconds=3),
        ),
    )


@cache
def _rubric() -> str:
    return rubric_text("default")


def _story(text: str) -> Story:
    documents = Documents(
        scenario=text,
        scenario_path="rehearsal.yaml",
        slo=SLO,
        slo_path="orders.yaml",
        runbook="",
        runbook_path="",
        rubric=_rubric(),
    )
    scenario = documents.read_scenario()
    return Story(
        scenario=scenario,
        slo=documents.read_slo(scenario.spec.slo),
        experiments=tuple(Path(f"{f.experiment}.yaml") for f in scenario.spec.faults),
        documents=documents,
        probes={r.probe: Path(r.probe) for r in scenario.spec.abort if r.probe},
    )


class _Scene:
    """One rehearsal on its stage."""

    def __init__(self, seed: int, drawn: Drawn, parts: Parts) -> None:
        self.drawn = drawn
        self.parts = parts
        self.report = Rehearsed(seed, drawn)
        self.tokens = itertools.count(1)
        self.machine = Machine()
        self.clock = MachineClock(self.machine, self.machine.clock.now())
        self.moments: list[tuple[float, DrawnMoment]] = []
        self.world = World(self.machine)
        self.store = MemoryStore()
        self.promises = Promises(self.machine, self.world, self.store, run=RUN_ID)
        self.story = _story(drawn.scenario)
        self.orders: dict[Way, Callable[[], None]] = {
            Way.INTERRUPTED: self._interrupt,
            Way.ABORTED: lambda: self._order(OrderKind.ABORT, RUN_ID),
            Way.STOPPED: lambda: self._order(OrderKind.STOP, None),
            Way.PAGED: self._page,
        }
        self.calls = {
            name: Calls(self.machine, self.machine.process(name), drawn.failures, self.orders)
            for name in (RUN, SENTINEL, OPERATOR)
        }
        self.run = self.calls[RUN].process
        self.main: asyncio.Task[None] | None = None
        self.hand: asyncio.Task[Sequence[tuple[Undo, str]]] | None = None
        self.error: BaseException | None = None
        self.door = RehearsalDoor(self.machine, self.run)
        self.alertmanager = SimulatedAlertmanager(
            self.world, self._lose if drawn.pager_is_out else self.door.deliver
        )
        self.post = SentinelPost(
            machine=self.machine,
            run_process=self.run,
            process=self.calls[SENTINEL].process,
            run_calls=self.calls[RUN],
            undoer=self._undoer(SENTINEL),
            store=self._store(SENTINEL),
            budget=_settings().recovery_budget,
            run_is_over=lambda: self.main is not None and self.main.done(),
            kills_in_vain=drawn.kills_in_vain,
            clock=self.clock,
        )
        if drawn.theirs is not None:
            self.world.put(THEIRS, drawn.theirs)

    # --- who calls what ----------------------------------------------------------------------

    def _store(self, process: str) -> Store:
        calls = self.calls[process]

        def of_run(run: str) -> Port:
            return Port("store", self.store.of_run(run), calls, STORE_OF_INCIDENTS)

        whole: Any = Port("store", self.store, calls, STORE)
        whole.of_run = of_run
        return cast(Store, whole)

    def _undoer(self, process: str) -> Undoer:
        inner = self.parts.undoer(self.world)
        return cast(Undoer, Port("undoer", inner, self.calls[process], UNDOER))

    def _system(self) -> OpenSystem:
        calls, world = self.calls[RUN], self.world
        prometheus = SimulatedPrometheus(
            world,
            self.story.slo,
            time_scale=TIME_SCALE,
            evaluation=timedelta(seconds=1),
            notify=self.alertmanager.send,
        )
        target = SimulatedTarget(world, time_scale=TIME_SCALE)
        return OpenSystem(
            target=cast(Target, Port("target", target, calls, TARGET)),
            alerts=cast(AlertSource, Port("alerts", prometheus, calls, ALERTS)),
            faults=cast(FaultDriver, Port("faults", self.parts.faults(world), calls, FAULTS)),
            deploys=None,
            tools=deeplinks.Tools("http://p.invalid", "http://t.invalid", "http://f.invalid"),
            regions=(),
        )

    def _responder(self, kind: ResponderKind, **_: object) -> OnCall | None:
        if kind is ResponderKind.NONE:
            return None
        helps = next(iter(self.story.scenario.spec.expect.mitigation), SHIELD)
        return OnCall(
            self.machine,
            self.door,
            self.drawn.character,
            calls=self.calls[RUN],
            mitigation=helps,
            service="catalog",
        )

    def _token(self) -> str:
        return f"{next(self.tokens):016x}"

    def _lose(self, payload: Mapping[str, Any], told: Callable[[bool], None]) -> None:
        told(False)

    # --- what happens to it from outside -----------------------------------------------------

    def _interrupt(self) -> None:
        assert self.main is not None
        for number in range(self.drawn.interrupts):
            self.machine.after(timedelta(seconds=0.3 * number), self.main.cancel)

    def _order(self, kind: OrderKind, run: str | None) -> None:
        self.store.give(Order(kind, run, "enough", "operator", self.clock.now()))

    def _moment(self, moment: DrawnMoment) -> None:
        process = self.calls[moment.process].process
        if not process.is_alive or (self.main is not None and self.main.done()):
            return
        self.moments.append((self.machine.time(), moment))
        if moment.way in self.orders:
            self.orders[moment.way]()
        elif moment.way in KILLING:
            process.kill()
        else:
            process.freeze()
            self.machine.after(moment.lasts, process.thaw)

    def _by_hand(self) -> None:
        """Recover by hand while the sentinel is at work; whatever comes of it, it does no harm."""
        if self.report.outcome == "killed":
            self.hand = self.calls[OPERATOR].process.start(self._recover())

    def _page(self) -> None:
        self.alertmanager.page_of(REAL)

    def _happened(self) -> list[tuple[float, Failure | DrawnMoment]]:
        found: list[tuple[float, Failure | DrawnMoment]] = list(self.moments)
        for calls in self.calls.values():
            found += calls.happened
        return sorted(found, key=lambda h: h[0])

    # --- playing -----------------------------------------------------------------------------

    def play(self) -> Rehearsed:
        """Play to the end, check the promises, and report."""
        try:
            self._play_run()
            self._await_sentinel()
            self._check_end()
            self._recover_by_hand()
        except (StandsStill, TimeoutError) as error:
            self.promises.break_(f"somebody waits without a limit: {error}")
        finally:
            self._report()
            self.machine.close()
            self.promises.broken += self.machine.complaints
        self.report.violations = self.promises.broken
        return self.report

    async def _main(self) -> None:
        try:
            system, clock = self._system(), self.clock
            planned = await make_plan(self.story, system, run=RUN_ID, clock=clock)
            result, error = await self.parts.play(
                self.story,
                system,
                Admitted(planned),
                store=self._store(RUN),
                settings=_settings(),
                door=self.door,
                around=Surroundings(
                    clock=clock,
                    sentinel=self.post,
                    responder=self._responder,
                    undoer=lambda _: self._undoer(RUN),
                    loom=Loom(disk=Inline, token=self._token),
                ),
            )
            self.error, outcome = error, str(result.verdict)
        except GamedayError as error:
            self.error, outcome = error, type(error).__name__
        except asyncio.CancelledError:
            outcome = "interrupted"
        self.run.check()
        self.report.outcome = outcome
        self.report.error = type(self.error).__name__ if self.error else ""

    def _play_run(self) -> None:
        for second, by in self.drawn.steps:
            self.machine.after(timedelta(seconds=second), self.clock.step, by)
        for moment in self.drawn.moments:
            self.machine.after(timedelta(seconds=moment.second), self._moment, moment)
        self.world.will_lead_elsewhere(self.drawn.elsewhere)
        if self.drawn.hand_after is not None:
            wait = timedelta(seconds=self.drawn.hand_after)
            self.run.on_death.append(lambda: self.machine.after(wait, self._by_hand))
        main = self.main = self.run.start(self._main())
        self.machine.until(lambda: main.done() or not self.run.is_alive, within=LONGEST)
        if not self.run.is_alive:
            self.report.outcome = "killed"
            return
        self.promises.check_said(self.error)
        self.door.end()
        self.machine.rest(timedelta(0))
        self.machine.listen()
        self.run.kill()  # it ends, and its sockets close
        # A Ctrl-C in the very last turn cancels a task that has already said how it ended.
        problem = None if main.cancelled() else main.exception()
        if problem is not None:
            self.report.outcome = type(problem).__name__
            self.promises.break_(f"the run ended with {problem!r}")

    def _await_sentinel(self) -> None:
        watching = self.post.watching
        if watching is None:
            return
        process = self.post.process
        self.machine.until(lambda: watching.done() or not process.is_alive, within=LONGEST)
        if not process.is_alive:
            self.report.sentinel = "killed"
            return
        problem = watching.exception()
        if problem is not None:
            self.promises.break_(f"the sentinel ended with {problem!r}")
        self.report.sentinel = str(self.post.outcome or "broken")

    def _check_end(self) -> None:
        self.machine.rest(timedelta(seconds=max(LANDS_WITHIN, self.drawn.hand_after or 0)))
        if self.hand is not None:
            self.machine.run(self.hand, within=LONGEST)
        orderly = self.report.outcome != "killed"
        self.promises.check_end(
            error=self.error,
            somebody_left=orderly or self.post.outcome is not None,
            stuck=self.post.outcome is Outcome.STUCK,
            blind=self._is_blind(),
        )
        happened = self._happened()
        others = [h for _, h in happened if h.process != RUN]
        if not others and self.post.watching and not self.post.tried:
            self.promises.check_takeover(happened, lease=_settings().lease)
        if len(happened) == 1 and isinstance(happened[0][1], DrawnMoment):
            self.promises.check_watched(happened[0], lease=_settings().lease)
        if len(happened) == 1 and happened[0][1].way in ORDERS:
            self.promises.check_obeyed(happened[0], real=REAL)
        result = self.store.result(RUN_ID) if self.store.has_run(RUN_ID) else None
        self.report.verdict = None if result is None else result.verdict
        store_failed = any(
            str(f.call).startswith("store.") for _, f in self.calls[SENTINEL].happened
        )
        if self.post.outcome is Outcome.TOOK_OVER and not store_failed:
            self.promises.check_concluded(self.report.verdict)
        self.promises.check_verdict(
            self.report.verdict,
            silent=self.story.scenario.spec.expect.alert is None,
            error=self.error,
        )

    def _is_blind(self) -> bool:
        """Return whether the one who was left could not see, or not close, what was stored."""
        if self.post.outcome is Outcome.TOOK_OVER:
            return not self.calls[SENTINEL].went_well("store.open_undos")
        calls = self.calls[RUN]
        return calls.seen["store.close_undo"] > 0 and not calls.went_well("store.close_undo")

    async def _recover(self) -> Sequence[tuple[Undo, str]]:
        """Recover what is open, as ``gameday recover`` does; return what is stuck."""
        recovery = Recoverer(
            undoer=self._undoer(OPERATOR),
            store=self._store(OPERATOR),
            clock=self.clock,
            budget=_settings().recovery_budget,
            source="operator",
        )
        undos = list(reversed(self.store.open_undos()))
        return await recovery.recover(
            undos, record=lambda *_, **__: None, by="operator", settle=_settings().lease
        )

    def _recover_by_hand(self) -> None:
        operator = self.calls[OPERATOR].process
        stuck: Sequence[tuple[Undo, str]] = ()
        while self.store.open_undos() and self.report.by_hand < BY_HAND:
            self.report.by_hand += 1
            stuck = self.machine.run(operator.start(self._recover()), within=LONGEST)
        self.promises.check_recovered(stuck)
        self._recover_again()

    def _recover_again(self) -> None:
        self.machine.rest(self.world.until_back(self.drawn.elsewhere))
        before = self.world.state()
        undoer = self.parts.undoer(self.world)
        for undo in self.store.undos():
            self.machine.run(undoer.recover(undo), within=LONGEST)
        theirs = self.drawn.theirs is not None
        self.promises.check_same(before, self.world.state(), theirs=theirs)

    def _report(self) -> None:
        report = self.report
        report.seconds = self.machine.time()
        report.happened = self._happened()
        for name, calls in self.calls.items():
            report.calls.update({f"{name}: {call}": n for call, n in calls.seen.items()})
        changes = "\n".join(f"{second:.3f} {what}" for second, what in self.world.changes)
        facts = self.store.timeline_text(RUN_ID) if self.store.has_run(RUN_ID) else ""
        report.timeline = f"{facts}\n{changes}\n{report.outcome} {report.sentinel}\n"
