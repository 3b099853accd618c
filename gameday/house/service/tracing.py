"""The service's own traces: through OpenTelemetry's SDK, to wherever its standard settings say.

Off, and nothing of it imported, without ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or the one for traces).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gameday import __version__
from gameday.extras import Extra, absent, is_there
from gameday.model.notification import Notification, Receipt
from gameday.ports import Pager

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

FLUSH_MS = 3_000
"""Milliseconds in which the last spans are handed over at the end; a collector that is gone must
not keep the service from ending."""


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Return whether this environment asks for traces."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not is_off and any(environment.get(name) for name in ENDPOINTS)


@contextmanager
def tracing(
    environment: Mapping[str, str] | None = None, *, say: Callable[[str], None] = lambda _: None
) -> Iterator[Tracer | None]:
    """Yield what makes spans for as long as the context lasts; None: nobody wants any.

    Endpoint, headers, sampling and batches are the SDK's standard settings; the service's name is
    ``gameday`` unless ``OTEL_SERVICE_NAME`` says otherwise.

    Args:
        say: told where the SDK is not installed. Incidents are kept without it: the variable is
            often set for every program of a machine.
    """
    env = os.environ if environment is None else environment
    if not is_wanted(env):
        yield None
        return
    if not is_there(Extra.TRACING):
        say(f"no traces are sent: {absent(Extra.TRACING)}")
        yield None
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {"service.name": env.get("OTEL_SERVICE_NAME") or "gameday"}
    provider = TracerProvider(
        resource=Resource.create({**named, "service.version": __version__}),
        # The caller closes it, in time.
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield provider.get_tracer("gameday", __version__)
    finally:
        provider.force_flush(FLUSH_MS)
        provider.shutdown()


def traced(pagers: Mapping[str, Pager], tracer: Tracer | None) -> Mapping[str, Pager]:
    """Return the same pagers, each call a span of its own."""
    if tracer is None:
        return pagers
    return {to: TracedPager(pager, tracer) for to, pager in pagers.items()}


class TracedPager:
    """A pager whose calls are spans; never with what they say, which may hold links."""

    def __init__(self, pager: Pager, tracer: Tracer) -> None:
        self._pager = pager
        self._tracer = tracer

    @property
    def name(self) -> str:
        """The name of the pager itself."""
        return self._pager.name

    async def page(self, notification: Notification) -> Receipt:
        """Page, in a span."""
        with self._span("page", notification):
            return await self._pager.page(notification)

    async def acknowledge(self, notification: Notification) -> Receipt:
        """Acknowledge, in a span."""
        with self._span("acknowledge", notification):
            return await self._pager.acknowledge(notification)

    async def resolve(self, notification: Notification) -> Receipt:
        """Resolve, in a span."""
        with self._span("resolve", notification):
            return await self._pager.resolve(notification)

    @contextmanager
    def _span(self, verb: str, notification: Notification) -> Iterator[None]:
        from opentelemetry.trace import SpanKind

        attributes: dict[str, str | bool] = {
            "gameday.pager": self.name,
            "gameday.service": notification.service,
            "gameday.drill": notification.drill,
        }
        with self._tracer.start_as_current_span(
            f"pager {verb}", kind=SpanKind.CLIENT, attributes=attributes
        ):
            yield
