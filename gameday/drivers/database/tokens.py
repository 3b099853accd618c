"""Who may come in to the store's service, and who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gameday.drivers.database.connection import Connected
from gameday.errors import UsageError
from gameday.ports import AuditEntry, Role, Token


class TokenTables(Connected):
    """The tokens of a database, and the audit."""

    def add_token(self, token: Token) -> None:
        """Keep a token: its hash, never itself."""
        with self._writing() as connection:
            connection.execute(
                self._tables.tokens.insert().values(
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
        tokens = self._tables.tokens.c
        with self._writing() as connection:
            done = connection.execute(
                self._tables.tokens.update()
                .where(tokens.id == id, tokens.revoked_at.is_(None))
                .values(revoked_at=at.isoformat())
            )
        if not done.rowcount:
            raise UsageError(f"there is no token {id!r} in force; `gameday token list` shows them")

    def tokens(self) -> Sequence[Token]:
        """Return every token, also revoked ones, oldest first."""
        query = self._sa.select(self._tables.tokens).order_by(self._tables.tokens.c.created_at)
        with self._reading() as connection:
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
        query = (
            self._sa.select(self._tables.audit)
            .order_by(self._tables.audit.c.number.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(AuditEntry(datetime.fromisoformat(r.at), r.who, r.what, r.about) for r in rows)
