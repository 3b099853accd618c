"""Forgetting: what the retention deletes, in transactions that keep nobody waiting."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.drivers.database.incidents import in_parts, row_of
from gameday.drivers.database.runs import RunTables
from gameday.model.record import CLOSED
from gameday.model.retention import Deleted, Removal, StoreSize
from gameday.ports import GroupFact, IncidentRow, OrderKind, RunRecord
from gameday.quantity import written

if TYPE_CHECKING:
    from sqlalchemy import Connection

PAGES = 500
"""Of a SQLite file that are given back in one transaction: two megabytes, in milliseconds."""

DEPLOYS = "deploy:"
"""How the names of groups of deploys begin."""


class RetentionTables(RunTables):
    """What of a database may be forgotten; a `gameday.ports.RetentionStore`."""

    def groups_over(self, *, before: datetime) -> Sequence[str]:
        """Return the groups with a closed incident that began before, and has its facts still."""
        rows, runs = self._tables.incidents.c, self._tables.runs.c
        query = self._sa.select(rows.group).where(
            rows.state.in_(CLOSED),
            rows.opened_at < before.isoformat(),
            rows.pruned_at.is_(None),
            # A drill whose run was played on another store is nobody's here.
            rows.drill.is_(None) | rows.drill.not_in(self._sa.select(runs.id)),
        )
        with self._reading() as connection:
            return connection.scalars(query.distinct().order_by(rows.group)).all()

    def incidents_of_run(self, run: str) -> Sequence[IncidentRow]:
        """Return the incidents of a run's drill that have their facts still."""
        rows = self._tables.incidents
        query = self._sa.select(rows).where(rows.c.drill == run, rows.c.pruned_at.is_(None))
        with self._reading() as connection:
            return tuple(row_of(r) for r in connection.execute(query))

    def count_open(self, *, before: datetime) -> int:
        """Return how many incidents are open that began before."""
        rows = self._tables.incidents.c
        is_open = rows.state.not_in(CLOSED) & (rows.opened_at < before.isoformat())
        with self._reading() as connection:
            return connection.scalar(self._sa.select(self._sa.func.count()).where(is_open)) or 0

    def known_runs(self) -> Collection[str]:
        """Return the ids of all runs, pruned or not."""
        with self._reading() as connection:
            return set(connection.scalars(self._sa.select(self._tables.runs.c.id)))

    def groups_of_deploys(self) -> Sequence[str]:
        """Return the groups that hold deploys."""
        group = self._tables.facts.c.group
        is_sqlite = self._engine.dialect.name == "sqlite"
        # SQLite's LIKE looks at no index, for it does not tell capitals from small letters.
        named = group.op("GLOB")(f"{DEPLOYS}*") if is_sqlite else group.like(f"{DEPLOYS}%")
        query = self._sa.select(group).where(group.is_not(None), named).distinct()
        with self._reading() as connection:
            return sorted(connection.scalars(query))

    def remove(self, removal: Removal, *, unless_beyond: int) -> Deleted:
        """Delete this and put its word in place, where the group has no fact of a higher number."""
        facts, rows = self._tables.facts, self._tables.incidents
        said = GroupFact(removal.group, removal.said)
        with self._writing() as connection:
            if self._has_news(connection, {removal.group}, beyond=unless_beyond):
                return Deleted(0, 0, self._last(connection), is_done=False)
            deleted = size = 0
            for ids in in_parts(removal.facts):
                these = (facts.c.group == removal.group) & facts.c.id.in_(ids)
                size += self._size_of(connection, facts.c.fact, these)
                deleted += connection.execute(facts.delete().where(these)).rowcount
            self._write_facts(connection, [said])
            line = {
                "pruned_at": removal.said.happened_at.isoformat(),
                "pruned_after": written(removal.keep),
            }
            for ids in in_parts(removal.incidents):
                connection.execute(rows.update().where(rows.c.id.in_(ids)).values(line))
            return Deleted(deleted, size, self._last(connection))

    def _size_of(self, connection: Connection, text: Any, condition: Any) -> int:
        sa = self._sa
        query = sa.select(sa.func.sum(sa.func.length(text))).where(condition)
        return connection.scalar(query) or 0

    def runs_over(self, *, before: datetime) -> Sequence[RunRecord]:
        """Return the runs that ended before and are there still, oldest first."""
        runs = self._tables.runs.c
        is_over = runs.ended_at.is_not(None) & (runs.ended_at < before.isoformat())
        return self._runs_where(is_over & runs.pruned_at.is_(None) & ~self._has_open_undo())

    def runs_kept(self, *, before: datetime) -> Sequence[RunRecord]:
        """Return the runs that began before and are there still, though nothing new can come."""
        runs = self._tables.runs.c
        is_kept = runs.ended_at.is_(None) | self._has_open_undo()
        return self._runs_where((runs.started_at < before.isoformat()) & is_kept)

    def _has_open_undo(self) -> Any:
        undos, runs = self._tables.undos.c, self._tables.runs.c
        return self._sa.exists().where(undos.run == runs.id, undos.proven_at.is_(None))

    def _runs_where(self, condition: Any) -> Sequence[RunRecord]:
        runs = self._tables.runs.c
        return self._records(self._select_runs().where(condition).order_by(runs.ended_at, runs.id))

    def prune_run(self, run: str, *, at: datetime, after: timedelta) -> Deleted:
        """Delete the documents, the result, the undos and the orders of a run; its line says when.

        Where it has not ended, or an undo is not proven, nothing is. A fence stays for good: the
        process that was taken over may have been asleep all the while, and still may not act when
        the run's line is gone as well.
        """
        runs, undos, orders = self._tables.runs, self._tables.undos, self._tables.orders
        size = self._sa.func.coalesce(self._sa.func.length(runs.c.result), 0)
        size += self._sa.func.length(runs.c.documents)
        with self._writing() as connection:
            freed = connection.scalar(
                self._sa.select(size).where(
                    runs.c.id == run, runs.c.ended_at.is_not(None), ~self._has_open_undo()
                )
            )
            if freed is None:
                return Deleted(0, 0, is_done=False)
            connection.execute(undos.delete().where(undos.c.run == run))
            is_over = (orders.c.run == run) & (orders.c.kind != str(OrderKind.FENCE))
            connection.execute(orders.delete().where(is_over))
            line = {"pruned_at": at.isoformat(), "pruned_after": written(after)}
            connection.execute(
                runs.update().where(runs.c.id == run).values(documents="{}", result=None, **line)
            )
        return Deleted(0, freed)

    def runs_half_pruned(self) -> Sequence[str]:
        """Return the runs that are pruned and have facts still."""
        runs, facts = self._tables.runs.c, self._tables.facts.c
        has_facts = self._sa.exists().where(facts.run == runs.id, facts.group.is_(None))
        query = self._sa.select(runs.id).where(runs.pruned_at.is_not(None), has_facts)
        with self._reading() as connection:
            return connection.scalars(query.order_by(runs.id)).all()

    def remove_facts_of(self, run: str, *, limit: int) -> Deleted:
        """Delete some facts of a run that is pruned; none are left where fewer were deleted.

        Its own: what a group was told during the run may be the end of a real alert.
        """
        facts = self._tables.facts
        own = (facts.c.run == run) & facts.c.group.is_(None)
        some = self._sa.select(facts.c.number).where(own).limit(limit)
        with self._writing() as connection:
            numbers = connection.scalars(some).all()
            these = facts.c.number.in_(numbers)
            size = self._size_of(connection, facts.c.fact, these)
            connection.execute(facts.delete().where(these))
        return Deleted(len(numbers), size)

    def remove_lines(self, *, before: datetime, limit: int) -> int:
        """Delete lines of what is pruned and began before; return how many, 0 when all are."""
        rows, runs = self._tables.incidents, self._tables.runs
        facts = self._tables.facts.c
        has_facts = self._sa.exists().where(facts.run == runs.c.id, facts.group.is_(None))
        old = before.isoformat()
        return self._delete_some(
            limit,
            (rows, rows.c.id, rows.c.pruned_at.is_not(None) & (rows.c.opened_at < old)),
            (
                runs,
                runs.c.id,
                runs.c.pruned_at.is_not(None) & (runs.c.started_at < old) & ~has_facts,
            ),
        )

    def remove_audit(self, *, before: datetime, limit: int) -> int:
        """Delete what the audit said before, and orders that were lifted; as above."""
        audit, orders, old = self._tables.audit, self._tables.orders, before.isoformat()
        return self._delete_some(
            limit,
            (audit, audit.c.number, audit.c.at < old),
            (orders, orders.c.number, orders.c.lifted_at < old),
        )

    def remove_claims(self, *, before: datetime, limit: int) -> int:
        """Delete claims that ran out before; return how many, as above."""
        claims = self._tables.claims
        return self._delete_some(limit, (claims, claims.c.key, claims.c.until < before.isoformat()))

    def _delete_some(self, limit: int, *wanted: tuple[Any, Any, Any]) -> int:
        """Delete so many rows at most of each of these tables, with a key and a condition each."""
        deleted = 0
        with self._writing() as connection:
            for table, key, condition in wanted:
                some = self._sa.select(key).where(condition).limit(limit)
                deleted += connection.execute(table.delete().where(key.in_(some))).rowcount
        return deleted

    # --- room on the disk --------------------------------------------------------------------

    def shrink(self) -> bool:
        """Give some of what is empty back to the disk; return whether there is more."""
        size = self.size()
        if not size.shrinks or not size.free:
            return False
        with self._writing() as connection:
            # It gives back a page whenever it is asked for a row, and its rows have no columns, so
            # that SQLAlchemy would ask for none.
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        return self.size().free > 0

    def size(self) -> StoreSize:
        """Return how large the store is on disk."""
        with self._reading() as connection:
            if self._engine.dialect.name != "sqlite":
                names = [table.name for table in self._tables.facts.metadata.sorted_tables]
                asked = self._sa.text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
                sizes = (connection.scalar(asked, {"name": name}) for name in names)
                return StoreSize(sum(size or 0 for size in sizes), 0, shrinks=False)

            def pragma(name: str) -> int:
                return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

            page = pragma("page_size")
            free, pages = pragma("freelist_count") * page, pragma("page_count") * page
            shrinks = pragma("auto_vacuum") == _INCREMENTAL
        log = Path(f"{self._engine.url.database}-wal")
        return StoreSize(pages + (log.stat().st_size if log.exists() else 0), free, shrinks)


_INCREMENTAL = 2
