"""The store of incidents in a SQL database, beside the store of runs and in the same one.

Facts are the truth; the row of an incident is what was derived from them last, for lists. A fact's
id is unique, so that what is sent twice, or sent again after a crash, is stored once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.errors import StoreError, UsageError
from gameday.ports import AuditEntry, IncidentRow, LineFact, Role, Token
from scoring.timeline import Fact

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCHEMA_VERSION = 1
"""Of the tables of this file; kept in a table of its own, since the runs' has a version too."""

CLOSED = ("resolved", "false alarm", "merged")


class IncidentDatabase:
    """Incidents, tokens and the audit behind one SQLAlchemy URL; creates its tables at first use.

    Raises:
        StoreError: the database cannot be opened or was written by a newer gameday.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        self._sa = sa
        self._metadata = meta = sa.MetaData()
        self._versions = sa.Table(
            "incident_schema", meta, sa.Column("version", sa.Integer, primary_key=True)
        )
        self._incidents = sa.Table(
            "incidents",
            meta,
            sa.Column("id", sa.String, primary_key=True),
            sa.Column("line", sa.String, nullable=False, index=True),
            sa.Column("service", sa.String, nullable=False),
            sa.Column("slo", sa.String, nullable=False),
            sa.Column("severity", sa.String, nullable=False),
            sa.Column("opened_at", sa.String, nullable=False, index=True),
            sa.Column("state", sa.String, nullable=False, index=True),
            sa.Column("drill", sa.String),
            sa.Column("merged_into", sa.String),
        )
        self._facts = sa.Table(
            "incident_facts",
            meta,
            sa.Column("number", sa.Integer, primary_key=True),
            sa.Column("id", sa.String, nullable=False, unique=True),
            sa.Column("line", sa.String, nullable=False, index=True),
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
        self._engine = self._open(url)

    def _open(self, url: str) -> Engine:
        sa = self._sa
        try:
            parsed = sa.make_url(url)
            is_sqlite = parsed.get_backend_name() == "sqlite"
            if is_sqlite and parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine: Engine = sa.create_engine(url)
            if is_sqlite:
                sa.event.listen(engine, "connect", _make_durable)
            with engine.begin() as connection:
                self._metadata.create_all(connection)
                found = connection.execute(sa.select(self._versions.c.version)).scalar()
                if found is None:
                    connection.execute(self._versions.insert().values(version=SCHEMA_VERSION))
                elif found > SCHEMA_VERSION:
                    raise StoreError(
                        f"the incidents in {parsed.database!r} were written by a newer gameday "
                        f"(schema {found}, this one knows {SCHEMA_VERSION}): upgrade gameday, "
                        "or set GAMEDAY_STATE to another folder"
                    )
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"the store of incidents cannot be opened: {_first_line(error)}; "
                "set GAMEDAY_STATE to a folder that can be written"
            ) from error
        return engine

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except self._sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the store of incidents cannot be used: {_first_line(error)}"
            ) from error

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    # --- facts and incidents -----------------------------------------------------------------

    def commit(
        self,
        facts: Sequence[LineFact],
        *,
        rows: Sequence[IncidentRow] = (),
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Write all of this in one transaction; a fact whose id is known already is passed over."""
        with self._writing() as connection:
            if facts:
                connection.execute(
                    self._insert(self._facts).on_conflict_do_nothing(index_elements=["id"]),
                    [
                        {
                            "id": f.fact.id,
                            "line": f.line,
                            "kind": str(f.fact.kind),
                            "fact": json.dumps(f.fact.to_json()),
                        }
                        for f in facts
                    ],
                )
            if rows:
                insert = self._insert(self._incidents)
                update = {c: insert.excluded[c] for c in ("severity", "state", "drill")}
                update["merged_into"] = insert.excluded["merged_into"]
                connection.execute(
                    insert.on_conflict_do_update(index_elements=["id"], set_=update),
                    [
                        {
                            "id": r.id,
                            "line": r.line,
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
            if audit:
                connection.execute(
                    self._audit.insert(),
                    [
                        {"at": a.at.isoformat(), "who": a.who, "what": a.what, "about": a.about}
                        for a in audit
                    ],
                )

    def _insert(self, table: Any) -> Any:
        if self._engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
            # Two functions of one shape; each dialect has a class of its own.
        return insert(table)

    def facts(self, line: str) -> Sequence[Fact]:
        """Return the facts of one line in the order they were recorded."""
        query = (
            self._sa.select(self._facts.c.fact)
            .where(self._facts.c.line == line)
            .order_by(self._facts.c.number)
        )
        with self._writing() as connection:
            return tuple(Fact.from_json(json.loads(t)) for t in connection.scalars(query))

    def open_lines(self, *, since: datetime) -> Sequence[str]:
        """Return the lines with an incident that is open or younger, or with facts of none yet."""
        sa = self._sa
        rows = self._incidents.c
        known = sa.select(rows.line)
        queries = (
            sa.select(rows.line).where(
                rows.state.not_in(CLOSED) | (rows.opened_at >= since.isoformat())
            ),
            sa.select(self._facts.c.line).where(
                self._facts.c.line.not_in(known), self._facts.c.kind == "page.received"
            ),
        )
        with self._writing() as connection:
            found = {line for query in queries for line in connection.scalars(query.distinct())}
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


def _row(r: Any) -> IncidentRow:
    return IncidentRow(
        id=r.id,
        line=r.line,
        service=r.service,
        slo=r.slo,
        severity=r.severity,
        opened_at=datetime.fromisoformat(r.opened_at),
        state=r.state,
        drill=r.drill,
        merged_into=r.merged_into,
    )


def _make_durable(connection: Any, _record: object) -> None:
    # FULL makes a commit survive the loss of power, which is what "acknowledged" promises.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=3000")


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
