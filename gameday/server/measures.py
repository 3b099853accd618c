"""The service's own RED: rate, errors and duration of what it answers, for Prometheus."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gameday.incidents.engine import Engine

_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Measures:
    """Counts what an application answers; wrap the application with it."""

    def __init__(self, app: Any, *, engine: Engine) -> None:
        self._app = app
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "gameday_http_requests",
            "Requests answered.",
            ("method", "route", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "gameday_http_request_duration_seconds",
            "From the first byte of the request to the last of the answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_EngineMeasures(engine))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["measures"] = self
        status, streams = 500, False

        async def sending(message: Any) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = dict(message.get("headers", ())).get(b"content-type", b"")
                streams = kind.startswith(b"text/event-stream")
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, sending)
        finally:
            # The route's pattern, never the path: ids and tokens must not become label values.
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(method, route, str(status)).inc()
            if not streams:  # an open page listens for minutes; nobody waits for the end of that
                self._seconds.labels(method, route).observe(time.perf_counter() - began)

    def text(self) -> bytes:
        """Return the measures in Prometheus' text format."""
        return generate_latest(self.registry)


class _EngineMeasures:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Any:
        engine = self._engine
        yield GaugeMetricFamily(
            "gameday_incidents_open", "Incidents that are open.", engine.open_incidents()
        )
        yield CounterMetricFamily(
            "gameday_facts_committed", "Facts written to the store.", engine.committed
        )
        yield CounterMetricFamily(
            "gameday_commits", "Transactions they were written in.", engine.commits
        )
        yield CounterMetricFamily(
            "gameday_duties_fulfilled",
            "Pages, answers to the pager and reminders that were done by this process.",
            engine.fulfilled,
        )
        yield CounterMetricFamily(
            "gameday_pages_failed", "Calls of a pager that it did not take.", engine.failed
        )
        yield GaugeMetricFamily(
            "gameday_requests_waiting", "Requests that wait for the store.", engine.waiting
        )
        if engine.beat_at is not None:
            yield GaugeMetricFamily(
                "gameday_watchdog_beat_timestamp_seconds",
                "When the watchdog was heard last.",
                engine.beat_at.timestamp(),
            )
