"""The facts of one run, read out of its timeline for its judges, found once.

Which alert counts is decided here: those of the expected SLO and severity, from the injection on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from scoring.expectation import Expectation
from scoring.slo import Severity
from scoring.timeline import TAKE_BACK, Fact, Kind, Timeline

SEEN = ("alerts", "burn_rate", "counters")
"""Measurements that prove that Prometheus answered."""

BEAT_WITHIN = timedelta(seconds=15)
"""How near a beat must be for a page to have been able to come: beats come every few seconds, and
three of them in a row are not lost by chance."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts of one run, as one expectation sees them."""

    timeline: Timeline
    expectation: Expectation
    now: datetime | None = None

    @property
    def seen_until(self) -> datetime | None:
        """Return up to when the run is known: ``now`` if given, else the last fact's instant.

        What is said about its incident once the run has ended (a postmortem, days later) tells
        nothing of how far the run itself could see.
        """
        if self.now is not None:
            return self.now
        facts = self.timeline.facts
        ends = [n for n, f in enumerate(facts, 1) if f.kind == Kind.RUN_ENDED]
        return max((f.happened_at for f in facts[: ends[0] if ends else None]), default=None)

    @property
    def told_until(self) -> datetime | None:
        """Return up to when anything is known at all, also of what follows a run."""
        return self.now or max((f.happened_at for f in self.timeline), default=None)

    @property
    def injected(self) -> Fact | None:
        """Return the first injection; None where nothing was injected."""
        return self.timeline.first(Kind.FAULT_INJECTED)

    @property
    def planned_faults(self) -> int | None:
        """Return how many faults the plan has; None where it does not tell, as old ones do not."""
        plan = self.timeline.last(Kind.PLAN_MADE)
        faults = plan.data.get("faults") if plan else None
        return len(faults) if isinstance(faults, Sequence) else None

    @property
    def absent(self) -> frozenset[str]:
        """Return the steps that the target has no instrument for, by the plan."""
        plan = self.timeline.last(Kind.PLAN_MADE)
        steps = plan.data.get("absent") if plan else None
        return frozenset(map(str, steps)) if isinstance(steps, Sequence) else frozenset()

    @property
    def cut_short_at(self) -> datetime | None:
        """Return when the run was aborted; None where it ran to its end."""
        aborted = self.timeline.first(Kind.RUN_ABORTED)
        return aborted.happened_at if aborted else None

    @property
    def is_over(self) -> bool:
        """Return whether nothing more can happen in the run, a postmortem apart.

        It is over when it says so, and already when every fault has been proven gone or given up:
        the conductor does that last, and has the run judged before it writes its end.
        """
        if self.timeline.first(Kind.RUN_ENDED) is not None:
            return True
        injected = {f.subject for f in self.timeline.of_kind(Kind.FAULT_INJECTED)}
        ended = {
            f.subject for f in self.timeline.of_kind(Kind.RECOVERY_PROVEN, Kind.RECOVERY_STUCK)
        }
        return bool(injected) and injected <= ended

    @property
    def time_scale(self) -> float:
        """Return how many times faster alert windows ran; 1 where the run does not say."""
        started = self.timeline.first(Kind.RUN_STARTED)
        scale = started.data.get("time_scale") if started else None
        is_number = isinstance(scale, int | float) and not isinstance(scale, bool)
        return float(scale) if is_number and scale else 1.0

    @property
    def has_responder(self) -> bool:
        """Return whether somebody was to answer the page; a run that does not say had one."""
        started = self.timeline.first(Kind.RUN_STARTED)
        return started is None or str(started.data.get("responder", "")) != "none"

    def _is_ours(self, fact: Fact) -> bool:
        data = fact.data
        # Where silence is expected it is the pager's: a ticket wakes nobody, and its branch, whose
        # threshold is the budget's own pace, is there to see just the slow burn that must not page.
        wanted = self.expectation.alert or Severity.PAGE
        return (
            data.get("slo", fact.subject) == self.expectation.slo
            and data.get("severity") in (None, wanted)
            and data.get("alert") not in self.expectation.collateral
        )

    def _since_injection(self, *kinds: str) -> list[Fact]:
        start = self.injected.happened_at if self.injected else None
        return [
            f
            for f in self.timeline.of_kind(*kinds)
            if self._is_ours(f) and (start is None or f.happened_at >= start)
        ]

    @property
    def fired(self) -> Fact | None:
        """Return the first evaluation at which a branch of the alert was firing."""
        return next(iter(self.firings), None)

    @property
    def firings(self) -> list[Fact]:
        """Return every evaluation, from the injection on, at which a branch began to fire."""
        return self._since_injection(Kind.ALERT_FIRED)

    @property
    def page(self) -> Fact | None:
        """Return the first page that arrived: T+0 of the funnel."""
        return next(iter(self._since_injection(Kind.PAGE_RECEIVED)), None)

    @property
    def pages(self) -> list[Fact]:
        """Return every page that arrived in the run, of any alert, at any time; no tickets."""
        wanted = self.expectation.alert or Severity.PAGE
        return [
            f
            for f in self.timeline.of_kind(Kind.PAGE_RECEIVED)
            if f.data.get("severity") in (None, wanted)
        ]

    @property
    def fired_at(self) -> datetime | None:
        """Return when the alert fired, by Prometheus' evaluation.

        Read from Prometheus; where that failed, from the page, whose ``starts_at`` is the same
        evaluation (Alertmanager's ``startsAt`` is Prometheus' FiredAt).
        """
        if self.fired is not None:
            return self.fired.happened_at
        return starts_at(self.page) if self.page else None

    @property
    def cleared(self) -> Fact | None:
        """Return the evaluation at which the last branch stopped firing; None while one fires.

        Only Prometheus' own evaluations count: Alertmanager also calls an alert resolved when it
        has merely not heard of it for a while.
        """
        latest: dict[str, Fact] = {}
        for fact in self._since_injection(Kind.ALERT_FIRED, Kind.ALERT_RESOLVED):
            latest[str(fact.data.get("long", ""))] = fact
        if not latest or any(f.kind == Kind.ALERT_FIRED for f in latest.values()):
            return None
        return max(latest.values(), key=lambda f: f.happened_at)

    @property
    def mitigation(self) -> Fact | None:
        """Return the first mitigation that counts: it worked, it is expected, and in its place."""
        applied = self.timeline.of_kind(Kind.MITIGATION_APPLIED)
        return next((f for f in applied if not self.unfit(f)), None)

    def unfit(self, applied: Fact) -> str:
        """Return why a mitigation does not count, as the end of its sentence; empty: it does.

        ``region`` is the region in trouble, as runbooks have it (``region={region?}``).
        """
        wanted, regions = self.expectation.mitigations, self.expectation.places
        region = (applied.data.get("parameters") or {}).get("region")
        if not applied.data.get("ok"):
            why = str(applied.data.get("detail") or "")
            return f"failed: {why}" if why else "failed"
        if applied.data.get("name") == TAKE_BACK:
            return "takes back what was applied before it"
        if wanted and applied.data.get("name") not in wanted:
            return "is not a mitigation expected here"
        if region and regions and region not in regions:
            return f"was applied to {region}, where the fault is not"
        return ""

    def measurement(self, what: str) -> Fact | None:
        """Return the latest measurement of this; None where there is none."""
        found = [f for f in self.timeline.of_kind(Kind.MEASUREMENT) if f.data.get("what") == what]
        return found[-1] if found else None

    def number(self, what: str, key: str) -> float | None:
        """Return one value of the latest measurement; None where it is not a number."""
        fact = self.measurement(what)
        value: Any = fact.data.get(key) if fact else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number else None

    def blind_at(self, instant: datetime) -> Fact | None:
        """Return the failed reading of the alerts that hides this instant; None: it was seen.

        Blindness begins with a failed reading and ends with the next one that succeeds.
        """
        hidden: Fact | None = None
        for fact in self.timeline.of_kind(
            Kind.MEASUREMENT, Kind.MEASUREMENT_FAILED, Kind.ALERT_FIRED, Kind.ALERT_RESOLVED
        ):
            if fact.happened_at > instant and hidden is None:
                break
            if fact.kind == Kind.MEASUREMENT_FAILED:
                hidden = hidden or (fact if fact.data.get("what") == "alerts" else None)
            elif fact.kind != Kind.MEASUREMENT or fact.data.get("what") in SEEN:
                if fact.happened_at > instant:
                    break
                hidden = None
        return hidden

    def heard_at(self, instant: datetime) -> Fact | None:
        """Return what proves that a page could have come around this instant; None: nothing does.

        That is a beat of the watchdog, or another page: all the way from Prometheus to here.
        """
        return next(
            (
                f
                for f in self.timeline.of_kind(
                    Kind.PIPELINE_BEAT, Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED
                )
                if abs(f.happened_at - instant) <= BEAT_WITHIN
            ),
            None,
        )

    def longest_without_beat(self, since: datetime, until: datetime) -> timedelta:
        """Return the longest time between two beats, or between one and either end of the span."""
        beats = [
            f.happened_at
            for f in self.timeline.of_kind(Kind.PIPELINE_BEAT)
            if since <= f.happened_at <= until
        ]
        return max(after - before for before, after in pairwise([since, *beats, until]))

    def fault_while_clearing(self) -> tuple[bool | None, str, tuple[str, ...]]:
        """Return whether the fault was still in place when the alert cleared, why, and evidence.

        It was if, after the mitigation, it was read back as present and nothing took it away before
        the alert cleared. A mitigation that takes away the cause itself, as a rollback does, is
        told by ``by: mitigation`` on the fact that says so. None: it was not read back, or it
        vanished between two readings on either side of that instant.
        """
        applied, cleared = self.mitigation, self.cleared
        if applied is None:
            return None, "no mitigation that counts was applied", ()
        by_undo: dict[str, list[Fact]] = {}
        for fact in self.timeline.of_kind(Kind.FAULT_READ, Kind.FAULT_RECOVERED):
            by_undo.setdefault(str(fact.data.get("undo", fact.subject)), []).append(fact)
        until = cleared.happened_at if cleared else None
        found = [_in_place(facts, applied.happened_at, until) for facts in by_undo.values()]
        evidence = tuple(fact.id for _, fact in found if fact is not None)
        states = {state for state, _ in found}
        if True in states:
            return True, "the fault was read back as still in place", evidence
        if None in states or not states:
            return None, "the fault was not read back while the alert cleared", evidence
        return False, "the fault was gone before the alert cleared", evidence


