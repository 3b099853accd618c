"""What an Alertmanager is configured to do, by its API v2."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import yaml

from gameday.errors import PermanentDriverError
from gameday.http.tool import HttpTool

__all__ = ["AlertmanagerRoutes"]


class AlertmanagerRoutes:
    """The routing of one Alertmanager; fulfils `gameday.ports.AlertRouting`."""

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=10),
        pause: timedelta = timedelta(milliseconds=200),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where Alertmanager is, e.g. ``http://127.0.0.1:9093``.

        Args:
            url: without ``/api/v2``.
            timeout: of one request.
            pause: before a request is tried again.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "Alertmanager", url, timeout=timeout, pause=pause, transport=transport
        )

    async def configuration(self) -> Mapping[str, Any]:
        """Return the configuration in force; secrets, and URLs that are, are hidden in it.

        Raises:
            DriverError: Alertmanager cannot be reached, refuses, or answers something else.
        """
        _, said = await self._tool.get("/api/v2/status")
        config = said.get("config") if isinstance(said, dict) else None
        original = config.get("original") if isinstance(config, dict) else None
        try:
            parsed = yaml.safe_load(original) if isinstance(original, str) else None
        except yaml.YAMLError:
            parsed = None
        if not isinstance(parsed, dict):
            raise PermanentDriverError(
                f"{self._tool.url} does not say how it is configured: is it an Alertmanager of"
                " 0.16 or newer?"
            )
        return parsed
