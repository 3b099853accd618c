"""The store as the retention uses it: what is over for long enough, and how it is deleted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gameday.model.record import IncidentRow
from gameday.model.retention import Deleted, Removal, StoreSize
from gameday.model.run import RunRecord
from scoring.timeline import Fact


class RetentionStore(Protocol):
    """Durable memory that can forget. Each deletion is one transaction, and a short one."""

    def last_number(self) -> int:
        """Return the number of the newest fact; 0 where there is none."""

    def group_facts(self, group: str) -> Sequence[Fact]:
        """Return the facts of one group in the order they were recorded."""

    def groups_over(self, *, before: datetime) -> Sequence[str]:
        """Return the groups with a closed incident that began before, and has its facts still.

        The incidents of a drill are its run's, see `incidents_of_run`.
        """

    def incidents_of_run(self, run: str) -> Sequence[IncidentRow]:
        """Return the incidents of a run's drill that have their facts still."""

    def count_open(self, *, before: datetime) -> int:
        """Return how many incidents are open that began before."""

    def known_runs(self) -> Collection[str]:
        """Return the ids of all runs, pruned or not."""

    def groups_of_deploys(self) -> Sequence[str]:
        """Return the groups that hold deploys."""

    def remove(self, removal: Removal, *, unless_beyond: int) -> Deleted:
        """Delete this and put its word in place, where the group has no fact of a higher number."""

    def runs_over(self, *, before: datetime) -> Sequence[RunRecord]:
        """Return the runs that ended before and are there still, oldest first.

        Not those with an undo that is not proven.
        """

    def runs_kept(self, *, before: datetime) -> Sequence[RunRecord]:
        """Return the runs that began before and are there still, though nothing new can come.

        They never ended, or have an undo that is not proven.
        """

    def prune_run(self, run: str, *, at: datetime, after: timedelta) -> Deleted:
        """Delete the documents, the result, the undos and the orders of a run; its line says when.

        One that has not ended or whose fault is not proven gone stays as it is. From then on it is
        pruned, its own process may write nothing any more, and its facts go by `remove_facts_of`.
        A fence stays.
        """

    def runs_half_pruned(self) -> Sequence[str]:
        """Return the runs that are pruned and have facts still."""

    def remove_facts_of(self, run: str, *, limit: int) -> Deleted:
        """Delete some facts of a run that is pruned; none are left where fewer were deleted."""

    def remove_lines(self, *, before: datetime, limit: int) -> int:
        """Delete lines of what is pruned and began before; return how many, 0 when all are."""

    def remove_audit(self, *, before: datetime, limit: int) -> int:
        """Delete what the audit said before, and orders that were lifted; as above."""

    def remove_claims(self, *, before: datetime, limit: int) -> int:
        """Delete claims that ran out before; as above."""

    def shrink(self) -> bool:
        """Give some of what is empty back to the disk; return whether there is more."""

    def size(self) -> StoreSize:
        """Return how large the store is on disk."""
