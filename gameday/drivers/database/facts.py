"""The one table of facts: what runs record about themselves, and what is heard about incidents.

Facts are the truth; whatever else is stored about an incident is derived from them. They are
numbered in the order of their commits, so whoever has read up to a number has missed nothing below.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from gameday.drivers.database.connection import Connected
from gameday.drivers.database.glance import Glance
from gameday.errors import StoreError
from gameday.ports import GroupFact, OrderKind, Recorded
from scoring.timeline import Fact

if TYPE_CHECKING:
    from sqlalchemy import Connection


class FactTable(Connected):
    """The facts of a database."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._glance = Glance(self._engine)

    def close(self) -> None:
        """Release the database."""
        self._glance.close()
        super().close()

    def append(self, run: str, fact: Fact, *, fenced: bool = False) -> None:
        """Append one fact that a run records about itself; the same fact again is passed over."""
        facts = self._tables.facts
        # Unique in its run among what the run recorded itself.
        insert = self._insert(facts).on_conflict_do_nothing(
            index_elements=["run", "id"], index_where=facts.c.group.is_(None)
        )
        written = _written(fact)
        with self._writing() as connection:
            if not fenced:
                self._refuse_if_fenced(connection, run)
            new = insert.values(id=fact.id, run=run, **written).returning(facts.c.number)
            is_new = connection.execute(new).first() is not None
            if not is_new and written["fact"] != self._own(connection, run, fact.id):
                raise StoreError(
                    f"the store cannot be used: run {run} has another fact {fact.id!r} already"
                )

    def _own(self, connection: Connection, run: str, id: str) -> str | None:
        facts = self._tables.facts.c
        query = self._sa.select(facts.fact).where(
            facts.run == run, facts.id == id, facts.group.is_(None)
        )
        return connection.execute(query).scalar_one_or_none()

    def _write_facts(self, connection: Connection, said: Sequence[GroupFact]) -> None:
        facts = self._tables.facts
        insert = self._insert(facts).on_conflict_do_nothing(
            index_elements=["id"], index_where=facts.c.group.is_not(None)
        )
        connection.execute(
            insert,
            [{"id": s.fact.id, "run": s.run, "group": s.group, **_written(s.fact)} for s in said],
        )

    def _refuse_if_fenced(self, connection: Connection, run: str) -> None:
        orders = self._tables.orders.c
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
        runs = self._tables.runs.c
        pruned_at = connection.scalar(self._sa.select(runs.pruned_at).where(runs.id == run))
        if pruned_at is not None:
            raise StoreError(
                f"run {run} was pruned by the retention and may write no more; "
                "`gameday run` plays its scenario again"
            )

    def facts(self, run: str) -> Sequence[Fact]:
        """Return every fact of a run's timeline in the order they were recorded."""
        return self._facts_where(self._tables.facts.c.run == run)

    def group_facts(self, group: str) -> Sequence[Fact]:
        """Return the facts of one group in the order they were recorded."""
        return self._facts_where(self._tables.facts.c.group == group)

    def _facts_where(self, condition: Any) -> Sequence[Fact]:
        facts = self._tables.facts.c
        query = self._sa.select(facts.fact).where(condition).order_by(facts.number)
        with self._reading() as connection:
            texts = connection.scalars(query).all()
        return tuple(_read(text) for text in texts)

    def facts_after(self, number: int, *, limit: int) -> Sequence[Recorded]:
        """Return the facts with a higher number, in order: of groups and of runs."""
        facts = self._tables.facts.c
        query = (
            self._sa.select(facts.number, facts.run, facts.group, facts.fact)
            .where(facts.number > number)
            .order_by(facts.number)
            .limit(limit)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(Recorded(r.number, _read(r.fact), r.run, r.group) for r in rows)

    def glance(self) -> int | None:
        """Return what `last_number` would, where that takes microseconds; None where it waits."""
        return self._glance.newest()

    def last_number(self) -> int:
        """Return the number of the newest fact; 0 where there is none."""
        with self._reading() as connection:
            return self._last(connection)

    def _last(self, connection: Connection) -> int:
        number = self._tables.facts.c.number
        return connection.scalar(self._sa.select(self._sa.func.max(number))) or 0

    def _has_news(self, connection: Connection, groups: Collection[str], *, beyond: int) -> bool:
        facts = self._tables.facts.c
        news = self._sa.select(facts.number).where(facts.number > beyond, facts.group.in_(groups))
        return connection.execute(news.limit(1)).first() is not None


def _written(fact: Fact) -> dict[str, str]:
    return {"kind": str(fact.kind), "fact": json.dumps(fact.to_json())}


def _read(text: str) -> Fact:
    return Fact.from_json(json.loads(text))
