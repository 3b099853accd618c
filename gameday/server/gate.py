"""Who may come in: bearer tokens, looked up by their hashes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from gameday.http.proof import hash_of, proof_of
from gameday.incidents.access import may
from gameday.ports import Role, Token
from gameday.server.sessions import Visitor

KNOWN_FOR = 1.0
"""Seconds that the list of tokens is believed; a revoked token works this much longer at most."""


class Denied(Exception):
    """A request may not do what it asks for.

    Attributes:
        status: 401 where nobody known asks, 403 where somebody asks who may not; 429 and 503 where
            they have, or all have, as much of it as there may be.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Gate:
    """The tokens in force.

    Args:
        tokens: reads them from the store; called in a thread.
    """

    def __init__(self, tokens: Callable[[], Sequence[Token]]) -> None:
        self._read = tokens
        self._known: Mapping[str, Token] = {}
        self._read_at = -KNOWN_FOR
        self._reading = asyncio.Lock()

    async def admit(self, authorization: str | None, needed: Role) -> Token:
        """Return the token of a request that may do what the role is needed for.

        Raises:
            Denied: it may not.
            StoreError: nobody can say.
        """
        token = await self.recognise(authorization)
        if token is None:
            raise Denied(
                401, "a token is needed: `Authorization: Bearer …`; `gameday token create`"
            )
        if not may(token, needed):
            raise Denied(403, f"a token of role {token.role} does not open this; {needed} does")
        return token

    async def recognise(self, authorization: str | None) -> Token | None:
        """Return the token in force that a request bears, or None."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return None
        # A lookup by hash leaks no part of the token through its timing.
        return (await self._in_force()).get(hash_of(secret.strip()))

    async def proof(
        self, asked: Mapping[str, str], server: tuple[str, int] | None
    ) -> Mapping[str, str] | None:
        """Return what proves that a token is known here; see `gameday.http.proof.proof_of`."""
        return proof_of(asked, await self._in_force(), server)

    async def by_id(self, id: str) -> Token | None:
        """Return the token of this id while it is in force, or None."""
        return next((t for t in (await self._in_force()).values() if t.id == id), None)

    async def _in_force(self) -> Mapping[str, Token]:
        if time.monotonic() - self._read_at > KNOWN_FOR:
            async with self._reading:
                if time.monotonic() - self._read_at > KNOWN_FOR:
                    found = await asyncio.to_thread(self._read)
                    self._known = {t.hash: t for t in found if t.revoked_at is None}
                    self._read_at = time.monotonic()
        return self._known


class GateDoors:
    """The tokens in force as doors of a console."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def enter(self, secret: str) -> Visitor | None:
        """Return whose token this is."""
        token = await self._gate.recognise(f"Bearer {secret}")
        return Visitor(token.id, token.role, token.name) if token else None

    async def known(self, id: str) -> Visitor | None:
        """Return who came in with this token, while it is in force."""
        token = await self._gate.by_id(id)
        return Visitor(token.id, token.role, token.name) if token else None
