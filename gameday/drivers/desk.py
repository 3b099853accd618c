"""The incident's API over HTTP: all that a responder in a process of its own can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.model.page import Finding
from gameday.model.signals import Deploy

__all__ = ["HttpDesk"]


class HttpDesk:
    """The desk of one incident, reached through its page; fulfils `IncidentDesk`.

    The incident's URL is a capability: whoever knows it may speak for the responder. It is
    therefore never part of an error message.
    """

    def __init__(
        self,
        incident: str,
        *,
        timeout: timedelta = timedelta(seconds=30),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember the address; nothing is opened until the first call.

        Args:
            incident: URL of the incident, as the page gives it.
            timeout: of one call; a mitigation may take several seconds.
            transport: another way than the network, for tests.
        """
        self._incident = incident.rstrip("/")
        self._token = self._incident.rpartition("/")[2]
        self._timeout = timeout
        self._transport = transport

    async def summary(self) -> Mapping[str, Any]:
        """Return the page and what the responder did so far, as the API shows them."""
        what = "the incident"
        try:
            said = self._checked(await self._send("GET", self._incident, what=what), what).json()
        except ValueError as error:
            raise PermanentDriverError(f"{what} cannot be read: {error!r}") from error
        return said if isinstance(said, dict) else {}

    async def acknowledge(self) -> None:
        """Say: I have it."""
        await self._post("ack", {})

    async def report(self, finding: Finding) -> None:
        """Hand in the finding of one step."""
        await self._post("findings", finding.model_dump(mode="json"))

    async def tick(self, step: str, *, done: bool, note: str = "") -> None:
        """Tick a runbook step."""
        await self._post("steps", {"step": step, "done": done, "note": note})

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Start a mitigation; return what was done.

        Raises:
            PermanentDriverError: it is unknown or was refused; the message says why.
        """
        answer = await self._post("mitigations", {"name": name, "parameters": dict(parameters)})
        if not answer.get("ok", True):
            raise PermanentDriverError(
                f"mitigation {name!r} was not applied: {answer.get('detail') or 'no reason given'}"
            )
        return str(answer.get("detail", ""))

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
        answer = await self._send("GET", f"{self._incident}/deploys", what=what)
        try:
            deploys = [_deploy(raw) for raw in self._checked(answer, what).json()["deploys"]]
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentDriverError(f"{what} cannot be read: {error!r}") from error
        return sorted(deploys, key=lambda d: (d.deployed_at, d.service, d.region or ""))

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        what = f"the incident's /{path}"
        answer = self._checked(
            await self._send("POST", f"{self._incident}/{path}", what=what, body=body), what
        )
        try:
            said = answer.json() if answer.content else {}
        except ValueError:
            said = {}
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
        try:
            async with httpx.AsyncClient(
                timeout=self._timeout.total_seconds(),
                transport=self._transport,
                trust_env=not (host in {"localhost", "::1"} or host.startswith("127.")),
                follow_redirects=follow_redirects,
            ) as client:
                # A link opened by whoever holds the incident's address is the responder's; one
                # opened without a word of who it is counts for nobody.
                known = url.startswith(f"{self._incident.rpartition('/incidents/')[0]}/go/")
                headers = {"authorization": f"Bearer {self._token}"} if known else {}
                return await client.request(method, url, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TemporaryDriverError(
                f"{what} does not answer ({type(error).__name__}): "
                "check that the run that sent the page is still going"
            ) from error

    def _checked(self, answer: httpx.Response, what: str) -> httpx.Response:
        if answer.is_success:
            return answer
        text = f"{what} answers {answer.status_code}: {_reason(answer)}"
        error: type[DriverError] = (
            TemporaryDriverError
            if answer.status_code >= 500 or answer.status_code == 429
            else PermanentDriverError
        )
        raise error(text)


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
