"""Sources of metrics, traces, profiles and blame that answer from memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from gameday.errors import DriverError, PermanentDriverError
from gameday.model.signals import Blame, ChangeSet, Profile, Sample, Series, Trace

__all__ = ["FakeHistory", "FakeMetrics", "FakeProfiles", "FakeTraces"]

Level = Callable[[str, str, datetime], float | None]


class FakeMetrics:
    """A `gameday.ports.SignalSource` that draws a RED dashboard from a function of time."""

    def __init__(
        self, level: Level, regions: Sequence[str], *, broken: DriverError | None = None
    ) -> None:
        """Prepare the answers.

        Args:
            level: (``rate`` | ``errors`` | ``duration``, region, instant) → value; None: no data.
            broken: raised instead of every answer.
        """
        self._level = level
        self._regions = tuple(regions)
        self._broken = broken
        self.queries: list[str] = []

    async def range(
        self, query: str, *, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Series]:
        """Return one series per region."""
        self.queries.append(query)
        if self._broken is not None:
            raise self._broken
        signal = "duration" if "quantile" in query else "errors" if "/" in query else "rate"
        found = []
        for region in self._regions:
            samples = []
            at = since
            while at <= until:
                value = self._level(signal, region, at)
                if value is not None:
                    samples.append(Sample(at, value))
                at += step
            if samples:
                labels = {"service": "web", "region": region}
                found.append(Series(labels, tuple(samples)))
        return found


class FakeTraces:
    """A `gameday.ports.TraceSource` over a list; hands out the newest first, as stores do."""

    def __init__(self, traces: Sequence[Trace], *, broken: DriverError | None = None) -> None:
        self._traces = sorted(traces, key=lambda t: t.root().started_at, reverse=True)
        self._broken = broken

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
        """Return the newest traces with a fitting span of the service."""
        if self._broken is not None:
            raise self._broken
        found = [
            trace
            for trace in self._traces
            if any(
                span.service == service
                and since <= span.started_at <= until
                and (min_duration is None or span.duration >= min_duration)
                and (span.error or not errors_only)
                for span in trace.spans
            )
        ]
        return found[:limit]

    async def trace(self, trace_id: str) -> Trace | None:
        """Return one trace, or None."""
        return next((t for t in self._traces if t.trace_id == trace_id), None)


class FakeProfiles:
    """A `gameday.ports.ProfileSource` with one profile per service.

    Attributes:
        asked: (service, trace ids) of every question.
    """

    def __init__(self, profiles: Mapping[str, Profile] | None = None, *, lag: int = 0) -> None:
        """Prepare the answers; the first ``lag`` of them are empty."""
        self._profiles = dict(profiles or {})
        self._lag = lag
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    async def by_trace(
        self, *, service: str, trace_ids: Sequence[str], since: datetime, until: datetime
    ) -> Profile:
        """Return the service's profile."""
        self.asked.append((service, tuple(trace_ids)))
        if len(self.asked) <= self._lag:
            return Profile(())
        return self._profiles.get(service, Profile(()))


class FakeHistory:
    """A `gameday.ports.CodeHistory`: (revision, function) → who changed it last.

    And (earlier, revision) → what lies between.
    """

    def __init__(
        self,
        blames: Mapping[tuple[str, str], Blame],
        between: Mapping[tuple[str, str], ChangeSet] | None = None,
    ) -> None:
        self._blames = dict(blames)
        self._between = dict(between or {})

    async def changes_between(self, *, repository: str, revision: str, earlier: str) -> ChangeSet:
        """Return what lies between; refuses what it was not told."""
        found = self._between.get((earlier, revision))
        if found is None:
            raise PermanentDriverError(f"{repository!r} does not have {earlier} and {revision}")
        return found

    async def blame(
        self, *, repository: str, revision: str, file: str, line: int, function: str
    ) -> Blame:
        """Return the blame; refuses what it was not told."""
        found = self._blames.get((revision, function))
        if found is None:
            raise PermanentDriverError(f"{function!r} is not in {file!r} at {revision}")
        return found

    async def change_since(
        self,
        *,
        repository: str,
        revision: str,
        earlier: str,
        file: str,
        line: int,
        function: str,
    ) -> Blame | None:
        """Return the blame unless the earlier version has the same; refuses what it was not told.

        Where it was told nothing of the earlier version, the function was not there yet.
        """
        last = await self.blame(
            repository=repository, revision=revision, file=file, line=line, function=function
        )
        before = self._blames.get((earlier, function))
        return None if before is not None and before.commit == last.commit else last
