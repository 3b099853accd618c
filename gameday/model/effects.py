"""What a drill sets off beside what it is meant to do, and how much of it ends the drill.

A fault may start something that feeds on itself: a controller that makes pods without end, a crash
loop, evictions, pods that find no place. The limits stand here, each with its reason; a scenario
sets its own under ``abort:`` (``podsAbove: 50``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Limits", "OwnerEffects", "TooMuch", "too_much"]

MADE_WITHIN = timedelta(seconds=60)
"""Pods made in the last minute are what tells a loop from a rollout."""

ROLLOUTS = 3
"""How often an owner may replace all its pods in that time, beside the limit: a fault, the
mitigation against it and the recovery may each be a rollout."""

ASSUMED_SIZE = 30
"""How many pods an owner may rightly have that nobody can ask what it wants."""

RESTARTS_PER_POD = 3
"""How often every pod of an owner may restart, beside the limit. The fourth restart comes more than
a minute after the first (10 s, 20 s, 40 s): that is a loop, not a blow."""


@dataclass(frozen=True, slots=True)
class OwnerEffects:
    """What one owner of pods did, or had done to it, since the drill began.

    Attributes:
        owner: as people name it: ``Deployment shop/checkout``.
        wants: how many pods it wants now; None: nobody can tell.
        before: how many living pods it had when the drill began.
        made: pods it made in the last `MADE_WITHIN`; those that did their work and ended are left
            out.
        made_s: seconds since the first of these was made.
        made_in_all: pods it made since the drill began.
        useless_pods: full names of those of them that are there and of no use to it: they do not
            match its selector any more, or they failed. A Job's failed pods are none: it counts
            them itself, and stops.
        useless_s: seconds since the first of these was made.
        restarts: of its pods' containers, since the drill began.
        restarts_s: seconds since the first of them was seen.
        evicted: pods of it that the cluster itself took away: a node short of memory, a
            preemption, a taint.
        waiting: pods it made since the drill began that find no place, or do not start.
        gone: pods of it that were deleted since the drill began, by whomever.
        stopped_by: command with which whoever it belongs to can stop it; empty: none is known.
    """

    owner: str
    wants: int | None = None
    before: int = 0
    made: int = 0
    made_s: float = 0.0
    made_in_all: int = 0
    useless_pods: tuple[str, ...] = ()
    useless_s: float = 0.0
    restarts: int = 0
    restarts_s: float = 0.0
    evicted: int = 0
    waiting: int = 0
    gone: int = 0
    stopped_by: str = ""

    @property
    def useless(self) -> int:
        """Return how many pods it made that are of no use to it."""
        return len(self.useless_pods)

    @property
    def size(self) -> int:
        """Return how many pods it may rightly have."""
        return max(self.before, ASSUMED_SIZE if self.wants is None else self.wants)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a drill may set off. What is *above* a limit ends it at once.

    Attributes:
        pods: of one owner: useless ones; and made in a minute, on top of `ROLLOUTS` times what it
            wants. No controller lets go of a pod by itself; a person who takes one aside to look at
            it takes one or two. At the six a second of a controller that loses every pod it makes,
            five are there in a second, and at one a second in five.
        restarts: of the containers of one owner, on top of `RESTARTS_PER_POD` for each pod.
        evictions: pods of all owners that the cluster itself took away. One node that runs short
            of memory evicts one pod after another, some in a minute; ten are more than one
            node's trouble.
        waiting: pods of all owners that find no place, on top of as many as were deleted since the
            drill began: what a drained region's pods are replaced by may have to wait for it.
    """

    pods: int = 5
    restarts: int = 10
    evictions: int = 10
    waiting: int = 10


@dataclass(frozen=True, slots=True)
class TooMuch:
    """What ends a drill: a sentence, and whose pods it is about."""

    text: str
    owner: OwnerEffects


def too_much(effects: Sequence[OwnerEffects], limits: Limits) -> TooMuch | None:
    """Return what is beyond a limit, the worst of it; None: nothing is."""
    if not effects:
        return None
    most = _most(effects, lambda one: max(one.made - ROLLOUTS * one.size, one.useless))
    if max(most.made - ROLLOUTS * most.size, most.useless) > limits.pods:
        number, seconds = max((most.made, most.made_s), (most.useless, most.useless_s))
        return TooMuch(
            f"{most.owner} makes pods without end: {number} in {_whole(seconds)}, {_wanted(most)}",
            most,
        )
    most = _most(effects, lambda one: one.restarts - RESTARTS_PER_POD * one.size)
    if most.restarts - RESTARTS_PER_POD * most.size > limits.restarts:
        return TooMuch(
            f"the containers of {most.owner} restart without end: {most.restarts} times in"
            f" {_whole(most.restarts_s)}, {_wanted(most)}",
            most,
        )
    evicted = sum(one.evicted for one in effects)
    if evicted > limits.evictions:
        most = _most(effects, lambda one: one.evicted)
        return TooMuch(
            f"the cluster has evicted {evicted} pods that this drill did not, most of them"
            f" ({most.evicted}) of {most.owner}",
            most,
        )
    waiting, gone = (sum(getattr(one, name) for one in effects) for name in ("waiting", "gone"))
    if waiting - gone > limits.waiting:
        most = _most(effects, lambda one: one.waiting)
        return TooMuch(
            f"{waiting} pods find no place, and only {gone} were taken away; most of them"
            f" ({most.waiting}) of {most.owner}, {_wanted(most)}",
            most,
        )
    return None


def _most(effects: Sequence[OwnerEffects], measure: Callable[[OwnerEffects], int]) -> OwnerEffects:
    return max(effects, key=measure)


def _wanted(one: OwnerEffects) -> str:
    return f"it had {one.before}" if one.wants is None else f"it wants {one.wants}"


def _whole(seconds: float) -> str:
    return f"{max(1, round(seconds))} s"
