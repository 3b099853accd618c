"""The diagnosis funnel: when each phase happened, and whether each finding was right.

Two judgements, kept apart. `phases` looks only at the clock: was it done, and in time, counted from
the page. `judge_funnel` looks only at what was found. A fast wrong answer meets its phase and
misses its step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scoring.expectation import Expectation
from scoring.finding import FINDING_STEPS, ExpectedFinding, expected_finding, mistake
from scoring.red import Red, Shape, classify_shape, moved, onset
from scoring.run_facts import RunFacts, seconds_between
from scoring.timeline import Fact, Kind, Timeline
from scoring.timing import theory_limit
from scoring.verdict import Verdict

__all__ = [
    "FINDING_STEPS",
    "PHASES",
    "TARGETS",
    "PhaseResult",
    "Red",
    "Shape",
    "StepFinding",
    "StepResult",
    "Verdict",
    "classify_shape",
    "judge_funnel",
    "moved",
    "onset",
    "phases",
]

TARGETS: Mapping[str, timedelta | None] = {
    "paged": timedelta(0),
    "acked": timedelta(seconds=30),
    "red": timedelta(seconds=60),
    "trace": timedelta(seconds=90),
    "profile": timedelta(seconds=120),
    "blame": timedelta(seconds=150),
    "mitigated": timedelta(seconds=180),
    "recovered": None,  # computed: it depends on which branches had fired
    "postmortem": timedelta(hours=1),
}
"""Phase → by when, counted from the page. Not scaled: people are as slow on a fast target."""

PHASES = tuple(TARGETS)

LINKS = {"red": "red", "trace": "traces", "profile": "profile", "mitigate": "runbook"}
"""Step → the deeplink that opens it; blame has none, it starts from the profile's frame."""


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase of the incident against the clock.

    Attributes:
        at: when it happened; None: it did not, or nobody knows.
        seconds_from_page: negative before the page; None with ``at`` or the page missing.
        target_seconds: by when; None where it could not be computed.
        verdict: whether it happened, and in time.
        reason: one sentence on the verdict; empty where there is nothing to say.
        evidence: ids of the facts it rests on.
    """

    at: datetime | None
    seconds_from_page: float | None
    target_seconds: float | None
    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()


def phases(
    timeline: Timeline,
    expectation: Expectation,
    *,
    targets: Mapping[str, timedelta | None] = TARGETS,
    now: datetime | None = None,
) -> dict[str, PhaseResult]:
    """Return every phase of the funnel by name, in order.

    Args:
        targets: by when each phase is due, counted from the page; `TARGETS` where one is missing.
        now: until when the run is known; None: until its last fact.
    """
    clock = _Clock(RunFacts(timeline, expectation, now), {**TARGETS, **targets})
    return {name: clock.phase(name) for name in PHASES}


class _Clock:
    """Judges one incident against the targets."""

    def __init__(self, incident: RunFacts, targets: Mapping[str, timedelta | None]) -> None:
        self.incident = incident
        self.targets = targets

    def phase(self, name: str) -> PhaseResult:
        """Return one phase, whatever it needs."""
        incident = self.incident
        if incident.expectation.alert is None:
            return self._without(name, Verdict.NOT_APPLICABLE, "silence is expected")
        if incident.injected is None and incident.is_over:
            return self._without(name, Verdict.NOT_APPLICABLE, "no fault was injected")
        if name == "paged":
            return self._paged()
        if incident.page is None:
            paged = self._paged().verdict
            if paged in (Verdict.UNKNOWN, Verdict.PENDING):
                return self._without(name, paged, "it is not known whether there was a page")
            return self._without(name, Verdict.NOT_APPLICABLE, "nobody was paged")
        if name == "postmortem":
            return self._by_fact(name, incident.timeline.first(Kind.POSTMORTEM_DRAFTED))
        if not incident.has_responder:
            return self._without(name, Verdict.NOT_APPLICABLE, "nobody was to answer the page")
        if name in incident.absent:
            return self._without(
                name, Verdict.NOT_APPLICABLE, "the target has no instrument for it"
            )
        match name:
            case "acked":
                return self._by_fact(name, self._after_page(Kind.ACKNOWLEDGED))
            case "mitigated":
                return self._mitigated()
            case "recovered":
                return self._recovered()
            case _:
                return self._by_fact(name, self._after_page(Kind.FINDING, step=name))

    def _without(self, name: str, verdict: Verdict, reason: str) -> PhaseResult:
        target = self.targets[name]
        return PhaseResult(None, None, _seconds(target), verdict, reason)

    def _after_page(self, kind: str, *, step: str | None = None) -> Fact | None:
        return next(
            (
                f
                for f in self.incident.timeline.of_kind(kind)
                if step is None or f.data.get("step") == step
            ),
            None,
        )

    def _paged(self) -> PhaseResult:
        incident = self.incident
        page = incident.page
        if page is not None:
            return PhaseResult(page.happened_at, 0.0, 0.0, Verdict.MET, "", (page.id,))
        if incident.fired is not None:
            # The alert is known to fire: what is missing is the page, and our own webhook
            # receives it, so its absence is seen and not merely unmeasured.
            evidence = (incident.fired.id,)
            reason = "the alert fired, no page came"
            return PhaseResult(None, None, 0.0, Verdict.MISSED, reason, evidence)
        seen_until = incident.seen_until
        hidden = incident.blind_at(seen_until) if seen_until else None
        if hidden is not None:
            return self._without("paged", Verdict.UNKNOWN, "the alerts could not be read")
        if incident.cut_short_at is not None:
            return self._without("paged", Verdict.NOT_APPLICABLE, "the run was cut short")
        if not incident.is_over:
            return self._without("paged", Verdict.PENDING, "no page yet")
        if seen_until is None or incident.heard_at(seen_until) is None:
            reason = "no page came, and no beat of the watchdog shows that one could have"
            return self._without("paged", Verdict.UNKNOWN, reason)
        return self._without("paged", Verdict.MISSED, "no page came")

    def _by_fact(self, name: str, fact: Fact | None) -> PhaseResult:
        """Judge a phase that one fact proves."""
        target = self.targets[name]
        if fact is None:
            return self._undone(name, target, can_follow_run=name == "postmortem")
        return self._timed(name, fact, target)

    def _timed(
        self, name: str, fact: Fact, target: timedelta | None, *, evidence: tuple[str, ...] = ()
    ) -> PhaseResult:
        page = self.incident.page
        assert page is not None  # phase() answers without a page
        after = seconds_between(page.happened_at, fact.happened_at)
        facts = tuple(dict.fromkeys((page.id, fact.id, *evidence)))
        if target is None:
            reason = "by when it had to be could not be computed"
            return PhaseResult(fact.happened_at, after, None, Verdict.UNKNOWN, reason, facts)
        due = target.total_seconds()
        verdict = Verdict.MET if after <= due else Verdict.MISSED
        reason = "" if verdict is Verdict.MET else f"{after - due:.1f} s late"
        return PhaseResult(fact.happened_at, after, due, verdict, reason, facts)

    def _undone(
        self, name: str, target: timedelta | None, *, can_follow_run: bool = False
    ) -> PhaseResult:
        """Judge a phase that has not happened: late, not yet due, or cut off."""
        incident = self.incident
        page, seen_until = incident.page, incident.seen_until
        if can_follow_run:
            seen_until = incident.told_until
        assert page is not None and seen_until is not None  # there is at least the page
        is_due = target is not None and page.happened_at + target < seen_until
        if is_due or (incident.is_over and not can_follow_run and incident.cut_short_at is None):
            return self._without(name, Verdict.MISSED, "it did not happen")
        if incident.cut_short_at is not None and not can_follow_run:
            return self._without(name, Verdict.NOT_APPLICABLE, "the run was cut short before")
        return self._without(name, Verdict.PENDING, "not due yet")

    def _mitigated(self) -> PhaseResult:
        incident, target = self.incident, self.targets["mitigated"]
        applied = incident.mitigation
        if applied is None:
            tried = incident.timeline.first(Kind.MITIGATION_APPLIED)
            undone = self._undone("mitigated", target)
            if tried is None or undone.verdict is not Verdict.MISSED:
                return undone
            reason = f"{tried.data.get('name')!r} {incident.unfit(tried)}"
            return replace(undone, reason=reason, evidence=(tried.id,))
        in_place, reason, evidence = incident.fault_while_clearing()
        # "Started" is what the target time is about; the start only counts since it then worked.
        started = next(
            (
                f
                for f in reversed(incident.timeline.of_kind(Kind.MITIGATION_STARTED))
                if f.data.get("name") == applied.data.get("name")
                and f.happened_at <= applied.happened_at
            ),
            applied,
        )
        timed = self._timed("mitigated", started, target, evidence=(applied.id, *evidence))
        if in_place:
            return timed
        verdict = Verdict.UNKNOWN if in_place is None else Verdict.MISSED
        return replace(timed, verdict=verdict, reason=reason)

    def _recovered(self) -> PhaseResult:
        incident = self.incident
        target = self._recovery_target()
        cleared, applied = incident.cleared, incident.mitigation
        if cleared is None:
            seen_until = incident.seen_until
            hidden = incident.blind_at(seen_until) if seen_until else None
            if hidden is not None:
                blind = self._without("recovered", Verdict.UNKNOWN, "the alerts could not be read")
                return _with_target(blind, target, (hidden.id,))
            if incident.fired is None:
                reason = "the alert was never read as firing"
                return _with_target(self._without("recovered", Verdict.UNKNOWN, reason), target, ())
            return _with_target(self._undone("recovered", target), target, ())
        in_place, reason, evidence = incident.fault_while_clearing()
        timed = self._timed("recovered", cleared, target, evidence=evidence)
        if applied is None or cleared.happened_at < applied.happened_at:
            reason = "the alert cleared, but not by a mitigation"
            return replace(timed, verdict=Verdict.MISSED, reason=reason)
        if in_place is None:
            return replace(timed, verdict=Verdict.UNKNOWN, reason=reason)
        return timed if in_place else replace(timed, verdict=Verdict.MISSED, reason=reason)

    def _recovery_target(self) -> timedelta | None:
        """Return by when the alert must have cleared, counted from the page; None: not known.

        By theory: the time to the mitigation, and then the recomputed reset with its margin.
        """
        declared = self.targets["recovered"] or self.incident.expectation.recovered_within
        if declared is not None:
            return declared
        page, applied = self.incident.page, self.incident.mitigation
        resets = self.incident.number("detection", "resets_predicted_seconds")
        if page is None or applied is None or resets is None:
            return None
        latest = self.incident.number("detection", "resets_upper_seconds")
        by_theory = timedelta(seconds=theory_limit(resets, latest))
        return applied.happened_at - page.happened_at + by_theory


def _seconds(target: timedelta | None) -> float | None:
    return target.total_seconds() if target is not None else None


def _with_target(
    phase: PhaseResult, target: timedelta | None, evidence: tuple[str, ...]
) -> PhaseResult:
    return replace(phase, target_seconds=_seconds(target), evidence=(*phase.evidence, *evidence))


# --- findings -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepFinding:
    """What a responder found in one step, as they gave it.

    Attributes:
        summary: one sentence.
        detail: the same as data; its keys stand in `scoring.finding`, and a responder may add
            others.
        found_at: when it was handed in.
    """

    summary: str
    detail: Mapping[str, Any]
    found_at: datetime


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step of the funnel against the truth.

    Attributes:
        step: one of `FINDING_STEPS`.
        opened_at: when its deeplink was opened; None: it was not, or it has none.
        finding: the responder's last one; None: none was given.
        expected: what had to be found; empty where nothing is declared.
        verdict: whether the finding is right.
        reason: one sentence on the verdict; empty where there is nothing to say.
        evidence: ids of the facts it rests on.
    """

    step: str
    opened_at: datetime | None
    finding: StepFinding | None
    expected: ExpectedFinding
    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()


