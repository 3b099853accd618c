"""What a responder may read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gameday.model.signals import Profile, Series, Trace


class SignalSource(Protocol):
    """What a responder may read: metrics, traces, profiles."""

    async def range(
        self, query: str, *, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Series]:
        """Return a PromQL expression evaluated over a span."""


class TraceSource(Protocol):
    """Jaeger, Tempo, or the sandbox's store."""

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
        """Return traces of this service that started in this span; may be empty."""

    async def trace(self, trace_id: str) -> Trace | None:
        """Return one trace with every span known, or None."""


class ProfileSource(Protocol):
    """Pyroscope, or the sandbox's store."""

    async def by_trace(
        self, *, service: str, trace_ids: Sequence[str], since: datetime, until: datetime
    ) -> Profile:
        """Return the stacks seen while these traces were served; empty where there are none."""
