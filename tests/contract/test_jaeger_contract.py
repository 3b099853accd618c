"""What `JaegerTraces` promises, against the sandbox's store and a real Jaeger."""

from __future__ import annotations

import json
import secrets
import time
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
from gameday.sandbox.telemetry.app import create_app
from gameday.testing.served import served

pytestmark = pytest.mark.served

MILLISECOND = 10**6


class Shop:
    """Two services of unique names that trace into a server with the real exporter."""

    def __init__(self, query_url: str, otlp_url: str, *, wait: timedelta) -> None:
        self.query_url = query_url
        mark = secrets.token_hex(4)
        self.front, self.back = f"front-{mark}", f"back-{mark}"
        # Whole seconds, which a float of nanoseconds holds exactly enough.
        self.started_at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
        self._wait = wait
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

    def request(self, at: timedelta, duration: timedelta, *, failed: bool = False) -> str:
        """Send one trace: a server span of front, and below it one of back, half as long."""
        start = round((self.started_at + at).timestamp() * 10**9)
        length = round(duration.total_seconds() * 10**9)
        outer = self._tracers[self.front].start_span(
            "POST /checkout", kind=SpanKind.SERVER, start_time=start, context=otel.Context()
        )
        outer.set_attributes({"http.route": "/checkout", "http.response.status_code": 200})
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

    async def found(self, traces: JaegerTraces, count: int, **search: object) -> list[str]:
        """Return the ids of a search over all of the test, once there are this many."""
        deadline = time.monotonic() + self._wait.total_seconds()
        while True:
            hits = await traces.search(
                service=self.front,
                since=self.started_at,
                until=self.started_at + timedelta(minutes=1),
                **search,  # type: ignore[arg-type]
            )
            if len(hits) == count or time.monotonic() > deadline:
                return [hit.trace_id for hit in hits]


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    with served(create_app()) as url:
        yield url


@pytest.fixture(params=["store", "jaeger"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "jaeger":
        jaeger: Jaeger = request.getfixturevalue("real_jaeger")
        shop = Shop(jaeger.url, jaeger.otlp_url, wait=timedelta(seconds=30))
    else:
        url = request.getfixturevalue("store_url")
        shop = Shop(url, url, wait=timedelta(0))
    yield shop
    shop.close()


async def test_a_search_returns_whole_traces_newest_first(shop: Shop) -> None:
    older = shop.request(timedelta(0), timedelta(milliseconds=50))
    newer = shop.request(timedelta(seconds=1), timedelta(milliseconds=50))
    traces = JaegerTraces(shop.query_url)

    assert [newer, older] == await shop.found(traces, 2)


async def test_a_trace_has_every_span_with_what_its_process_says_of_itself(shop: Shop) -> None:
    trace_id = shop.request(timedelta(0), timedelta(milliseconds=80))
    traces = JaegerTraces(shop.query_url)
    await shop.found(traces, 1)

    trace = await traces.trace(trace_id)

    assert trace is not None
    outer, inner = trace.spans
    assert outer == trace.root()
    assert (shop.front, shop.back) == (outer.service, inner.service)
    assert outer.span_id == inner.parent_id
    assert outer.parent_id is None
    assert ("POST /checkout", "server", False) == (outer.name, outer.kind, outer.error)
    assert timedelta(milliseconds=80) == outer.duration
    assert timedelta(milliseconds=40) == inner.duration
    assert shop.started_at == outer.started_at
    assert 200 == outer.attributes["http.response.status_code"]
    assert "eu-west" == outer.resource["cloud.region"]


async def test_a_minimal_duration_leaves_quick_traces_out(shop: Shop) -> None:
    shop.request(timedelta(0), timedelta(milliseconds=50))
    slow = shop.request(timedelta(seconds=1), timedelta(milliseconds=300))
    traces = JaegerTraces(shop.query_url)
    await shop.found(traces, 2)

    assert [slow] == await shop.found(traces, 1, min_duration=timedelta(milliseconds=100))


async def test_a_search_for_errors_returns_failed_requests_only(shop: Shop) -> None:
    shop.request(timedelta(0), timedelta(milliseconds=50))
    failed = shop.request(timedelta(seconds=1), timedelta(milliseconds=50), failed=True)
    shop.request(timedelta(seconds=2), timedelta(milliseconds=50))
    traces = JaegerTraces(shop.query_url)
    await shop.found(traces, 3)

    assert [failed] == await shop.found(traces, 1, errors_only=True, limit=1)


async def test_a_search_returns_only_traces_of_the_span_asked_for(shop: Shop) -> None:
    shop.request(timedelta(0), timedelta(milliseconds=50))
    inside = shop.request(timedelta(seconds=2), timedelta(milliseconds=50))
    shop.request(timedelta(seconds=4), timedelta(milliseconds=50))
    traces = JaegerTraces(shop.query_url)
    await shop.found(traces, 3)

    found = await traces.search(
        service=shop.front,
        since=shop.started_at + timedelta(seconds=1),
        until=shop.started_at + timedelta(seconds=3),
    )

    assert [inside] == [trace.trace_id for trace in found]


async def test_an_unknown_service_has_no_traces(shop: Shop) -> None:
    traces = JaegerTraces(shop.query_url)

    found = await traces.search(
        service="nobody", since=shop.started_at, until=shop.started_at + timedelta(minutes=1)
    )

    assert [] == list(found)


async def test_an_unknown_trace_is_none(shop: Shop) -> None:
    assert await JaegerTraces(shop.query_url).trace(secrets.token_hex(16)) is None


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
