"""The store of runs in a SQL database: SQLite by default, durable at every return."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gameday.drivers.database.schema import first_line, open_database
from gameday.errors import StoreError, UsageError
from gameday.ports import Order, OrderKind, RunRecord, Undo
from scoring.timeline import Fact

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Database:
    """The store of runs behind one SQLAlchemy URL.

    Raises:
        StoreError: the database cannot be opened or was written by a newer gameday.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        self._sa = sa
        self._metadata = sa.MetaData()
        self._runs = sa.Table(
            "runs",
            self._metadata,
            sa.Column("id", sa.String, primary_key=True),
            sa.Column("scenario", sa.String, nullable=False),
            sa.Column("target", sa.String, nullable=False),
            sa.Column("started_at", sa.String, nullable=False),
            sa.Column("ended_at", sa.String),
            sa.Column("verdict", sa.String),
            sa.Column("percent", sa.Float),
            sa.Column("documents", sa.Text, nullable=False),
            sa.Column("result", sa.Text),
        )
        self._facts = sa.Table(
            "facts",
            self._metadata,
            sa.Column("run", sa.String, primary_key=True),
            sa.Column("number", sa.Integer, primary_key=True),
            sa.Column("kind", sa.String, nullable=False),
            sa.Column("fact", sa.Text, nullable=False),
        )
        self._undos = sa.Table(
            "undos",
            self._metadata,
            sa.Column("id", sa.String, primary_key=True),
            sa.Column("run", sa.String, nullable=False),
            sa.Column("kind", sa.String, nullable=False),
            sa.Column("description", sa.String, nullable=False),
            sa.Column("command", sa.String, nullable=False),
            sa.Column("data", sa.Text, nullable=False),
            sa.Column("stored_at", sa.String, nullable=False),
            sa.Column("proven_at", sa.String),
        )
        self._orders = sa.Table(
            "orders",
            self._metadata,
            sa.Column("number", sa.Integer, primary_key=True),
            sa.Column("kind", sa.String, nullable=False),
            sa.Column("run", sa.String),
            sa.Column("reason", sa.String, nullable=False),
            sa.Column("by", sa.String, nullable=False),
            sa.Column("given_at", sa.String, nullable=False),
            sa.Column("lifted_at", sa.String),
        )
        self._engine = open_database(url, what="the store")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except self._sa.exc.SQLAlchemyError as error:
            raise StoreError(f"the store cannot be used: {first_line(error)}") from error

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

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
                self._runs.insert().values(
                    id=run,
                    scenario=scenario,
                    target=target,
                    started_at=started_at.isoformat(),
                    documents=json.dumps(dict(documents)),
                )
            )

    def append(self, run: str, fact: Fact, *, fenced: bool = False) -> None:
        """Append one fact; its number is its place in the run."""
        sa = self._sa
        with self._writing() as connection:
            # A run and its sentinel may write at once, and the next number is one for each of
            # them: they queue at the run's row. SQLite has one writer anyway and ignores this.
            connection.execute(
                sa.select(self._runs.c.id).where(self._runs.c.id == run).with_for_update()
            )
            if not fenced:
                self._refuse_if_fenced(connection, run)
            number = (
                sa.select(sa.func.coalesce(sa.func.max(self._facts.c.number), 0) + 1)
                .where(self._facts.c.run == run)
                .scalar_subquery()
            )
            connection.execute(
                self._facts.insert().values(
                    run=run, number=number, kind=fact.kind, fact=json.dumps(fact.to_json())
                )
            )

    def save_undo(self, undo: Undo) -> None:
        """Commit an undo before its fault is injected."""
        with self._writing() as connection:
            self._refuse_if_fenced(connection, undo.run)
            connection.execute(
                self._undos.insert().values(
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
                self._undos.update()
                .where(self._undos.c.id == undo)
                .values(proven_at=proven_at.isoformat())
            )

    def open_undos(self, run: str | None = None, *, target: str | None = None) -> Sequence[Undo]:
        """Return undos not yet proven, newest first."""
        sa = self._sa
        query = sa.select(self._undos).where(self._undos.c.proven_at.is_(None))
        if run is not None:
            query = query.where(self._undos.c.run == run)
        if target is not None:
            # One whose run is not known may lie on any target.
            query = query.outerjoin(self._runs, self._runs.c.id == self._undos.c.run).where(
                sa.or_(self._runs.c.target == target, self._runs.c.target.is_(None))
            )
        with self._writing() as connection:
            rows = connection.execute(query.order_by(self._undos.c.stored_at.desc())).all()
        return tuple(
            Undo(r.id, r.kind, r.run, r.description, r.command, json.loads(r.data)) for r in rows
        )

    def _refuse_if_fenced(self, connection: Connection, run: str) -> None:
        orders = self._orders.c
        fence = connection.execute(
            self._sa.select(orders.by)
            .where(orders.run == run, orders.kind == str(OrderKind.FENCE))
            .limit(1)
        ).one_or_none()
        if fence is not None:
            raise StoreError(
                f"run {run} was taken over by its {fence.by} and may write no more; "
                f"`gameday show {run}` tells what was recovered"
            )

    def give(self, order: Order) -> None:
        """Give an order; it holds until it is lifted."""
        with self._writing() as connection:
            connection.execute(
                self._orders.insert().values(
                    kind=str(order.kind),
                    run=order.run,
                    reason=order.reason,
                    by=order.by,
                    given_at=order.given_at.isoformat(),
                )
            )

    def orders(self, run: str | None = None) -> Sequence[Order]:
        """Return the orders in force for a run, oldest first: its own and those for every run."""
        orders = self._orders.c
        mine = orders.run.is_(None) if run is None else orders.run.is_(None) | (orders.run == run)
        query = (
            self._sa.select(self._orders)
            .where(mine, orders.lifted_at.is_(None))
            .order_by(orders.number)
        )
        with self._writing() as connection:
            rows = connection.execute(query).all()
        return tuple(
            Order(OrderKind(r.kind), r.run, r.reason, r.by, datetime.fromisoformat(r.given_at))
            for r in rows
        )

    def lift_stop(self, *, at: datetime) -> bool:
        """Lift the stop; return whether there was one."""
        orders = self._orders.c
        with self._writing() as connection:
            done = connection.execute(
                self._orders.update()
                .where(orders.kind == str(OrderKind.STOP), orders.lifted_at.is_(None))
                .values(lifted_at=at.isoformat())
            )
        return bool(done.rowcount)

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
        percent = (result.get("score") or {}).get("percent")
        with self._writing() as connection:
            if not fenced:
                self._refuse_if_fenced(connection, run)
            connection.execute(
                self._runs.update()
                .where(self._runs.c.id == run)
                .values(
                    ended_at=ended_at.isoformat(),
                    verdict=verdict,
                    percent=percent,
                    result=json.dumps(dict(result)),
                )
            )

    def facts(self, run: str) -> Sequence[Fact]:
        """Return the facts of a run in the order they were recorded."""
        query = (
            self._sa.select(self._facts.c.fact)
            .where(self._facts.c.run == run)
            .order_by(self._facts.c.number)
        )
        with self._writing() as connection:
            return tuple(Fact.from_json(json.loads(t)) for t in connection.scalars(query))

    def documents(self, run: str) -> Mapping[str, str]:
        """Return the texts the run was planned from."""
        documents = self._column(run, self._runs.c.documents)
        return dict(json.loads(documents))

    def result(self, run: str) -> Mapping[str, Any] | None:
        """Return the result of a run; None where it never ended."""
        result = self._column(run, self._runs.c.result)
        return None if result is None else dict(json.loads(result))

    def _column(self, run: str, column: Any) -> Any:
        query = self._sa.select(column).where(self._runs.c.id == run)
        with self._writing() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UsageError(f"there is no run {run!r}; `gameday runs` lists them")
        return row[0]

    def runs(self, *, limit: int = 50) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        runs = self._runs.c
        query = (
            self._sa.select(
                runs.id,
                runs.scenario,
                runs.target,
                runs.started_at,
                runs.ended_at,
                runs.verdict,
                runs.percent,
            )
            .order_by(runs.started_at.desc(), runs.id.desc())
            .limit(limit)
        )
        with self._writing() as connection:
            rows = connection.execute(query).all()
        return tuple(
            RunRecord(
                r.id,
                r.scenario,
                r.target,
                datetime.fromisoformat(r.started_at),
                datetime.fromisoformat(r.ended_at) if r.ended_at else None,
                r.verdict,
                r.percent,
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
