"""What became of a run, as it is stored and as ``run --json`` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gameday.errors import Refusal
from gameday.model.json_form import JsonForm
from gameday.model.severity import IncidentSeverity
from scoring.alerting import Detection
from scoring.effect import MitigationEffect
from scoring.form import fields_to_json
from scoring.funnel import PhaseResult, StepResult
from scoring.paging import PageCheck
from scoring.response import Response
from scoring.scorecard import Score
from scoring.verdict import RunVerdict


class TaskKind(StrEnum):
    """What a runbook has to learn from a run."""

    CAUSE_MISSING = "cause-missing"
    FIX_MISSING = "fix-missing"
    CHECK_MISSING = "check-missing"
    CHECK_UNCLEAR = "check-unclear"
    FINDING_UNEXPECTED = "finding-unexpected"
    STEP_NOT_DONE = "step-not-done"
    EXERCISED = "exercised"
    OWNER_MISSING = "owner-missing"
    REVIEW_OVERDUE = "review-overdue"
    LINK_BROKEN = "link-broken"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing a run teaches a runbook.

    Attributes:
        kind: what sort of thing it is.
        title: what is to be done, in a sentence.
        runbook: path of the file, relative to the top of its repository.
        evidence: ids of the facts that prove it.
        patch: a unified diff against the runbook; empty where only a person knows the right words.
        about: which cause, step or instrument; with kind and runbook it names the task for good.
            Empty: there is only one.
    """

    kind: TaskKind
    title: str
    runbook: str
    evidence: tuple[str, ...]
    patch: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Whether a run left its target as it found it.

    Attributes:
        open: how much of what it changed, or may have changed, is not proven taken back.
    """

    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A run, judged: the object that ``gameday run --json`` prints.

    Attributes:
        run: its id; empty where it was refused before it began, and nothing is stored.
        scenario: name of the scenario that was played.
        title: of the scenario, for people; may be empty.
        severity: of the scenario.
        target: the system it was played on.
        time_scale: how many times faster its alert windows ran; 1 in production.
        responder: who was to answer the page.
        started_at: when it began; null where its timeline does not tell.
        verdict: the one word for the run.
        reason: what the verdict rests on, in a sentence; empty for a pass.
        refusals: where it was refused, every reason with what to do about it.
        phases: the phases of the incident against the clock, by name, in order.
        detection: when the alert fired, and when it had to.
        pages: the ways in which pages can be wrong, by name.
        funnel: the steps of the diagnosis, in order.
        response: how the page was answered, in times and counts; null where nobody was to answer,
            where no page came, and of runs from before it was told.
        mitigations: what each mitigation did to users, in the order they were applied.
        score: its points.
        recovery: whether the target is as it was.
        timeline: where the facts can be read as JSON lines; empty where they were not written.
        tasks: what the runbook should learn, the most telling first.
        postmortem: the draft, as Markdown; null where no fault was put in place.
    """

    run: str
    scenario: str
    title: str = ""
    severity: IncidentSeverity = IncidentSeverity.SEV_3
    target: str
    time_scale: float = 1.0
    responder: str = ""
    started_at: datetime | None = None
    verdict: RunVerdict
    reason: str = ""
    refusals: tuple[Refusal, ...] = ()
    phases: Mapping[str, PhaseResult]
    detection: Detection
    pages: Mapping[str, PageCheck] = field(default_factory=dict)
    funnel: tuple[StepResult, ...]
    response: Response | None = None
    mitigations: tuple[MitigationEffect, ...] = ()
    score: Score
    recovery: Recovery
    timeline: str = ""
    tasks: tuple[Task, ...] = ()
    postmortem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that is stored and printed."""
        return fields_to_json(self)

    @classmethod
    def from_json(cls, raw: object) -> RunResult:
        """Return the result that was stored like this, by this gameday or an older one.

        Raises:
            StoreError: none was; says where and what is wrong.
        """
        return RESULT.read(raw)


RESULT = JsonForm(RunResult, "result", partial=frozenset({"ExpectedFinding"}))
"""How a result is read, and its schema."""

TASK = JsonForm(Task, "task")
"""The same for a task by itself."""
