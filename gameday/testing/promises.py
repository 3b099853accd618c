"""What gameday promises whatever goes wrong, checked against what is true in the world."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from gameday.errors import RecoveryError
from gameday.model.plan_record import recorded
from gameday.ports import Undo
from gameday.testing.drawing import DrawnMoment
from gameday.testing.failures import DEADLY, KILLING, Failure, Way
from gameday.testing.machine import Machine
from gameday.testing.memory import MemoryStore
from gameday.testing.world import World
from scoring.timeline import Kind
from scoring.verdict import RunVerdict

__all__ = ["TAKEN_OVER_WITHIN", "THEIRS", "Promises"]

THEIRS = "theirs@0"
"""A fault that somebody else has in place; no business of the run's."""

TAKEN_OVER_WITHIN = timedelta(seconds=2)
"""Past the lease: how soon a run that is gone has left nothing behind."""


FIRED = (Kind.ALERT_FIRED, Kind.PAGE_RECEIVED)
"""Facts that hold when an alert fired: read from Prometheus, or told by its page."""

OBEYED_WITHIN = timedelta(seconds=3)
"""From an order to end to the last fault recovered."""


class Promises:
    """Collects the promises that were not kept.

    Attributes:
        broken: one sentence each, with the second at which it was noticed.
    """

    def __init__(self, machine: Machine, world: World, store: MemoryStore, *, run: str) -> None:
        self.broken: list[str] = []
        self._machine = machine
        self._world = world
        self._store = store
        self._run = run
        self._undos: dict[str, Undo] = {}
        self._presence: list[tuple[float, tuple[str, ...]]] = []
        world.on_put.append(self._put)
        world.on_change.append(self._changed)

    def break_(self, sentence: str) -> None:
        """Note a promise that was not kept."""
        self.broken.append(f"{self._machine.time():.2f} s: {sentence}")

    # --- while the run goes on ---------------------------------------------------------------

    def _put(self, name: str) -> None:
        if name != THEIRS and not self._store.knows(name.partition("@")[0]):
            self.break_(f"{name} was put in place before its undo was stored")

    def _changed(self) -> None:
        self._presence.append((self._machine.time(), self.in_place()))

    def in_place(self) -> tuple[str, ...]:
        """Return what the run has put in place and in force, and that is still there."""
        faults, mitigations = self._world.state()
        return (*(f for f in faults if f != THEIRS), *mitigations)

    def in_place_at(self, second: float) -> tuple[str, ...]:
        """Return the same, as it was then."""
        found: tuple[str, ...] = ()
        for at, names in self._presence:
            if at > second:
                break
            found = names
        return found

    def check_said(self, error: BaseException | None) -> None:
        """Check that a run that ends with something in place says so, before everything else."""
        if (left := self.in_place()) and not isinstance(error, RecoveryError):
            self.break_(f"the run ends with {error!r}, and {', '.join(left)} is in place")

    # --- at its end --------------------------------------------------------------------------

    def check_end(
        self, *, error: BaseException | None, somebody_left: bool, stuck: bool, blind: bool
    ) -> None:
        """Check what is left once the run and its sentinel are over, however they ended.

        Args:
            error: what ended the run early.
            somebody_left: whether the run or its sentinel came to an orderly end; where both died,
                a person has to recover, and what is in place is only to be known.
            stuck: whether the sentinel said that something is stuck.
            blind: whether the one who was left could never read the store, or never close an undo.
        """
        left = self.in_place()
        open_undos = {u.id for u in self._store.open_undos(self._run)}
        facts = self._store.facts(self._run)
        reported = {f.subject for f in facts if f.kind == Kind.RECOVERY_STUCK}
        told = stuck or isinstance(error, RecoveryError)
        for name in left:
            undo = self._undo_of(name)
            if undo not in open_undos:
                self.break_(f"{name} is left in place, and no open undo in the store knows of it")
            elif somebody_left and not (told or undo in reported):
                self.break_(f"{name} is left in place, and nobody said so")
        told = told or open_undos <= reported
        if somebody_left and open_undos and not left and not told and not blind:
            self.break_(f"{', '.join(sorted(open_undos))}: gone, still open, and nobody said so")

    def check_takeover(
        self, happened: Iterable[tuple[float, Failure | DrawnMoment]], *, lease: timedelta
    ) -> None:
        """Check that nothing was left of a run that was killed or frozen, one lease and 2 s later.

        Only to be asked where nothing hindered the sentinel.
        """
        for second, failure in happened:
            if failure.way not in DEADLY:
                continue
            if failure.way not in KILLING and failure.lasts <= lease:
                continue
            due = second + (lease + TAKEN_OVER_WITHIN).total_seconds()
            if names := self.in_place_at(due):
                self.break_(
                    f"{', '.join(names)}: in place at {due:.2f} s, though the run was gone "
                    f"at {second:.2f} s ({failure})"
                )

    def check_watched(
        self, happened: tuple[float, Failure | DrawnMoment], *, lease: timedelta
    ) -> None:
        """Check that a run without its sentinel ends; to be asked where all else went well."""
        second, failure = happened
        is_killed = failure.way in KILLING
        if failure.process != "sentinel" or not (is_killed or failure.lasts > 3 * lease):
            return
        due = second + OBEYED_WITHIN.total_seconds()
        if not is_killed:
            due += (2 * lease).total_seconds()
        if names := self.in_place_at(due):
            self.break_(f"{', '.join(names)}: in place at {due:.2f} s, and nobody watches over it")

    def check_obeyed(self, happened: tuple[float, Failure | DrawnMoment], *, real: str) -> None:
        """Check that an order to end was obeyed in time; only to be asked where it was all.

        Args:
            real: the service that has a real incident; its page may take a while to come.
        """
        second, order = happened
        if order.way is Way.PAGED:
            facts = self._store.facts(self._run)
            pages = [f for f in facts if f.kind == Kind.PAGE_RECEIVED and f.subject == real]
            if not pages:
                return
            began = self._machine.clock.now() - self._machine.elapsed
            second = (pages[0].recorded_at - began).total_seconds()
        due = second + OBEYED_WITHIN.total_seconds()
        if names := self.in_place_at(due):
            self.break_(f"{', '.join(names)}: in place {OBEYED_WITHIN} after {order}")

    def check_verdict(
        self, verdict: RunVerdict | None, *, silent: bool, error: BaseException | None
    ) -> None:
        """Check that a run passed only if it was measured, and left nothing behind.

        Args:
            silent: whether silence was expected; what proves it is the beat of the path of pages.
            error: what the run says of its end beside its verdict.
        """
        if verdict is not RunVerdict.PASSED:
            return
        facts = self._store.facts(self._run)
        if silent and not any(f.data.get("alive") for f in facts if f.kind == Kind.MEASUREMENT):
            self.break_("passed, though nobody knows whether a page could have come")
        if not silent and not any(f.kind in FIRED for f in facts):
            self.break_("passed, though nobody knows when its alert fired")
        if not any(f.kind == Kind.FAULT_INJECTED for f in facts):
            self.break_("passed, though no fault was injected")
        plan = recorded(facts)
        planned = len(plan.faults) if plan is not None else 0
        came = len({f.subject for f in facts if f.kind == Kind.FAULT_INJECTED})
        if came < planned:
            self.break_(f"passed, though {came} of {planned} faults came")
        if any(f.kind == Kind.RUN_ABORTED and f.source != "sentinel" for f in facts):
            self.break_("passed, though it was aborted")
        if self._store.open_undos(self._run) and not isinstance(error, RecoveryError):
            self.break_("passed, though an undo is open")

    def check_concluded(self, verdict: RunVerdict | None) -> None:
        """Check that a run that was taken over has an end, and none that flatters."""
        if verdict not in (RunVerdict.ABORTED, RunVerdict.FAILED):
            self.break_(f"the run was taken over, and its verdict is {verdict}")

    def check_recovered(self, stuck: Iterable[tuple[Undo, str]]) -> None:
        """Check that after ``gameday recover`` nothing is left, unless it said what is."""
        said = {undo.id for undo, _ in stuck}
        for name in self.in_place():
            if self._undo_of(name) not in said:
                self.break_(f"{name} is left in place after `gameday recover`")
        for undo in self._store.open_undos(self._run):
            if undo.id not in said:
                self.break_(f"{undo.id} is still open after `gameday recover`")

    def check_same(self, before: object, after: object, *, theirs: bool) -> None:
        """Check that recovering again changed nothing, and that what is others' is untouched."""
        if before != after:
            self.break_(f"recovering again changed {before} to {after}")
        if theirs != (THEIRS in self._world.faults):
            self.break_("somebody else's fault was touched")

    def _undo_of(self, name: str) -> str:
        return name.partition("@")[0] if "@" in name else f"gd-{self._run}-mitigations"
