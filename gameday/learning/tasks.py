"""What a run teaches about its runbook: tasks, each with the facts that prove it and a patch.

A patch changes the runbook as it stands; applied, the same run asks for nothing more. Where only
a person can know the right words (who owns it, which of two is wrong), a task has no patch.

Each sentence is drawn from the facts of the very step it speaks of, and left out where they do not
say it: what was chosen is not what was applied, what was applied is not what helped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from gameday.learning import amendment
from gameday.learning.check_words import CHECKS, MENTIONS, WAITING, WAITING_SENTENCE
from gameday.learning.patch import unified
from gameday.model.result import RunResult, Task, TaskKind
from gameday.model.runbook import CauseKind, FixStep, Runbook, RunbookStep
from gameday.model.scenario import Culprit, Scenario
from gameday.report.wording import both_times, finding_in_words, seconds
from gameday.spec.runbook import parse_runbook
from scoring.effect import Effect
from scoring.expectation import Expectation
from scoring.funnel import StepResult
from scoring.run_facts import RunFacts
from scoring.timeline import TAKE_BACK, Fact, Kind, Timeline
from scoring.verdict import Verdict


@dataclass(frozen=True, slots=True)
class _Run:
    """All that a rule may look at.

    Attributes:
        scenario: that was played, and its result; None: it is no drill, and nothing was declared.
    """

    timeline: Timeline
    scenario: Scenario | None
    runbook: Runbook
    path: str
    result: RunResult | None

    @property
    def incident(self) -> RunFacts:
        """Return the facts as the judges read them."""
        if self.scenario is None:
            return RunFacts(self.timeline, Expectation("", ""))
        expect = self.scenario.spec.expect
        severity = expect.alert.severity if expect.alert else None
        return RunFacts(
            self.timeline,
            Expectation(self.scenario.spec.slo, "", alert=severity, collateral=expect.collateral),
        )

    @property
    def funnel(self) -> tuple[StepResult, ...]:
        """Return how the steps of the diagnosis were judged; of an incident none was."""
        return self.result.funnel if self.result is not None else ()

    @property
    def day(self) -> date | None:
        """Return the day of the run, None for an empty timeline."""
        instants = [f.happened_at for f in self.timeline]
        return max(instants).date() if instants else None

    def finding(self, step: str) -> Fact | None:
        """Return the responder's last finding of a step, None where there is none."""
        found = [f for f in self.timeline.of_kind(Kind.FINDING) if f.data.get("step") == step]
        return found[-1] if found else None

    def task(
        self, kind: TaskKind, title: str, *evidence: Fact | None, about: str = "", after: str = ""
    ) -> Task:
        """Return a task; ``after`` is the runbook's text as it should be, empty for no patch."""
        patch = unified(self.runbook.text, after, self.path) if after else ""
        facts = tuple(f.id for f in evidence if f is not None)
        return Task(kind, title, self.path, facts, patch, about)


def runbook_tasks(
    timeline: Timeline,
    scenario: Scenario,
    runbook_text: str,
    runbook_path: str,
    result: RunResult,
) -> list[Task]:
    """Return what the runbook should learn from this run, the most telling first; may be empty.

    Every patch stands alone against the text given.

    Args:
        runbook_path: relative to the top of its git repository; where the patches apply.
        result: of the run; its funnel and time scale are read.

    Raises:
        SpecError: the runbook's front matter cannot be read.
    """
    runbook = parse_runbook(runbook_text, runbook_path)
    return _tasks(_Run(timeline, scenario, runbook, runbook_path, result))


def incident_tasks(timeline: Timeline, runbook_text: str, runbook_path: str) -> list[Task]:
    """Return what the runbook should learn from a real incident, by what was put on its record.

    Its cause is what the responder found; nothing was declared, and no step was judged.

    Raises:
        SpecError: the runbook's front matter cannot be read.
    """
    runbook = parse_runbook(runbook_text, runbook_path)
    return _tasks(_Run(timeline, None, runbook, runbook_path, None))


