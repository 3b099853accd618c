"""What an API on loopback asks of whoever comes: a token, and where they come from. Pure.

Loopback is no identity: every user of this machine reaches it, and so does every page in a browser,
in the name of whoever looks at it. So each request bears a token, and one that a browser sends is
believed only where its own pages could have sent it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode

from gameday.http.address import is_loopback
from gameday.http.keys import COOKIE, PUSHING, READING, derived
from gameday.http.origin import is_from_elsewhere, is_taken_in
from gameday.http.proof import PATH, hash_of, proof_of

__all__ = [
    "HEADERS",
    "PROMETHEUS_READS",
    "PYROSCOPE_READS",
    "RequestHead",
    "LoopbackGuard",
    "Reply",
]

HEADERS = {
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
}
"""Of every answer, whoever gives it: no page of another site has anything of ours in itself."""

PROMETHEUS_READS = (
    "/api/v1/query",
    "/api/v1/query_range",
    "/api/v1/query_exemplars",
    "/api/v1/series",
    "/api/v1/labels",
    "/api/v1/format_query",
)
"""POSTs of Prometheus that only read, for queries too long for an address."""

PYROSCOPE_READS = ("/querier.v1.QuerierService/",)
"""How Pyroscope is asked, as the beginning of its paths."""

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What any page may send anywhere without having asked first; no API here takes it."""

_FAR = "this was sent by a page of another site"


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a request.

    Attributes:
        query: without the question mark.
        headers: their names in lower case.
        server: host and port of the connection, as the server sees it.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    server: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered in place of the API."""

    status: int
    error: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def body(self) -> bytes:
        """The error in words, as JSON; nothing where there is none."""
        return json.dumps({"error": self.error}).encode() if self.error else b""


class LoopbackGuard:
    """Stands in front of one API.

    Args:
        token: opens everything.
        reads: POSTs that only read, as the beginning of their paths.
        pushes: paths that take the token which only hands telemetry in.
        is_readable: whether the token that only reads opens what only reads.
    """

    def __init__(
        self,
        token: str,
        *,
        reads: tuple[str, ...] = (),
        pushes: tuple[str, ...] = (),
        is_readable: bool = False,
    ) -> None:
        self._token = token
        self._reading = derived(token, READING) if is_readable else ""
        self._pushing = derived(token, PUSHING) if pushes else ""
        self._reads = reads
        self._pushes = pushes

    def reply(self, asked: RequestHead) -> Reply | None:
        """Return what is answered in place of the API; None: the API answers."""
        if asked.path == PATH:
            return self._proof(asked)
        refusal = self._refusal(asked)
        if refusal is not None:
            return refusal
        shown = parse_qs(asked.query).get("key", [""])[0]
        return self._kept(asked) if asked.method == "GET" and _is(shown, self._reading) else None

    def _proof(self, asked: RequestHead) -> Reply:
        known = [hash_of(t) for t in (self._token, self._reading, self._pushing) if t]
        said = proof_of(dict(parse_qsl(asked.query)), known, asked.server)
        if said is None:
            return Reply(404, "no such token is known here")
        return Reply(204, headers=said)

    def _refusal(self, asked: RequestHead) -> Reply | None:
        headers, path, method = asked.headers, asked.path, asked.method
        own = headers.get("host", "")
        if not is_loopback("http://" + own) or _port(own) != (asked.server or ("", 0))[1]:
            return Reply(421, "this is reached as 127.0.0.1 and its own port, and as nothing else")
        only_reads = method in ("GET", "HEAD") or (
            method == "POST" and path.startswith(self._reads or ("\0",))
        )
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{own}":
            return Reply(403, _FAR)
        # A link from elsewhere may lead to a page, which changes nothing.
        if is_taken_in(headers) or (is_from_elsewhere(headers) and not only_reads):
            return Reply(403, _FAR)
        if not only_reads and headers.get("content-type", "").partition(";")[0].lower() in _FORMS:
            return Reply(415, "send JSON, with its content type")
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        if _is(given, self._token):
            return None
        if only_reads and self._reading:
            query = parse_qs(asked.query)
            shown = (given, _cookie(headers), query.get("key", [""])[0])
            if any(_is(one, self._reading) for one in shown):
                return None
        if path.startswith(self._pushes or ("\0",)) and _is(given, self._pushing):
            return None
        return Reply(
            401,
            "a token is needed: `gameday sandbox status` prints the links that open this in a"
            " browser; programs find it in the sandbox's state file",
        )

    def _kept(self, asked: RequestHead) -> Reply:
        """Have the browser keep the token, and take it out of the address."""
        rest = urlencode([(k, v) for k, v in parse_qsl(asked.query) if k != "key"])
        where = re.sub(r"^/+", "/", asked.path) + (f"?{rest}" if rest else "")
        kept = f"{COOKIE}={self._reading}; Path=/; HttpOnly; SameSite=Lax"
        return Reply(303, headers={"location": where, "set-cookie": kept})


def _is(given: str, token: str) -> bool:
    return bool(token) and secrets.compare_digest(given.encode(), token.encode())


def _port(host: str) -> int:
    port = host.rpartition(":")[2]
    return int(port) if port.isdigit() and len(port) < 6 else 80


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
