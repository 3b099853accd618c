"""May this run begin? What was found out in, every reason against it out. Pure.

All reasons are given at once, each with what to do about it. What could not be looked at is said
beside them; where nothing else speaks against the run, it is an error: nobody knows that it may.
"""

from __future__ import annotations

from dataclasses import dataclass

from gameday.errors import DriverError, Ground, PlanRefused, Refusal
from gameday.governance.permission import Permission
from gameday.model.fault import Undo
from gameday.model.run import Order
from gameday.plan import Plan

ORDER = tuple(Ground)
"""The order in which reasons are given: first what concerns every run, last this one alone."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What was found out about a run that asks to begin.

    Attributes:
        target: what the system it would be played on is called.
        is_busy: whether another run is being played there.
        stop: the stop of all runs that is in force.
        leftovers: undos of earlier runs on this target that are still open.
        strays: what takes back all that bears a run's mark there.
        said: what scenario, target and plan themselves say against it.
        permission: what the programme says.
        plan: what the run would do; None where no plan could be made.
        notices: what should be known although it forbids nothing.
        unseen: why something could not be looked at.
    """

    target: str
    permission: Permission
    is_busy: bool = False
    stop: Order | None = None
    leftovers: tuple[Undo, ...] = ()
    strays: tuple[Undo, ...] = ()
    said: tuple[Refusal, ...] = ()
    plan: Plan | None = None
    notices: tuple[str, ...] = ()
    unseen: tuple[DriverError, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A run that may begin.

    Attributes:
        plan: what it will do.
        permission: on whose word it starts; None: nobody was asked.
        notices: what should be known although it forbids nothing.
    """

    plan: Plan
    permission: Permission | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """A run that may not begin.

    Attributes:
        refusals: every reason against it; at least one.
        plan: what it would do; None where no plan could be made.
        notices: what should be known beside, also what could not be looked at.
    """

    refusals: tuple[Refusal, ...]
    plan: Plan | None = None
    notices: tuple[str, ...] = ()

    def error(self) -> PlanRefused:
        """Return the error that says all of it."""
        return PlanRefused(*self.refusals)


def judge(found: Situation) -> Admitted | NotAdmitted:
    """Return whether a run may begin, with every reason against it.

    What another run has in place on the target is no leftover and no stray: while it is being
    played, it alone speaks against this one.

    Raises:
        DriverError: nothing speaks against the run, but something could not be looked at.
    """
    refusals = [*found.said, *found.permission.refusals]
    if found.stop is not None:
        refusals.append(_stopped(found.stop))
    if found.is_busy:
        refusals.append(_busy(found.target))
    else:
        known = {undo.id for undo in found.leftovers}
        refusals += [_leftover(undo) for undo in found.leftovers]
        refusals += [_stray(found.target, undo) for undo in found.strays if undo.id not in known]
    if refusals:
        ordered = sorted(dict.fromkeys(refusals), key=lambda r: ORDER.index(r.ground))
        unseen = tuple(f"not looked at: {error}" for error in found.unseen)
        return NotAdmitted(tuple(ordered), found.plan, (*found.notices, *unseen))
    if found.unseen:
        raise found.unseen[0]
    assert found.plan is not None  # whoever could make none has said why
    return Admitted(found.plan, found.permission, found.notices)


def _stopped(order: Order) -> Refusal:
    why = f" ({order.reason})" if order.reason else ""
    return Refusal(
        Ground.STOP,
        f"all runs are stopped since {order.given_at:%Y-%m-%d %H:%M} UTC by {order.by}{why}",
        "`gameday stop --lift` lets them begin again",
    )


def _busy(target: str) -> Refusal:
    return Refusal(
        Ground.LOCK,
        f"another run is being played on {target}",
        "wait for it to end (`gameday runs`), or end it (`gameday abort`)",
    )


def _leftover(undo: Undo) -> Refusal:
    return Refusal(
        Ground.LEFTOVER,
        f"run {undo.run} left a fault in place: {undo.description}",
        f"recover it first: `{undo.command}`",
    )


def _stray(target: str, undo: Undo) -> Refusal:
    return Refusal(
        Ground.STRAY,
        f"{target} still has something of run {undo.run}, which is not in this store: "
        f"{undo.description}",
        f"if nobody else plays there, take it out: `{undo.command}`",
    )