def _tasks(run: _Run) -> list[Task]:
    return [
        *_cause_and_fix(run),
        *_missing_checks(run),
        *_waiting(run),
        *_mismatches(run),
        *_failed_steps(run),
        *_exercised(run),
        *_ownership(run),
    ]


Lesson = tuple[TaskKind, str]
"""(kind, about): what a task is, whichever run asks for it."""


def settled(
    timeline: Timeline,
    scenario: Scenario,
    runbook_text: str,
    runbook_path: str,
    result: RunResult,
) -> frozenset[Lesson]:
    """Return what this run looked for and found in order: it could have asked, and does not.

    What a run did not come to is not among it. That no profile was read says nothing of whether
    the runbook sends anybody to it.

    Args:
        result: of the run, with its tasks.

    Raises:
        SpecError: the runbook's front matter cannot be read.
    """
    run = _Run(timeline, scenario, parse_runbook(runbook_text, runbook_path), runbook_path, result)
    looked_for: set[Lesson] = {(TaskKind.OWNER_MISSING, ""), (TaskKind.REVIEW_OVERDUE, "")}
    culprit, _ = _found(run)
    if culprit is not None:
        looked_for.add((TaskKind.CAUSE_MISSING, _cause_id(culprit)))
        kind = _kind_of(culprit)
        if run.runbook.cause_for(culprit.service, culprit.downstream, kind) is not None:
            looked_for.add((TaskKind.FIX_MISSING, _cause_id(culprit)))
    looked_for |= {(TaskKind.CHECK_MISSING, s) for s in MENTIONS if run.finding(s) is not None}
    if _about_profiles(run):
        looked_for.add((TaskKind.CHECK_UNCLEAR, ""))
    right = (s.step for s in result.funnel if s.verdict is Verdict.MET)
    looked_for |= {(TaskKind.FINDING_UNEXPECTED, step) for step in right}
    done = (f for f in timeline.of_kind(Kind.RUNBOOK_STEP) if f.data.get("done", True))
    looked_for |= {(TaskKind.STEP_NOT_DONE, str(f.data.get("step", ""))) for f in done}
    return frozenset(looked_for) - {(task.kind, task.about) for task in result.tasks}


# --- what was found, and what the runbook knows of it ------------------------------------------


def _found(run: _Run) -> tuple[Culprit | None, tuple[Fact | None, ...]]:
    """Return the cause of this run and the facts that tell of it.

    As the scenario declares it, where its fault was put in; else as the responder found it.
    """
    declared = run.scenario.spec.expect.culprit if run.scenario is not None else None
    injected = run.timeline.first(Kind.FAULT_INJECTED)
    if declared is not None:
        return (declared, (injected,)) if injected is not None else (None, ())
    trace, blame = run.finding("trace"), run.finding("blame")
    detail = _detail(trace)
    if not detail.get("service"):
        return None, ()
    changed = _detail(blame)
    found = Culprit(
        service=str(detail["service"]),
        downstream=None if changed.get("explained") else detail.get("downstream"),
        region=detail.get("region"),
        # Of several commits any one says that it is the code, which is all that is asked of it.
        commit=changed.get("commit") or next(iter(changed.get("commits") or ()), None)
        if changed.get("explained")
        else None,
    )
    return found, (trace, blame)


def _detail(finding: Fact | None) -> Mapping[str, Any]:
    value = finding.data.get("detail") if finding is not None else None
    return value if isinstance(value, Mapping) else {}


def _kind_of(culprit: Culprit) -> CauseKind:
    is_code = culprit.commit is not None or culprit.function is not None
    return "code" if is_code and culprit.downstream is None else "downstream"


def _described(culprit: Culprit) -> str:
    if culprit.downstream:
        return f"{culprit.service} waits for {culprit.downstream}, or gets errors from it"
    if _kind_of(culprit) == "code":
        return f"a version of {culprit.service} that went live before the onset"
    return f"{culprit.service} is slow or failing by itself"


