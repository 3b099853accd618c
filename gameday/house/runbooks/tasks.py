"""What runbooks have to learn, by the drills of a store and by what they link to, as of today.

A run's own tasks are against the runbook as it was. Here each of the newest drills is held against
the text as it stands, so that what somebody has mended is not asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameday.drivers.git import PatchBranch
from gameday.errors import GamedayError
from gameday.house.run.judgement import PLAYED, Documents, relative
from gameday.house.runbooks.shelf import Shelf
from gameday.learning.flaw import Flaw, FlawKind
from gameday.learning.tasks import Lesson, runbook_tasks
from gameday.model.result import RunResult, Task, TaskKind
from gameday.model.scenario import Scenario
from gameday.ports import Store
from scoring.timeline import Timeline

__all__ = ["TeachingDrill", "RunbookTask", "branch_of", "drills_on", "tasks_of", "with_links"]

MOST_RUNS = 200
"""Runs that are looked through, the newest first."""

MOST_COMMITS = 200
"""Patches of one branch; more would mean that one asks for the next without end."""

_LINKS = (FlawKind.LINK, FlawKind.ANCHOR)


@dataclass(frozen=True, slots=True)
class TeachingDrill:
    """The newest run of a scenario that was played beside a runbook.

    Attributes:
        runbook: name of the file that was read beside it.
    """

    run: str
    scenario: Scenario
    runbook: str
    timeline: Timeline
    result: RunResult


@dataclass(frozen=True, slots=True)
class RunbookTask:
    """One thing a runbook has to learn.

    Attributes:
        run: that teaches it; empty: the file itself shows it.
    """

    task: Task
    run: str


def drills_on(store: Store) -> Sequence[TeachingDrill]:
    """Return the newest run of each scenario that reached its end beside a runbook."""
    found: dict[str, TeachingDrill] = {}
    for record in store.runs(limit=MOST_RUNS):
        if record.scenario in found or record.verdict not in PLAYED or record.pruned_at:
            continue
        drill = _drill(store, record.id)
        if drill is not None:
            found[record.scenario] = drill
    return tuple(found.values())


def _drill(store: Store, run: str) -> TeachingDrill | None:
    try:
        result, documents = store.result(run), Documents.of(store.documents(run))
        if result is None or not documents.runbook:
            return None
        scenario = documents.read_scenario()
    except GamedayError:  # of an older gameday, whose texts this one cannot read
        return None
    name = Path(documents.runbook_path).name
    return TeachingDrill(run, scenario, name, Timeline.of(store.facts(run)), result)


def tasks_of(drills: Sequence[TeachingDrill], text: str, path: str) -> Sequence[RunbookTask]:
    """Return what drills ask of a runbook's text, each thing once, by the newest that does.

    Args:
        path: of the file, from the top of its repository; drills are known by its name.

    Raises:
        SpecError: its front matter cannot be read.
    """
    found: dict[Lesson, RunbookTask] = {}
    for drill in drills:
        if drill.runbook != Path(path).name:
            continue
        for task in runbook_tasks(drill.timeline, drill.scenario, text, path, drill.result):
            found.setdefault((task.kind, task.about), RunbookTask(task, drill.run))
    return tuple(found.values())


def with_links(
    shelf: Shelf, drills: Sequence[TeachingDrill], flaws: Sequence[Flaw]
) -> Sequence[RunbookTask]:
    """Return what is asked of every runbook of a shelf: by drills, and of links that are broken."""
    found: list[RunbookTask] = []
    for page in shelf.pages:
        path = relative(page.file)
        if page.runbook is not None:
            found += tasks_of(drills, page.runbook.text, path)
        broken = [f for f in flaws if f.file == page.file and f.kind in _LINKS]
        found += [RunbookTask(_link_task(flaw, path), "") for flaw in broken]
    return found


def _link_task(flaw: Flaw, path: str) -> Task:
    title = f"Mend the link in line {flaw.line}: {flaw.what} ({flaw.remedy})"
    return Task(TaskKind.LINK_BROKEN, title, path, (), "", flaw.what)


async def branch_of(
    shelf: Shelf, drills: Sequence[TeachingDrill], name: str
) -> Sequence[RunbookTask]:
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
                for one in tasks_of(drills, text, path)
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
    return f"runbook: {one.task.kind}\n\n{one.task.title}\n\nRun: {one.run}{evidence}\n"
