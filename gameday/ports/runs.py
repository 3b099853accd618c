"""The store as a run uses it; `gameday.ports.incidents` is the same one as incidents use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gameday.model.fault import Undo
from gameday.model.result import RunResult
from gameday.model.run import Order, RunRecord
from gameday.ports.incidents import IncidentStore
from scoring.timeline import Fact


class Store(Protocol):
    """Durable memory. When a method returns, its write has been committed."""

    def of_run(self, run: str) -> IncidentStore:
        """Return this store as the engine of incidents of a run uses it."""

    def open_run(
        self,
        run: str,
        *,
        scenario: str,
        target: str,
        started_at: datetime,
        documents: Mapping[str, str],
    ) -> None:
        """Begin a run; ``documents`` are the texts it was planned from, by name."""

    def append(self, run: str, fact: Fact, *, fenced: bool = False) -> None:
        """Append one fact that the run records about itself.

        The same fact again is passed over: whoever did not hear that it was written may repeat it.

        Args:
            fenced: also where the run is fenced off; only its sentinel and its heirs say so.

        Raises:
            StoreError: it could not be written, the run is fenced off, or another fact of the run
                has this id.
        """

    def save_undo(self, undo: Undo) -> None:
        """Commit an undo before its fault is injected; refused where the run is fenced off."""

    def close_undo(self, undo: str, *, proven_at: datetime) -> None:
        """Mark an undo as done and proven."""

    def open_undos(self, run: str | None = None, *, target: str | None = None) -> Sequence[Undo]:
        """Return undos not yet proven, newest first; of one run, of one target, or of all."""

    def give(self, order: Order) -> None:
        """Give an order; it holds until it is lifted."""

    def orders(self, run: str | None = None) -> Sequence[Order]:
        """Return the orders in force for a run, oldest first: its own and those for every run."""

    def lift_stop(self, *, at: datetime) -> bool:
        """Lift the stop; return whether there was one."""

    def close_run(
        self,
        run: str,
        *,
        ended_at: datetime,
        result: RunResult,
        fenced: bool = False,
    ) -> None:
        """End a run with its result, or judge an ended one again."""

    def facts(self, run: str) -> Sequence[Fact]:
        """Return every fact of a run's timeline in the order they were recorded, whoever did it.

        That is what the run recorded about itself, and what was committed about its incident; also
        what came after its end.
        """

    def documents(self, run: str) -> Mapping[str, str]:
        """Return the texts the run was planned from."""

    def result(self, run: str) -> RunResult | None:
        """Return the result of a run; None while it runs or if it never ended.

        Raises:
            StoreError: it cannot be read.
        """

    def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
        """Return runs, newest first."""

    def find(self, prefix: str) -> str:
        """Return the id of the one run that starts with this; ``last`` is the newest. Raises."""


class WholeStore(Store, IncidentStore, Protocol):
    """The store as both a run and its incidents use it."""
