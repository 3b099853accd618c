"""Parts that break a promise on purpose: each must be caught, or the promises prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gameday.errors import RecoveryError
from gameday.house.run.play import play
from gameday.model.plan_record import FaultRecord, PlanRecord
from gameday.ports import Injection, PlannedFault, Undo
from gameday.testing.drawing import RUN, DrawnMoment, draw
from gameday.testing.failures import Failure, Way
from gameday.testing.machine import Machine
from gameday.testing.memory import MemoryStore
from gameday.testing.oncall import Character
from gameday.testing.promises import THEIRS, Promises
from gameday.testing.rehearsal import Parts, Rehearsed, rehearse
from gameday.testing.world import SimulatedFaults, SimulatedUndoer, World
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

SECOND = timedelta(seconds=1)
SCENARIO = next(
    drawn.scenario
    for drawn in map(draw, range(1000))
    if '"alert": "none"' not in drawn.scenario
    and '"ttl": false' in drawn.scenario
    and '"abort": []' in drawn.scenario
    and '"responder": "bot"' in drawn.scenario
)


def broken_by(
    parts: Parts,
    *failures: Failure,
    theirs: float | None = 0.0,
    elsewhere: tuple[float, float] | None = None,
) -> str:
    """Play with these parts and return what was noticed."""
    drawn = replace(
        draw(0),
        scenario=SCENARIO,
        character=Character.PROMPT,
        failures=failures,
        moments=(),
        theirs=theirs,
        hand_after=None,
        kills_in_vain=0,
        pager_is_out=False,
        elsewhere=elsewhere,
    )
    report: Rehearsed = rehearse(-1, drawn=drawn, parts=parts)
    return "\n".join(report.violations)


def test_nothing_is_noticed_where_nothing_is_broken() -> None:
    assert "" == broken_by(Parts())


class _Forgetful:
    """A store that says it has stored an undo, and has not."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def save_undo(self, undo: Undo) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def injects_before_storing(*args: Any, store: Any, **named: Any) -> Any:
    return await play(*args, store=_Forgetful(store), **named)


async def fails_with_a_defect(*args: Any, **named: Any) -> Any:
    await play(*args, **named)
    raise ZeroDivisionError


async def breaks_while_a_fault_is_in_place(*args: Any, **named: Any) -> Any:
    run = args[-1].plan.run

    def broken(fact: Fact) -> None:
        if fact.kind == Kind.FAULT_INJECTED:
            raise KeyError("nobody thought of it")

    try:
        await play(*args, on_plan=lambda _, ledger, __: ledger.listen(broken), **named)
    except KeyError:
        result = named["store"].result(run)
        raise ValueError(f"{result.verdict}, {result.recovery}") from None


async def never_ends(*args: Any, **named: Any) -> Any:
    await play(*args, **named)
    await asyncio.get_running_loop().create_future()


async def loses_a_task(*args: Any, **named: Any) -> Any:
    async def fails() -> None:
        raise KeyError("nobody looks")

    task = asyncio.ensure_future(fails())
    done = await play(*args, **named)
    assert task.done()
    return done


async def says_nothing(*args: Any, **named: Any) -> Any:
    result, _ = await play(*args, **named)
    return result, None


async def flatters(*args: Any, **named: Any) -> Any:
    """Call every run passed."""
    store = named["store"]
    result, error = await play(*args, **named)
    result = replace(result, verdict=RunVerdict.PASSED)
    store.close_run(args[-1].plan.run, ended_at=named["around"].clock.now(), result=result)
    return result, error


@pytest.mark.parametrize(
    ("part", "noticed"),
    [
        (injects_before_storing, "was put in place before its undo was stored"),
        (fails_with_a_defect, "the run ended with ZeroDivisionError()"),
        (
            breaks_while_a_fault_is_in_place,
            "the run ended with ValueError('failed, Recovery(open=0)')",
        ),
        (never_ends, "somebody waits without a limit"),
        (loses_a_task, "nobody waited for the end of a task: KeyError('nobody looks')"),
    ],
)
def test_a_way_of_playing_that_breaks_a_promise_is_caught(
    part: Callable[..., Any], noticed: str
) -> None:
    assert noticed in broken_by(Parts(play=part))


