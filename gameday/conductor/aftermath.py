"""What a drill has set off, looked at again once its fault is taken back: does it go on by itself?

Nothing is done about it: the owner is not ours, nor are its pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gameday.conductor.guard import Guard
from gameday.errors import DriverError, RecoveryError
from gameday.ledger import Ledger
from gameday.model.effects import OwnerEffects, TooMuch
from gameday.ports import Clock, EffectSource
from scoring.timeline import Kind

SETTLES = timedelta(seconds=5)
"""How long it is looked at. At the two pods a second of a slow loop ten come in that time."""

STRAGGLERS = 2
"""What was under way when the fault was taken back may still arrive."""

NAMED = 3
"""Pods named in a sentence; the fact has all."""


async def aftermath(guard: Guard, ledger: Ledger, clock: Clock) -> str:
    """Return what is left of what the guard ended the run for; empty where nothing is.

    Raises:
        RecoveryError: its owner goes on making pods with the fault taken back.
    """
    what, effects = guard.set_off, guard.effects
    if what is None or effects is None:
        return ""
    found = await _look(what, effects, clock)
    ledger.record(
        Kind.SET_OFF,
        source="target",
        subject=what.owner.owner,
        data={
            "owner": what.owner.owner,
            "goes_on": found.goes_on,
            "left": list(found.left),
            "text": found.text,
            "command": what.owner.stopped_by,
        },
    )
    if found.goes_on:
        remedy = f". Run `{what.owner.stopped_by}`" if what.owner.stopped_by else ""
        raise RecoveryError(f"{what.text}. {found.text}{remedy}")
    return found.text


@dataclass(frozen=True, slots=True)
class _Found:
    """How it is after the fault.

    Attributes:
        goes_on: whether the owner goes on making pods; None: nobody can tell.
        left: full names of pods that it made and has no use for.
    """

    goes_on: bool | None
    left: tuple[str, ...]
    text: str


async def _look(what: TooMuch, effects: EffectSource, clock: Clock) -> _Found:
    owner = what.owner.owner
    try:
        first = _of(owner, effects)
        await clock.sleep(SETTLES)
        then = _of(owner, effects)
    except DriverError as error:
        return _Found(None, (), f"Whether {owner} goes on is not known: {error}")
    more = then.made_in_all - first.made_in_all
    left = then.useless_pods
    said = []
    if more > STRAGGLERS:
        said.append(
            f"{owner} goes on with the fault taken back: {more} more pods in"
            f" {SETTLES.total_seconds():.0f} s. It is not gameday's to stop"
        )
    if left:
        others = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        are = f"{len(left)} pods are" if len(left) > 1 else "1 pod is"
        said.append(
            f"{are} left that it made and has no use for, and not gameday's to delete:"
            f" {', '.join(left[:NAMED])}{others}"
        )
    return _Found(more > STRAGGLERS, left, ". ".join(said))


def _of(owner: str, effects: EffectSource) -> OwnerEffects:
    found = (one for one in effects.seen() if one.owner == owner)
    return next(found, OwnerEffects(owner))
