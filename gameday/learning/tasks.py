"""What a run teaches about its runbook: tasks, each with the facts that prove it and a patch.

A patch changes the runbook as it stands; applied, the same run asks for nothing more. Where only
a person can know the right words (who owns it, which of two is wrong), a task has no patch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from gameday.learning import amendment
from gameday.learning.patch import unified
from gameday.model.result import RunResult, Task, TaskKind
from gameday.model.runbook import CauseKind, FixStep, Runbook
from gameday.model.scenario import Culprit, Scenario
from gameday.report.wording import both_times, finding_in_words, seconds
from gameday.spec.runbook import parse_runbook
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import Verdict

# Which words show that the first checks send a reader to this step's instrument.
_MENTIONS = {
    "red": re.compile(r"\bRED\b|\b(?:error|request) rate|\bdashboard|\bmetrics?\b", re.I),
    "trace": re.compile(r"\btrac(?:e|es|ing)\b|\bspans?\b", re.I),
    "profile": re.compile(r"\bprofil(?:e|es|er|ing)\b|\bflame ?graph", re.I),
    "blame": re.compile(r"\bblame\b|\bdeploy|\bchanged?\b|\bcommit|\brelease", re.I),
}
_CHECKS = {
    "red": "**read-red**: Open the RED dashboard. Which of rate, errors and duration moved, since"
    " when, and where?",
    "trace": "**find-hop**: Open slow or failed traces from the burn window. Which span holds the"
    " bulk of the time?",
    "profile": "**read-profile**: Open the profile of one of those traces. Which function is the"
    " widest leaf?",
    "blame": "**check-changes**: Look who changed that function last, and compare with the deploy"
    " timeline.",
}
_WAITING = re.compile(r"\bwait|\boff[- ]CPU|\bblocked\b", re.I)
_WAITING_SENTENCE = (
    "A leaf that only waits (for a socket, for a lock) is no cause: follow the hop it waits for."
)


@dataclass(frozen=True, slots=True)
class _Run:
    """All that a rule may look at."""

    timeline: Timeline
    scenario: Scenario
    runbook: Runbook
    path: str
    result: RunResult

    @property
    def day(self) -> date | None:
        """Return the day of the run, None for an empty timeline."""
        instants = [f.happened_at for f in self.timeline]
        return max(instants).date() if instants else None

    def finding(self, step: str) -> Fact | None:
        """Return the responder's last finding of a step, None where there is none."""
        found = [f for f in self.timeline.of_kind(Kind.FINDING) if f.data.get("step") == step]
        return found[-1] if found else None

    def task(self, kind: TaskKind, title: str, *evidence: Fact | None, after: str = "") -> Task:
        """Return a task; ``after`` is the runbook's text as it should be, empty for no patch."""
        patch = unified(self.runbook.text, after, self.path) if after else ""
        return Task(kind, title, self.path, tuple(f.id for f in evidence if f is not None), patch)


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
    run = _Run(timeline, scenario, runbook, runbook_path, result)
    return [
        *_cause_and_fix(run),
        *_missing_checks(run),
        *_waiting(run),
        *_mismatches(run),
        *_failed_steps(run),
        *_exercised(run),
        *_ownership(run),
    ]


# --- what was found, and what the runbook knows of it ------------------------------------------


def _found(run: _Run) -> Culprit | None:
    """Return the cause of this run: as the scenario declares it, else as the responder found it."""
    if run.scenario.spec.expect.culprit is not None:
        return run.scenario.spec.expect.culprit
    trace, blame = run.finding("trace"), run.finding("blame")
    detail = _detail(trace)
    if not detail.get("service"):
        return None
    changed = _detail(blame)
    return Culprit(
        service=str(detail["service"]),
        downstream=None if changed.get("explained") else detail.get("downstream"),
        region=detail.get("region"),
        # Of several commits any one says that it is the code, which is all that is asked of it.
        commit=changed.get("commit") or next(iter(changed.get("commits") or ()), None)
        if changed.get("explained")
        else None,
    )


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
    culprit = _found(run)
    if culprit is None:
        return []
    kind = _kind_of(culprit)
    known = run.runbook.cause_for(culprit.service, culprit.downstream, kind)
    evidence = (run.finding("trace"), run.finding("blame"), run.finding("mitigate"))
    fix = _fix_of_run(run)
    if known is None:
        words = f"**{_cause_id(culprit)}**: {_described(culprit)} ({_terms(culprit)})"
        arrow = f" → {fix.id}" if fix is not None else ""
        title = f"List the cause of this run under Likely causes: {_described(culprit)}"
        return [
            run.task(
                TaskKind.CAUSE_MISSING, title, *evidence, after=_with_cause(run, words + arrow)
            )
        ]
    if run.runbook.fixes_for(culprit.service, culprit.downstream, kind):
        return []
    title = f"Write a fix for the cause {known.id!r}: {_described(culprit)}"
    if fix is not None:
        after = amendment.fix_named(run.runbook.text, known, fix.id)
        return [run.task(TaskKind.FIX_MISSING, title, *evidence, after=after)]
    wanted = next(iter(run.scenario.spec.expect.mitigation), None)
    if wanted is None:
        return [run.task(TaskKind.FIX_MISSING, title, *evidence)]
    return [
        run.task(TaskKind.FIX_MISSING, title, *evidence, after=_with_fix(run, known.id, wanted))
    ]


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
    for step, mentions in _MENTIONS.items():
        finding = run.finding(step)
        if finding is None or mentions.search(section.body if section else ""):
            continue
        words = _CHECKS[step]
        if section is None:
            after = amendment.section_added(run.runbook.text, "First checks", words)
        else:
            last = max(run.runbook.first_checks, key=lambda s: s.line, default=None)
            after = amendment.item_added(run.runbook.text, section, last, words)
        title = f"Add a first check: the {step} gave a finding, and First checks never names it"
        tasks.append(run.task(TaskKind.CHECK_MISSING, title, finding, after=after))
    return tasks