def test_a_run_that_does_not_say_what_it_left_in_place_is_caught() -> None:
    stuck = [Failure(who, "undoer.recover", Way.REFUSED, times=10**6) for who in (RUN, "sentinel")]

    assert "the run ends with None" in broken_by(Parts(play=says_nothing), *stuck)


def test_a_run_that_passes_without_having_been_measured_is_caught() -> None:
    refused = Failure(RUN, "faults.inject", Way.REFUSED)

    assert "passed, though no fault was injected" in broken_by(Parts(play=flatters), refused)


class _Liar(SimulatedUndoer):
    """Says that all is gone, and leaves it in place."""

    async def is_present(self, undo: Undo) -> bool:
        return False

    async def recover(self, undo: Undo) -> None:
        """Do nothing."""


class _Sweeping(SimulatedUndoer):
    """Takes everything away, whosever it is."""

    async def recover(self, undo: Undo) -> None:
        await super().recover(undo)
        self._world.remove(THEIRS)


class _Restless(SimulatedUndoer):
    """Changes something every time it is asked."""

    async def recover(self, undo: Undo) -> None:
        await super().recover(undo)
        self._world.put(f"theirs@{len(self._world.changes)}", 0.0)


class _Late(SimulatedFaults):
    """Injects again when nobody looks any more: its undo is closed by then."""

    async def inject(self, fault: PlannedFault) -> Injection:
        done = await super().inject(fault)
        again = f"{fault.undo.id}@late"
        for second in range(1, 150):
            self._world.machine.after(second * SECOND, self._world.put, again, 0.0)
        return done


@pytest.mark.parametrize(
    ("parts", "noticed"),
    [
        (Parts(undoer=_Liar), "no open undo in the store knows of it"),
        (Parts(undoer=_Liar), "is left in place after `gameday recover`"),
        (Parts(undoer=_Sweeping), "somebody else's fault was touched"),
        (Parts(undoer=_Restless), "recovering again changed"),
    ],
)
def test_an_undoer_that_breaks_a_promise_is_caught(parts: Parts, noticed: str) -> None:
    assert noticed in broken_by(parts)


def test_a_proof_out_of_another_world_is_caught() -> None:
    class Believing(SimulatedFaults):
        async def pinned(self, undo: Undo) -> Undo:
            return undo  # any world is believed then

    ever_since = (8.0, 10_000.0)

    noticed = broken_by(Parts(faults=Believing), elsewhere=ever_since)

    assert "no open undo in the store knows of it" in noticed


def test_a_sentinel_that_recovers_too_late_is_caught() -> None:
    class Slow(SimulatedUndoer):
        async def recover(self, undo: Undo) -> None:
            await self._world.machine.clock.sleep(9 * SECOND)
            await super().recover(undo)

    killed = Failure(RUN, "responder.page", Way.KILLED_BEFORE)

    assert "though the run was gone at" in broken_by(Parts(undoer=Slow), killed)


def test_an_order_that_is_not_obeyed_is_caught() -> None:
    class Slow(SimulatedUndoer):
        async def recover(self, undo: Undo) -> None:
            await self._world.machine.clock.sleep(4 * SECOND)
            await super().recover(undo)

    ordered = Failure(RUN, "responder.page", Way.ABORTED)

    assert "in place 0:00:03 after" in broken_by(Parts(undoer=Slow), ordered)


def test_a_fault_that_comes_back_unasked_is_caught() -> None:
    assert "is left in place" in broken_by(Parts(faults=_Late))


# --- one promise at a time ------------------------------------------------------------------------


