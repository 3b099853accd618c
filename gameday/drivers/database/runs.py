"""The runs of the store, their undos, and the orders they obey."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gameday.drivers.database.facts import FactTable
from gameday.errors import Pruned, StoreError, UsageError
from gameday.model.result import RunResult
from gameday.ports import Order, OrderKind, RunRecord, Undo
from gameday.quantity import duration
from scoring.scorecard import HalfScore
from scoring.verdict import RunVerdict


class RunTables(FactTable):
    """The runs of a database, with what they must not forget: undos, and orders from outside."""

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
        with self._writing() as connection:
            connection.execute(
                self._tables.runs.insert().values(
                    id=run,
                    scenario=scenario,
                    target=target,
                    started_at=started_at.isoformat(),
                    documents=json.dumps(dict(documents)),
                )
            )

    def save_undo(self, undo: Undo) -> None:
        """Commit an undo before its fault is injected."""
        with self._writing() as connection:
            self._refuse_if_fenced(connection, undo.run)
            connection.execute(
                self._tables.undos.insert().values(
                    id=undo.id,
                    run=undo.run,
                    kind=undo.kind,
                    description=undo.description,
                    command=undo.command,
                    data=json.dumps(dict(undo.data)),
                    stored_at=datetime.now(UTC).isoformat(),
                )
            )

    def close_undo(self, undo: str, *, proven_at: datetime) -> None:
        """Mark an undo as done and proven."""
        with self._writing() as connection:
            connection.execute(
                self._tables.undos.update()
                .where(self._tables.undos.c.id == undo)
                .values(proven_at=proven_at.isoformat())
            )

    def open_undos(self, run: str | None = None, *, target: str | None = None) -> Sequence[Undo]:
        """Return undos not yet proven, newest first."""
        sa = self._sa
        query = sa.select(self._tables.undos).where(self._tables.undos.c.proven_at.is_(None))
        if run is not None:
            query = query.where(self._tables.undos.c.run == run)
        if target is not None:
            # One whose run is not known may lie on any target.
            query = query.outerjoin(
                self._tables.runs, self._tables.runs.c.id == self._tables.undos.c.run
            ).where(
                sa.or_(self._tables.runs.c.target == target, self._tables.runs.c.target.is_(None))
            )
        with self._reading() as connection:
            rows = connection.execute(query.order_by(self._tables.undos.c.stored_at.desc())).all()
        return tuple(
            Undo(r.id, r.kind, r.run, r.description, r.command, json.loads(r.data)) for r in rows
        )

    def give(self, order: Order) -> None:
        """Give an order; it holds until it is lifted."""
        with self._writing() as connection:
            connection.execute(
                self._tables.orders.insert().values(
                    kind=str(order.kind),
                    run=order.run,
                    reason=order.reason,
                    by=order.by,
                    given_at=order.given_at.isoformat(),
                )
            )

    def orders(self, run: str | None = None) -> Sequence[Order]:
        """Return the orders in force for a run, oldest first: its own and those for every run."""
        orders = self._tables.orders.c
        mine = orders.run.is_(None) if run is None else orders.run.is_(None) | (orders.run == run)
        query = (
            self._sa.select(self._tables.orders)
            .where(mine, orders.lifted_at.is_(None))
            .order_by(orders.number)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(
            Order(OrderKind(r.kind), r.run, r.reason, r.by, datetime.fromisoformat(r.given_at))
            for r in rows
        )

    def lift_stop(self, *, at: datetime) -> bool:
        """Lift the stop; return whether there was one."""
        orders = self._tables.orders.c
        with self._writing() as connection:
            done = connection.execute(
                self._tables.orders.update()
                .where(orders.kind == str(OrderKind.STOP), orders.lifted_at.is_(None))
                .values(lifted_at=at.isoformat())
            )
        return bool(done.rowcount)

    def close_run(
        self,
        run: str,
        *,
        ended_at: datetime,
        result: RunResult,
        fenced: bool = False,
    ) -> None:
        """End a run, or judge an ended one again."""
        with self._writing() as connection:
            if not fenced:
                self._refuse_if_fenced(connection, run)
            connection.execute(
                self._tables.runs.update()
                .where(self._tables.runs.c.id == run)
                .values(
                    ended_at=ended_at.isoformat(),
                    verdict=str(result.verdict),
                    percent=result.score.percent,
                    system_percent=_percent(result.score.system),
                    response_percent=_percent(result.score.response),
                    result=json.dumps(result.to_json()),
                )
            )

    def documents(self, run: str) -> Mapping[str, str]:
        """Return the texts the run was planned from."""
        documents = self._column(run, self._tables.runs.c.documents)
        return dict(json.loads(documents))

    def result(self, run: str) -> RunResult | None:
        """Return the result of a run; None where it never ended."""
        result = self._column(run, self._tables.runs.c.result)
        if result is None:
            return None
        try:
            return RunResult.from_json(json.loads(result))
        except StoreError as error:
            again = f"`gameday score {run}` judges the run again"
            raise StoreError(f"run {run}: {error}; {again}") from error

    def _column(self, run: str, column: Any) -> Any:
        runs = self._tables.runs.c
        query = self._sa.select(column, runs.pruned_at, runs.pruned_after).where(runs.id == run)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UsageError(f"there is no run {run!r}; `gameday runs` lists them")
        if row.pruned_at is not None:
            at, after = datetime.fromisoformat(row.pruned_at), duration(row.pruned_after)
            raise Pruned(f"run {run}", at=at, after=after)
        return row[0]

    def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        runs = self._tables.runs.c
        newest = self._select_runs().order_by(runs.started_at.desc(), runs.id.desc())
        return self._records(newest.limit(limit))

    def _select_runs(self) -> Any:
        """Return a query for lines of the list; `_records` reads what it finds."""
        runs = self._tables.runs.c
        line = (runs.id, runs.scenario, runs.target, runs.started_at, runs.ended_at)
        numbers = (runs.percent, runs.system_percent, runs.response_percent)
        return self._sa.select(*line, runs.verdict, *numbers, runs.pruned_at)

    def _records(self, query: Any) -> Sequence[RunRecord]:
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(
            RunRecord(
                r.id,
                r.scenario,
                r.target,
                datetime.fromisoformat(r.started_at),
                datetime.fromisoformat(r.ended_at) if r.ended_at else None,
                RunVerdict(r.verdict) if r.verdict else None,
                r.percent,
                datetime.fromisoformat(r.pruned_at) if r.pruned_at else None,
                r.system_percent,
                r.response_percent,
            )
            for r in rows
        )

    def find(self, prefix: str) -> str:
        """Return the id of the one run that starts with this; ``last`` is the newest.

        Raises:
            UsageError: none or several do.
        """
        found = [r.id for r in self.runs(limit=1 if prefix == "last" else 100_000)]
        if prefix != "last":
            found = [r for r in found if r == prefix] or [r for r in found if r.startswith(prefix)]
        if not found and prefix == "last":
            raise UsageError("there is no run yet; `gameday run scenarios/slow-db.yaml` plays one")
        if not found:
            raise UsageError(f"there is no run {prefix!r}; `gameday runs` lists them")
        if len(found) > 1:
            raise UsageError(f"{prefix!r} fits {len(found)} runs: {', '.join(found[:5])} …")
        return found[0]


def _percent(half: HalfScore | None) -> float | None:
    return half.percent if half else None
