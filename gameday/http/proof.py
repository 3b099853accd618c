"""How a server proves who it is before it is told a token.

Another user of this machine may listen where a server of ours is expected: its port was free, or it
had ended. So whoever bears a token asks first, with a number drawn for this once. Only who knows
the token already, or its hash as a store keeps it, can answer; and the answer names the address it
was given at, so that one who passes the question on to the true server is found out.

It is asked of loopback alone. Elsewhere that is what certificates are for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Mapping

import httpx
import psutil

from gameday.http.address import is_loopback

__all__ = [
    "AT",
    "PATH",
    "PROOF",
    "Bearer",
    "NotProven",
    "hash_of",
    "is_own_listener",
    "key_of",
    "proof_of",
]

PATH = "/proof"
PROOF, AT = "gameday-proof", "gameday-at"
"""Headers of the answer: the proof, and the address that it was given at."""

BELIEVED_SECONDS = 5.0
"""A proof holds this long: a server may end, and another take its port."""

_NONCE = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{16}")


class NotProven(httpx.TransportError):
    """Whoever answers there does not know the token; it was not sent."""


def hash_of(secret: str) -> str:
    """Return what a token is looked up by."""
    # Random and 256 bits long: nothing to guess, so nothing that a slow hash would make slower.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def proof_of(
    asked: Mapping[str, str], hashes: Iterable[str], server: tuple[str, int] | None
) -> Mapping[str, str] | None:
    """Return the headers that answer a question; None: it is none, or of no token that is known.

    Args:
        asked: the query: ``key`` says which token is meant, ``nonce`` is drawn by who asks.
        hashes: of the tokens that are known.
        server: host and port of the connection, as the server sees it; ASGI's ``server``.
    """
    key, nonce = asked.get("key", ""), asked.get("nonce", "")
    if server is None or not (_KEY.fullmatch(key) and _NONCE.fullmatch(nonce)):
        return None
    for known in hashes:
        if hmac.compare_digest(key_of(known), key):
            at = _address(*server[:2])
            return {AT: at, PROOF: _proof(known, nonce, at)}
    return None


class Bearer(httpx.Auth):
    """Bears a token, once the server has proven that it knows it.

    Args:
        token: the token.
        basic: sent as password of this user instead, for a server that knows nothing else; such a
            one proves nothing either.
        proves: whether the server is asked; False where nothing can stand between.
        believed_seconds: how long a proof holds.
        is_own: whether what listens on a port of this machine is this user's; that of a tunnel is.
    """

    def __init__(
        self,
        token: str,
        *,
        basic: str = "",
        proves: bool = True,
        believed_seconds: float = BELIEVED_SECONDS,
        is_own: Callable[[int | None], bool] | None = None,
    ) -> None:
        said = base64.b64encode(f"{basic}:{token}".encode()).decode()
        self._words = f"Basic {said}" if basic else f"Bearer {token}"
        self._hash = hash_of(token)
        self._proves = proves and not basic
        self._believed_seconds = believed_seconds
        self._is_own = is_own or is_own_listener
        self._proven_at: dict[tuple[str, int | None], float] = {}

    def __repr__(self) -> str:
        return "Bearer(…)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Ask for the proof where one is due, then send the request with the token.

        Raises:
            NotProven: there is none.
        """
        place = (request.url.host, request.url.port)
        if self._proves and self._is_due(place) and _is_open_to_others(request.url):
            nonce = secrets.token_hex(16)
            asked = {"key": key_of(self._hash), "nonce": nonce}
            # Under the request's own time limits.
            answer = yield httpx.Request(
                "GET",
                request.url.copy_with(path=PATH, query=None, fragment=None),
                params=asked,
                extensions={k: v for k, v in request.extensions.items() if k == "timeout"},
            )
            self._check(answer, nonce, request)
            self._proven_at[place] = time.monotonic()
        request.headers["authorization"] = self._words
        yield request

    def _is_due(self, place: tuple[str, int | None]) -> bool:
        proven_at = self._proven_at.get(place)
        return proven_at is None or time.monotonic() - proven_at > self._believed_seconds

    def _check(self, answer: httpx.Response, nonce: str, request: httpx.Request) -> None:
        at = answer.headers.get(AT, "")
        said = answer.headers.get(PROOF, "")
        where = f"{request.url.host}:{request.url.port}"
        if not hmac.compare_digest(said.encode(), _proof(self._hash, nonce, at).encode()):
            raise NotProven(
                f"what answers at {where} does not prove that it knows the token, so it was not"
                " sent: another program may listen there, or the token is of another server",
                request=request,
            )
        peer = _peer(answer)
        if at != peer and not self._is_own(request.url.port):
            raise NotProven(
                f"what answers at {where} passes on what is said to it to {at}, and no process of"
                " yours does that: the token was not sent",
                request=request,
            )


def _is_open_to_others(url: httpx.URL) -> bool:
    return url.scheme == "http" and is_loopback(url.host)


def key_of(hashed: str) -> str:
    """Return what names a token to who knows it, and tells nobody else anything."""
    return hashlib.sha256(b"gameday key\n" + hashed.encode()).hexdigest()[:16]


def _proof(hashed: str, nonce: str, at: str) -> str:
    said = f"gameday proof\n{nonce}\n{at}".encode()
    return hmac.new(hashed.encode(), said, hashlib.sha256).hexdigest()


def _address(host: str, port: int | None) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _peer(answer: httpx.Response) -> str | None:
    """Return the address the answer came from; None where it is not known."""
    stream = answer.extensions.get("network_stream")
    if stream is None:
        return None
    try:
        found = stream.get_extra_info("server_addr")
        return _address(str(found[0]), int(found[1])) if found else None
    except (OSError, TypeError, LookupError):
        return None


def is_own_listener(port: int | None) -> bool:
    """Return whether a process of this user, or of root, certainly listens there: a tunnel."""
    own = psutil.Process().uids().real
    for process in psutil.process_iter():
        try:
            if process.uids().real not in (0, own):
                continue
            for one in process.net_connections("tcp"):
                if one.status == psutil.CONN_LISTEN and one.laddr.port == port:
                    return True
        except (psutil.Error, OSError):
            continue
    return False
