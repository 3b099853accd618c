"""Every run that has ended says what it has to say of action items, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gameday.errors import GamedayError
from gameday.house.run.judgement import PLAYED, Documents, relative
from gameday.learning.action_items import Exercise, lessons_of, settled_ids
from gameday.learning.tasks import settled
from gameday.model.action_item import ActionChange, ActionItem
from gameday.ports import ActionStore, Store
from scoring.timeline import Kind, Timeline

__all__ = ["LearningStore", "learn_from_runs"]


class LearningStore(Store, ActionStore, Protocol):
    """The store with its runs and its action items."""


def learn_from_runs(store: LearningStore, *, now: datetime) -> Sequence[ActionItem]:
    """File and prove action items by the runs that have ended since; return what has changed.

    Each run is noted together with what it says, so that one that breaks off in between, or two
    processes that do it at once, neither lose nor double anything.
    """
    found: dict[str, ActionItem] = {}
    for run in store.runs_to_learn_from():
        changes = _changes(store, run)
        found |= {i.id: i for i in store.change_actions(changes, learned_from=run, at=now)}
    return tuple(found.values())


def _changes(store: LearningStore, run: str) -> Sequence[ActionChange]:
    try:
        exercise = _exercise(store, run)
    except GamedayError:  # texts or a result that this gameday cannot read teach it nothing
        return ()
    if exercise is None:
        return ()
    filed = (store.action_item(id) for id in settled_ids(exercise))
    return lessons_of(exercise, [item for item in filed if item is not None])


def _exercise(store: LearningStore, run: str) -> Exercise | None:
    """Return a run as far as items follow from it; None where it did not reach its own end."""
    result = store.result(run)
    documents = Documents.of(store.documents(run))
    if result is None or result.verdict not in PLAYED or not documents.runbook:
        return None
    timeline = Timeline.of(store.facts(run))
    ended = timeline.last(Kind.RUN_ENDED)
    if ended is None:
        return None
    scenario = documents.read_scenario()
    slo = documents.read_slo(scenario.spec.slo)
    runbook = documents.read_runbook()
    owner = runbook.owner if runbook is not None else None
    # As its tasks name it, wherever this process stands.
    path = result.tasks[0].runbook if result.tasks else relative(documents.runbook_path)
    return Exercise(
        result=result,
        service=slo.service,
        slo=slo.id,
        runbook=path,
        owner=(owner.name or owner.team) if owner is not None else "",
        ended_at=ended.happened_at,
        settled=settled(timeline, scenario, documents.runbook, str(Path(path)), result),
    )
