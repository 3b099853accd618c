"""Traces out of Jaeger, by its query API v3 (stable, OTLP in JSON); the sandbox speaks it too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool
from gameday.model import otlp
from gameday.model.signals import Trace

__all__ = ["JaegerTraces"]

_MAX_DEPTH = 1000

_NAMES: Mapping[str, Sequence[str]] = {
    # meaning:     newest,           proto's,          oldest
    "service": ("serviceName", "service_name"),
    "since": ("startTimeMin", "start_time_min"),
    "until": ("startTimeMax", "start_time_max"),
    "depth": ("searchDepth", "search_depth", "num_traces"),
    "min_duration": ("durationMin", "duration_min"),
}
"""What each published version calls a parameter of the search.

All names are sent at once: a server takes the one it knows and overlooks the others, and only so
does every one get the depth, without which some answer 500 and others with a hundred traces.

Source: ``http_gateway.go`` of API v3 in Jaeger 1.76 (that is 2.13), which the contract is held
against, for the oldest; https://github.com/jaegertracing/jaeger/pull/8618 for ``search_depth``,
which keeps ``num_traces`` for a while; https://github.com/jaegertracing/jaeger/issues/8617 and the
interface description of API v3 for camel case. The two newer ones were read about, not met.
"""


class JaegerTraces:
    """The traces of one Jaeger; fulfils `gameday.ports.TraceSource`."""

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=10),
        pause: timedelta = timedelta(milliseconds=200),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where Jaeger's query service is, e.g. ``http://127.0.0.1:16686``.

        Args:
            url: without ``/api/v3``.
            timeout: of one request.
            pause: before a request is tried again.
            credentials: what is shown, and whom to believe.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "Jaeger",
            url,
            timeout=timeout,
            pause=pause,
            credentials=credentials,
            transport=transport,
        )

    async def search(
        self,
        *,
        service: str,
        since: datetime,
        until: datetime,
        min_duration: timedelta | None = None,
        errors_only: bool = False,
        limit: int = 20,
    ) -> Sequence[Trace]:
        """Return whole traces in which a span of this service fits, newest first; may be empty.

        Args:
            service: whose span must have started in this time and lasted this long.
            errors_only: only traces in which a span of the service itself failed. Jaeger's HTTP
                search has no such filter, so more traces are fetched and filtered here.
            limit: at most this many.

        Raises:
            DriverError: Jaeger cannot be reached, refuses, or answers something else.
        """
        depth = min(max(limit * 10, 200), _MAX_DEPTH) if errors_only else limit
        values = {
            "service": service,
            "since": _rfc3339(since),
            "until": _rfc3339(until),
            "depth": str(depth),
        }
        if min_duration is not None and min_duration > timedelta(0):
            values["min_duration"] = f"{min_duration // timedelta(microseconds=1)}us"
        # 404: how servers since 2.0 say that nothing was found.
        status, answer = await self._tool.get(
            "/api/v3/traces",
            [(f"query.{n}", value) for what, value in values.items() for n in _NAMES[what]],
            accept=(404,),
        )
        traces = self._traces(answer) if status != 404 else []
        if errors_only:
            traces = [t for t in traces if any(s.error and s.service == service for s in t.spans)]
        return traces[:limit]

    async def trace(self, trace_id: str) -> Trace | None:
        """Return one trace with every span Jaeger has of it, or None.

        Raises:
            DriverError: as for `search`; permanent where this is no trace id.
        """
        digits = trace_id.lower()
        if not re.fullmatch("[0-9a-f]{1,32}", digits):
            raise PermanentDriverError(f"{trace_id[:64]!r} is not a trace id: 32 hex digits")
        status, answer = await self._tool.get(f"/api/v3/traces/{digits.zfill(32)}", accept=(404,))
        traces = self._traces(answer) if status != 404 else []
        return traces[0] if traces else None

    def _traces(self, answer: Any) -> list[Trace]:
        try:
            return otlp.traces(answer["result"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise PermanentDriverError(
                f"{self._tool.name} at {self._tool.url} answers with something that is not"
                f" traces in OTLP's JSON ({type(error).__name__}: {error}): check the URL and"
                " that it is a Jaeger with the API v3"
            ) from error


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
