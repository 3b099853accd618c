"""The telemetry store's manners: bounds, refusals, pages. The drivers' contracts feed it, too."""

from __future__ import annotations

import gzip
import json
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from gameday.sandbox.telemetry.app import create_app
from gameday.sandbox.telemetry.intake import Refusal
from gameday.sandbox.telemetry.selector import (
    parse_duration,
    parse_instant,
    parse_selector,
    split_query,
)
from gameday.testing.virtual import VirtualClock

pytestmark = pytest.mark.served

NOON = 1_767_268_800 * 10**9  # 2026-01-01T12:00:00Z
SECOND = 10**9
RANGE = {
    "query.startTimeMin": "2026-01-01T11:00:00Z",
    "query.startTimeMax": "2026-01-01T13:00:00Z",
}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(clock: VirtualClock) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        retention=timedelta(minutes=20),
        memory_bytes=1_000_000,
        now=lambda: round(clock.now().timestamp() * SECOND),
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://store") as client:
        yield client


def export(
    service: str = "storefront", *, start: int = NOON, length: int = SECOND, name: str = "GET /",
    trace_id: bytes = b"", padding: str = "",
) -> tuple[str, bytes]:  # fmt: skip
    """Return (trace id, OTLP body) of one span."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    span = group.scope_spans.add().spans.add(
        trace_id=trace_id or secrets.token_bytes(16), span_id=secrets.token_bytes(8), name=name,
        start_time_unix_nano=start, end_time_unix_nano=start + length,
    )  # fmt: skip
    span.attributes.add(key="padding").value.string_value = padding
    return span.trace_id.hex(), request.SerializeToString()


async def send(store: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    kind = {"content-type": "application/x-protobuf", **headers}
    return await store.post("/v1/traces", content=body, headers=kind)


async def found(store: httpx.AsyncClient, **query: str) -> list[str]:
    params = RANGE | {f"query.{k}": v for k, v in query.items()}
    answer = await store.get("/api/v3/traces", params=params)
    assert 200 == answer.status_code
    groups = answer.json()["result"]["resourceSpans"]
    return [s["traceId"] for g in groups for c in g["scopeSpans"] for s in c["spans"]]


# --- traces -------------------------------------------------------------------------------------


async def test_otlp_in_json_with_hex_ids_comes_out_as_it_went_in(store: httpx.AsyncClient) -> None:
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
        "name": "GET /", "kind": 2, "startTimeUnixNano": str(NOON),
        "endTimeUnixNano": str(NOON + 5),
        "attributes": [
            {"key": "n", "value": {"intValue": "5"}},
            {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}]}}},
        ],
        "status": {"code": 2, "message": "no"},
    }  # fmt: skip
    body = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "t"}, "spans": [span]}]}]}

    answer = await store.post("/v1/traces", json=body)
    read = await store.get(f"/api/v3/traces/{span['traceId']}")

    assert (200, {}) == (answer.status_code, answer.json())
    (group,) = read.json()["result"]["resourceSpans"]
    assert [{"scope": {"name": "t"}, "spans": [span]}] == group["scopeSpans"]


async def test_a_trace_is_found_if_one_span_of_the_service_satisfies_everything(
    store: httpx.AsyncClient,
) -> None:
    trace_id = secrets.token_bytes(16)
    for service, length in (("storefront", SECOND), ("checkout", SECOND // 2)):
        await send(store, export(service, length=length, trace_id=trace_id)[1])

    assert 2 == len(await found(store, serviceName="storefront", durationMin="600ms"))
    assert 2 == len(await found(store, serviceName="checkout", durationMax="0.5s"))
    assert [] == await found(store, serviceName="checkout", durationMin="600ms")
    assert [] == await found(store, serviceName="checkout", operationName="POST /")


async def test_the_search_depth_keeps_the_newest(store: httpx.AsyncClient) -> None:
    ids = []
    for second in range(5):
        trace_id, body = export(start=NOON - second * SECOND)
        ids.append(trace_id)
        await send(store, body)

    assert ids[:2] == await found(store, serviceName="storefront", searchDepth="2")


async def test_services_and_operations_are_listed(store: httpx.AsyncClient) -> None:
    await send(store, export("storefront", name="POST /checkout")[1])
    await send(store, export("checkout")[1])

    services = await store.get("/api/v3/services")
    operations = await store.get("/api/v3/operations", params={"service": "storefront"})

    assert {"services": ["checkout", "storefront"]} == services.json()
    assert [{"name": "POST /checkout", "spanKind": "unspecified"}] == operations.json()[
        "operations"
    ]


async def test_spans_without_proper_ids_are_counted_as_rejected(store: httpx.AsyncClient) -> None:
    _, body = export(trace_id=b"\0" * 16)

    answer = await send(store, body)

    reply = ExportTraceServiceResponse.FromString(answer.content)
    assert 1 == reply.partial_success.rejected_spans


async def test_what_is_older_than_the_retention_is_forgotten(
    store: httpx.AsyncClient, clock: VirtualClock
) -> None:
    await send(store, export()[1])
    clock.advance(timedelta(minutes=21))

    assert [] == await found(store, serviceName="storefront")
    assert {"services": []} == (await store.get("/api/v3/services")).json()


async def test_the_oldest_make_room_when_memory_is_full(store: httpx.AsyncClient) -> None:
    for _ in range(100):
        last, body = export(padding="x" * 20_000)
        await send(store, body)

    health = (await store.get("/healthz")).json()

    assert 30 < health["spans"] < 40  # three quarters of a megabyte in pieces of 20 kB
    assert last in await found(store, serviceName="storefront")


async def test_forgetting_drops_telemetry_and_keeps_deploys_unless_told(
    store: httpx.AsyncClient,
) -> None:
    await send(store, export()[1])
    await store.post("/api/annotations", json={"tags": ["deploy", "storefront"]})

    await store.post("/admin/forget")
    kept = (await store.get("/healthz")).json()
    await store.post("/admin/forget", params={"annotations": "true"})
    gone = (await store.get("/healthz")).json()

    assert (0, 1) == (kept["spans"], kept["annotations"])
    assert 0 == gone["annotations"]


DEEP_JSON = b'{"a":' * 100_000
NESTED = json.dumps(
    {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [
        {"key": "k", "value": {"arrayValue": {"values": [{}]}}}], "traceId": "zz"}]}]}]}
).encode()  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"garbage", {}, 400),
        (b"garbage", {"content-type": "application/json"}, 400),
        (b"[1]", {"content-type": "application/json"}, 400),
        (DEEP_JSON, {"content-type": "application/json"}, 400),
        (NESTED, {"content-type": "application/json"}, 400),
        (b'{"resourceSpans": 7}', {"content-type": "application/json"}, 400),
        (b"", {"content-type": "text/plain"}, 415),
        (gzip.compress(b"x" * 1000, mtime=0)[:20], {"content-encoding": "gzip"}, 400),
        (b"x", {"content-encoding": "deflate"}, 400),
        (gzip.compress(b"\0" * (40 * 1024 * 1024), mtime=0), {"content-encoding": "gzip"}, 413),
        (b"x" * (9 * 1024 * 1024), {}, 413),
    ],
)
async def test_a_broken_export_is_refused_and_never_a_crash(
    store: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await send(store, body, **headers)

    assert status == answer.status_code
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v3/traces?query.serviceName=x", 400),
        ("/api/v3/traces?query.startTimeMin=now&query.startTimeMax=now", 400),
        ("/api/v3/traces/xyz", 400),
        (f"/api/v3/traces/{'a' * 33}", 400),
        (f"/api/v3/traces/{'a' * 4000}", 400),
        ("/api/v3/traces/abc", 404),
    ],
)
async def test_errors_of_the_trace_api_look_like_jaeger_s(
    store: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await store.get(path)

    error = answer.json()["error"]
    assert (status, status) == (answer.status_code, error["httpCode"])
    assert {"grpcCode", "httpCode", "message", "httpStatus"} == error.keys()


@pytest.mark.parametrize(
    "extra",
    [
        {"durationMin": "fast"},
        {"durationMax": "10"},
        {"searchDepth": "9" * 30},
        {"searchDepth": "x"},
    ],
)
async def test_a_search_with_a_broken_parameter_is_refused(
    store: httpx.AsyncClient, extra: dict[str, str]
) -> None:
    answer = await store.get(
        "/api/v3/traces", params=RANGE | {f"query.{k}": v for k, v in extra.items()}
    )

    assert 400 == answer.status_code


# --- deploy markers -----------------------------------------------------------------------------


async def test_annotations_are_found_by_time_and_tags_newest_first(
    store: httpx.AsyncClient,
) -> None:
    for time, service in ((1000, "checkout"), (2000, "inventory"), (3000, "checkout")):
        await store.post("/api/annotations", json={"time": time, "tags": ["deploy", service]})

    params = {"from": "500", "to": "3500", "tags": ["deploy", "checkout"]}
    answer = await store.get("/api/annotations", params=params)

    assert [3000, 1000] == [a["time"] for a in answer.json()]


@pytest.mark.parametrize(
    "document", [[], {}, {"text": 5}, {"tags": "deploy"}, {"tags": ["x"], "time": "noon"}, "x"]
)
async def test_a_broken_annotation_is_refused(store: httpx.AsyncClient, document: Any) -> None:
    assert 400 == (await store.post("/api/annotations", json=document)).status_code


# --- pages --------------------------------------------------------------------------------------


async def test_the_search_page_lists_the_traces_its_deeplink_asks_for(
    store: httpx.AsyncClient,
) -> None:
    slow, body = export(length=SECOND)
    await send(store, body)
    quick, body = export(length=SECOND // 100)
    await send(store, body)

    page = await store.get(
        "/search",
        params={
            "service": "storefront", "start": str((NOON - SECOND) // 1000),
            "end": str((NOON + SECOND) // 1000), "minDuration": "100ms", "limit": "20",
        },
    )  # fmt: skip

    assert f"/trace/{slow}" in page.text
    assert quick not in page.text


async def test_a_trace_page_marks_the_span_that_holds_the_bulk_of_the_time(
    store: httpx.AsyncClient,
) -> None:
    trace_id, body = export(name="GET /slow")
    await send(store, body)

    page = await store.get(f"/trace/{trace_id}")

    assert "Bulk of the time: <b>storefront: GET /slow</b>, 1,000.0 ms" in page.text
    assert page.text.count("class=bulk") == 1


async def test_text_from_outside_is_escaped_on_every_page(store: httpx.AsyncClient) -> None:
    evil = '"><script>alert(1)</script>'
    trace_id, body = export(service=evil, name=evil, padding=evil)
    await send(store, body)

    pages = [
        await store.get(path, params=params)
        for path, params in (
            ("/", {}),
            ("/search", {"service": evil}),
            ("/search", {"service": evil, "minDuration": evil}),
            (f"/trace/{trace_id}", {}),
            ("/pyroscope", {"query": evil}),
            ("/pyroscope", {"query": '{a="' + evil.replace('"', "'") + '"}', "trace_id": "ab"}),
        )
    ]

    assert not [page.url for page in pages if "<script" in page.text]
    assert {200, 400} == {page.status_code for page in pages}


async def test_a_profile_page_without_samples_says_so(store: httpx.AsyncClient) -> None:
    page = await store.get("/pyroscope", params={"query": 'process_cpu{service_name="x"}'})

    assert "No sample here" in page.text


@pytest.mark.parametrize("start", ["-1", "x", "9" * 19, "9" * 400])
async def test_a_page_with_an_impossible_time_is_no_crash(
    store: httpx.AsyncClient, start: str
) -> None:
    page = await store.get("/search", params={"service": "x", "start": start})

    assert page.status_code in {200, 400}


# --- the small languages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("100ms", 10**8), ("1m30s", 90 * 10**9), ("1.5h", 5400 * 10**9), ("7us", 7000), ("3ns", 3)],
)
def test_durations_are_read_as_go_writes_them(text: str, nanoseconds: int) -> None:
    assert nanoseconds == parse_duration(text)


def test_instants_keep_their_nanoseconds() -> None:
    assert NOON + 123_456_789 == parse_instant("2026-01-01T13:00:00.123456789+01:00")


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("{}", True),
        ('{service_name="shop"}', True),
        ('{service_name!="shop"}', False),
        ('{service_name=~"sh.*", region!~"us-.*"}', True),
        ('{service_name=~"sh"}', False),
        ('{missing=""}', True),
        (r'{quoted="a\"b"}', True),
    ],
)
def test_selectors_match_as_in_prometheus(selector: str, matches: bool) -> None:
    labels = {"service_name": "shop", "region": "eu-west", "quoted": 'a"b'}

    assert matches == parse_selector(selector).matches(labels)


@pytest.mark.parametrize("text", ["{a}", "a=b", '{a="b}', '{a="b" c="d"}', "{" * 3000])
def test_a_broken_selector_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse_selector(text)


def test_a_query_is_a_type_and_a_selector() -> None:
    assert ("process_cpu", '{service_name="x"}') == split_query('process_cpu{service_name="x"}')
