"""Deploys out of GitHub's deployments, by its REST API of 2022-11-28."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool
from gameday.model.signals import Deploy

__all__ = ["GithubDeploys"]

PAGE = 100
"""Entries of one answer, the most GitHub gives."""

WAITED = timedelta(days=1)
"""How long a deployment may take from its creation until it is through: approvals are waited for by
people. One that took longer is not found."""

MOST = 500
"""Deployments that are looked at; a repository that has more in one span is asked wrongly."""

AT_ONCE = 8

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GithubDeploys:
    """The deployments of one repository; fulfils `gameday.ports.DeployLog`.

    What went live is a deployment that has a status ``success``, at the instant of the first.
    GitHub knows neither services nor regions: one repository is one service here.
    """

    def __init__(
        self,
        url: str,
        repository: str,
        *,
        service: str,
        environment: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
        pause: timedelta = timedelta(milliseconds=200),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where GitHub is.

        Args:
            url: of its REST API.
            repository: ``OWNER/NAME``.
            service: what is deployed out of it.
            environment: the one that counts; None: all of them.
            timeout: of one request.
            pause: before a request is tried again.
            credentials: what is shown; a token needs to read deployments.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "GitHub",
            url,
            timeout=timeout,
            pause=pause,
            headers=_HEADERS,
            credentials=credentials,
            transport=transport,
        )
        self._path = f"/repos/{repository}/deployments"
        self._service = service
        self._environment = environment

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first.

        Raises:
            DriverError: GitHub cannot be reached, refuses, or answers something else.
        """
        turns = asyncio.Semaphore(AT_ONCE)

        async def told(deployment: Mapping[str, Any]) -> Deploy | None:
            async with turns:
                at = await self._live_at(int(deployment["id"]))
            return None if at is None else self._deploy(deployment, at)

        try:
            async with self._tool.kept_open():
                asked = [one async for one in self._created(since - WAITED, until)]
                found = await asyncio.gather(*(told(one) for one in asked))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PermanentDriverError(
                f"{self._tool.name} at {self._tool.url} answers with something that is not"
                f" deployments ({type(error).__name__}: {error}): check the URL of its API"
            ) from error
        inside = [d for d in found if d is not None and since <= d.deployed_at <= until]
        return sorted(inside, key=lambda deploy: deploy.deployed_at)

    async def _created(self, since: datetime, until: datetime) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the deployments created in a span, the newest first, as GitHub lists them."""
        for page in range(1, MOST // PAGE + 1):
            parameters = [("per_page", str(PAGE)), ("page", str(page))]
            if self._environment is not None:
                parameters.append(("environment", self._environment))
            _, listed = await self._tool.get(self._path, parameters)
            if not isinstance(listed, list):
                raise TypeError("no list")
            for one in listed:
                if since <= _instant(one["created_at"]) <= until:
                    yield one
            if len(listed) < PAGE or _instant(listed[-1]["created_at"]) < since:
                return
        raise PermanentDriverError(
            f"{self._tool.name} at {self._tool.url} lists more than {MOST} deployments since"
            f" {since:%Y-%m-%d %H:%M} UTC: name the `environment` that counts"
        )

    async def _live_at(self, deployment: int) -> datetime | None:
        """Return when a deployment first was through; None: not yet, or it failed."""
        _, statuses = await self._tool.get(
            f"{self._path}/{deployment}/statuses", [("per_page", str(PAGE))]
        )
        through = [_instant(s["created_at"]) for s in statuses if s["state"] == "success"]
        return min(through, default=None)

    def _deploy(self, deployment: Mapping[str, Any], at: datetime) -> Deploy:
        words = (deployment.get("description"), deployment.get("ref"))
        return Deploy(
            service=self._service,
            revision=str(deployment["sha"]),
            deployed_at=at,
            summary=str(next((w for w in words if w), "")),
        )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
