"""The incidents of the store: what was said of them, their rows, and who does their duties.

Facts are the truth; the row of an incident is what was derived from them last, for lists. A fact's
id is unique, so that what is sent twice, or sent again after a crash, is stored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from gameday.drivers.database.facts import FactTable
from gameday.model.record import CLOSED
from gameday.model.severity import IncidentSeverity
from gameday.ports import AuditEntry, GroupFact, IncidentRow, Written
from gameday.quantity import duration
from scoring.timeline import Kind

if TYPE_CHECKING:
    from sqlalchemy import Connection


class IncidentTables(FactTable):
    """The incidents of a database: what is said of them, their rows, and who does their duties."""

    _run: str | None = None

    def of_run(self, run: str) -> Self:
        """Return this store as the process of a run uses it; they share their connections."""
        bound = copy(self)
        bound._run = run
        return bound

    @contextmanager
    def _writing_unless_fenced(self) -> Iterator[Connection]:
        with self._writing() as connection:
            if self._run is not None:
                self._refuse_if_fenced(connection, self._run)
            yield connection

    def commit(
        self,
        facts: Sequence[GroupFact],
        *,
        rows: Sequence[IncidentRow] = (),
        audit: Sequence[AuditEntry] = (),
        unless_beyond: int | None = None,
    ) -> Written:
        """Write all of this in one transaction; a fact whose id is known already is passed over."""
        with self._writing_unless_fenced() as connection:
            before = self._last(connection)
            if unless_beyond is not None and before > unless_beyond:
                groups = {f.group for f in facts}
                if self._has_news(connection, groups, beyond=unless_beyond):
                    return Written(before, before, is_done=False)
            if facts:
                self._write_facts(connection, facts)
            if rows:
                self._list(connection, rows)
            if audit:
                connection.execute(
                    self._tables.audit.insert(),
                    [
                        {"at": a.at.isoformat(), "who": a.who, "what": a.what, "about": a.about}
                        for a in audit
                    ],
                )
            return Written(before, self._last(connection) if facts else before)

    def _list(self, connection: Connection, rows: Sequence[IncidentRow]) -> None:
        insert = self._insert(self._tables.incidents)
        update = {c: insert.excluded[c] for c in (*_MAY_CHANGE, *_INSTANTS)}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["id"], set_=update),
            [
                {
                    "id": r.id,
                    "group": r.group,
                    "service": r.service,
                    "slo": r.slo,
                    "severity": str(r.severity),
                    "opened_at": r.opened_at.isoformat(),
                    "state": r.state,
                    "drill": r.drill,
                    "merged_into": r.merged_into,
                    "team": r.team,
                    "region": r.region,
                    **{name: _text(getattr(r, name)) for name in _INSTANTS},
                }
                for r in rows
            ],
        )

    def open_groups(self, *, since: datetime) -> Sequence[str]:
        """Return the groups with an incident that is open or younger, or with facts of none yet."""
        sa = self._sa
        rows, facts = self._tables.incidents.c, self._tables.facts.c
        known = sa.select(rows.group)
        queries = (
            sa.select(rows.group).where(
                rows.state.not_in(CLOSED) | (rows.opened_at >= since.isoformat()),
                rows.pruned_at.is_(None),
            ),
            sa.select(facts.group).where(
                facts.group.is_not(None),
                facts.group.not_in(known),
                facts.kind == str(Kind.PAGE_RECEIVED),
            ),
        )
        with self._reading() as connection:
            found = {group for query in queries for group in connection.scalars(query.distinct())}
        return sorted(found)

    def incidents(self, *, limit: int = 100, only_open: bool = False) -> Sequence[IncidentRow]:
        """Return incidents, newest first, without the ones merged into another."""
        columns = self._tables.incidents.c
        query = self._sa.select(self._tables.incidents).where(columns.merged_into.is_(None))
        if only_open:
            query = query.where(columns.state.not_in(CLOSED))
        query = query.order_by(columns.opened_at.desc(), columns.id).limit(limit)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(row_of(r) for r in rows)

    def incident(self, id: str) -> IncidentRow | None:
        """Return one incident, or None where there is none of this id."""
        query = self._sa.select(self._tables.incidents).where(self._tables.incidents.c.id == id)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else row_of(row)

    # --- claims ------------------------------------------------------------------------------

    def claim(self, *keys: str, holder: str, now: datetime, until: datetime) -> frozenset[str]:
        """Return which of the keys are this holder's alone now, until then; again: until later.

        One that reaches further ahead than twice as far was made before a clock was set back.
        """
        claims = self._tables.claims.c
        furthest = until + (until - now)
        is_over = (claims.until <= _exact(now)) | (claims.until > _exact(furthest))
        mine_or_over = (claims.holder == holder) | is_over
        mine: set[str] = set()
        with self._writing_unless_fenced() as connection:
            for some in in_parts(keys):
                insert = self._insert(self._tables.claims).values(
                    [{"key": key, "holder": holder, "until": _exact(until)} for key in some]
                )
                taken = insert.on_conflict_do_update(
                    index_elements=["key"],
                    set_={"holder": insert.excluded.holder, "until": insert.excluded.until},
                    where=mine_or_over,
                ).returning(claims.key)
                mine.update(connection.scalars(taken))
        return frozenset(mine)

    def release(self, *keys: str, holder: str) -> None:
        """Give claims back; what another holds stays."""
        claims = self._tables.claims.c
        with self._writing() as connection:
            for some in in_parts(keys):
                connection.execute(
                    self._tables.claims.delete().where(
                        claims.key.in_(some), claims.holder == holder
                    )
                )


_MAY_CHANGE = ("severity", "state", "drill", "merged_into", "team", "region")
_INSTANTS = ("began_at", "acked_at", "mitigated_at", "cleared_at", "closed_at", "postmortem_at")


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def in_parts(keys: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield so many keys as one statement may hold, in an order that is the same everywhere.

    Or two processes would wait for each other's.
    """
    ordered = sorted(set(keys))
    for first in range(0, len(ordered), 500):
        yield ordered[first : first + 500]


def _exact(instant: datetime) -> str:
    # Always as long, so that the order of the texts is the order of the instants.
    return instant.isoformat(timespec="microseconds")


def row_of(r: Any) -> IncidentRow:
    """Return what a row of the table says."""
    return IncidentRow(
        id=r.id,
        group=r.group,
        service=r.service,
        slo=r.slo,
        severity=IncidentSeverity(r.severity),
        opened_at=datetime.fromisoformat(r.opened_at),
        state=r.state,
        drill=r.drill,
        merged_into=r.merged_into,
        pruned_at=datetime.fromisoformat(r.pruned_at) if r.pruned_at else None,
        pruned_after=duration(r.pruned_after) if r.pruned_after else None,
        **{
            name: datetime.fromisoformat(said)
            for name in _INSTANTS
            if (said := getattr(r, name)) is not None
        },
        team=r.team or "",
        region=r.region or "",
    )
