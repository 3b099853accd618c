"""Traces, metrics and profiles of a service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyroscope
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import Histogram

from chassis.settings import Settings

# The promise to customers is 0.1 s, so that must be an edge of a bucket.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

SERVED = Histogram(
    "http_server_request_duration_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ["method", "route", "code"],
    buckets=BUCKETS,
)
CALLED = Histogram(
    "http_client_request_duration_seconds",
    "Time a downstream took to answer.",
    ["downstream", "code"],
    buckets=BUCKETS,
)


def start(settings: Settings) -> None:
    """Begin to trace and to profile this process."""
    resource = Resource.create(
        {
            "service.name": settings.service,
            "service.version": settings.revision,
            "service.instance.id": f"{settings.service}-{settings.region}-{settings.instance}",
            "cloud.region": settings.region,
            "vcs.repository.url.full": f"file://{settings.repository}",
            "vcs.ref.head.revision": settings.revision,
        }
    )
    headers = {}
    if settings.telemetry_token:
        headers["authorization"] = f"Bearer {settings.telemetry_token}"
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.telemetry_url}/v1/traces", headers=headers, timeout=3
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    pyroscope.configure(
        application_name=settings.service,
        server_address=settings.telemetry_url,
        sample_rate=25,
        oncpu=False,  # waiting is work too, as far as a customer is concerned
        gil_only=False,
        upload_interval=3,
        tags={"region": settings.region, "service_version": settings.revision},
        http_headers=headers,
    )


def stop() -> None:
    """Send what was recorded and not sent yet."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()
    pyroscope.shutdown()


def current_trace_id() -> str:
    """Return the trace id of the request this thread serves, as 32 hex digits."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


@contextmanager
def serving(method: str, route: str, path: str, headers: dict[str, str]) -> Iterator[Span]:
    """Trace and profile one request that this process serves."""
    with trace.get_tracer("shop").start_as_current_span(
        f"{method} {route}",
        context=propagate.extract(headers),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": method, "http.route": route, "url.path": path},
    ) as span:
        trace_id = current_trace_id()  # one thread serves one request
        pyroscope.add_thread_tag("trace_id", trace_id)
        try:
            yield span
        finally:
            pyroscope.remove_thread_tag("trace_id", trace_id)


@contextmanager
def calling(name: str, downstream: str, **attributes: str) -> Iterator[Span]:
    """Trace one call to a downstream; an exception marks it as failed."""
    with trace.get_tracer("shop").start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes={"server.address": downstream, "peer.service": downstream, **attributes},
    ) as span:
        yield span


def failed(span: Span, reason: str) -> None:
    """Mark a span as failed."""
    span.set_status(Status(StatusCode.ERROR, reason))


class Stopwatch:
    """Measures one duration in seconds."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._started
