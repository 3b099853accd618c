"""What stands in front of every API of a sandbox: who asks, from where, and what they may do.

Loopback is no identity: every user of this machine reaches it, and so does every page in a browser,
in the name of whoever looks at it. So each request bears a token, and one that a browser sends is
believed only where its own pages could have sent it.

An empty token stands for a place of its own, a pod, where the network says who comes.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from gameday.http.address import is_loopback
from gameday.http.keys import COOKIE, PUSHING, READING, derived
from gameday.http.proof import PATH, hash_of, proof_of

__all__ = ["TOKEN", "TokenGuard"]

TOKEN = "GAMEDAY_SANDBOX_TOKEN"
"""Variable in which a component is given the token; one without it asks for none."""

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What any page may send anywhere without having asked first; no API here takes it."""

_FAR = "this was sent by a page of another site"


class TokenGuard:
    """An ASGI application behind its token.

    Args:
        token: opens everything; empty: nobody is asked for anything.
        reads: POSTs that only read, as the beginning of their paths.
        pushes: paths that take the token which only hands telemetry in.
    """

    def __init__(
        self,
        app: Any,
        *,
        token: str,
        reads: tuple[str, ...] = (),
        pushes: tuple[str, ...] = (),
        is_readable: bool = False,
    ) -> None:
        self._app = app
        self._token = token
        self._reading = derived(token, READING) if is_readable else ""
        self._pushing = derived(token, PUSHING) if pushes else ""
        self._reads = reads
        self._pushes = pushes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through, or say why not."""
        if scope["type"] != "http" or not self._token:
            await self._app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        if scope["path"] == PATH:
            await self._prove(scope, send)
            return
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        if self._reading and scope["method"] == "GET":
            query = scope["query_string"].decode("latin-1")
            if self._is(parse_qs(query).get("key", [""])[0], self._reading):
                await self._keep(scope, query, send)
                return
        await self._app(scope, receive, send)

    async def _prove(self, scope: Any, send: Any) -> None:
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        known = [hash_of(t) for t in (self._token, self._reading, self._pushing) if t]
        said = proof_of(asked, known, scope.get("server"))
        if said is None:
            await _answer(send, 404, "no such token is known here")
        else:
            await _answer(send, 204, "", said)

    def _refusal(self, scope: Any, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return why a request is refused; None: it is not."""
        own = headers.get("host", "")
        if not is_loopback("http://" + own) or _port(own) != (scope.get("server") or ("", 0))[1]:
            return 421, "this is reached as 127.0.0.1 and its own port, and as nothing else"
        path, method = scope["path"], scope["method"]
        only_reads = method in ("GET", "HEAD") or (
            method == "POST" and path.startswith(self._reads or ("\0",))
        )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        is_far = site not in (None, "none", "same-origin")
        if origin is not None and origin != f"http://{own}":
            return 403, _FAR
        # A link from elsewhere may lead to a page, which changes nothing.
        if is_far and not (only_reads and headers.get("sec-fetch-mode") == "navigate"):
            return 403, _FAR
        if not only_reads and headers.get("content-type", "").partition(";")[0].lower() in _FORMS:
            return 415, "send JSON, with its content type"
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        if self._is(given, self._token):
            return None
        if only_reads and self._reading:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            shown = (given, _cookie(headers), query.get("key", [""])[0])
            if any(self._is(one, self._reading) for one in shown):
                return None
        if path.startswith(self._pushes or ("\0",)) and self._is(given, self._pushing):
            return None
        return 401, (
            "a token is needed: `gameday sandbox status` prints the links that open this in a"
            " browser; programs find it in the sandbox's state file"
        )

    @staticmethod
    def _is(given: str, token: str) -> bool:
        return bool(token) and secrets.compare_digest(given.encode(), token.encode())

    async def _keep(self, scope: Any, query: str, send: Any) -> None:
        """Have the browser keep the token, and take it out of the address."""
        rest = urlencode([(k, v) for k, v in parse_qsl(query) if k != "key"])
        where = re.sub(r"^/+", "/", scope["path"]) + (f"?{rest}" if rest else "")
        kept = f"{COOKIE}={self._reading}; Path=/; HttpOnly; SameSite=Lax"
        await _answer(send, 303, "", {"location": where, "set-cookie": kept})


async def _answer(send: Any, status: int, error: str, headers: Mapping[str, str] = {}) -> None:
    body = json.dumps({"error": error}).encode() if error else b""
    sent = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    raw = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _port(host: str) -> int:
    port = host.rpartition(":")[2]
    return int(port) if port.isdigit() and len(port) < 6 else 80


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
