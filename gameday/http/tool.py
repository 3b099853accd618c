"""One tool that speaks JSON over HTTP: ask, try again where that is safe, say what went wrong.

For the drivers only, which must not import each other; no other room reaches the network with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from gameday.errors import PermanentDriverError, TemporaryDriverError

_TRANSIENT = {408, 429, 502, 503, 504}

Parameters = Sequence[tuple[str, str]]


class JsonTool:
    """A tool at one base URL, for reading: every request may be repeated safely."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=10),
        tries: int = 3,
        pause: timedelta = timedelta(milliseconds=200),
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where the tool is; nothing is opened until the first question.

        Args:
            name: what the tool is called in messages.
            url: its base URL, with or without a trailing slash.
            timeout: of one try.
            tries: how often to ask before giving up on a tool that does not answer.
            pause: before the second try; doubled before each further one.
            headers: sent with every request; may hold a secret, never shown.
            transport: another way than the network, for tests.
        """
        self.name = name
        self.url = url.rstrip("/")
        self._timeout = timeout.total_seconds()
        self._tries = max(1, tries)
        self._pause = pause.total_seconds()
        self._headers = dict(headers or {})
        self._transport = transport

    async def get(
        self, path: str, parameters: Parameters = (), *, accept: Sequence[int] = ()
    ) -> tuple[int, Any]:
        """Return (status, decoded JSON) of a GET; see `post` for errors."""
        return await self._ask("GET", path, accept, parameters=parameters)

    async def post(
        self, path: str, body: Mapping[str, Any], *, accept: Sequence[int] = ()
    ) -> tuple[int, Any]:
        """Return (status, decoded JSON) of a POST that only reads.

        Args:
            accept: statuses beside 2xx that the caller understands; their body is None where it
                is not JSON.

        Raises:
            TemporaryDriverError: no answer, or one that says *later*, after every try.
            PermanentDriverError: it answers no, or not JSON.
        """
        return await self._ask("POST", path, accept, body=body)

    async def _ask(
        self,
        method: str,
        path: str,
        accept: Sequence[int],
        *,
        parameters: Parameters = (),
        body: Mapping[str, Any] | None = None,
    ) -> tuple[int, Any]:
        host = urlsplit(self.url).hostname or ""
        is_loopback = host in {"localhost", "::1"} or host.startswith("127.")
        pause = self._pause
        async with httpx.AsyncClient(
            timeout=self._timeout,
            headers=self._headers,
            transport=self._transport,
            trust_env=not is_loopback,
            # Certificates take 30 ms to load; without https there is nothing to verify.
            verify=self.url.startswith("https:"),
        ) as client:
            for left in range(self._tries - 1, -1, -1):
                try:
                    answer = await client.request(
                        method, self.url + path, params=list(parameters), json=body
                    )
                except httpx.TransportError as error:
                    # After a timeout the tool is slow rather than away; asking again would only
                    # double the wait.
                    if not left or isinstance(error, httpx.ReadTimeout):
                        raise TemporaryDriverError(
                            f"{self.name} at {self.url} does not answer"
                            f" ({type(error).__name__}): check that it is up"
                        ) from error
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    raise PermanentDriverError(
                        f"{self.name} at {self.url} cannot be asked: {error}"
                    ) from error
                else:
                    if answer.status_code not in _TRANSIENT or answer.status_code in accept:
                        return self._read(answer, path, accept)
                    if not left:
                        raise TemporaryDriverError(
                            f"{self.name} at {self.url} answers {answer.status_code}"
                            f" to {path}: {_reason(answer)}; try again later"
                        )
                await asyncio.sleep(pause)
                pause *= 2
        raise AssertionError("the last try returns or raises")

    def _read(self, answer: httpx.Response, path: str, accept: Sequence[int]) -> tuple[int, Any]:
        expected = answer.status_code in accept
        if not answer.is_success and not expected:
            raise PermanentDriverError(
                f"{self.name} at {self.url} answers {answer.status_code} to {path}:"
                f" {_reason(answer)}"
            )
        try:
            return answer.status_code, answer.json()
        except (ValueError, RecursionError) as error:
            if expected and not answer.is_success:
                return answer.status_code, None
            raise PermanentDriverError(
                f"{self.name} at {self.url} answers {path} with something that is not JSON:"
                " check the URL"
            ) from error


def _reason(answer: httpx.Response) -> str:
    """Return the tool's own words, whichever of the usual places they are in."""
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        error = said.get("error", said)
        text = error.get("message") if isinstance(error, dict) else error
        if text:
            return str(text)[:300]
    return answer.reason_phrase or "no reason given"
