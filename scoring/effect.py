"""What each mitigation did to users: the burn rate before it against the burn rate after it.

It is read over the shortest window: when that window held nothing but the fault, and when it held
nothing but what came after the mitigation. Whatever else moved it in that time leaves the effect
*unknown*; a fault that grows by itself is not held against the responder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from scoring.run_facts import RunFacts
from scoring.slo import span_of
from scoring.timeline import Fact, Kind

WORSE_RATIO = 1.4
"""From how many times the burn rate before on it has become worse, and below one over this it
helps. One region of three that is lost beside another makes it half as much again; the noise of a
hundred requests in a window with every second one bad is a tenth, so that this is four of it."""

STEADY_RATIO = 1.2
"""What grew by more than this before it may grow faster still: it is never called made worse."""

SECOND = timedelta(seconds=1)

LONGEST = 3
"""For how many windows after the mitigation the burn rate is looked at, where nothing ends it."""


class Effect(StrEnum):
    """What a mitigation did."""

    HELPS = "helps"
    DOES_NOT_HELP = "does_not_help"
    MAKES_WORSE = "makes_worse"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MitigationEffect:
    """One mitigation that was applied, and what came of it.

    Attributes:
        name: of the mitigation.
        parameters: what it was called with.
        applied_at: when the target had done it.
        burn_before: burn rate over the shortest window before it; None: not known.
        burn_after: the same after it; None: not known.
        effect: what it did.
        reason: one sentence on an effect that is not known, or known otherwise; may be empty.
        evidence: ids of the facts it rests on.
    """

    name: str
    parameters: Mapping[str, str]
    applied_at: datetime
    burn_before: float | None
    burn_after: float | None
    effect: Effect
    reason: str = ""
    evidence: tuple[str, ...] = ()


def mitigation_effects(incident: RunFacts) -> tuple[MitigationEffect, ...]:
    """Return the effect of each mitigation that did something, in the order they were applied."""
    readings = _Readings(incident)
    applied = [f for f in incident.timeline.of_kind(Kind.MITIGATION_APPLIED) if f.data.get("ok")]
    return tuple(readings.effect(fact) for fact in applied)


_Reading = tuple[datetime, float, Fact]
"""When it was taken, the burn rate, and the fact that tells."""


@dataclass(frozen=True, slots=True)
class _Level:
    """The burn rate of some readings, at the middle of them."""

    burn_rate: float
    at: datetime

    @classmethod
    def of(cls, readings: Sequence[_Reading]) -> _Level | None:
        """Return the level of these readings, ordered by their instant; None: there are none."""
        if not readings:
            return None
        first, last = readings[0][0], readings[-1][0]
        return cls(median(value for _, value, _ in readings), first + (last - first) / 2)


class _Readings:
    """The burn rate over the shortest window that was measured, as it went."""

    def __init__(self, incident: RunFacts) -> None:
        self.incident = incident
        taken = [
            f
            for f in incident.timeline.of_kind(Kind.MEASUREMENT)
            if f.data.get("what") == "burn_rate"
        ]
        spans = {
            name: span
            for name in {name for f in taken for name in (f.data.get("values") or {})}
            if (span := span_of(str(name))) is not None
        }
        name = min(spans, key=lambda n: spans[n], default="")
        self.window = spans[name] / incident.time_scale if name else timedelta(0)
        self.taken: list[_Reading] = [
            (f.happened_at, float(value), f)
            for f in taken
            if (value := (f.data.get("values") or {}).get(name)) is not None
        ]

    def effect(self, applied: Fact) -> MitigationEffect:
        """Return what one mitigation did."""
        at, window = applied.happened_at, self.window
        full_from = self._full_from(at)
        until = min(self._until(at), at + LONGEST * window)
        before = self._between(max(at - 2 * window, full_from), at) if full_from else []
        after = self._between(at + window, until) if full_from else []
        # In two, to see whether it moved by itself already.
        earlier, later = (
            _Level.of(before[: len(before) // 2]),
            _Level.of(before[len(before) // 2 :]),
        )
        became = _Level.of(after)
        if full_from is None:
            effect, why = Effect.UNKNOWN, "no burn rate was measured while the fault was in place"
        elif earlier is None or later is None:
            effect = Effect.UNKNOWN
            why = "the shortest window was still filling when it was applied"
        elif became is None:
            effect, why = Effect.UNKNOWN, "nothing was measured for long enough after it"
        else:
            effect, why = _compared(earlier, later, became)
        if self._cleared_by(applied):
            effect, why = Effect.HELPS, "the alert cleared by it"
        return MitigationEffect(
            name=str(applied.data.get("name", "")),
            parameters={k: str(v) for k, v in dict(applied.data.get("parameters") or {}).items()},
            applied_at=at,
            burn_before=later.burn_rate if later else None,
            burn_after=became.burn_rate if became else None,
            effect=effect,
            reason=why,
            evidence=(applied.id, *(f.id for _, _, f in (*before[-1:], *after[-1:]))),
        )

    def _full_from(self, at: datetime) -> datetime | None:
        """Return from when on the window held nothing but what held until ``at``; None: never."""
        changes = [
            f.happened_at
            for f in self.incident.timeline.of_kind(Kind.FAULT_INJECTED, Kind.MITIGATION_APPLIED)
            if f.happened_at < at and f.data.get("ok") is not False
        ]
        return max(changes) + self.window if changes and self.taken else None

    def _until(self, at: datetime) -> datetime:
        """Return when something else changed what users see; the end of the readings if nothing."""
        changes = [
            f.happened_at
            for f in self.incident.timeline.of_kind(
                *(Kind.FAULT_INJECTED, Kind.FAULT_RECOVERED),
                *(Kind.MITIGATION_APPLIED, Kind.MITIGATIONS_RESTORED),
            )
            if f.happened_at > at
            and f.data.get("by") != "mitigation"
            and f.data.get("ok") is not False
        ]
        ends = [at, *(taken_at + timedelta(microseconds=1) for taken_at, _, _ in self.taken[-1:])]
        return min([*changes, max(ends)])

    def _between(self, since: datetime, until: datetime) -> list[_Reading]:
        return [one for one in self.taken if since <= one[0] < until]

    def _cleared_by(self, applied: Fact) -> bool:
        incident = self.incident
        is_it = incident.mitigation is not None and incident.mitigation.id == applied.id
        cleared = incident.cleared
        if not is_it or cleared is None or cleared.happened_at < applied.happened_at:
            return False
        return incident.fault_while_clearing()[0] is True


def _compared(earlier: _Level, before: _Level, after: _Level) -> tuple[Effect, str]:
    """Return what a mitigation did, unless the burn rate would have got there by itself.

    Args:
        earlier: as it was some time before; what became of it since goes on, as far as is known.
    """
    effect = _judged(before.burn_rate, after.burn_rate)
    pace = (before.burn_rate - earlier.burn_rate) / ((before.at - earlier.at) / SECOND)
    alone = before.burn_rate + pace * ((after.at - before.at) / SECOND)
    grew = before.burn_rate > STEADY_RATIO * max(earlier.burn_rate, 1.0)
    is_alone = _judged(max(alone, 0.0), after.burn_rate) != effect
    if (effect is Effect.MAKES_WORSE and grew) or (effect is not Effect.DOES_NOT_HELP and is_alone):
        return Effect.UNKNOWN, "the burn rate was moving by itself before it"
    return effect, ""


def _judged(before: float, after: float) -> Effect:
    """Return what the change of a burn rate says; below 1 nobody is woken, whatever it does."""
    if after >= WORSE_RATIO * max(before, 1.0):
        return Effect.MAKES_WORSE
    if before >= 1 and (after < 1 or after * WORSE_RATIO <= before):
        return Effect.HELPS
    return Effect.DOES_NOT_HELP
