"""A store of runs in memory, which keeps every promise but one: it ends with its process."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gameday.errors import StoreError, UsageError
from gameday.ports import Order, OrderKind, RunRecord, Undo
from scoring.timeline import Fact

__all__ = ["MemoryStore"]


@dataclass(slots=True)
class _Run:
    record: RunRecord
    documents: dict[str, str]
    result: str | None = None


class MemoryStore:
    """A `gameday.ports.Store` in memory, shared by whoever holds it.

    What is kept is the JSON text, so that nothing a caller changes afterwards changes the store,
    and what cannot be written to a database cannot be written here either.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._facts: defaultdict[str, list[str]] = defaultdict(list)
        self._undos: dict[str, Undo] = {}
        self._proven: dict[str, datetime] = {}
        self._orders: list[Order] = []
        self._fences: dict[str, str] = {}

    def open_run(
        self,
        run: str,
        *,
        scenario: str,
        target: str,
        started_at: datetime,
        documents: Mapping[str, str],
    ) -> None:
        """Begin a run."""
        if run in self._runs:
            raise StoreError(f"the store cannot be used: there is a run {run!r} already")
        record = RunRecord(run, scenario, target, started_at, None, None, None)
        self._runs[run] = _Run(record, dict(documents))

    def append(self, run: str, fact: Fact, *, fenced: bool = False) -> None:
        """Append one fact."""
        if not fenced:
            self._refuse_if_fenced(run)
        self._facts[run].append(json.dumps(fact.to_json()))

    def timeline_text(self, run: str) -> str:
        """Return the facts of a run as stored, a line of JSON each."""
        return "\n".join(self._facts.get(run, ()))

    def save_undo(self, undo: Undo) -> None:
        """Commit an undo before its fault is injected."""
        self._refuse_if_fenced(undo.run)
        if undo.id in self._undos:
            raise StoreError(f"the store cannot be used: there is an undo {undo.id!r} already")
        self._undos[undo.id] = replace(undo, data=json.loads(json.dumps(dict(undo.data))))

    def has_run(self, run: str) -> bool:
        """Return whether this run was ever begun."""
        return run in self._runs

    def undos(self) -> Sequence[Undo]:
        """Return every undo ever stored, oldest first."""
        return tuple(self._undos.values())

    def knows(self, undo: str) -> bool:
        """Return whether this undo was ever stored."""
        return undo in self._undos

    def close_undo(self, undo: str, *, proven_at: datetime) -> None:
        """Mark an undo as done and proven."""
        if undo in self._undos:
            self._proven[undo] = proven_at

    def open_undos(self, run: str | None = None, *, target: str | None = None) -> Sequence[Undo]:
        """Return undos not yet proven, newest first."""
        return tuple(
            undo
            for undo in reversed(self._undos.values())
            if undo.id not in self._proven
            and run in (None, undo.run)
            and (target is None or self._target(undo.run) == target)
        )

    def _target(self, run: str) -> str | None:
        known = self._runs.get(run)
        return known.record.target if known else None

    def give(self, order: Order) -> None:
        """Give an order."""
        self._orders.append(order)
        if order.kind is OrderKind.FENCE and order.run is not None:
            self._fences.setdefault(order.run, order.by)

    def orders(self, run: str | None = None) -> Sequence[Order]:
        """Return the orders in force for a run, oldest first: its own and those for every run."""
        if not self._orders:
            return ()
        return tuple(o for o in self._orders if o.run is None or o.run == run)

    def lift_stop(self, *, at: datetime) -> bool:
        """Lift the stop; return whether there was one."""
        left = [o for o in self._orders if o.kind is not OrderKind.STOP]
        lifted = len(left) < len(self._orders)
        self._orders = left
        return lifted

    def close_run(
        self,
        run: str,
        *,
        ended_at: datetime,
        verdict: str,
        result: Mapping[str, Any],
        fenced: bool = False,
    ) -> None:
        """End a run, or judge an ended one again."""
        if not fenced:
            self._refuse_if_fenced(run)
        one = self._runs.get(run)
        if one is None:
            return
        percent = (result.get("score") or {}).get("percent")
        one.record = replace(one.record, ended_at=ended_at, verdict=verdict, percent=percent)
        one.result = json.dumps(dict(result))

    def facts(self, run: str) -> Sequence[Fact]:
        """Return the facts of a run in the order they were recorded."""
        return tuple(Fact.from_json(json.loads(text)) for text in self._facts.get(run, ()))

    def documents(self, run: str) -> Mapping[str, str]:
        """Return the texts the run was planned from."""
        return dict(self._known(run).documents)

    def result(self, run: str) -> Mapping[str, Any] | None:
        """Return the result of a run; None where it never ended."""
        text = self._known(run).result
        return None if text is None else dict(json.loads(text))

    def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        records = (one.record for one in self._runs.values())
        return tuple(sorted(records, key=lambda r: (r.started_at, r.id), reverse=True)[:limit])

    def find(self, prefix: str) -> str:
        """Return the id of the one run that starts with this; ``last`` is the newest.

        Raises:
            UsageError: none or several do.
        """
        found = [r.id for r in self.runs(limit=1 if prefix == "last" else len(self._runs))]
        if prefix != "last":
            found = [r for r in found if r == prefix] or [r for r in found if r.startswith(prefix)]
        if not found:
            raise UsageError(f"there is no run {prefix!r}; `gameday runs` lists them")
        if len(found) > 1:
            raise UsageError(f"{prefix!r} fits {len(found)} runs: {', '.join(found[:5])} …")
        return found[0]

    def _known(self, run: str) -> _Run:
        known = self._runs.get(run)
        if known is None:
            raise UsageError(f"there is no run {run!r}; `gameday runs` lists them")
        return known

    def _refuse_if_fenced(self, run: str) -> None:
        by = self._fences.get(run)
        if by is not None:
            raise StoreError(
                f"run {run} was taken over by its {by} and may write no more; "
                f"`gameday show {run}` tells what was recovered"
            )