def _in_place(
    facts: Sequence[Fact], since: datetime, until: datetime | None
) -> tuple[bool | None, Fact | None]:
    """Return whether one fault was in place from ``since`` to ``until``, and the fact that tells.

    Args:
        facts: readings and recoveries of this fault, ordered by happened_at.
        since: when the mitigation was applied.
        until: when the alert cleared; None: it did not.
    """
    seen: Fact | None = None
    for fact in facts:
        late = until is not None and fact.happened_at > until
        if fact.data.get("by") == "mitigation":
            seen = fact if fact.happened_at >= since else seen
        elif fact.kind == Kind.FAULT_RECOVERED:
            if late or (until is None and seen is not None):
                break
            return False, fact
        elif fact.data.get("present") is True:
            seen = fact if fact.happened_at >= since else seen
        elif fact.data.get("present") is False:
            # Gone on the first look after the alert had cleared: before it or after it?
            return (None if late else False), fact
        if late and seen is not None:
            break
    return (True if seen is not None else None), seen


def starts_at(page: Fact) -> datetime | None:
    """Return when the alert of a page fired, as the page itself says; None where it does not."""
    stamp = page.data.get("starts_at")
    return datetime.fromisoformat(stamp) if isinstance(stamp, str) and stamp else None


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return the seconds from one instant to the other; negative if they are the other way."""
    return (later - earlier) / timedelta(seconds=1)
