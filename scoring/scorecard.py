"""A run judged as a whole: detection, phases, findings, points, and one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from scoring.alerting import Detection, detect
from scoring.expectation import Expectation
from scoring.funnel import TARGETS, PhaseResult, StepResult, judge_funnel, phases
from scoring.hint import hint_before
from scoring.paging import PageCheck, judge_pages
from scoring.rubric import Criterion, Rubric
from scoring.run_facts import RunFacts
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict, Verdict, worst

LINKS_OF_A_PAGE = ("red", "traces", "profile", "runbook")
FIELDS_OF_A_PAGE = ("service", "slo", "burn_rate", "window")


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One criterion and what became of it.

    Attributes:
        criterion: its id in the rubric.
        title: what holds when it is met, for people.
        verdict: whether all it judges was met.
        points: earned.
        max: that could be earned; 0 where the verdict does not count.
        required: whether a run must meet it to pass.
        reason: one sentence on the verdict; empty where there is nothing to say.
        evidence: ids of the facts it rests on.
    """

    criterion: str
    title: str
    verdict: Verdict
    points: float
    max: float
    required: bool
    reason: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """The points of a run. What is unknown, pending or not applicable is in neither sum.

    Attributes:
        rubric: name of the rubric it was scored on.
        points: earned, of all lines together.
        max: that could be earned.
        percent: points / max in percent, one decimal; None where nothing counted.
        lines: the criteria, in the rubric's order.
    """

    rubric: str
    points: float
    max: float
    percent: float | None
    lines: tuple[ScoreLine, ...]

    @classmethod
    def of(cls, rubric: str, lines: Iterable[ScoreLine]) -> Score:
        """Return the score of judged criteria."""
        lines = tuple(lines)
        points, most = sum(line.points for line in lines), sum(line.max for line in lines)
        return cls(rubric, points, most, round(100 * points / most, 1) if most else None, lines)


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A run, judged. Judging the same facts with the same rubric gives the same card.

    Attributes:
        reason: what the verdict rests on, in a sentence; empty for a pass.
    """

    verdict: RunVerdict
    reason: str
    phases: Mapping[str, PhaseResult]
    detection: Detection
    pages: Mapping[str, PageCheck]
    funnel: tuple[StepResult, ...]
    score: Score


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
    incident = RunFacts(timeline, expectation, now)
    detection = detect(incident)
    timed = phases(timeline, expectation, targets=targets, now=now)
    steps = judge_funnel(timeline, expectation, now=now)
    pages = judge_pages(incident, detection, timed["paged"])
    bench = _Bench(incident, detection, timed, {step.step: step for step in steps}, pages)
    score = Score.of(rubric.name, (bench.line(criterion) for criterion in rubric.criteria))
    verdict, reason = _run_verdict(incident, detection, score)
    return Scorecard(verdict, reason, timed, detection, pages, tuple(steps), score)


# --- points -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bench:
    """Everything a criterion can point at."""

    incident: RunFacts
    detection: Detection
    phases: Mapping[str, PhaseResult]
    steps: Mapping[str, StepResult]
    pages: Mapping[str, PageCheck]

    def line(self, criterion: Criterion) -> ScoreLine:
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
        evidence = [e for _, _, found in parts for e in found]
        share_ratio = 1.0
        if verdict is Verdict.MET and (hint := self._hint(criterion)) is not None:
            share_ratio = criterion.hinted_ratio
            reasons[
                f"a hint was asked for before, which leaves {share_ratio:.0%} of the points"
            ] = None
            evidence.append(hint.id)
        return ScoreLine(
            criterion.id,
            criterion.title,
            verdict,
            criterion.points * share_ratio if verdict is Verdict.MET else 0.0,
            criterion.points if verdict.counts else 0.0,
            criterion.required,
            "; ".join(reasons),
            tuple(dict.fromkeys(evidence)),
        )

    def _hint(self, criterion: Criterion) -> Fact | None:
        if criterion.step is None:
            return None
        incident = self.incident
        return hint_before(criterion.step, incident.timeline, incident.expectation)

    def _check(self, check: str) -> tuple[Verdict, str, tuple[str, ...]]:
        match check:
            case "detection":
                return self.detection.verdict, self.detection.reason, self.detection.evidence
            case "page":
                return self._page()
            case "runbook":
                return self._runbook()
            case _:
                found = self.pages[check]
                return found.verdict, found.reason, found.evidence

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


def _run_verdict(incident: RunFacts, detection: Detection, score: Score) -> tuple[RunVerdict, str]:
    """Return the one word for the run, and what it rests on.

    A pass needs every fault of the plan, the alert as expected and every required criterion met.
    What is unknown is never passed, and never held against the run either; what cannot apply,
    because nobody was to answer or silence was expected, stands aside.
    """
    return _broken_off(incident) or _measured(incident, detection, score)


def _broken_off(incident: RunFacts) -> tuple[RunVerdict, str] | None:
    """Return how a run ended that did not reach its own end; None: it did."""
    timeline = incident.timeline
    ended = timeline.last(Kind.RUN_ENDED)
    stated = str(ended.data.get("verdict", "")) if ended else ""
    proven = {f.subject for f in timeline.of_kind(Kind.RECOVERY_PROVEN, Kind.MITIGATIONS_RESTORED)}
    stuck = {f.subject for f in timeline.of_kind(Kind.RECOVERY_STUCK)} - proven
    failed = timeline.first(Kind.INJECTION_FAILED)
    aborted = timeline.first(Kind.RUN_ABORTED)
    why = ""
    if stuck:
        why = f"{len(stuck)} of its changes could not be taken back"
    elif failed is not None:
        why = f"{failed.data.get('fault', 'a fault')} could not be put in place"
    elif aborted is not None:
        why = str(aborted.data.get("reason") or "")
    elif ended is not None:
        why = str(ended.data.get("reason") or "")
    if stated in (RunVerdict.ABORTED, RunVerdict.REFUSED, RunVerdict.FAILED):
        return RunVerdict(stated), why
    if stuck or failed is not None:
        return RunVerdict.FAILED, why
    if aborted is not None:
        return RunVerdict.ABORTED, why
    if incident.injected is None:
        steady = timeline.last(Kind.STEADY_STATE_CHECKED)
        if steady is not None and steady.data.get("met") is True:
            return RunVerdict.FAILED, "no fault was put in place"
        return RunVerdict.REFUSED, "the steady state was not met" if steady else ""
    return None


def _measured(incident: RunFacts, detection: Detection, score: Score) -> tuple[RunVerdict, str]:
    needed = [("detection", detection.verdict, detection.reason)]
    needed += [(line.criterion, line.verdict, line.reason) for line in score.lines if line.required]
    for verdict, open_ in (
        (RunVerdict.MISSED, (Verdict.MISSED,)),
        (RunVerdict.UNKNOWN, (Verdict.UNKNOWN, Verdict.PENDING)),
    ):
        words = [f"{name}: {reason or found}" for name, found, reason in needed if found in open_]
        words += _not_all_came(incident) if verdict is RunVerdict.UNKNOWN else []
        if words:
            return verdict, "; ".join(dict.fromkeys(words))
    if detection.verdict is not Verdict.MET:
        return RunVerdict.UNKNOWN, f"detection: {detection.reason}"
    return RunVerdict.PASSED, ""


def _not_all_came(incident: RunFacts) -> list[str]:
    """Return how many faults of the plan came, where that is not all of them.

    A run may end before its last fault is due, when the alert has cleared. What that fault would
    have brought is not known.
    """
    planned = incident.planned_faults
    came = len({f.subject for f in incident.timeline.of_kind(Kind.FAULT_INJECTED)})
    return [f"{came} of {planned} faults were put in place"] if planned and came < planned else []
