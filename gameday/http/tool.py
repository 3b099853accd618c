"""One tool that speaks HTTP: ask, try again where that is safe, say what went wrong.

For the drivers only, which must not import each other; no other room reaches the network with it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.address import is_loopback
from gameday.http.causes import WHOLE, remedy_of, why_silent
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.keys import auth_for
from gameday.http.masking import masked
from gameday.http.proof import NotProven

__all__ = ["Answer", "HttpTool", "Parameters"]

_TRANSIENT = {408, 429, 502, 503, 504}

_LONGEST_REASON = 300

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered.

    Attributes:
        status: of HTTP.
        text: its whole body.
        reason: why it says no, in its own words, whichever of the usual places they are in.
    """

    status: int
    text: str
    reason: str

    @property
    def is_success(self) -> bool:
        """Whether the tool did what it was asked to."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the decoded body; `ValueError` where it is not JSON."""
        try:
            return json.loads(self.text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class HttpTool:
    """A tool at one base URL; every driver of one asks through this.

    Every method raises `TemporaryDriverError` where there is no answer, or one that says *later*,
    after every try; and `PermanentDriverError` where the tool says no. Neither holds a header.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=10),
        tries: int = 3,
        pause: timedelta = timedelta(milliseconds=200),
        headers: Mapping[str, str] | None = None,
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where the tool is; nothing is opened until the first question.

        Args:
            name: what the tool is called in messages.
            url: its base URL, with or without a trailing slash.
            timeout: of each wait in one try, for a connection or a byte; a whole one has thrice it.
            tries: how often to ask before giving up on a tool that does not answer.
            pause: before the second try; doubled before each further one.
            headers: sent with every request; may hold a secret, never shown.
            credentials: what is shown, where a system's document says; before our own headers.
            transport: another way than the network, for tests.
        """
        self.name = name
        self.url = url.rstrip("/")
        self._timeout = timeout.total_seconds()
        self._tries = max(1, tries)
        self._pause = pause.total_seconds()
        self._headers = {**(headers or {}), **credentials.headers}
        self._credentials = credentials
        self._transport = transport
        self._kept: httpx.AsyncClient | None = None
        self._holders = 0

    async def get(
        self, path: str, parameters: Parameters = (), *, accept: Sequence[int] = ()
    ) -> tuple[int, Any]:
        """Return (status, decoded JSON) of a GET; see `post` for errors."""
        return self._decoded(
            await self.ask("GET", path, parameters=parameters, accept=accept), path
        )

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
        return self._decoded(await self.ask("POST", path, body=body, accept=accept), path)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters = (),
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        accept: Sequence[int] = (),
        tries: int | None = None,
    ) -> Answer:
        """Return what the tool answers.

        Args:
            form: sent urlencoded, instead of a JSON body.
            accept: statuses beside 2xx that the caller understands; any other is an error.
            tries: 1 for what must not be repeated; None: as often as this tool is asked.
        """
        pause = self._pause
        try:
            async with self.kept_open() as client:
                for left in range((tries or self._tries) - 1, -1, -1):
                    answer = await self._tried(
                        client, method, path, parameters, body, form, is_last=not left
                    )
                    if answer is not None:
                        if answer.status_code not in _TRANSIENT or answer.status_code in accept:
                            return self._checked(answer, path, accept)
                        if not left:
                            raise TemporaryDriverError(
                                f"{self.name} at {self.url} answers {answer.status_code}"
                                f" to {path}: {_reason(answer)}; try again later"
                            )
                    await asyncio.sleep(pause)
                    pause *= 2
        except OSError as error:  # opening a client reads files and takes descriptors
            raise self._silent(error) from error
        raise AssertionError("the last try returns or raises")

    @asynccontextmanager
    async def kept_open(self) -> AsyncIterator[httpx.AsyncClient]:
        """Keep connections for as long as the context lasts: for many questions in a row.

        What is asked at the same time shares them; the last one to leave closes them.
        """
        if self._kept is None:
            self._kept = self._client()
        client = self._kept
        self._holders += 1
        try:
            yield client
        finally:
            self._holders -= 1
            if not self._holders:
                self._kept = None
                await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=self._timeout,
            # As bytes: a secret may hold any letter, and text is taken in ASCII only.
            headers=[(name.encode(), value.encode()) for name, value in self._headers.items()],
            transport=self._transport,
            auth=None if self._transport else auth_for(self.url),
            # A proxy of the environment is not to be asked for this machine's own loopback.
            trust_env=not is_loopback(self.url),
            verify=self._credentials.verify(self.url),
        )

    async def _tried(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        parameters: Parameters,
        body: Mapping[str, Any] | None,
        form: Mapping[str, str] | None,
        *,
        is_last: bool,
    ) -> httpx.Response | None:
        """Return the answer to one try; None where there was none and another try may help."""
        try:
            async with asyncio.timeout(WHOLE * self._timeout):
                return await client.request(
                    method, self.url + path, params=list(parameters), json=body, data=form
                )
        except TimeoutError as error:
            raise self._silent(error) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise PermanentDriverError(
                f"{self.name} at {self.url} cannot be asked: {error}"
            ) from error
        except httpx.TransportError as error:
            # After a timeout the tool is slow rather than away; asking again would only double
            # the wait.
            if is_last or isinstance(error, httpx.ReadTimeout):
                raise self._silent(error) from error
            return None
        except httpx.HTTPError as error:
            raise PermanentDriverError(
                f"{self.name} at {self.url} cannot be asked: {error}"
            ) from error

    def _silent(self, error: Exception) -> TemporaryDriverError:
        if isinstance(error, NotProven):
            return TemporaryDriverError(f"{self.name}: {error}")
        said = why_silent(error, self.url, timedelta(seconds=self._timeout))
        return TemporaryDriverError(f"{self.name} at {self.url} {said}")

    def _checked(self, answer: httpx.Response, path: str, accept: Sequence[int]) -> Answer:
        if not answer.is_success and answer.status_code not in accept:
            raise PermanentDriverError(
                f"{self.name} at {self.url} answers {answer.status_code} to {path}:"
                f" {_reason(answer)}{remedy_of(answer.status_code)}"
            )
        return Answer(answer.status_code, answer.text, _reason(answer))

    def _decoded(self, answer: Answer, path: str) -> tuple[int, Any]:
        try:
            return answer.status, answer.json()
        except ValueError as error:
            if not answer.is_success:
                return answer.status, None
            raise PermanentDriverError(
                f"{self.name} at {self.url} answers {path} with something that is not JSON:"
                " check the URL"
            ) from error


def _reason(answer: httpx.Response) -> str:
    # Covered before it is cut: a server that says no may say what was shown to it.
    return masked(_words(answer))[:_LONGEST_REASON]


def _words(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        error = said.get("error", said)
        text = error.get("message") if isinstance(error, dict) else error
        if text:
            return str(text)
    if answer.is_success:
        return ""
    return answer.reason_phrase or answer.text.strip() or "no reason given"