class Judged:
    """A world and a store, whose promises are asked about directly."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.world = World(self.machine)
        self.store = MemoryStore()
        self.store.open_run(
            "r", scenario="s", target="t", started_at=self.machine.clock.now(), documents={}
        )
        self.promises = Promises(self.machine, self.world, self.store, run="r")

    def fact(self, kind: str, subject: str = "", **data: Any) -> None:
        now = self.machine.clock.now()
        id = f"f{self.store.last_number() + 1}"
        self.store.append("r", Fact(id, kind, now, now, "s", subject, data))

    def stored(self, number: int = 1) -> Undo:
        undo = Undo(f"gd-r-{number}", "experiment", "r", "slow", "gameday recover r")
        self.store.save_undo(undo)
        return undo

    def passed(self, *, silent: bool = False, error: BaseException | None = None) -> list[str]:
        self.promises.check_verdict(RunVerdict.PASSED, silent=silent, error=error)
        return self.promises.broken

    def ended(self, **named: Any) -> list[str]:
        known: dict[str, Any] = {"error": None, "somebody_left": True, "stuck": False}
        self.promises.check_end(**{**known, "blind": False, **named})
        return self.promises.broken


def test_a_blind_run_that_passes_is_caught() -> None:
    judged = Judged()
    judged.fact(Kind.FAULT_INJECTED)

    assert ["0.00 s: passed, though nobody knows when its alert fired"] == judged.passed()


def test_silence_that_nobody_could_hear_is_caught() -> None:
    judged = Judged()
    judged.fact(Kind.FAULT_INJECTED)
    judged.fact(Kind.MEASUREMENT, what="pipeline", alive=False)

    (noticed,) = judged.passed(silent=True)

    assert "nobody knows whether a page could have come" in noticed


def test_a_run_that_passes_with_half_of_its_faults_is_caught() -> None:
    judged, fault = Judged(), FaultRecord("slow", 0, 60, {}, "take it out", "gameday recover")
    judged.fact(Kind.PLAN_MADE, **PlanRecord(faults=(fault, fault)).to_json())
    judged.fact(Kind.FAULT_INJECTED, "gd-r-1")
    judged.fact(Kind.ALERT_FIRED)

    assert ["0.00 s: passed, though 1 of 2 faults came"] == judged.passed()


def test_an_aborted_run_that_passes_is_caught() -> None:
    judged = Judged()
    for kind in (Kind.FAULT_INJECTED, Kind.ALERT_FIRED, Kind.RUN_ABORTED):
        judged.fact(kind)

    assert ["0.00 s: passed, though it was aborted"] == judged.passed()


def test_a_run_that_passes_with_an_open_undo_says_so_or_is_caught() -> None:
    said, unsaid = Judged(), Judged()
    for judged in (said, unsaid):
        judged.fact(Kind.FAULT_INJECTED)
        judged.fact(Kind.PAGE_RECEIVED)
        judged.stored()

    assert [] == said.passed(error=RecoveryError("the store cannot be told"))
    assert ["0.00 s: passed, though an undo is open"] == unsaid.passed()


def test_what_is_left_has_to_be_said_by_somebody_who_is_left() -> None:
    silent, stuck, reported, both_dead = Judged(), Judged(), Judged(), Judged()
    for judged in (silent, stuck, reported, both_dead):
        undo = judged.stored()
        judged.world.put(f"{undo.id}@0", 1.0)
    reported.fact(Kind.RECOVERY_STUCK, "gd-r-1")

    assert [] == stuck.ended(stuck=True)
    assert [] == reported.ended()
    assert [] == both_dead.ended(somebody_left=False)
    assert ["0.00 s: gd-r-1@0 is left in place, and nobody said so"] == silent.ended()


def test_an_undo_that_is_open_for_nothing_has_to_be_said_too() -> None:
    silent, blind = Judged(), Judged()
    silent.stored()
    blind.stored()

    assert [] == blind.ended(blind=True)
    assert ["0.00 s: gd-r-1: gone, still open, and nobody said so"] == silent.ended()


def test_a_run_that_was_taken_over_needs_an_end() -> None:
    judged = Judged()

    judged.promises.check_concluded(RunVerdict.ABORTED)
    judged.promises.check_concluded(None)

    assert ["0.00 s: the run was taken over, and its verdict is None"] == judged.promises.broken


def test_a_short_standstill_is_no_takeover() -> None:
    judged = Judged()
    undo = judged.stored()
    judged.world.put(f"{undo.id}@0", 1.0)
    short = DrawnMoment(0, RUN, Way.FROZEN_BEFORE, 3 * SECOND)

    judged.promises.check_takeover([(0.0, short)], lease=5 * SECOND)

    assert [] == judged.promises.broken
