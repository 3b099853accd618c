"""The store as a dry run of the retention sees it: read, and never written."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gameday.model.retention import Deleted, Removal, StoreSize
from gameday.ports import IncidentRow, RetentionStore, RunRecord, Store
from scoring.timeline import Fact


class ReadableStore(RetentionStore, Store, Protocol):
    """The store, with all that a dry run has to weigh."""


class DryRun:
    """A `RetentionStore` that says what would be deleted, and deletes nothing."""

    def __init__(self, store: ReadableStore) -> None:
        self._store = store
        self._gone: set[str] = set()
        self._runs: set[str] = set()

    def last_number(self) -> int:
        """Return the number of the newest fact; 0 where there is none."""
        return self._store.last_number()

    def group_facts(self, group: str) -> Sequence[Fact]:
        """Return the facts of one group in the order they were recorded."""
        return self._store.group_facts(group)

    def groups_over(self, *, before: datetime) -> Sequence[str]:
        """Return the groups with a closed incident that began before, and has its facts still."""
        return self._store.groups_over(before=before)

    def incidents_of_run(self, run: str) -> Sequence[IncidentRow]:
        """Return the incidents of a run's drill that have their facts still."""
        return self._store.incidents_of_run(run)

    def count_open(self, *, before: datetime) -> int:
        """Return how many incidents are open that began before."""
        return self._store.count_open(before=before)

    def groups_of_deploys(self) -> Sequence[str]:
        """Return the groups that hold deploys."""
        return self._store.groups_of_deploys()

    def known_runs(self) -> Collection[str]:
        """Return the ids of all runs."""
        return self._store.known_runs()

    def runs_over(self, *, before: datetime) -> Sequence[RunRecord]:
        """Return the runs that ended before and are there still, oldest first."""
        return self._store.runs_over(before=before)

    def runs_kept(self, *, before: datetime) -> Sequence[RunRecord]:
        """Return the runs that began before and stay, whatever their age."""
        return self._store.runs_kept(before=before)

    def runs_half_pruned(self) -> Sequence[str]:
        """Return the runs that are pruned and have facts still."""
        return self._store.runs_half_pruned()

    def size(self) -> StoreSize:
        """Return how large the store is on disk."""
        return self._store.size()

    def remove(self, removal: Removal, *, unless_beyond: int) -> Deleted:
        """Return what would go."""
        ids = set(removal.facts)
        self._gone |= ids
        return self._deleted([f for f in self.group_facts(removal.group) if f.id in ids])

    def prune_run(self, run: str, *, at: datetime, after: timedelta) -> Deleted:
        """Return what would go."""
        result = self._store.result(run)
        texts = [dict(self._store.documents(run)), result.to_json() if result else {}]
        return Deleted(0, sum(len(json.dumps(text)) for text in texts))

    def remove_facts_of(self, run: str, *, limit: int) -> Deleted:
        """Return what would go, once, and then nothing."""
        is_asked, self._runs = run in self._runs, self._runs | {run}
        facts = () if is_asked else self._store.facts(run)
        return self._deleted([f for f in facts if f.id not in self._gone])

    def remove_lines(self, *, before: datetime, limit: int) -> int:
        """Return 0: lines are not counted."""
        return 0

    def remove_audit(self, *, before: datetime, limit: int) -> int:
        """Return 0, likewise."""
        return 0

    def remove_claims(self, *, before: datetime, limit: int) -> int:
        """Return 0, likewise."""
        return 0

    def shrink(self) -> bool:
        """Return that there is nothing to do."""
        return False

    def _deleted(self, facts: Sequence[Fact]) -> Deleted:
        return Deleted(len(facts), sum(len(json.dumps(f.to_json())) for f in facts))
