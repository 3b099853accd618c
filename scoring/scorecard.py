"""A run judged as a whole: detection, phases, findings, points, and one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scoring.alerting import Detection, detect
from scoring.bench import Bench, ScoreLine
from scoring.effect import MitigationEffect, mitigation_effects
from scoring.expectation import Expectation
from scoring.funnel import TARGETS, PhaseResult, StepResult, judge_funnel, phases
from scoring.outcome import judge_outcomes
from scoring.paging import PageCheck, judge_pages
from scoring.response import Response, measure_response
from scoring.rubric import Half, Rubric
from scoring.run_facts import RunFacts
from scoring.timeline import Kind, Timeline
from scoring.verdict import RunVerdict, Verdict

__all__ = ["HalfScore", "Score", "ScoreLine", "Scorecard", "judge"]

BROKEN_OFF = (RunVerdict.ABORTED, RunVerdict.REFUSED, RunVerdict.FAILED)
"""Verdicts of runs that did not reach their own end: what was judged of them until then says
nothing of how they did, and no percentage is made of it."""


@dataclass(frozen=True, slots=True)
class HalfScore:
    """The number of one half of a run: the system, or the response.

    Attributes:
        points: earned.
        max: that could be earned.
        percent: points / max in percent, one decimal; None where there is none to give.
        reason: why there is none; empty where there is one.
    """

    points: float
    max: float
    percent: float | None
    reason: str = ""

    @classmethod
    def of(cls, lines: Iterable[ScoreLine], *, without: str = "") -> HalfScore:
        """Return the number of judged criteria.

        Args:
            without: why there is none to give, whatever was judged; empty: there may be.
        """
        points, most, percent = _share(lines)
        if without or percent is None:
            return cls(points, most, None, without or "nothing of it could be counted")
        return cls(points, most, percent)


def _share(lines: Iterable[ScoreLine]) -> tuple[float, float, float | None]:
    lines = tuple(lines)
    points, most = sum(line.points for line in lines), sum(line.max for line in lines)
    return points, most, round(100 * points / most, 1) if most else None


@dataclass(frozen=True, slots=True)
class Score:
    """The points of a run. What is unknown, pending or not applicable is in no sum.

    Attributes:
        rubric: name of the rubric it was scored on.
        points: earned, of all lines together.
        max: that could be earned.
        percent: points / max in percent, one decimal, by a rubric that gives one number; None where
            nothing counted, and where system and response have one each.
        lines: the criteria, in the rubric's order.
        system: how the system did; None by a rubric that gives one number.
        response: how the response did; None by a rubric that gives one number.
    """

    rubric: str
    points: float
    max: float
    percent: float | None
    lines: tuple[ScoreLine, ...]
    system: HalfScore | None = None
    response: HalfScore | None = None

    @classmethod
    def of(
        cls, rubric: str, lines: Iterable[ScoreLine], *, halves: bool = False, unanswered: str = ""
    ) -> Score:
        """Return the score of judged criteria.

        Args:
            halves: whether system and response have a number each.
            unanswered: why there was no response; empty: there may have been one.
        """
        lines = tuple(lines)
        points, most, percent = _share(lines)
        if not halves:
            return cls(rubric, points, most, percent, lines)
        system = HalfScore.of(line for line in lines if line.of is Half.SYSTEM)
        answer = [line for line in lines if line.of is Half.RESPONSE]
        response = HalfScore.of(answer, without=unanswered)
        return cls(rubric, points, most, None, lines, system, response)

    def broken_off(self, verdict: RunVerdict) -> Score:
        """Return the score of a run that did not reach its own end: verdicts, and no points."""
        lines = tuple(replace(line, points=0.0, max=0.0) for line in self.lines)
        without = f"the run {'failed' if verdict is RunVerdict.FAILED else f'was {verdict}'}"
        half = HalfScore(0.0, 0.0, None, without)
        halves = (half, half) if self.system is not None else (None, None)
        return Score(self.rubric, 0.0, 0.0, None, lines, *halves)


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
    response: Response | None = None
    mitigations: tuple[MitigationEffect, ...] = ()


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
    effects = mitigation_effects(incident)
    outcomes = judge_outcomes(incident, timed, effects)
    bench = Bench(incident, detection, timed, {s.step: s for s in steps}, pages, outcomes)
    response = measure_response(incident, effects)
    score = Score.of(
        rubric.name,
        (bench.line(criterion) for criterion in rubric.criteria),
        halves=rubric.tells_halves,
        unanswered=_unanswered(incident, response),
    )
    verdict, reason = _run_verdict(incident, detection, score)
    if verdict in BROKEN_OFF:
        score = score.broken_off(verdict)
    return Scorecard(
        verdict, reason, timed, detection, pages, tuple(steps), score, response, effects
    )


def _unanswered(incident: RunFacts, response: Response | None) -> str:
    """Return why nobody responded; empty: somebody was paged, and had to."""
    if response is not None:
        return ""
    if not incident.has_responder:
        return "nobody was to answer the page"
    return "silence was expected" if incident.expectation.alert is None else "nobody was paged"


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
