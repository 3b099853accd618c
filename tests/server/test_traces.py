"""The service's own traces: a span per request, part of the caller's trace, silent about paths."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Any

import httpx
import pytest
from opened_service import Opening
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gameday.house.service.tracing import is_wanted, traced, tracing
from gameday.model.notification import Action, Notification, Receipt
from gameday.model.page import Links
from gameday.server.traces import Traced
from gameday.testing.served import PatientServer


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Any:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider.get_tracer("test")


@pytest.mark.served
async def test_a_request_is_a_span_of_the_callers_trace_named_by_its_route(
    opening: Opening, spans: InMemorySpanExporter, tracer: Any
) -> None:
    async with opening() as service:
        transport = httpx.ASGITransport(app=Traced(service.app, tracer))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            await http.get("/api/incidents/secret?x=1", headers={"traceparent": parent})
            await http.get("/go/secret")
            await http.get("/nothing/secret")

    first, second, third = spans.get_finished_spans()
    assert "0af7651916cd43dd8448eb211c80319c" == f"{first.context.trace_id:032x}"
    names = [s.name for s in (first, second, third)]
    assert ["GET /api/incidents/{incident}", "GET /go/{token}", "GET"] == names
    statuses = [dict(s.attributes)["http.response.status_code"] for s in (first, second, third)]
    assert [401, 403, 404] == statuses
    assert "secret" not in "".join(s.to_json() for s in (first, second, third))


async def test_a_page_is_a_span_and_says_nothing_of_what_it_holds(
    spans: InMemorySpanExporter, tracer: Any
) -> None:
    class Quiet:
        name = "quiet"

        async def page(self, notification: Notification) -> Receipt:
            return Receipt(self.name, Action.PAGE, notification.key, None)  # type: ignore[arg-type]

        acknowledge = resolve = page

    links = Links(red="https://x/go/secret", traces="", profile="", runbook="")
    told = Notification(key="I", summary="secret", service="shop", source="gameday", links=links)

    pager = traced({"rota": Quiet()}, tracer)["rota"]
    for call in (pager.page, pager.acknowledge, pager.resolve):
        await call(told)

    names = [s.name for s in spans.get_finished_spans()]
    assert ["pager page", "pager acknowledge", "pager resolve"] == names
    assert "secret" not in "".join(s.to_json() for s in spans.get_finished_spans())


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_off_unless_the_standard_setting_asks_for_them(
    environment: dict[str, str], wanted: bool
) -> None:
    assert wanted == is_wanted(environment)
    if not wanted:
        with tracing(environment) as tracer:
            assert tracer is None
        assert {} == traced({}, None)


@pytest.mark.served
def test_spans_reach_the_collector_that_the_standard_setting_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = PatientServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gameday-eu")

    with tracing() as tracer:
        assert tracer is not None
        with tracer.start_as_current_span("GET /healthz"):
            pass
    server.shutdown()
    server.server_close()

    ((path, raw),) = got
    sent = ExportTraceServiceRequest.FromString(raw)
    (resource,) = sent.resource_spans
    named = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert ("/v1/traces", "gameday-eu") == (path, named["service.name"])
    assert ["GET /healthz"] == [s.name for s in resource.scope_spans[0].spans]