def _waiting(run: _Run) -> list[Task]:
    """Return a task where a profile showed waiting and the checks do not say what that means."""
    finding = run.finding("profile")
    if not _detail(finding).get("off_cpu"):
        return []
    checks = run.runbook.first_checks
    about = [s for s in checks if _MENTIONS["profile"].search(f"{s.id} {s.text}")]
    if not about or any(_WAITING.search(s.text) for s in about):
        return []
    after = amendment.extended(run.runbook.text, about[0], _WAITING_SENTENCE)
    title = f"Say at {about[0].id} what a profile means that shows only waiting"
    return [run.task(TaskKind.CHECK_UNCLEAR, title, finding, after=after)]


def _mismatches(run: _Run) -> list[Task]:
    """Return a task for each step whose finding is not what the scenario expects."""
    tasks = []
    for step in run.result.funnel:
        finding = run.finding(step.step)
        if step.verdict is not Verdict.MISSED or finding is None or not step.expected:
            continue
        said = finding_in_words(step.finding)
        title = (
            f"At the step {step.step} the responder found “{said}”, which is not what the scenario"
            " expects: find out which is right, and make the check lead there"
        )
        tasks.append(run.task(TaskKind.FINDING_UNEXPECTED, title, finding))
    return tasks


def _failed_steps(run: _Run) -> list[Task]:
    """Return a task for each runbook step that could not be done."""
    tasks = []
    for fact in run.timeline.of_kind(Kind.RUNBOOK_STEP):
        if fact.data.get("done", True):
            continue
        step, note = fact.data.get("step", ""), fact.data.get("note", "")
        because = f": {note}" if note else ""
        title = f"The step {step} could not be done{because}"
        tasks.append(run.task(TaskKind.STEP_NOT_DONE, title, fact))
    return tasks


# --- the drill itself ---------------------------------------------------------------------------


def _mitigation(run: _Run) -> Fact | None:
    """Return the last mitigation that worked."""
    applied = run.timeline.of_kind(Kind.MITIGATION_APPLIED)
    return next((f for f in reversed(applied) if f.data.get("ok")), None)


def _fix_of_run(run: _Run) -> FixStep | None:
    """Return the runbook's step behind the mitigation that worked; None where it has none."""
    applied = _mitigation(run)
    if applied is None:
        return None
    named = str(_detail(run.finding("mitigate")).get("runbook_step") or "")
    fixes = run.runbook.fixes
    by_name = (f for f in fixes if f.mitigation and f.mitigation.name == applied.data.get("name"))
    return next((f for f in fixes if f.id == named), None) or next(by_name, None)


def _exercised(run: _Run) -> list[Task]:
    """Return the task to note at the fix that it was exercised, when, and how fast it worked."""
    applied, fix, day = _mitigation(run), _fix_of_run(run), run.day
    if applied is None or fix is None or day is None:
        return []
    page = run.timeline.first(Kind.PAGE_RECEIVED)
    cleared = _cleared_by(run, applied)
    note = f"Last exercised {day.isoformat()}:"
    if page is not None:
        took = (applied.happened_at - page.happened_at).total_seconds()
        note += f" applied {seconds(round(took))} after the page,"
    if cleared is None:
        note += " the alert did not clear by it."
    else:
        took = round((cleared.happened_at - applied.happened_at).total_seconds())
        note += f" alert cleared {both_times(took, run.result.time_scale)} later."
    after = amendment.exercised(run.runbook.text, fix, note)
    if after == run.runbook.text:
        return []
    title = f"Record at {fix.id} when it was last exercised and how long it took"
    return [run.task(TaskKind.EXERCISED, title, page, applied, cleared, after=after)]


def _cleared_by(run: _Run, applied: Fact) -> Fact | None:
    """Return the fact that the alert cleared while the fault was still in place.

    None where the end of the fault cleared it, or nothing did. Tickets do not count: their windows
    are days long and hold on to what is over.
    """
    pages = [
        f
        for f in run.timeline.of_kind(Kind.ALERT_RESOLVED)
        if f.data.get("severity", "page") == "page"
        and f.data.get("slo", run.scenario.spec.slo) == run.scenario.spec.slo
    ]
    resolved = pages[-1] if pages else None
    gone = run.timeline.first(Kind.FAULT_RECOVERED)
    if resolved is None or resolved.happened_at < applied.happened_at:
        return None
    if gone is not None and gone.happened_at < resolved.happened_at:
        return None
    return resolved


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