def _cause_and_fix(run: _Run) -> list[Task]:
    """Return a task where the runbook does not list the cause, or lists no fix for it."""
    culprit, told_by = _found(run)
    if culprit is None:
        return []
    kind = _kind_of(culprit)
    known = run.runbook.cause_for(culprit.service, culprit.downstream, kind)
    applied, fix = _fix_that_helped(run)
    evidence = (*told_by, applied)
    if known is None:
        words = f"**{_cause_id(culprit)}**: {_described(culprit)} ({_terms(culprit)})"
        arrow = f" → {fix.id}" if fix is not None else ""
        title = f"List the cause of this run under Likely causes: {_described(culprit)}"
        return [
            run.task(
                TaskKind.CAUSE_MISSING,
                title,
                *evidence,
                about=_cause_id(culprit),
                after=_with_cause(run, words + arrow),
            )
        ]
    if run.runbook.fixes_for(culprit.service, culprit.downstream, kind):
        return []
    title = f"Write a fix for the cause {known.id!r}: {_described(culprit)}"
    expected = run.scenario.spec.expect.mitigation if run.scenario is not None else ()
    wanted = next(iter(expected), None)
    after = ""
    if fix is not None:
        after = amendment.fix_named(run.runbook.text, known, fix.id)
    elif wanted is not None:
        after = _with_fix(run, known.id, wanted)
    about = _cause_id(culprit)
    return [run.task(TaskKind.FIX_MISSING, title, *evidence, about=about, after=after)]


def _cause_id(culprit: Culprit) -> str:
    words = f"{culprit.service}-{culprit.downstream or _kind_of(culprit)}".lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def _terms(culprit: Culprit) -> str:
    if _kind_of(culprit) == "code":
        return f"service: {culprit.service}, change: deploy"
    downstream = f", downstream: {culprit.downstream}" if culprit.downstream else ""
    return f"service: {culprit.service}{downstream}"


def _with_cause(run: _Run, words: str) -> str:
    section = run.runbook.sections.get("likely causes")
    if section is None:
        return amendment.section_added(run.runbook.text, "Likely causes", words)
    last = max(run.runbook.causes, key=lambda c: c.line, default=None)
    return amendment.item_added(run.runbook.text, section, last, words)


def _with_fix(run: _Run, cause: str, mitigation: str) -> str:
    """Return the text with the scenario's mitigation as a fix, and the cause pointing at it."""
    words = f"**{mitigation}**: `gameday mitigate {mitigation} region={{region?}}`."
    section = run.runbook.sections.get("fixes")
    if section is None:
        text = amendment.section_added(run.runbook.text, "Fixes", words)
    elif run.runbook.step(mitigation) is None:
        last = max(run.runbook.fixes, key=lambda f: f.line, default=None)
        text = amendment.item_added(run.runbook.text, section, last, words)
    else:
        text = run.runbook.text
    again = parse_runbook(text, run.path)
    target = next(c for c in again.causes if c.id == cause)
    return amendment.fix_named(text, target, mitigation)


# --- the way there ------------------------------------------------------------------------------


def _missing_checks(run: _Run) -> list[Task]:
    """Return a task for each instrument that gave a finding and that First checks never names."""
    section = run.runbook.sections.get("first checks")
    tasks = []
    for step, mentions in MENTIONS.items():
        finding = run.finding(step)
        if finding is None or mentions.search(section.body if section else ""):
            continue
        words = CHECKS[step]
        if section is None:
            after = amendment.section_added(run.runbook.text, "First checks", words)
        else:
            last = max(run.runbook.first_checks, key=lambda s: s.line, default=None)
            after = amendment.item_added(run.runbook.text, section, last, words)
        title = f"Add a first check: the {step} gave a finding, and First checks never names it"
        tasks.append(run.task(TaskKind.CHECK_MISSING, title, finding, about=step, after=after))
    return tasks


