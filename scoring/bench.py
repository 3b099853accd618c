"""What each criterion of a rubric points at, judged: verdict, share of the points, reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scoring.alerting import Detection
from scoring.finding import FINDING_STEPS
from scoring.funnel import PhaseResult, StepResult
from scoring.hint import hint_before
from scoring.outcome import OutcomeResult
from scoring.paging import PageCheck
from scoring.response import right_at
from scoring.rubric import Criterion, Half
from scoring.run_facts import RunFacts, seconds_between
from scoring.timeline import Fact, Kind
from scoring.verdict import Verdict, worst

LINKS_OF_A_PAGE = ("red", "traces", "profile", "runbook")
FIELDS_OF_A_PAGE = ("service", "slo", "burn_rate", "window")


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One criterion and what became of it.

    Attributes:
        criterion: its id in the rubric.
        title: what holds when it is met, for people.
        verdict: whether all it judges was met.
        points: earned; some also where it was missed by being late, or done in part.
        max: that could be earned; 0 where the verdict does not count, or the run.
        required: whether a run must meet it to pass.
        reason: one sentence on the verdict; empty where there is nothing to say.
        evidence: ids of the facts it rests on.
        of: which half of the run it tells of; None by a rubric that gives one number.
    """

    criterion: str
    title: str
    verdict: Verdict
    points: float
    max: float
    required: bool
    reason: str
    evidence: tuple[str, ...]
    of: Half | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the things a criterion judges.

    Attributes:
        share_ratio: of the points, 0–1, where its verdict counts; None: all if met, else none.
    """

    verdict: Verdict
    reason: str = ""
    evidence: tuple[str, ...] = ()
    share_ratio: float | None = None

    @property
    def earned_ratio(self) -> float:
        """Return the share of the points that it leaves."""
        if self.share_ratio is not None:
            return self.share_ratio
        return 1.0 if self.verdict is Verdict.MET else 0.0


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything a criterion can point at."""

    incident: RunFacts
    detection: Detection
    phases: Mapping[str, PhaseResult]
    steps: Mapping[str, StepResult]
    pages: Mapping[str, PageCheck]
    outcomes: Mapping[str, OutcomeResult]

    def line(self, criterion: Criterion) -> ScoreLine:
        """Return one criterion, judged."""
        parts = self._parts(criterion)
        verdict = worst(part.verdict for part in parts)
        reasons = dict.fromkeys(p.reason for p in parts if p.reason and p.verdict is verdict)
        evidence = [e for part in parts for e in part.evidence]
        earned_ratio = 0.0
        if verdict.counts:
            earned_ratio = min(p.earned_ratio for p in parts if p.verdict.counts)
        hint = self._hint(criterion)
        if earned_ratio and hint is not None:
            left = criterion.hinted_ratio
            earned_ratio *= left
            reasons[f"a hint was asked for before, which leaves {left:.0%} of the points"] = None
            evidence.append(hint.id)
        return ScoreLine(
            criterion=criterion.id,
            title=criterion.title,
            verdict=verdict,
            points=round(criterion.points * earned_ratio, 2),
            max=criterion.points if verdict.counts else 0.0,
            required=criterion.required,
            reason="; ".join(reasons),
            evidence=tuple(dict.fromkeys(evidence)),
            of=criterion.of,
        )

    def _parts(self, criterion: Criterion) -> list[_Part]:
        parts = []
        if criterion.check is not None:
            parts.append(self._check(criterion.check))
        if criterion.phase is not None:
            parts.append(_as_it_is(self.phases[criterion.phase]))
        if criterion.time is not None:
            parts.append(self._time(criterion.time))
        if criterion.step is not None:
            parts.append(_as_it_is(self.steps[criterion.step]))
        return parts

    def _hint(self, criterion: Criterion) -> Fact | None:
        step = criterion.step or criterion.time
        if step not in FINDING_STEPS:
            return None
        return hint_before(step, self.incident.timeline, self.incident.expectation)

    # --- the clock --------------------------------------------------------------------------

    def _time(self, name: str) -> _Part:
        """Grade when a phase was reached: all points until its target, half at twice that.

        What people do a little late is a little worse. What was not done right has no time: fast
        and wrong is not half good.
        """
        phase, page = self.phases[name], self.incident.page
        reached_at = phase.at
        if name in self.steps:
            step = self.steps[name]
            if step.verdict is Verdict.MISSED:
                return _Part(step.verdict, "it was not read right", step.evidence)
            right = right_at(name, self.incident.timeline, self.incident.expectation)
            reached_at = right or phase.at
        if name == "mitigated":
            mitigation = self.outcomes["mitigation"]
            if mitigation.verdict is not Verdict.MET:
                return _as_it_is(mitigation)
        if reached_at is None or page is None or phase.target_seconds is None:
            return _as_it_is(phase)
        took = seconds_between(page.happened_at, reached_at)
        target = phase.target_seconds
        if took <= target:
            return _Part(Verdict.MET, "", phase.evidence)
        left = target / took
        reason = f"{took - target:.1f} s late, which leaves {left:.0%} of the points"
        return _Part(Verdict.MISSED, reason, phase.evidence, left)

    # --- checks -----------------------------------------------------------------------------

    def _check(self, check: str) -> _Part:
        match check:
            case "detection":
                return _as_it_is(self.detection)
            case "page":
                return self._page()
            case "runbook":
                return self._runbook()
            case "first_checks":
                return self._first_checks()
            case _ if check in self.outcomes:
                return _as_it_is(self.outcomes[check])
            case _:
                return _as_it_is(self.pages[check])

    def _page(self) -> _Part:
        """Judge whether the page carried all a responder needs to start."""
        paged = self.phases["paged"]
        if paged.verdict is not Verdict.MET:
            return _as_it_is(paged)
        fact = self.incident.timeline.first(Kind.PAGE_DELIVERED)
        if fact is None:
            if not self.incident.has_responder:
                return _Part(Verdict.NOT_APPLICABLE, "nobody was to answer the page")
            return _Part(Verdict.MISSED, "the page reached nobody", paged.evidence)
        page = fact.data.get("page") or {}
        links = page.get("links") or {}
        missing = [f for f in FIELDS_OF_A_PAGE if page.get(f) in (None, "")]
        missing += [f"link {name}" for name in LINKS_OF_A_PAGE if not links.get(name)]
        if missing:
            return _Part(Verdict.MISSED, f"the page lacks {', '.join(missing)}", (fact.id,))
        return _Part(Verdict.MET, "", (fact.id,))

    def _runbook(self) -> _Part:
        """Judge whether the runbook was opened at all: at least one of its steps was done."""
        waits = self._runbook_waits()
        if waits is not None:
            return waits
        steps = self.incident.timeline.of_kind(Kind.RUNBOOK_STEP)
        done = tuple(f.id for f in steps if f.data.get("done") is True)
        if done:
            return _Part(Verdict.MET, "", done)
        if self.phases["mitigated"].verdict is Verdict.PENDING:
            return _Part(Verdict.PENDING, "not due yet")
        reason = "no step of the runbook was done" if steps else "no step was ticked"
        return _Part(Verdict.MISSED, reason, tuple(f.id for f in steps))

    def _first_checks(self) -> _Part:
        """Judge which share of the runbook's first checks was done.

        One that was tried and could not be done is the runbook's fault, and asked of nobody.
        """
        waits = self._runbook_waits()
        if waits is not None:
            return waits
        listed = self.incident.expectation.first_checks
        if listed is None:
            return _Part(Verdict.UNKNOWN, "the runbook of the run is not known")
        said = {
            str(f.data.get("step")): f for f in self.incident.timeline.of_kind(Kind.RUNBOOK_STEP)
        }
        asked = [s for s in listed if s not in said or said[s].data.get("done") is True]
        if not asked:
            why = "none of its first checks could be done" if listed else "it has no first checks"
            return _Part(Verdict.NOT_APPLICABLE, why)
        done = [s for s in asked if s in said]
        evidence = tuple(said[s].id for s in done)
        if len(done) == len(asked):
            return _Part(Verdict.MET, "", evidence)
        if self.phases["mitigated"].verdict is Verdict.PENDING:
            return _Part(Verdict.PENDING, "not due yet")
        reason = f"{len(done)} of {len(asked)} first checks were done"
        return _Part(Verdict.MISSED, reason, evidence, len(done) / len(asked))

    def _runbook_waits(self) -> _Part | None:
        """Return why the work with the runbook is not judged; None: it is."""
        paged, mitigated = self.phases["paged"], self.phases["mitigated"]
        if paged.verdict in (Verdict.UNKNOWN, Verdict.PENDING):
            return _Part(paged.verdict, paged.reason)
        if mitigated.verdict is Verdict.NOT_APPLICABLE:
            return _Part(mitigated.verdict, mitigated.reason)
        return None


def _as_it_is(judged: PhaseResult | StepResult | OutcomeResult | PageCheck | Detection) -> _Part:
    return _Part(judged.verdict, judged.reason, judged.evidence)
