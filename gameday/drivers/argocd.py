"""Deploys out of the history that Argo CD keeps of an application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool
from gameday.model.signals import Deploy

__all__ = ["ArgoDeploys"]


class ArgoDeploys:
    """The history of one application; fulfils `gameday.ports.DeployLog`.

    Its revisions are those of the repository that Argo CD deploys. It keeps ten by default
    (``revisionHistoryLimit``); what is older is not known any more.
    """

    def __init__(
        self,
        url: str,
        application: str,
        *,
        service: str,
        timeout: timedelta = timedelta(seconds=10),
        pause: timedelta = timedelta(milliseconds=200),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where Argo CD is.

        Args:
            url: of its server, without ``/api``.
            application: its name.
            service: what it deploys.
            timeout: of one request.
            pause: before a request is tried again.
            credentials: what is shown; an account needs ``applications, get``.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "Argo CD",
            url,
            timeout=timeout,
            pause=pause,
            credentials=credentials,
            transport=transport,
        )
        self._application = application
        self._service = service

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first.

        Raises:
            DriverError: Argo CD cannot be reached, refuses, or answers something else.
        """
        _, answer = await self._tool.get(
            f"/api/v1/applications/{quote(self._application, safe='')}"
        )
        try:
            if answer["metadata"]["name"] != self._application:
                raise ValueError("another application")
            history = (answer.get("status") or {}).get("history") or ()
            found = [self._deploy(entry) for entry in history]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PermanentDriverError(
                f"{self._tool.name} at {self._tool.url} answers with something that is not an"
                f" application ({type(error).__name__}: {error}): check the URL of its server"
            ) from error
        inside = [deploy for deploy in found if since <= deploy.deployed_at <= until]
        return sorted(inside, key=lambda deploy: deploy.deployed_at)

    def _deploy(self, entry: Mapping[str, Any]) -> Deploy:
        # An application of several sources has a revision of each; the first is the code's.
        revisions = [entry.get("revision"), *(entry.get("revisions") or ())]
        sources = [entry.get("source"), *(entry.get("sources") or ())]
        source: Mapping[str, Any] = next((s for s in sources if s), {})
        place = source.get("path") or source.get("chart") or ""
        return Deploy(
            service=self._service,
            revision=str(next(r for r in revisions if r)),
            deployed_at=datetime.fromisoformat(entry["deployedAt"]).astimezone(UTC),
            summary=f"{self._application}{f', {place}' if place else ''}",
        )
