"""What runbooks have to learn: by drills and incidents of a store, and by what they link to.

A run's own tasks are against the runbook as it was. Here each of the newest is held against the
text as it stands, so that what somebody has mended is not asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from gameday.drivers.git import PatchBranch
from gameday.errors import GamedayError
from gameday.house.lessons.incident_story import state_in_store, story_of
from gameday.house.lessons.postmortems import LessonStore
from gameday.house.run.judgement import PLAYED, Documents, relative
from gameday.house.runbooks.shelf import Shelf
from gameday.incidents.state import State
from gameday.learning.flaw import Flaw, FlawKind
from gameday.learning.tasks import Lesson, incident_tasks, runbook_tasks
from gameday.model.result import Task, TaskKind
from gameday.ports import Store
from gameday.spec.runbook import parse_runbook
from scoring.timeline import Timeline

__all__ = ["RunbookTask", "Teacher", "branch_of", "tasks_of", "teachers_in", "with_links"]

MOST_RUNS = 200
"""Runs that are looked through, the newest first."""

MOST_INCIDENTS = 50
"""Real incidents that are looked through, the newest first."""

MOST_COMMITS = 200
"""Patches of one branch; more would mean that one asks for the next without end."""

_LINKS = (FlawKind.LINK, FlawKind.ANCHOR)


@dataclass(frozen=True, slots=True)
class Teacher:
    """A drill, or a real incident, as far as a runbook may learn from it.

    Attributes:
        name: ``run …`` or ``incident …``.
        of: whether a runbook, given the name of its file and its alert, is the one that was read.
        tasks: what it asks of a text at a path.
    """

    name: str
    of: Callable[[str, str], bool]
    tasks: Callable[[str, str], Sequence[Task]]


@dataclass(frozen=True, slots=True)
class RunbookTask:
    """One thing a runbook has to learn.

    Attributes:
        by: ``run …`` or ``incident …``, which teaches it; empty: the file itself shows it.
    """

    task: Task
    by: str


def teachers_in(store: LessonStore, *, now: datetime) -> Sequence[Teacher]:
    """Return the newest run of each scenario that reached its end, and the newest real incidents.

    A drill knows its runbook by the name of the file, an incident by its alert.
    """
    drills: dict[str, Teacher] = {}
    for record in store.runs(limit=MOST_RUNS):
        if record.scenario in drills or record.verdict not in PLAYED or record.pruned_at:
            continue
        drill = _drill(store, record.id)
        if drill is not None:
            drills[record.scenario] = drill
    incidents = (
        _incident(store, row.id, now)
        for row in store.incidents(limit=MOST_INCIDENTS)
        if row.drill is None and row.state == State.RESOLVED and row.pruned_at is None
    )
    return (*drills.values(), *(one for one in incidents if one is not None))


def _drill(store: Store, run: str) -> Teacher | None:
    try:
        result, documents = store.result(run), Documents.of(store.documents(run))
        if result is None or not documents.runbook:
            return None
        scenario = documents.read_scenario()
    except GamedayError:  # of an older gameday, whose texts this one cannot read
        return None
    timeline, read = Timeline.of(store.facts(run)), Path(documents.runbook_path).name
    return Teacher(
        f"run {run}",
        lambda file, _: file == read,
        lambda text, path: runbook_tasks(timeline, scenario, text, path, result),
    )


def _incident(store: LessonStore, id: str, now: datetime) -> Teacher | None:
    try:
        state = state_in_store(store, id, now=now)
    except GamedayError:  # merged into another one, or gone
        return None
    timeline, alert = story_of(store, state).timeline, state.first.told.name
    return Teacher(
        f"incident {id}",
        lambda _, own: own == alert,
        partial(incident_tasks, timeline),
    )


def tasks_of(teachers: Sequence[Teacher], text: str, path: str) -> Sequence[RunbookTask]:
    """Return what is asked of a runbook's text, each thing once: drills first, and the newest.

    Args:
        path: of the file, from the top of its repository.

    Raises:
        SpecError: its front matter cannot be read.
    """
    found: dict[Lesson, RunbookTask] = {}
    alert = parse_runbook(text, path).alert
    for teacher in teachers:
        if teacher.of(Path(path).name, alert):
            for task in teacher.tasks(text, path):
                found.setdefault((task.kind, task.about), RunbookTask(task, teacher.name))
    return tuple(found.values())


def with_links(
    shelf: Shelf, teachers: Sequence[Teacher], flaws: Sequence[Flaw]
) -> Sequence[RunbookTask]:
    """Return what is asked of every runbook of a shelf; links that are broken among it."""
    found: list[RunbookTask] = []
    for page in shelf.pages:
        path = relative(page.file)
        if page.runbook is not None:
            found += tasks_of(teachers, page.runbook.text, path)
        broken = [f for f in flaws if f.file == page.file and f.kind in _LINKS]
        found += [RunbookTask(_link_task(flaw, path), "") for flaw in broken]
    return found


def _link_task(flaw: Flaw, path: str) -> Task:
    title = f"Mend the link in line {flaw.line}: {flaw.what} ({flaw.remedy})"
    return Task(TaskKind.LINK_BROKEN, title, path, (), "", flaw.what)


async def branch_of(shelf: Shelf, teachers: Sequence[Teacher], name: str) -> Sequence[RunbookTask]:
    """Commit every patch but that of a review to a branch, one by one; return what was committed.

    Each patch is made against the text that the one before it left. The branch begins at the commit
    that is checked out; what is not committed of a runbook is not in it. No branch is made where
    there is no patch.

    Raises:
        DriverError: git is missing, the folder is no repository, or the branch is there already.
    """
    done: list[RunbookTask] = []
    branch: PatchBranch | None = None
    for page in shelf.pages:
        path = relative(page.file)
        if branch is None:
            branch = await PatchBranch.from_head(Path(page.file).resolve().parent)
        seen: set[Lesson] = set()
        while len(done) < MOST_COMMITS:
            text = await branch.text(path)
            new = [
                one
                for one in tasks_of(teachers, text, path)
                if _may_apply(one.task) and (one.task.kind, one.task.about) not in seen
            ]
            if not new:
                break
            one = new[0]
            seen.add((one.task.kind, one.task.about))
            await branch.add(one.task.patch, _message(one))
            done.append(one)
    if branch is not None and done:
        await branch.name(name)
    return done


def _may_apply(task: Task) -> bool:
    """Return whether a patch may be committed unread: a review is done by reading."""
    return bool(task.patch) and task.kind is not TaskKind.REVIEW_OVERDUE


def _message(one: RunbookTask) -> str:
    evidence = f"\nFacts: {', '.join(one.task.evidence)}" if one.task.evidence else ""
    return f"runbook: {one.task.kind}\n\n{one.task.title}\n\nTaught by {one.by}{evidence}\n"
