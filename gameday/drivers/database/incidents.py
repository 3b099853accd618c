"""The store of incidents in a SQL database, beside the store of runs and in the same one.

Facts are the truth; the row of an incident is what was derived from them last, for lists. A fact's
id is unique, so that what is sent twice, or sent again after a crash, is stored once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gameday.drivers.database.schema import first_line, open_database, writing_alone
from gameday.errors import PlanRefused, StoreError, UsageError
from gameday.ports import AuditEntry, GroupFact, IncidentRow, Role, Token, Written
from scoring.timeline import Fact

if TYPE_CHECKING:
    from sqlalchemy import Connection

CLOSED = ("resolved", "false alarm", "merged")


class IncidentDatabase:
    """Incidents, tokens and the audit behind one SQLAlchemy URL.

    Raises:
        StoreError: the database cannot be opened or was written by a newer gameday.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        self._sa = sa
        self._metadata = meta = sa.MetaData()
        self._incidents = sa.Table(
            "incidents",
            meta,
            sa.Column("id", sa.String, primary_key=True),
            sa.Column("line", sa.String, key="group", nullable=False),
            sa.Column("service", sa.String, nullable=False),
            sa.Column("slo", sa.String, nullable=False),
            sa.Column("severity", sa.String, nullable=False),
            sa.Column("opened_at", sa.String, nullable=False),
            sa.Column("state", sa.String, nullable=False),
            sa.Column("drill", sa.String),
            sa.Column("merged_into", sa.String),
        )
        self._facts = sa.Table(
            "incident_facts",
            meta,
            sa.Column("number", sa.Integer, primary_key=True),
            sa.Column("id", sa.String, nullable=False, unique=True),
            sa.Column("line", sa.String, key="group", nullable=False),
            sa.Column("kind", sa.String, nullable=False),
            sa.Column("fact", sa.Text, nullable=False),
        )
        self._tokens = sa.Table(
            "tokens",
            meta,
            sa.Column("id", sa.String, primary_key=True),
            sa.Column("hash", sa.String, nullable=False, unique=True),
            sa.Column("role", sa.String, nullable=False),
            sa.Column("name", sa.String, nullable=False),
            sa.Column("created_at", sa.String, nullable=False),
            sa.Column("revoked_at", sa.String),
        )
        self._audit = sa.Table(
            "audit",
            meta,
            sa.Column("number", sa.Integer, primary_key=True),
            sa.Column("at", sa.String, nullable=False),
            sa.Column("who", sa.String, nullable=False),
            sa.Column("what", sa.String, nullable=False),
            sa.Column("about", sa.String, nullable=False),
        )
        self._claims = sa.Table(
            "claims",
            meta,
            sa.Column("key", sa.String, primary_key=True),
            sa.Column("holder", sa.String, nullable=False),
            sa.Column("until", sa.String, nullable=False),
        )
        self._engine = open_database(url, what="the store of incidents")
        self._held: IO[str] | None = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except self._sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the store of incidents cannot be used: {first_line(error)}"
            ) from error

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()
        if self._held is not None:
            self._held.close()
            self._held = None

    @property
    def is_shared(self) -> bool:
        """Whether other processes may serve from it at the same time: a server's database."""
        return self._engine.dialect.name != "sqlite"

    def hold(self) -> None:
        """Be the one process that serves from this SQLite file, until it is closed.

        On a database of a server it does nothing: several may serve from that.

        Raises:
            PlanRefused: another process does.
        """
        import fcntl

        path = self._engine.url.database
        if self.is_shared or not path or path == ":memory:":
            return
        # The system gives it back when the process ends, however it ends.
        held = Path(f"{path}.serving").open("w", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held.close()
            raise PlanRefused(
                f"another `gameday serve` works on {path!r}, and a SQLite file has room for one: "
                "end it, set GAMEDAY_STATE to another folder, or share a PostgreSQL by "
                "GAMEDAY_DATABASE_URL"
            ) from error
        self._held = held

    # --- facts and incidents -----------------------------------------------------------------

    def commit(
        self,
        facts: Sequence[GroupFact],
        *,
        rows: Sequence[IncidentRow] = (),
        audit: Sequence[AuditEntry] = (),
        unless_beyond: int | None = None,
    ) -> Written:
        """Write all of this in one transaction; a fact whose id is known already is passed over."""
        texts = [
            {"id": f.fact.id, "group": f.group, "kind": str(f.fact.kind), "fact": _written(f.fact)}
            for f in facts
        ]
        # Alone, because a number taken early and committed late would be overlooked by whoever
        # has read past it already.
        with self._alone() as connection:
            before = self._last(connection)
            if unless_beyond is not None and before > unless_beyond:
                groups = {f.group for f in facts}
                if self._has_news(connection, groups, beyond=unless_beyond):
                    return Written(before, before, is_done=False)
            if texts:
                connection.execute(
                    self._insert(self._facts).on_conflict_do_nothing(index_elements=["id"]), texts
                )
            if rows:
                self._list(connection, rows)
            if audit:
                connection.execute(
                    self._audit.insert(),
                    [
                        {"at": a.at.isoformat(), "who": a.who, "what": a.what, "about": a.about}
                        for a in audit
                    ],
                )
            return Written(before, self._last(connection) if texts else before)

    def _list(self, connection: Connection, rows: Sequence[IncidentRow]) -> None:
        insert = self._insert(self._incidents)
        update = {c: insert.excluded[c] for c in ("severity", "state", "drill", "merged_into")}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["id"], set_=update),
            [
                {
                    "id": r.id,
                    "group": r.group,
                    "service": r.service,
                    "slo": r.slo,
                    "severity": r.severity,
                    "opened_at": r.opened_at.isoformat(),
                    "state": r.state,
                    "drill": r.drill,
                    "merged_into": r.merged_into,
                }
                for r in rows
            ],
        )

    def _last(self, connection: Connection) -> int:
        number = self._facts.c.number
        return connection.scalar(self._sa.select(self._sa.func.max(number))) or 0

    def _has_news(self, connection: Connection, groups: Collection[str], *, beyond: int) -> bool:
        facts = self._facts.c
        news = self._sa.select(facts.number).where(facts.number > beyond, facts.group.in_(groups))
        return connection.execute(news.limit(1)).first() is not None

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        try:
            with writing_alone(self._engine) as connection:
                yield connection
        except self._sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the store of incidents cannot be used: {first_line(error)}"
            ) from error

    def _insert(self, table: Any) -> Any:
        if self._engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
            # Two functions of one shape; each dialect has a class of its own.
        return insert(table)

    def facts(self, group: str) -> Sequence[Fact]:
        """Return the facts of one group in the order they were recorded."""
        query = (
            self._sa.select(self._facts.c.fact)
            .where(self._facts.c.group == group)
            .order_by(self._facts.c.number)
        )
        with self._writing() as connection:
            return tuple(Fact.from_json(json.loads(t)) for t in connection.scalars(query))

    def facts_after(self, number: int, *, limit: int) -> Sequence[tuple[int, GroupFact]]:
        """Return facts with a higher number, in order, each with its own."""
        facts = self._facts.c
        query = (
            self._sa.select(facts.number, facts.group, facts.fact)
            .where(facts.number > number)
            .order_by(facts.number)
            .limit(limit)
        )
        with self._writing() as connection:
            rows = connection.execute(query).all()
        return [(r.number, GroupFact(r.group, Fact.from_json(json.loads(r.fact)))) for r in rows]

    def last_number(self) -> int:
        """Return the number of the newest fact; 0 where there is none."""
        with self._writing() as connection:
            return self._last(connection)

    def open_groups(self, *, since: datetime) -> Sequence[str]:
        """Return the groups with an incident that is open or younger, or with facts of none yet."""
        sa = self._sa
        rows = self._incidents.c
        known = sa.select(rows.group)
        queries = (
            sa.select(rows.group).where(
                rows.state.not_in(CLOSED) | (rows.opened_at >= since.isoformat())
            ),
            sa.select(self._facts.c.group).where(
                self._facts.c.group.not_in(known), self._facts.c.kind == "page.received"
            ),
        )
        with self._writing() as connection:
            found = {group for query in queries for group in connection.scalars(query.distinct())}
        return sorted(found)

    def incidents(self, *, limit: int = 100, only_open: bool = False) -> Sequence[IncidentRow]:
        """Return incidents, newest first, without the ones merged into another."""
        columns = self._incidents.c
        query = self._sa.select(self._incidents).where(columns.merged_into.is_(None))
        if only_open:
            query = query.where(columns.state.not_in(CLOSED))
        query = query.order_by(columns.opened_at.desc(), columns.id).limit(limit)
        with self._writing() as connection:
            rows = connection.execute(query).all()
        return tuple(_row(r) for r in rows)

    def incident(self, id: str) -> IncidentRow | None:
        """Return one incident, or None where there is none of this id."""
        query = self._sa.select(self._incidents).where(self._incidents.c.id == id)
        with self._writing() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _row(row)

    # --- claims ------------------------------------------------------------------------------

    def claim(self, key: str, *, holder: str, now: datetime, until: datetime) -> bool:
        """Return whether the key is this holder's alone now, until then; again: until later."""
        claims = self._claims.c
        insert = self._insert(self._claims).values(key=key, holder=holder, until=_exact(until))
        mine_or_over = (claims.holder == holder) | (claims.until <= _exact(now))
        taken = insert.on_conflict_do_update(
            index_elements=["key"],
            set_={"holder": insert.excluded.holder, "until": insert.excluded.until},
            where=mine_or_over,
        ).returning(claims.key)
        with self._writing() as connection:
            return connection.execute(taken).first() is not None

    def release(self, key: str, *, holder: str) -> None:
        """Give a claim back; what another holds stays."""
        claims = self._claims.c
        with self._writing() as connection:
            connection.execute(
                self._claims.delete().where(claims.key == key, claims.holder == holder)
            )

    # --- tokens and the audit ----------------------------------------------------------------

    def add_token(self, token: Token) -> None:
        """Keep a token: its hash, never itself."""
        with self._writing() as connection:
            connection.execute(
                self._tokens.insert().values(
                    id=token.id,
                    hash=token.hash,
                    role=str(token.role),
                    name=token.name,
                    created_at=token.created_at.isoformat(),
                )
            )

    def revoke_token(self, id: str, *, at: datetime) -> None:
        """Let a token open nothing any more.

        Raises:
            UsageError: there is no such token, or it is revoked already.
        """
        tokens = self._tokens.c
        with self._writing() as connection:
            done = connection.execute(
                self._tokens.update()
                .where(tokens.id == id, tokens.revoked_at.is_(None))
                .values(revoked_at=at.isoformat())
            )
        if not done.rowcount:
            raise UsageError(f"there is no token {id!r} in force; `gameday token list` shows them")

    def tokens(self) -> Sequence[Token]:
        """Return every token, also revoked ones, oldest first."""
        query = self._sa.select(self._tokens).order_by(self._tokens.c.created_at)
        with self._writing() as connection:
            rows = connection.execute(query).all()
        return tuple(
            Token(
                id=r.id,
                hash=r.hash,
                role=Role(r.role),
                name=r.name,
                created_at=datetime.fromisoformat(r.created_at),
                revoked_at=datetime.fromisoformat(r.revoked_at) if r.revoked_at else None,
            )
            for r in rows
        )

    def audit(self, *, limit: int = 100) -> Sequence[AuditEntry]:
        """Return who changed what, newest first."""
        query = self._sa.select(self._audit).order_by(self._audit.c.number.desc()).limit(limit)
        with self._writing() as connection:
            rows = connection.execute(query).all()
        return tuple(AuditEntry(datetime.fromisoformat(r.at), r.who, r.what, r.about) for r in rows)


def _written(fact: Fact) -> str:
    return json.dumps(fact.to_json())


def _exact(instant: datetime) -> str:
    # Always as long, so that the order of the texts is the order of the instants.
    return instant.isoformat(timespec="microseconds")


def _row(r: Any) -> IncidentRow:
    return IncidentRow(
        id=r.id,
        group=r.group,
        service=r.service,
        slo=r.slo,
        severity=r.severity,
        opened_at=datetime.fromisoformat(r.opened_at),
        state=r.state,
        drill=r.drill,
        merged_into=r.merged_into,
    )
