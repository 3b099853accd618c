"""Sessions of people in a browser: a signed cookie, and a token against forged forms.

A session says who somebody is and nothing else; what they may do is asked anew at every request, so
a revoked token ends its sessions. Nothing is kept on the server: any process that has the key
knows the session.

Two cookies are set. The session itself is ``SameSite=Strict``: no other site's link or form can
use it. Deeplinks however are clicked in chats and mails, which are other sites; a second cookie,
``SameSite=Lax`` and for ``/go`` only, says who opened one, and opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gameday.incidents.signed import Signed
from gameday.ports import Role

LIFETIME = timedelta(hours=12)
"""A session lasts one shift; who is still there then signs in again."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody known.

    Attributes:
        id: of the token they came in with; not a secret.
        name: who acts are recorded by.
    """

    id: str
    role: Role
    name: str


class Entrances(Protocol):
    """Who may come in."""

    async def enter(self, secret: str) -> Visitor | None:
        """Return whom a token belongs to; None where it is not in force."""

    async def known(self, id: str) -> Visitor | None:
        """Return who came in with this token, as long as it is in force."""


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor's session.

    Attributes:
        csrf: what every changing form of this session carries.
    """

    visitor: Visitor
    csrf: str = field(repr=False)

    def has_sent(self, csrf: str) -> bool:
        """Return whether a form comes from a page of this very session."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


class Sessions:
    """Begins, recognises and ends sessions.

    Args:
        key: the server's secret, at least 32 random bytes.
        secure: whether people reach the server over TLS.
    """

    def __init__(
        self, key: bytes, doors: Entrances, *, now: Callable[[], datetime], secure: bool = False
    ) -> None:
        self._signed = {purpose: Signed(key, purpose) for purpose in ("session", "link")}
        self._csrf = Signed(key, "csrf")
        self._doors = doors
        self._now = now
        self._secure = secure
        # Cookies know no ports: several servers on one host must not take each other's.
        mark = hashlib.sha256(b"gameday/cookie/" + key).hexdigest()[:8]
        self._name, self._link_name = f"gameday-{mark}", f"gameday-link-{mark}"

    async def begin(self, secret: str) -> tuple[Visitor, list[str]] | None:
        """Return the visitor a token belongs to and the ``Set-Cookie`` values; None: not let in."""
        visitor = await self._doors.enter(secret.strip())
        if visitor is None or visitor.role is Role.WEBHOOK:
            return None
        age = int(LIFETIME.total_seconds())
        session, link = self._written("session", visitor), self._written("link", visitor)
        return visitor, [
            self._cookie(self._name, session, path="/", same_site="Strict", age=age),
            self._cookie(self._link_name, link, path="/go", same_site="Lax", age=age),
        ]

    def end(self) -> list[str]:
        """Return the ``Set-Cookie`` values that end a session."""
        return [
            self._cookie(self._name, "", path="/", same_site="Strict", age=0),
            self._cookie(self._link_name, "", path="/go", same_site="Lax", age=0),
        ]

    async def of(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session of a request; None where there is none in force."""
        value = cookies.get(self._name, "")
        visitor = await self._read("session", value)
        return Session(visitor, self._csrf.mark(value)) if visitor else None

    async def opener(self, cookies: Mapping[str, str]) -> Visitor | None:
        """Return who opens a deeplink; None: nobody known."""
        for purpose, name in (("session", self._name), ("link", self._link_name)):
            visitor = await self._read(purpose, cookies.get(name, ""))
            if visitor is not None:
                return visitor
        return None

    def _written(self, purpose: str, visitor: Visitor) -> str:
        ends = int((self._now() + LIFETIME).timestamp())
        return self._signed[purpose].written([visitor.id, ends, secrets.token_urlsafe(12)])

    async def _read(self, purpose: str, value: str) -> Visitor | None:
        said = self._signed[purpose].read(value)
        if said is None:
            return None
        id, ends, _nonce = said
        if self._now().timestamp() > ends:
            return None
        visitor = await self._doors.known(str(id))
        return visitor if visitor is not None and visitor.role is not Role.WEBHOOK else None

    def _cookie(self, name: str, value: str, *, path: str, same_site: str, age: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite={same_site}{secure}"
