"""One request to an API server and its answer; authentication is the client library's."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from gameday import __version__

JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Objects without what they are asked to be and what became of it: a tenth of the size."""

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class NoAnswer(Exception):
    """The connection could not be made, broke, or nothing came in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """How requests reach an API server."""

    server: str
    """URL of the server, for messages."""

    authority: str
    """Fingerprint of the certificates that the server's own is checked against; empty where it is
    checked against none but the machine's, or not at all."""

    def ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> Answer:
        """Return the answer to a request, whatever it says; `NoAnswer` if there is none.

        Args:
            target: path and query.
        """

    def stream(
        self, target: str, *, timeout_s: float, accept: str
    ) -> tuple[Answer, Iterator[bytes]]:
        """Return the answer to a GET and the pieces of its body as they arrive.

        Args:
            accept: the media type that is asked for.
            timeout_s: the longest silence; a stream that is silent for longer raises `NoAnswer`.
        """

    def close(self) -> None:
        """Give back what connections hold."""


class NetworkTransport:
    """Over the network, through the client library's connection pool."""

    CONNECT_WITHIN_S = 5.0

    def __init__(self, client: Any) -> None:
        """Take over an ``ApiClient`` with its credentials."""
        self._client = client
        self._settings = client.configuration
        self.server = str(self._settings.host).rstrip("/")
        self.authority = _authority(self._settings) if self.server.startswith("https:") else ""

    def ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> Answer:
        """See `Transport`."""
        from urllib3.exceptions import HTTPError

        try:
            answer = self._open(method, target, body, content_type, timeout_s, preload=True)
            return Answer(answer.status, _lower(answer.headers), bytes(answer.data))
        except (HTTPError, OSError) as problem:
            raise NoAnswer(_words(problem)) from problem

    def stream(
        self, target: str, *, timeout_s: float, accept: str
    ) -> tuple[Answer, Iterator[bytes]]:
        """See `Transport`."""
        from urllib3.exceptions import HTTPError

        try:
            answer = self._open("GET", target, None, "", timeout_s, preload=False, accept=accept)
            body = b"" if answer.status == 200 else answer.read()
        except (HTTPError, OSError) as problem:
            raise NoAnswer(_words(problem)) from problem

        def pieces() -> Iterator[bytes]:
            try:
                # read1, because a watch must not wait until a buffer is full.
                while piece := answer.read1():
                    yield piece
            except (HTTPError, OSError) as problem:
                raise NoAnswer(_words(problem)) from problem
            finally:
                answer.close()

        return Answer(answer.status, _lower(answer.headers), body), pieces()

    def close(self) -> None:
        """See `Transport`."""
        self._client.rest_client.pool_manager.clear()

    def _open(
        self,
        method: str,
        target: str,
        body: bytes | None,
        content_type: str,
        timeout_s: float,
        *,
        preload: bool,
        accept: str = JSON,
    ) -> Any:
        import urllib3

        headers = {"Accept": accept, "User-Agent": f"gameday/{__version__}"}
        if body is not None:
            headers["Content-Type"] = content_type
        for grant in self._settings.auth_settings().values():
            if grant.get("in") == "header" and grant.get("value"):
                headers[grant["key"]] = grant["value"]
        return self._client.rest_client.pool_manager.request(
            method,
            self.server + target,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(self.CONNECT_WITHIN_S, timeout_s), read=timeout_s),
            retries=False,  # the cluster retries, knowing what may be repeated
            preload_content=preload,
        )


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _authority(settings: Any) -> str:
    if not settings.verify_ssl or not settings.ssl_ca_cert:
        return ""
    try:
        text = Path(settings.ssl_ca_cert).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # no request will come through either, and it says why
    found = {sha256(ssl.PEM_cert_to_DER_cert(c)).hexdigest() for c in _CERTIFICATE.findall(text)}
    if len(found) > 1:
        return sha256("".join(sorted(found)).encode()).hexdigest()
    return next(iter(found), "")


def _words(problem: Exception) -> str:
    """Return what went wrong without the library's objects in it."""
    return f"{type(problem).__name__}: {str(problem).rpartition('>: ')[2] or problem}"[:300]