def _waiting(run: _Run) -> list[Task]:
    """Return a task where a profile showed waiting and the checks do not say what that means."""
    checks = _about_profiles(run)
    if not checks or any(WAITING.search(s.text) for s in checks):
        return []
    after = amendment.extended(run.runbook.text, checks[0], WAITING_SENTENCE)
    title = f"Say at {checks[0].id} what a profile means that shows only waiting"
    return [run.task(TaskKind.CHECK_UNCLEAR, title, run.finding("profile"), after=after)]


def _about_profiles(run: _Run) -> list[RunbookStep]:
    """Return the checks that a profile which shows only waiting puts to the test."""
    judged = {step.step: step.verdict for step in run.funnel}
    if not _detail(run.finding("profile")).get("off_cpu"):
        return []
    if judged.get("profile") is Verdict.MISSED:
        return []
    checks = run.runbook.first_checks
    return [s for s in checks if MENTIONS["profile"].search(f"{s.id} {s.text}")]


def _mismatches(run: _Run) -> list[Task]:
    """Return a task for each step whose finding is not what the scenario expects."""
    tasks = []
    for step in run.funnel:
        finding = run.finding(step.step)
        if step.verdict is not Verdict.MISSED or finding is None or not step.expected:
            continue
        if _detail(finding).get("mitigation") in (step.expected.mitigation or ()):
            continue  # it was chosen as expected; what is wrong came of applying it
        said = finding_in_words(step.finding)
        title = (
            f"At the step {step.step} the responder found “{said}”, which is not what the scenario"
            " expects: find out which is right, and make the check lead there"
        )
        tasks.append(run.task(TaskKind.FINDING_UNEXPECTED, title, finding, about=step.step))
    return tasks


def _failed_steps(run: _Run) -> list[Task]:
    """Return a task for each runbook step that could not be done."""
    tasks = []
    # The last word on each: a second try may have done it.
    last = {str(f.data.get("step", "")): f for f in run.timeline.of_kind(Kind.RUNBOOK_STEP)}
    for fact in last.values():
        if fact.data.get("done", True):
            continue
        step, note = fact.data.get("step", ""), fact.data.get("note", "")
        because = f": {note}" if note else ""
        title = f"The step {step} could not be done{because}"
        tasks.append(run.task(TaskKind.STEP_NOT_DONE, title, fact, about=str(step)))
    return tasks


# --- the drill itself ---------------------------------------------------------------------------


def _applied(run: _Run) -> list[Fact]:
    """Return the mitigations that were applied, in their order; a try that failed is none."""
    applied = run.timeline.of_kind(Kind.MITIGATION_APPLIED)
    return [f for f in applied if f.data.get("ok") and f.data.get("name") != TAKE_BACK]


def _fix_of(run: _Run, applied: Fact) -> FixStep | None:
    """Return the runbook's step that calls the mitigation that was applied; None: none does.

    Of several that do, the one the responder named when choosing it.
    """
    fixes = [
        f
        for f in run.runbook.fixes
        if f.mitigation is not None and f.mitigation.name == applied.data.get("name")
    ]
    named = {
        _detail(f).get("runbook_step")
        for f in run.timeline.of_kind(Kind.FINDING)
        if f.data.get("step") == "mitigate" and f.happened_at <= applied.happened_at
    }
    return next((f for f in fixes if f.id in named), None) or next(iter(fixes), None)


def _fix_that_helped(run: _Run) -> tuple[Fact | None, FixStep | None]:
    """Return the mitigation that the alert cleared by, and the runbook's step for it."""
    applied = next((f for f in reversed(_applied(run)) if _cleared_by(run, f)), None)
    return (applied, _fix_of(run, applied)) if applied is not None else (None, None)


def _exercised(run: _Run) -> list[Task]:
    """Return the tasks to note at each fix that was applied when it was, and what came of it."""
    latest = {fix.id: (fix, f) for f in _applied(run) if (fix := _fix_of(run, f)) is not None}
    return [task for fix, f in latest.values() for task in _exercised_at(run, fix, f)]


