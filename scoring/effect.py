"""What each mitigation did to users: the burn rate before it against the burn rate after it.

It is read over the shortest window, twice: once when that window held nothing but the fault, once
when it held nothing but what came after the mitigation. Whatever else moved it in that time leaves
the effect *unknown*; a fault that grows by itself is not held against the responder.
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
        self.taken = [
            (f.happened_at, float(value), f)
            for f in taken
            if (value := (f.data.get("values") or {}).get(name)) is not None
        ]

    def effect(self, applied: Fact) -> MitigationEffect:
        """Return what one mitigation did."""
        before, after, why, seen = self._compared(applied)
        effect = Effect.UNKNOWN
        if before is not None and after is not None and not why:
            effect = _judged(before, after)
        if self._cleared_by(applied):
            effect, why = Effect.HELPS, "the alert cleared by it"
        return MitigationEffect(
            name=str(applied.data.get("name", "")),
            parameters={k: str(v) for k, v in dict(applied.data.get("parameters") or {}).items()},
            applied_at=applied.happened_at,
            burn_before=before,
            burn_after=after,
            effect=effect,
            reason=why,
            evidence=(applied.id, *(f.id for f in seen)),
        )

    def _compared(self, applied: Fact) -> tuple[float | None, float | None, str, Sequence[Fact]]:
        """Return the burn rate before and after, why they cannot be compared, and the readings."""
        at, window = applied.happened_at, self.window
        steady_from = self._steady_from(at)
        if not self.taken or steady_from is None:
            return None, None, "no burn rate was measured while the fault was in place", ()
        before = self._between(max(at - window, steady_from), at)
        earlier = self._between(max(at - 2 * window, steady_from), at - window)
        until = self._until(at)
        after = self._between(at + window, min(until, at + LONGEST * window))
        seen = [f for _, f in (before[-1:] + after[-1:])]
        was, became = _middle(before), _middle(after)
        if was is None:
            why = "the shortest window was still filling when it was applied"
        elif became is None:
            why = "nothing was measured for long enough after it"
        elif (first := _middle(earlier)) is None:
            why = "the burn rate was not known to be steady before it"
        elif _judged(first, was) is not Effect.DOES_NOT_HELP and max(first, was) >= 1:
            why = "the burn rate was moving by itself before it"
        else:
            why = ""
        return was, became, why, seen

    def _steady_from(self, at: datetime) -> datetime | None:
        """Return from when on the window held nothing but what held until ``at``; None: never."""
        changes = [
            f.happened_at
            for f in self.incident.timeline.of_kind(Kind.FAULT_INJECTED, Kind.MITIGATION_APPLIED)
            if f.happened_at < at and f.data.get("ok") is not False
        ]
        return max(changes) + self.window if changes else None

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
        return min([*changes, self.taken[-1][0] + timedelta(microseconds=1)])

    def _between(self, since: datetime, until: datetime) -> list[tuple[float, Fact]]:
        return [(value, fact) for at, value, fact in self.taken if since <= at < until]

    def _cleared_by(self, applied: Fact) -> bool:
        incident = self.incident
        is_it = incident.mitigation is not None and incident.mitigation.id == applied.id
        cleared = incident.cleared
        if not is_it or cleared is None or cleared.happened_at < applied.happened_at:
            return False
        return incident.fault_while_clearing()[0] is True


def _middle(readings: Sequence[tuple[float, Fact]]) -> float | None:
    return median(value for value, _ in readings) if readings else None


def _judged(before: float, after: float) -> Effect:
    """Return what the change of a burn rate says; below 1 nobody is woken, whatever it does."""
    if after >= WORSE_RATIO * max(before, 1.0):
        return Effect.MAKES_WORSE
    if before >= 1 and (after < 1 or after * WORSE_RATIO <= before):
        return Effect.HELPS
    return Effect.DOES_NOT_HELP