def judge_funnel(
    timeline: Timeline, expectation: Expectation, *, now: datetime | None = None
) -> list[StepResult]:
    """Return every step of the funnel with its finding compared with the culprit.

    The latest finding of a step counts: a responder may correct a first guess. Where there is none,
    the step's verdict is that of its phase.
    """
    timed = phases(timeline, expectation, now=now)
    return [_judge_step(step, timeline, expectation, timed) for step in FINDING_STEPS]


def _judge_step(
    step: str, timeline: Timeline, expectation: Expectation, timed: Mapping[str, PhaseResult]
) -> StepResult:
    opened = next(
        (
            f
            for f in timeline.of_kind(Kind.LINK_OPENED)
            if f.data.get("link") == LINKS.get(step) and f.data.get("attributed") is not False
        ),
        None,
    )
    opened_at = opened.happened_at if opened else None
    expected = expected_finding(step, expectation)
    given = [f for f in timeline.of_kind(Kind.FINDING) if f.data.get("step") == step]
    phase = timed["mitigated" if step == "mitigate" else step]
    if phase.verdict is Verdict.NOT_APPLICABLE:
        return StepResult(step, opened_at, None, expected, phase.verdict, phase.reason)
    if not given:
        verdict = phase.verdict if not phase.verdict.counts else Verdict.MISSED
        reason = phase.reason if not phase.verdict.counts else "no finding was given"
        return StepResult(step, opened_at, None, expected, verdict, reason)
    fact = given[-1]
    detail = fact.data.get("detail") or {}
    finding = StepFinding(str(fact.data.get("summary", "")), dict(detail), fact.happened_at)
    wrong = mistake(step, detail, expectation)
    evidence: tuple[str, ...] = (fact.id,)
    if step == "mitigate" and wrong == "":
        wrong, evidence = _tried(fact, timeline, expectation)
    if wrong is None:
        reason = "the scenario declares nothing to compare with"
        return StepResult(
            step, opened_at, finding, expected, Verdict.NOT_APPLICABLE, reason, (fact.id,)
        )
    right = Verdict.MISSED if wrong else Verdict.MET
    return StepResult(step, opened_at, finding, expected, right, wrong, evidence)


def _tried(
    chosen: Fact, timeline: Timeline, expectation: Expectation
) -> tuple[str, tuple[str, ...]]:
    """Return what came of a mitigation that was rightly chosen, empty if it counted, and evidence.

    One that was not tried is judged by the choice alone.
    """
    incident = RunFacts(timeline, expectation)
    name = (chosen.data.get("detail") or {}).get("mitigation")
    tried = [f for f in timeline.of_kind(Kind.MITIGATION_APPLIED) if f.data.get("name") == name]
    if not tried or not all(incident.unfit(f) for f in tried):
        return "", (chosen.id,)
    return f"{name!r} {incident.unfit(tried[-1])}", (chosen.id, tried[-1].id)
