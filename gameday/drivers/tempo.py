"""Traces out of Tempo: found by TraceQL, then fetched one by one.

A search tells which traces fit, and little of each; so every one is asked for whole. It looks at
whole seconds, so what it finds is held against the span that was asked for once more. Which of many
that fit it returns is Tempo's choice.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from gameday.diagnosis.traceql import spans_of
from gameday.errors import PermanentDriverError
from gameday.http.credentials import NO_CREDENTIALS, Credentials
from gameday.http.tool import HttpTool
from gameday.model import otlp
from gameday.model.signals import Trace

__all__ = ["TempoTraces"]

AT_ONCE = 8
"""Traces that are asked for at the same time."""

_WRONG = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


class TempoTraces:
    """The traces of one Tempo; fulfils `gameday.ports.TraceSource`."""

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=10),
        pause: timedelta = timedelta(milliseconds=200),
        credentials: Credentials = NO_CREDENTIALS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where Tempo is, e.g. ``http://127.0.0.1:3200``.

        Args:
            url: without ``/api``.
            timeout: of one request.
            pause: before a request is tried again.
            credentials: what is shown, and whom to believe.
            transport: another way than the network, for tests.
        """
        self._tool = HttpTool(
            "Tempo",
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

        Raises:
            DriverError: Tempo cannot be reached, refuses, or answers something else.
        """
        asked = [
            ("q", spans_of(service, at_least=min_duration, errors_only=errors_only)),
            ("start", str(math.floor(since.timestamp()))),
            ("end", str(math.floor(until.timestamp()) + 1)),
            ("limit", str(limit)),
            ("spss", "1"),
        ]
        async with self._tool.kept_open():
            _, answer = await self._tool.get("/api/search", asked)
            try:
                ids = [_digits(str(found["traceID"])) for found in answer.get("traces") or ()]
            except _WRONG as error:
                raise self._stranger(error) from error
            turns = asyncio.Semaphore(AT_ONCE)

            async def fetched(trace_id: str) -> Trace | None:
                async with turns:
                    return await self.trace(trace_id)

            traces = await asyncio.gather(*(fetched(i) for i in dict.fromkeys(ids)))

        def fits(trace: Trace) -> bool:
            return any(
                span.service == service
                and since <= span.started_at <= until
                and span.duration >= (min_duration or timedelta(0))
                and (span.error or not errors_only)
                for span in trace.spans
            )

        whole = [trace for trace in traces if trace is not None and fits(trace)]
        return sorted(whole, key=lambda t: t.root().started_at, reverse=True)[:limit]

    async def trace(self, trace_id: str) -> Trace | None:
        """Return one trace with every span Tempo has of it, or None.

        Raises:
            DriverError: as for `search`; permanent where this is no trace id.
        """
        digits = _digits(trace_id)
        # The second came with 2.7, and tells as well where a trace is not whole.
        for path in ("/api/v2/traces", "/api/traces"):
            status, answer = await self._tool.get(f"{path}/{digits}", accept=(404,))
            if status != 404:
                found = self._traces(answer)
                return found[0] if found else None
        return None

    def _traces(self, answer: Any) -> Sequence[Trace]:
        try:
            told: Mapping[str, Any] = answer.get("trace") or answer
            groups = told.get("resourceSpans") or told.get("batches") or ()
            return otlp.traces({"resourceSpans": groups})
        except _WRONG as error:
            raise self._stranger(error) from error

    def _stranger(self, error: Exception) -> PermanentDriverError:
        return PermanentDriverError(
            f"{self._tool.name} at {self._tool.url} answers with something that is not traces as"
            f" Tempo has them ({type(error).__name__}: {error}): check the URL"
        )


def _digits(trace_id: str) -> str:
    digits = trace_id.lower()
    if not re.fullmatch("[0-9a-f]{1,32}", digits):
        raise PermanentDriverError(f"{trace_id[:64]!r} is not a trace id: 32 hex digits")
    return digits.zfill(32)  # Tempo leaves zeroes at the beginning away