def _exercised_at(run: _Run, fix: FixStep, applied: Fact) -> list[Task]:
    page, cleared = run.timeline.first(Kind.PAGE_RECEIVED), _cleared_by(run, applied)
    clauses = []
    if page is not None and page.happened_at <= applied.happened_at:
        took = (applied.happened_at - page.happened_at).total_seconds()
        clauses.append(f"applied {seconds(round(took))} after the page")
    else:
        page = None
    gone = _outlasted(run, applied)
    if cleared is not None:
        took = round((cleared.happened_at - applied.happened_at).total_seconds())
        clauses.append(
            f"alert cleared {both_times(took, run.result.time_scale if run.result else 1)} later"
        )
    elif gone is not None:
        clauses.append("the alert had not cleared when the fault was taken out")
    note = f"Last exercised {applied.happened_at.date().isoformat()}"
    note += f": {', '.join(clauses)}." if clauses else "."
    after = amendment.exercised(run.runbook.text, fix, note)
    if after == run.runbook.text:
        return []
    title = f"Record at {fix.id} when it was last exercised and how long it took"
    seen = (page, applied, cleared or gone)
    return [run.task(TaskKind.EXERCISED, title, *seen, about=fix.id, after=after)]


def _cleared_by(run: _Run, applied: Fact) -> Fact | None:
    """Return the fact that the alert cleared by this mitigation; None where that is not known.

    Its last branch cleared after the mitigation and before the fault was gone, nothing else was
    applied between the two, and the burn rate does not say that it did not help.
    """
    cleared = run.incident.cleared
    if cleared is None or cleared.happened_at < applied.happened_at:
        return None
    gone = _gone_after(run, applied)
    others = (
        f
        for f in _applied(run)
        if f.id != applied.id and applied.happened_at <= f.happened_at <= cleared.happened_at
    )
    effect = next(
        (
            e.effect
            for e in (run.result.mitigations if run.result else ())
            if e.evidence[:1] == (applied.id,)
        ),
        Effect.UNKNOWN,
    )
    in_vain = effect in (Effect.DOES_NOT_HELP, Effect.MAKES_WORSE)
    if in_vain or any(others) or (gone is not None and gone.happened_at < cleared.happened_at):
        return None
    return cleared


def _gone_after(run: _Run, applied: Fact) -> Fact | None:
    """Return when the fault was taken out, by anything but a mitigation such as a rollback."""
    ends = run.timeline.of_kind(Kind.FAULT_RECOVERED)
    taken_out = (f for f in ends if f.data.get("by") != "mitigation")
    return next((f for f in taken_out if f.happened_at >= applied.happened_at), None)


def _outlasted(run: _Run, applied: Fact) -> Fact | None:
    """Return the end of a fault that the alert outlasted, from the mitigation on; None: it did not.

    It is known to have fired before the mitigation, and not known to have cleared until the end.
    """
    gone, cleared = _gone_after(run, applied), run.incident.cleared
    fired = [f for f in run.incident.firings if f.happened_at <= applied.happened_at]
    if gone is None or not fired or run.incident.blind_at(gone.happened_at) is not None:
        return None
    return gone if cleared is None or cleared.happened_at > gone.happened_at else None


def _ownership(run: _Run) -> list[Task]:
    """Return the tasks of the mechanism: a named owner, a review that is not overdue."""
    tasks = []
    owner = run.runbook.owner
    if owner is None or not (owner.name or owner.team):
        tasks.append(
            run.task(TaskKind.OWNER_MISSING, "Name an owner in the runbook's front matter")
        )
    day, every = run.day, run.runbook.review_every or timedelta(days=90)
    if day is None:
        return tasks
    last = run.runbook.reviewed
    if last is None or last + every < day:
        since = f"since {(last + every).isoformat()}" if last else "it has never been reviewed"
        title = f"Review the runbook: due {since}" if last else f"Review the runbook: {since}"
        after = amendment.reviewed(run.runbook.text, run.runbook, day)
        title += " (the patch sets the date; apply it when you have read it)"
        tasks.append(run.task(TaskKind.REVIEW_OVERDUE, title, after=after))
    return tasks
