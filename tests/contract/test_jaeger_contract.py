"""The source of traces, on the sandbox's store and on a real Jaeger; and servers that are odd."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from real_programs import Jaeger

from gameday.drivers.jaeger import JaegerTraces
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.credentials import Credentials
from gameday.ports import TraceSource
from gameday.sandbox.telemetry.app import create_app
from gameday.testing.contracts import TracedShop, TraceSourceContract
from gameday.testing.served import served

pytestmark = pytest.mark.served


class Shop(TracedShop):
    """Two services that trace into a server with the real exporter."""

    def __init__(self, query_url: str, otlp_url: str, *, wait: timedelta) -> None:
        self.query_url = query_url
        mark = secrets.token_hex(4)
        self.front, self.back = f"front-{mark}", f"back-{mark}"
        # Whole seconds, which a float of nanoseconds holds exactly enough.
        self.started_at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
        self.wait = wait
        self._exporters = []
        self._tracers = {}
        for service in (self.front, self.back):
            exporter = OTLPSpanExporter(
                endpoint=f"{otlp_url}/v1/traces", compression=Compression.Gzip
            )
            provider = TracerProvider(
                resource=Resource({"service.name": service, "cloud.region": "eu-west"}),
                shutdown_on_exit=False,
            )
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            self._exporters.append(provider)
            self._tracers[service] = provider.get_tracer("test", "1")

    def close(self) -> None:
        for provider in self._exporters:
            provider.shutdown()

    def source(self) -> TraceSource:
        return JaegerTraces(self.query_url)

    def unreachable(self) -> TraceSource:
        return JaegerTraces("http://127.0.0.1:1", pause=timedelta(0))

    def request(self, at: timedelta, duration: timedelta, *, failed: bool = False) -> str:
        start = round((self.started_at + at).timestamp() * 10**9)
        length = round(duration.total_seconds() * 10**9)
        outer = self._tracers[self.front].start_span(
            "POST /orders", kind=SpanKind.SERVER, start_time=start, context=otel.Context()
        )
        outer.set_attributes({"http.route": "/orders", "http.response.status_code": 200})
        inner = self._tracers[self.back].start_span(
            "POST /orders",
            kind=SpanKind.SERVER,
            start_time=start + length // 4,
            context=otel.set_span_in_context(outer),
        )
        inner.end(start + length // 4 + length // 2)
        if failed:
            outer.set_status(StatusCode.ERROR, "no stock")
        outer.end(start + length)
        return f"{outer.get_span_context().trace_id:032x}"


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    with served(create_app()) as url:
        yield url


class TestJaegerTracesOfTheStore(TraceSourceContract):
    @pytest.fixture
    def subject(self, store_url: str) -> Iterator[Shop]:
        shop = Shop(store_url, store_url, wait=timedelta(0))
        yield shop
        shop.close()


class TestJaegerTracesOfARealJaeger(TraceSourceContract):
    @pytest.fixture
    def subject(self, real_jaeger: Jaeger) -> Iterator[Shop]:
        shop = Shop(real_jaeger.url, real_jaeger.otlp_url, wait=timedelta(seconds=30))
        yield shop
        shop.close()


async def test_what_is_no_trace_id_is_refused_before_it_is_sent() -> None:
    traces = JaegerTraces("http://127.0.0.1:1")

    with pytest.raises(PermanentDriverError, match="is not a trace id"):
        await traces.trace("../services")


# --- servers that are not as they should be -----------------------------------------------------

SPAN = {
    "traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "GET /",
    "kind": "SPAN_KIND_CLIENT",
    "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000100000000",
    "status": {"code": "STATUS_CODE_ERROR"},
}  # fmt: skip
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def answering(*answers: httpx.Response) -> tuple[JaegerTraces, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    transport = httpx.MockTransport(answer)
    return JaegerTraces("http://jaeger", transport=transport, pause=timedelta(0)), asked


async def test_enums_may_be_names_too() -> None:
    result = {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"spans": [SPAN]}]}]}
    traces, _ = answering(httpx.Response(200, json={"result": result}))

    (trace,) = await traces.search(service="shop", since=NOON, until=NOON)

    assert ("client", True) == (trace.spans[0].kind, trace.spans[0].error)


@pytest.mark.parametrize(
    ("service", "since", "until", "depth", "shortest"),
    [
        ("service_name", "start_time_min", "start_time_max", "num_traces", "duration_min"),
        ("service_name", "start_time_min", "start_time_max", "search_depth", "duration_min"),
        ("serviceName", "startTimeMin", "startTimeMax", "searchDepth", "durationMin"),
    ],
    ids=["oldest", "proto", "newest"],
)
async def test_every_published_version_is_told_all_of_a_search_in_its_words(
    service: str, since: str, until: str, depth: str, shortest: str
) -> None:
    traces, asked = answering(httpx.Response(200, json={"result": {"resourceSpans": []}}))

    await traces.search(
        service="shop", since=NOON, until=NOON + timedelta(minutes=1),
        min_duration=timedelta(milliseconds=5), limit=7,
    )  # fmt: skip

    (said,) = [request.url.params for request in asked]
    assert "shop" == said[f"query.{service}"]
    assert "2026-01-01T12:00:00.000000Z" == said[f"query.{since}"]
    assert "2026-01-01T12:01:00.000000Z" == said[f"query.{until}"]
    assert ("7", "5000us") == (said[f"query.{depth}"], said[f"query.{shortest}"])


@pytest.mark.parametrize("status", [400, 500])
async def test_a_search_that_is_refused_is_an_error_in_the_servers_words(status: int) -> None:
    said = {"error": {"httpCode": status, "message": "search depth must be less than max traces"}}
    traces, _ = answering(httpx.Response(status, json=said))

    with pytest.raises(PermanentDriverError, match=f"{status} to .*less than max traces"):
        await traces.search(service="shop", since=NOON, until=NOON)


async def test_the_tenant_and_the_token_are_shown() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"result": {}})

    traces = JaegerTraces(
        "http://jaeger",
        credentials=Credentials({"X-Scope-OrgID": "books", "Authorization": "Bearer HUNTER2"}),
        transport=httpx.MockTransport(answer),
    )

    await traces.search(service="shop", since=NOON, until=NOON)

    (request,) = asked
    assert ("books", "Bearer HUNTER2") == (
        request.headers["X-Scope-OrgID"],
        request.headers["Authorization"],
    )


async def test_nothing_found_may_be_said_as_404() -> None:
    traces, _ = answering(httpx.Response(404, json={"error": {"message": "No traces found"}}))

    assert [] == list(await traces.search(service="shop", since=NOON, until=NOON))


async def test_a_server_that_is_starting_is_asked_again() -> None:
    traces, asked = answering(
        httpx.Response(503), httpx.Response(200, json={"result": {"resourceSpans": []}})
    )

    await traces.search(service="shop", since=NOON, until=NOON)

    assert 2 == len(asked)


async def test_a_server_that_stays_away_is_a_temporary_error_with_its_address() -> None:
    traces = JaegerTraces("http://127.0.0.1:1", pause=timedelta(0))

    with pytest.raises(TemporaryDriverError, match=r"Jaeger at http://127\.0\.0\.1:1 does not"):
        await traces.search(service="shop", since=NOON, until=NOON)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>login</html>",
        b"[]",
        b"{}",
        b'{"result": {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "x"}]}]}]}}',
        json.dumps(
            {"result": {"resourceSpans": [{"scopeSpans": [
                {"spans": [{**SPAN, "startTimeUnixNano": "9" * 40}]}]}]}}
        ).encode(),
    ],
)  # fmt: skip
async def test_an_answer_that_is_not_traces_is_a_permanent_error(body: bytes) -> None:
    traces, _ = answering(httpx.Response(200, content=body))

    with pytest.raises(PermanentDriverError, match="something that is not"):
        await traces.search(service="shop", since=NOON, until=NOON)
