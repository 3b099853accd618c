"""The one client of the API of incidents: a run's and that of `gameday serve` speak the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urljoin, urlsplit

import httpx

from gameday.errors import (
    DriverError,
    ExitCode,
    PermanentDriverError,
    TemporaryDriverError,
)
from gameday.http.keys import auth_for
from gameday.http.proof import Bearer, NotProven
from gameday.model.page import Finding
from gameday.model.signals import Deploy

__all__ = ["HttpDesk", "Mistaken", "NotAsItStands", "open_incidents"]

TIMEOUT = timedelta(seconds=75)
"""Of one call: longer than the server waits for the outcome of a mitigation."""

RUN_IS_GONE = "check that the run that sent the page is still going"


class Mistaken(PermanentDriverError):
    """The server says that the request is wrong: no such incident, no such token, no such field."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class NotAsItStands(PermanentDriverError):
    """The server says that it cannot be done as the incident stands."""

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


class HttpDesk:
    """The desk of one incident, reached through its page; fulfils `IncidentDesk`.

    The token speaks for whoever bears it; it is sent to the incident's own server and nobody else,
    and is never part of an error message.
    """

    def __init__(
        self,
        incident: str,
        *,
        token: str,
        timeout: timedelta = TIMEOUT,
        otherwise: str = RUN_IS_GONE,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember the address; nothing is opened until the first call.

        Args:
            incident: URL of the incident, as the page gives it.
            token: of a responder.
            timeout: of one call; a mitigation may take several seconds.
            otherwise: what to do where nobody answers, for the message.
            transport: another way than the network, for tests.
        """
        self._incident = incident.rstrip("/")
        self._server = _server(self._incident)
        # Nobody can come between where there is no network.
        self._auth = Bearer(token, proves=transport is None)
        self._timeout = timeout
        self._otherwise = otherwise
        self._transport = transport

    async def summary(self) -> Mapping[str, Any]:
        """Return the incident as the API shows it."""
        return await self._json("GET", self._incident, "the incident")

    async def say(self, word: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a word on the incident's record, and return the fact.

        Args:
            word: last part of the path: ``note``, ``resolve``, ``postmortem`` …
        """
        return await self._json("POST", f"{self._incident}/{word}", f"the incident's /{word}", body)

    async def acknowledge(self) -> None:
        """Say: I have it."""
        await self.say("ack", {})

    async def report(self, finding: Finding) -> None:
        """Hand in the finding of one step."""
        await self.say("finding", finding.model_dump(mode="json"))

    async def tick(self, step: str, *, done: bool, note: str = "") -> None:
        """Tick a runbook step."""
        await self.say("step", {"step": step, "done": done, "note": note})

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Start a mitigation; return what was done.

        Raises:
            PermanentDriverError: it is unknown or was refused; the message says why.
        """
        body = {"name": name, "parameters": dict(parameters)}
        try:
            said = await self.say("mitigation", body)
        except NotAsItStands as error:
            raise PermanentDriverError(str(error)) from error
        return str((said.get("data") or {}).get("detail", ""))

    async def follow(self, link: str) -> str:
        """Open a deeplink and return where it leads, without going there."""
        answer = await self._send("GET", link, what="a deeplink of the page")
        if not answer.is_redirect:
            self._checked(answer, "a deeplink of the page")
            return str(answer.url)
        return urljoin(str(answer.url), answer.headers["location"])

    async def read(self, link: str) -> str:
        """Open a deeplink and return the text it leads to."""
        what = "the runbook link of the page"
        return self._checked(
            await self._send("GET", link, what=what, follow_redirects=True), what
        ).text

    async def deploys(self) -> Sequence[Deploy]:
        """Return the incident's deploy timeline, oldest first."""
        what = "the incident's deploy timeline"
        said = await self._json("GET", f"{self._incident}/deploys", what)
        try:
            deploys = [_deploy(raw) for raw in said["deploys"]]
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentDriverError(f"{what} cannot be read: {error!r}") from error
        return sorted(deploys, key=lambda d: (d.deployed_at, d.service, d.region or ""))

    async def _json(
        self, method: str, url: str, what: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        answer = self._checked(await self._send(method, url, what=what, body=body), what)
        try:
            said = answer.json()
        except ValueError as error:
            raise PermanentDriverError(f"{what} cannot be read: {error!r}") from error
        return said if isinstance(said, dict) else {}

    async def _send(
        self,
        method: str,
        url: str,
        *,
        what: str,
        body: Mapping[str, Any] | None = None,
        follow_redirects: bool = False,
    ) -> httpx.Response:
        host = urlsplit(url).hostname or ""
        # A link opened by whoever is known is theirs; one opened without a word of who it is counts
        # for nobody.
        is_own = _server(url) == self._server
        try:
            async with httpx.AsyncClient(
                timeout=self._timeout.total_seconds(),
                transport=self._transport,
                trust_env=not (host in {"localhost", "::1"} or host.startswith("127.")),
                follow_redirects=follow_redirects,
                auth=self._auth if is_own else auth_for(url),
            ) as client:
                return await client.request(method, url, json=body)
        except NotProven as error:
            raise TemporaryDriverError(f"{what}: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TemporaryDriverError(
                f"{what} does not answer ({type(error).__name__}): {self._otherwise}"
            ) from error

    def _checked(self, answer: httpx.Response, what: str) -> httpx.Response:
        if answer.is_success:
            return answer
        reason = _reason(answer)
        if answer.status_code == 409:
            raise NotAsItStands(reason)
        if answer.status_code >= 500 or answer.status_code == 429:
            raise TemporaryDriverError(f"{what} answers {answer.status_code}: {reason}")
        error: type[DriverError] = Mistaken if answer.is_client_error else PermanentDriverError
        raise error(f"{what} answers {answer.status_code}: {reason}")


async def open_incidents(
    server: str,
    *,
    token: str,
    run: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Sequence[str]:
    """Return the URLs of the open incidents of a server, newest first.

    Args:
        run: only those of this run.

    Raises:
        TemporaryDriverError: it does not answer.
    """
    base = f"{server.rstrip('/')}/api/incidents"
    desk = HttpDesk(base, token=token, transport=transport)
    said = await desk._json("GET", f"{base}?open=true", "the list of incidents")
    found = said.get("incidents")
    rows = [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []
    return [
        f"{base}/{quote(str(r.get('id')), safe='')}"
        for r in rows
        if run is None or r.get("drill") == run
    ]


def _server(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reason(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if isinstance(said, dict):
        for key in ("error", "detail"):
            if said.get(key):
                return str(said[key])
    return answer.reason_phrase or "no reason given"


def _deploy(raw: Mapping[str, Any]) -> Deploy:
    deployed_at = datetime.fromisoformat(raw["deployed_at"])
    return Deploy(
        service=raw["service"],
        revision=raw["revision"],
        deployed_at=deployed_at.astimezone(UTC),
        region=raw.get("region"),
        summary=raw.get("summary") or "",
    )
