"""A run judged as a whole: detection, phases, findings, points, and one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from scoring.expectation import Expectation
from scoring.funnel import (
    TARGETS,
    THEORY_MARGIN,
    FunnelStep,
    Phase,
    judge_funnel,
    phases,
)
from scoring.incident import Incident, seconds_between
from scoring.rubric import Criterion, Rubric
from scoring.timeline import Kind, Timeline
from scoring.verdict import Verdict, worst

LINKS_OF_A_PAGE = ("red", "traces", "profile", "runbook")
FIELDS_OF_A_PAGE = ("service", "slo", "burn_rate", "window")


class RunVerdict(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    MISSED = "missed"
    ABORTED = "aborted"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Detection:
    """When the alert fired, and when it had to.

    Attributes:
        injected_at: first injection.
        fired_at: first firing evaluation, by Prometheus.
        paged_at: when the page arrived.
        seconds: injection to firing.
        planned_seconds: predicted before the run, from the declared error ratio.
        predicted_seconds: recomputed from the raw counters; None: not known, or it must not fire.
        upper_seconds: the same for the unluckiest phase of the evaluation grid.
        within_seconds: the limit it was judged against.
        ratio: seconds / predicted_seconds.
        windows_full, windows_clean, history_ratio: the history Prometheus really held.
        budget_spent_ratio: share of the period's budget this run has spent.
    """

    injected_at: datetime | None
    fired_at: datetime | None
    paged_at: datetime | None
    seconds: float | None
    planned_seconds: float | None
    predicted_seconds: float | None
    upper_seconds: float | None
    within_seconds: float | None
    ratio: float | None
    windows_full: bool | None
    windows_clean: bool | None
    history_ratio: float | None
    budget_spent_ratio: float | None
    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the detection as ``run --json`` prints it."""
        return {
            "injected_at": _text(self.injected_at),
            "fired_at": _text(self.fired_at),
            "paged_at": _text(self.paged_at),
            "seconds": self.seconds,
            "planned_seconds": self.planned_seconds,
            "predicted_seconds": self.predicted_seconds,
            "upper_seconds": self.upper_seconds,
            "within_seconds": self.within_seconds,
            "ratio": self.ratio,
            "windows_full": self.windows_full,
            "windows_clean": self.windows_clean,
            "history_ratio": self.history_ratio,
            "budget_spent_ratio": self.budget_spent_ratio,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "evidence": list(self.evidence),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One criterion and what became of it.

    Attributes:
        points: earned.
        max: that could be earned; 0 where the verdict does not count.
    """

    criterion: str
    title: str
    verdict: Verdict
    points: float
    max: float
    required: bool
    reason: str
    evidence: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the line as ``run --json`` prints it."""
        return {
            "criterion": self.criterion,
            "title": self.title,
            "verdict": str(self.verdict),
            "points": self.points,
            "max": self.max,
            "required": self.required,
            "reason": self.reason,
            "evidence": list(self.evidence),
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The points of a run. What is unknown, pending or not applicable is in neither sum."""

    lines: tuple[Line, ...]

    @property
    def points(self) -> float:
        """Return the points earned."""
        return sum(line.points for line in self.lines)

    @property
    def max(self) -> float:
        """Return the points that could be earned."""
        return sum(line.max for line in self.lines)

    @property
    def percent(self) -> float | None:
        """Return points / max in percent, one decimal; None where nothing counted."""
        return round(100 * self.points / self.max, 1) if self.max else None

    def to_json(self) -> dict[str, Any]:
        """Return the score as ``run --json`` prints it."""
        return {
            "points": self.points,
            "max": self.max,
            "percent": self.percent,
            "lines": [line.to_json() for line in self.lines],
        }


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A run, judged. Judging the same facts with the same rubric gives the same card."""

    verdict: RunVerdict
    detection: Detection
    phases: Mapping[str, Phase]
    funnel: Sequence[FunnelStep]
    score: Score
    rubric: str

    def to_json(self) -> dict[str, Any]:
        """Return the card as the judged part of ``run --json``."""
        return {
            "verdict": str(self.verdict),
            "phases": {name: phase.to_json() for name, phase in self.phases.items()},
            "detection": self.detection.to_json(),
            "funnel": [step.to_json() for step in self.funnel],
            "score": {"rubric": self.rubric, **self.score.to_json()},
        }


def judge(
    timeline: Timeline,
    expectation: Expectation,
    rubric: Rubric,
    *,
    targets: Mapping[str, timedelta | None] = TARGETS,
    now: datetime | None = None,
) -> Scorecard:
    """Return the scorecard of a run.

    Args:
        targets: see `scoring.funnel.phases`.
        now: until when the run is known; None: until its last fact.
    """
    incident = Incident(timeline, expectation, now)
    detection = detect(incident)
    timed = phases(timeline, expectation, targets=targets, now=now)
    steps = judge_funnel(timeline, expectation, now=now)
    bench = _Bench(incident, detection, timed, {step.step: step for step in steps})
    score = Score(tuple(bench.line(criterion) for criterion in rubric.criteria))
    return Scorecard(
        _run_verdict(incident, detection, score), detection, timed, steps, score, rubric.name
    )


# --- detection ----------------------------------------------------------------------------------


def detect(incident: Incident) -> Detection:
    """Return when the alert of this incident fired, and when it had to."""
    injected, page, fired_at = incident.injected, incident.page, incident.fired_at
    measured = incident.measurement("detection")
    plan = incident.timeline.last(Kind.PLAN_MADE)
    planned = plan.data.get("predicted_seconds") if plan else None
    predicted = incident.number("detection", "predicted_seconds")
    declared = incident.expectation.within
    seconds = seconds_between(injected.happened_at, fired_at) if injected and fired_at else None
    within = declared.total_seconds() if declared else None
    if within is None and predicted is not None and incident.expectation.alert is not None:
        within = predicted * THEORY_MARGIN
    facts = (injected, incident.fired, page, measured)
    unjudged = Detection(
        injected_at=injected.happened_at if injected else None,
        fired_at=fired_at,
        paged_at=page.happened_at if page else None,
        seconds=seconds,
        planned_seconds=planned,
        predicted_seconds=predicted,
        upper_seconds=incident.number("detection", "upper_seconds"),
        within_seconds=within,
        ratio=seconds / predicted if seconds is not None and predicted else None,
        windows_full=measured.data.get("windows_full") if measured else None,
        windows_clean=measured.data.get("windows_clean") if measured else None,
        history_ratio=incident.number("detection", "history_ratio"),
        budget_spent_ratio=incident.number("detection", "budget_spent_ratio"),
        verdict=Verdict.UNKNOWN,
        evidence=tuple(f.id for f in facts if f is not None),
    )
    if injected is None:
        reason = "no fault was injected"
        return replace(unjudged, verdict=Verdict.NOT_APPLICABLE, reason=reason)
    if incident.expectation.alert is None:
        return _silence(unjudged, incident)
    if seconds is None:
        return _not_fired(unjudged, incident)
    if within is None:
        return replace(unjudged, reason=f"it fired; {_why_no_theory(incident)}")
    if seconds <= within:
        return replace(unjudged, verdict=Verdict.MET)
    reason = f"it fired after {seconds:.1f} s, {seconds - within:.1f} s too late"
    return replace(unjudged, verdict=Verdict.MISSED, reason=reason)


def _why_no_theory(incident: Incident) -> str:
    if incident.measurement("detection") is None:
        return "when it had to could not be recomputed from the counters"
    return "by the counters it did not have to"


def _silence(unjudged: Detection, incident: Incident) -> Detection:
    """Judge a run in which the alert must keep silent, and must have been able to speak."""
    if unjudged.fired_at is not None:
        reason = "it fired, and silence was expected"
        return replace(unjudged, verdict=Verdict.MISSED, reason=reason)
    absent = _absent(incident, None)
    if absent is not None:
        verdict, reason, evidence = absent
        return replace(
            unjudged, verdict=verdict, reason=reason, evidence=(*unjudged.evidence, *evidence)
        )
    pipeline = incident.measurement("pipeline")
    evidence = (*unjudged.evidence, *((pipeline.id,) if pipeline else ()))
    if pipeline is None or pipeline.data.get("alive") is not True:
        reason = "silent, but the pipeline was not proven alive"
        return replace(unjudged, reason=reason, evidence=evidence)
    return replace(unjudged, verdict=Verdict.MET, reason="silent, as expected", evidence=evidence)


def _not_fired(unjudged: Detection, incident: Incident) -> Detection:
    """Judge an alert that was awaited and is not known to have fired."""
    limit = unjudged.within_seconds
    if limit is None and unjudged.planned_seconds is not None:
        limit = unjudged.planned_seconds * THEORY_MARGIN
    absent = _absent(incident, limit)
    if absent is not None:
        verdict, reason, evidence = absent
        return replace(
            unjudged, verdict=verdict, reason=reason, evidence=(*unjudged.evidence, *evidence)
        )
    measured = incident.measurement("detection")
    silent = measured is not None and unjudged.predicted_seconds is None
    reason = "it did not fire" + ("; by the counters it did not have to" if silent else "")
    return replace(unjudged, verdict=Verdict.MISSED, reason=reason)


def _absent(incident: Incident, limit: float | None) -> tuple[Verdict, str, tuple[str, ...]] | None:
    """Return why an absent alert cannot be judged; None: it was looked for and was not there.

    Args:
        limit: seconds from the injection by which it was due; None: by the end of the run.
    """
    injected, seen_until = incident.injected, incident.seen_until
    assert injected is not None and seen_until is not None  # the caller has seen the injection
    due = injected.happened_at + timedelta(seconds=limit) if limit is not None else None
    hidden = incident.blind_at(min(due, seen_until) if due else seen_until)
    if hidden is not None:
        return Verdict.UNKNOWN, "the alerts could not be read when it was due", (hidden.id,)
    if due is not None and due <= seen_until:
        return None
    if incident.cut_short_at is not None:
        return Verdict.NOT_APPLICABLE, "the run was cut short before it was due", ()
    if not incident.is_over:
        return Verdict.PENDING, "not due yet", ()
    return None


# --- points -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bench:
    """Everything a criterion can point at."""

    incident: Incident
    detection: Detection
    phases: Mapping[str, Phase]
    steps: Mapping[str, FunnelStep]

    def line(self, criterion: Criterion) -> Line:
        """Return one criterion, judged."""
        parts: list[tuple[Verdict, str, tuple[str, ...]]] = []
        if criterion.check is not None:
            parts.append(self._check(criterion.check))
        if criterion.phase is not None:
            phase = self.phases[criterion.phase]
            parts.append((phase.verdict, phase.reason, phase.evidence))
        if criterion.step is not None:
            step = self.steps[criterion.step]
            parts.append((step.verdict, step.reason, step.evidence))
        verdict = worst(v for v, _, _ in parts)
        reasons = dict.fromkeys(r for v, r, _ in parts if r and v is verdict)
        return Line(
            criterion.id,
            criterion.title,
            verdict,
            criterion.points if verdict is Verdict.MET else 0.0,
            criterion.points if verdict.counts else 0.0,
            criterion.required,
            "; ".join(reasons),
            tuple(dict.fromkeys(e for _, _, evidence in parts for e in evidence)),
        )

    def _check(self, check: str) -> tuple[Verdict, str, tuple[str, ...]]:
        match check:
            case "detection":
                return self.detection.verdict, self.detection.reason, self.detection.evidence
            case "page":
                return self._page()
            case _:
                return self._runbook()

    def _page(self) -> tuple[Verdict, str, tuple[str, ...]]:
        """Judge whether the page carried all a responder needs to start."""
        paged = self.phases["paged"]
        if paged.verdict is not Verdict.MET:
            return paged.verdict, paged.reason, paged.evidence
        fact = self.incident.timeline.first(Kind.PAGE_DELIVERED)
        if fact is None:
            if not self.incident.has_responder:
                return Verdict.NOT_APPLICABLE, "nobody was to answer the page", ()
            return Verdict.MISSED, "the page reached nobody", paged.evidence
        page = fact.data.get("page") or {}
        links = page.get("links") or {}
        missing = [f for f in FIELDS_OF_A_PAGE if page.get(f) in (None, "")]
        missing += [f"link {name}" for name in LINKS_OF_A_PAGE if not links.get(name)]
        if missing:
            return Verdict.MISSED, f"the page lacks {', '.join(missing)}", (fact.id,)
        return Verdict.MET, "", (fact.id,)

    def _runbook(self) -> tuple[Verdict, str, tuple[str, ...]]:
        """Judge whether the runbook was worked with: at least one of its steps was done."""
        paged, mitigated = self.phases["paged"], self.phases["mitigated"]
        if paged.verdict in (Verdict.UNKNOWN, Verdict.PENDING):
            return paged.verdict, paged.reason, ()
        if mitigated.verdict is Verdict.NOT_APPLICABLE:
            return mitigated.verdict, mitigated.reason, ()
        steps = self.incident.timeline.of_kind(Kind.RUNBOOK_STEP)
        done = tuple(f.id for f in steps if f.data.get("done") is True)
        if done:
            return Verdict.MET, "", done
        if mitigated.verdict is Verdict.PENDING:
            return Verdict.PENDING, "not due yet", ()
        reason = "no step of the runbook was done" if steps else "no step was ticked"
        return Verdict.MISSED, reason, tuple(f.id for f in steps)


def _run_verdict(incident: Incident, detection: Detection, score: Score) -> RunVerdict:
    """Return the one word for the run.

    A pass needs the alert as expected and every required criterion met. What is unknown is never
    passed; what cannot apply, because nobody was to answer or silence was expected, is not held
    against it.
    """
    timeline = incident.timeline
    ended = timeline.last(Kind.RUN_ENDED)
    stated = str(ended.data.get("verdict", "")) if ended else ""
    if stated in (RunVerdict.ABORTED, RunVerdict.REFUSED, RunVerdict.FAILED):
        return RunVerdict(stated)
    proven = {f.subject for f in timeline.of_kind(Kind.RECOVERY_PROVEN, Kind.MITIGATIONS_RESTORED)}
    stuck = {f.subject for f in timeline.of_kind(Kind.RECOVERY_STUCK)}
    if stuck - proven or timeline.first(Kind.INJECTION_FAILED) is not None:
        return RunVerdict.FAILED
    if timeline.first(Kind.RUN_ABORTED) is not None:
        return RunVerdict.ABORTED
    if incident.injected is None:
        steady = timeline.last(Kind.STEADY_STATE_CHECKED)
        is_steady = steady is not None and steady.data.get("met") is True
        return RunVerdict.FAILED if is_steady else RunVerdict.REFUSED
    needed = [line.verdict for line in score.lines if line.required]
    fine = all(v in (Verdict.MET, Verdict.NOT_APPLICABLE) for v in needed)
    passed = detection.verdict is Verdict.MET and fine
    return RunVerdict.PASSED if passed else RunVerdict.MISSED


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None
