"""What stands around every page: headers, sessions, forged forms, errors in words."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from gameday.http.origin import is_from_elsewhere
from gameday.ports import Role
from gameday.server.console.forms import FormFields, fields_of
from gameday.server.gate import Denied
from gameday.server.sessions import Session, Sessions

BASE = "/console"

_POLICY = (
    "default-src 'none'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; style-src 'self'"
)
# Plotly writes styles into the page it draws on; nothing of a stranger's text becomes one there.
_DRAWING = _POLICY + " 'unsafe-inline'"


def headers(*, draws: bool = False) -> dict[str, str]:
    """Return the headers of a page.

    Args:
        draws: whether charts are drawn on it.
    """
    return {
        "content-security-policy": _DRAWING if draws else _POLICY,
        "cache-control": "no-store",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


class SignInFirst(Exception):
    """A page is asked for without a session."""


class SessionGuard:
    """Lets requests with a session through.

    Args:
        acting: the roles that may change incidents.
    """

    def __init__(self, sessions: Sessions, *, acting: frozenset[Role]) -> None:
        self._sessions = sessions
        self._acting = acting

    async def session(self, request: Request) -> Session:
        """Return the session of a request; `SignInFirst` where there is none."""
        session = await self._sessions.of(request.cookies)
        if session is None:
            raise SignInFirst
        return session

    async def is_in(self, request: Request) -> bool:
        """Return whether a request's session is still in force."""
        return await self._sessions.of(request.cookies) is not None

    async def facilitator(self, request: Request) -> Session:
        """Return the session of a facilitator."""
        session = await self.session(request)
        if session.visitor.role is not Role.FACILITATOR:
            raise Denied(403, "only a facilitator sees what a game day injects")
        return session

    async def form(self, request: Request) -> tuple[Session, FormFields]:
        """Return the session and the fields of a form that one of its own pages sent.

        Raises:
            Denied: it was sent by somebody else.
        """
        session = await self._sessions.of(request.cookies)
        if session is None:
            raise Denied(401, "sign in first")
        if is_from_elsewhere(request.headers):
            raise Denied(403, "this form was sent by a page of another site")
        sent = await fields_of(request)
        if not session.has_sent(sent.one("csrf")):
            raise Denied(403, "this form was not sent from a page of this session; load it anew")
        return session, sent

    async def act(self, request: Request) -> tuple[Session, FormFields]:
        """Return the same for a form that changes an incident."""
        session, sent = await self.form(request)
        if not self.may_act(session):
            raise Denied(403, f"a session of role {session.visitor.role} changes nothing here")
        return session, sent

    def may_act(self, session: Session) -> bool:
        """Return whether a session may change incidents."""
        return session.visitor.role in self._acting


def to_sign_in(request: Request) -> Response:
    """Return the way to sign in, and back to what was asked for."""
    asked = request.scope["path"]
    back = quote(asked, safe="/") if request.method == "GET" else ""
    where = f"{BASE}/sign-in" + (f"?next={back}" if back else "")
    return RedirectResponse(where, status_code=303, headers=headers())


def own_path(asked: str) -> str:
    """Return where to go after signing in: a path of the console, whatever was asked for."""
    is_own = asked.startswith(f"{BASE}/") and asked.isprintable() and asked.isascii()
    return asked if is_own and "\\" not in asked and "//" not in asked else f"{BASE}/"


def with_cookies(response: Response, cookies: list[str]) -> Response:
    """Return the response with these cookies set."""
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response
