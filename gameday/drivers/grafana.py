"""A Grafana as the way to the tools behind it: which data sources it has, and where they are asked.

Source: Grafana's documentation, "Data source HTTP API" (`/api/datasources`, and the proxy calls
`/api/datasources/proxy/uid/:uid/*`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx

from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool
from gameday.names import did_you_mean

__all__ = ["Grafana", "proxy_of"]

_KNOWN = ("prometheus", "alertmanager", "jaeger", "tempo", "pyroscope", "loki")
"""Words of which a type of data source holds one, where it is of a tool that is known here."""


def proxy_of(url: str, uid: str) -> str:
    """Return where a Grafana hands on what is asked of a data source."""
    return f"{url.rstrip('/')}/api/datasources/proxy/uid/{quote(uid, safe='')}"


class Grafana:
    """One Grafana, asked for its data sources."""

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=2),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where it is.

        Args:
            url: its base URL.
            timeout: of one request.
            credentials: what is shown; a token of a service account.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "Grafana", url, timeout=timeout, tries=2, credentials=credentials, transport=transport
        )

    async def proxy(self, datasource: str, *, tool: str) -> str:
        """Return where a data source is asked through this Grafana.

        Where whoever asks may not list the data sources, what is given is taken to be the UID.

        Args:
            datasource: its name, or its UID.
            tool: what has to be behind it: ``prometheus``, ``tempo`` …

        Raises:
            DriverError: Grafana does not answer or refuses, or there is no such data source, or
                something else is behind it.
        """
        status, said = await self._tool.get("/api/datasources", accept=(403,))
        if status == 403:
            return proxy_of(self._tool.url, datasource)
        try:
            sources = [(str(one["uid"]), str(one["name"]), _type(one)) for one in said]
        except (TypeError, KeyError) as error:
            raise PermanentDriverError(
                f"{self._tool.url} answers, but not as Grafana does: check the URL"
            ) from error
        found = next((s for s in sources if datasource in s[:2]), None)
        if found is None:
            names = [name for _, name, _ in sources]
            raise PermanentDriverError(
                f"Grafana at {self._tool.url} has no data source {datasource[:60]!r}"
                f" ({did_you_mean(datasource, names, what='it has')})"
            )
        uid, name, kind = found
        others = [known for known in _KNOWN if known in kind and known != tool]
        if others and tool not in kind:
            raise PermanentDriverError(
                f"the data source {name[:60]!r} of Grafana at {self._tool.url} is of {others[0]},"
                f" and not of {tool}: write the one that is"
            )
        return proxy_of(self._tool.url, uid)


def _type(told: Mapping[str, Any]) -> str:
    return str(told.get("type") or "").lower()
