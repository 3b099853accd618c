"""Deploys out of Grafana's annotations: one marker a deploy, tagged by whoever deployed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool
from gameday.model.signals import Deploy

__all__ = ["GrafanaDeploys"]

_TAG = "deploy"
_LIMIT = 1000
_REVISION = re.compile(r"[0-9a-f]{7,64}")
_EVERYWHERE = {"", "all", "all-regions", "*"}


class GrafanaDeploys:
    """The deploy markers of one Grafana; fulfils `gameday.ports.DeployLog`.

    A marker bears the tags ``deploy``, service, region and revision in this order, or as
    ``service:checkout``, ``region:eu-west``, ``revision:1a2b3c4`` in any order: Grafana itself
    does not promise to keep the order.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout: timedelta = timedelta(seconds=10),
        pause: timedelta = timedelta(milliseconds=200),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where Grafana is.

        Args:
            url: its base URL.
            token: of a service account; empty where none is needed.
            timeout: of one request.
            pause: before a request is tried again.
            credentials: what is shown, where a system's document says.
            transport: another way than the network, for tests.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tool = HttpTool(
            "Grafana",
            url,
            timeout=timeout,
            pause=pause,
            headers=headers,
            credentials=credentials,
            transport=transport,
        )

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        """Return deploys in this span, oldest first; markers without a service are left out.

        Raises:
            DriverError: Grafana cannot be reached, refuses, or answers something else.
        """
        _, answer = await self._tool.get(
            "/api/annotations",
            [
                ("from", str(_milliseconds(since))),
                ("to", str(_milliseconds(until))),
                ("tags", _TAG),
                ("limit", str(_LIMIT)),
            ],
        )
        try:
            found = [_read(raw) for raw in answer]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise PermanentDriverError(
                f"{self._tool.name} at {self._tool.url} answers with something that is not"
                f" annotations ({type(error).__name__}: {error})"
            ) from error
        return sorted((d for d in found if d is not None), key=lambda d: d.deployed_at)


def _read(raw: Mapping[str, Any]) -> Deploy | None:
    named: dict[str, str] = {}
    plain: list[str] = []
    for tag in raw.get("tags") or ():
        key, colon, value = str(tag).partition(":")
        if colon and key in {"service", "region", "revision"}:
            named[key] = value
        elif tag != _TAG:
            plain.append(str(tag))
    # The revision is told by its looks, whatever its place: service and region have names.
    revisions = [tag for tag in plain if _REVISION.fullmatch(tag)]
    names = [tag for tag in plain if tag not in revisions[-1:]]
    service = named.get("service") or (names.pop(0) if names else "")
    region = named.get("region") or (names.pop(0) if names else "")
    if not service:
        return None
    return Deploy(
        service=service,
        revision=named.get("revision") or (revisions[-1] if revisions else ""),
        deployed_at=datetime.fromtimestamp(int(raw["time"]) / 1000, UTC),
        region=None if region in _EVERYWHERE else region,
        summary=str(raw.get("text") or ""),
    )


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
