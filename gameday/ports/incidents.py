"""The store as incidents use it; `gameday.ports.runs` is the same one as a run uses it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gameday.model.record import AuditEntry, GroupFact, IncidentRow, Recorded, Token, Written
from scoring.timeline import Fact


class IncidentStore(Protocol):
    """Durable memory of incidents. When a method returns, its write has been committed.

    Any number of processes may write to it at the same time, runs among them; whoever wants to know
    what others wrote reads on from the last number it has heard.
    """

    def of_run(self, run: str) -> IncidentStore:
        """Return this store as the process of a run uses it.

        Once the run is fenced off, nothing can be committed or claimed through it: `StoreError`.
        """

    def commit(
        self,
        facts: Sequence[GroupFact],
        *,
        rows: Sequence[IncidentRow] = (),
        audit: Sequence[AuditEntry] = (),
        unless_beyond: int | None = None,
    ) -> Written:
        """Write all of this in one transaction; a fact whose id is known already is passed over.

        Facts are numbered in the order of their commits: who has seen a number has seen all below.

        Args:
            unless_beyond: write nothing where a fact of one of these groups has a higher number.
        """

    def group_facts(self, group: str) -> Sequence[Fact]:
        """Return the facts of one group in the order they were recorded."""

    def facts_after(self, number: int, *, limit: int) -> Sequence[Recorded]:
        """Return the facts with a higher number, in order: of groups and of runs."""

    def last_number(self) -> int:
        """Return the number of the newest fact; 0 where there is none."""

    def glance(self) -> int | None:
        """Return what `last_number` would, where that takes microseconds; None where it waits.

        It may be asked from an event loop; None says nothing about what is wrong.
        """

    def claim(self, *keys: str, holder: str, now: datetime, until: datetime) -> frozenset[str]:
        """Return which of the keys are this holder's alone now, until then; again: until later.

        Another's claim that reaches further ahead than this one twice over was made before a clock
        was set back, and is over.
        """

    def release(self, *keys: str, holder: str) -> None:
        """Give claims back; what another holds stays."""

    def open_groups(self, *, since: datetime) -> Sequence[str]:
        """Return the groups with an incident that is open or younger, or with facts of none yet."""

    def incidents(self, *, limit: int = 100, only_open: bool = False) -> Sequence[IncidentRow]:
        """Return incidents, newest first, without the ones merged into another."""

    def incident(self, id: str) -> IncidentRow | None:
        """Return one incident, or None where there is none of this id."""

    def tokens(self) -> Sequence[Token]:
        """Return every token, also revoked ones, oldest first."""
