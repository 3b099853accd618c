"""What a run says of action items: what it asks for is filed, what it finds mended is proven.

Pure: a judged run and what is known in, words about items out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gameday.learning.tasks import Lesson
from gameday.model.action_item import (
    ActionChange,
    ActionItem,
    ActionKind,
    ActionState,
    ActionWord,
    Filing,
    Priority,
    action_id,
)
from gameday.model.result import RunResult, TaskKind

__all__ = ["BY", "Exercise", "lessons_of", "proved_by", "settled_ids"]

BY = "gameday"
"""Who says what follows from a run."""

_KINDS = {
    TaskKind.CAUSE_MISSING: ActionKind.MITIGATE,
    TaskKind.FIX_MISSING: ActionKind.MITIGATE,
    TaskKind.CHECK_MISSING: ActionKind.MITIGATE,
    TaskKind.CHECK_UNCLEAR: ActionKind.MITIGATE,
    TaskKind.FINDING_UNEXPECTED: ActionKind.MITIGATE,
    TaskKind.STEP_NOT_DONE: ActionKind.MITIGATE,
    TaskKind.OWNER_MISSING: ActionKind.PROCESS,
    TaskKind.REVIEW_OVERDUE: ActionKind.PROCESS,
}
"""What each kind of task does about the next incident: a better runbook makes it shorter.

That a fix was exercised is a note for the runbook and nothing to be done: each run has another.
"""


@dataclass(frozen=True, slots=True)
class Exercise:
    """A run, as far as action items follow from it.

    Attributes:
        service: whose SLO was at stake.
        runbook: path of the one that was read beside it, as its tasks name it.
        owner: by the runbook; empty: nobody.
        ended_at: when the run was over.
        settled: what it looked for and found in order.
    """

    result: RunResult
    service: str
    slo: str
    runbook: str
    owner: str
    ended_at: datetime
    settled: Collection[Lesson]


def settled_ids(run: Exercise) -> Sequence[str]:
    """Return the ids of the items that a run would prove, whether they are filed or not."""
    return [
        action_id(_cause(run.runbook, kind, about), _KINDS[kind])
        for kind, about in sorted(run.settled)
        if kind in _KINDS
    ]


def lessons_of(run: Exercise, known: Sequence[ActionItem]) -> Sequence[ActionChange]:
    """Return what a run says of action items: the ones it asks for, and the ones it proves.

    Args:
        known: those of `settled_ids` that are filed.
    """
    return (*_found(run), *_proven(run, known))


def _found(run: Exercise) -> Iterator[ActionChange]:
    evidence = (f"run {run.result.run}",)
    seen: set[str] = set()
    for task in run.result.tasks:
        kind = _KINDS.get(task.kind)
        if kind is None:
            continue
        cause = _cause(task.runbook, task.kind, task.about)
        item = action_id(cause, kind)
        if item in seen:
            continue
        seen.add(item)
        filing = Filing(
            cause=cause,
            kind=kind,
            title=task.title,
            service=run.service,
            slo=run.slo,
            scenario=run.result.scenario,
            runbook=task.runbook,
            task=str(task.kind),
            owner=run.owner,
            priority=Priority.of(run.result.severity),
            patch=task.patch,
        )
        yield ActionChange(
            id=f"{item}/{evidence[0]}",
            item=item,
            word=ActionWord.FOUND,
            at=run.ended_at,
            by=BY,
            evidence=evidence,
            filing=filing,
        )


def _cause(runbook: str, kind: TaskKind, about: str) -> str:
    """Return what a task is about, in one line: whichever run asks for it, it is the same."""
    return " ".join(filter(None, (runbook, str(kind), about)))


def _proven(run: Exercise, known: Sequence[ActionItem]) -> Iterator[ActionChange]:
    evidence = (f"run {run.result.run}",)
    for item in known:
        is_same_drill = run.result.scenario in item.scenarios
        is_later = run.ended_at > item.found_at and run.ended_at >= item.opened_at
        if is_same_drill and is_later and item.state is not ActionState.PROVEN:
            yield ActionChange(
                id=f"{item.id}/{evidence[0]}",
                item=item.id,
                word=ActionWord.PROVEN,
                at=run.ended_at,
                by=BY,
                text="the same drill does not ask for it any more",
                evidence=evidence,
            )


def proved_by(item: ActionItem, slos: Sequence[tuple[str, str]]) -> Sequence[str]:
    """Return the scenarios whose drill would prove an item, the surest first; may be empty.

    Args:
        slos: (scenario, its SLO) of every scenario there is.
    """
    known = [scenario for scenario, _ in slos]
    found_it = [s for s in item.scenarios if s in known]
    same_promise = [s for s, slo in slos if item.slo and slo == item.slo]
    return tuple(dict.fromkeys((*found_it, *same_promise)))
