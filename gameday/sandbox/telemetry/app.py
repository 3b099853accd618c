"""The HTTP side: one ASGI application over the stores; errors in the manner of each API."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import time_ns
from typing import Any, overload

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gameday.sandbox.telemetry import profiles, spans
from gameday.sandbox.telemetry.annotations import AnnotationStore
from gameday.sandbox.telemetry.intake import Refusal, read_body
from gameday.sandbox.telemetry.profiles import ProfileStore
from gameday.sandbox.telemetry.selector import (
    parse_duration,
    parse_instant,
    parse_selector,
    split_query,
)
from gameday.sandbox.telemetry.spans import SpanQuery, SpanStore

_QUERIER = "/querier.v1.QuerierService"
_MILLISECOND = 10**6
_CONNECT_CODES = {400: "invalid_argument", 413: "resource_exhausted", 415: "invalid_argument"}
_GRPC_CODES = {400: 3, 404: 5, 413: 8}

Endpoint = Callable[[Request], Awaitable[Response]]


class Stores:
    """All that the process holds, under one clock."""

    def __init__(
        self, *, retention: timedelta, memory_bytes: int, now: Callable[[], int] = time_ns
    ) -> None:
        self.now = now
        # Spans are the bulk: a profile is pushed every few seconds, compressed.
        self.spans = SpanStore(retention=retention, memory_bytes=memory_bytes * 3 // 4, now=now)
        self.profiles = ProfileStore(retention=retention, memory_bytes=memory_bytes // 4, now=now)
        self.annotations = AnnotationStore(now=now)


def create_app(
    *,
    retention: timedelta = timedelta(minutes=20),
    memory_bytes: int = 400_000_000,
    now: Callable[[], int] = time_ns,
) -> Starlette:
    """Return the application with empty stores.

    Args:
        retention: how long spans and profiles are kept.
        memory_bytes: what they may take in memory, about; the oldest go first.
        now: Unix nanoseconds; for tests.
    """
    from gameday.sandbox.telemetry.pages import Pages

    stores = Stores(retention=retention, memory_bytes=memory_bytes, now=now)
    api, pages = _Api(stores), Pages(stores)
    routes = [
        Route("/healthz", api.health),
        Route("/admin/forget", api.forget, methods=["POST"]),
        Route("/v1/traces", _guarded(api.export_traces, _otlp_error), methods=["POST"]),
        Route("/api/v3/services", _guarded(api.services, _jaeger_error)),
        Route("/api/v3/operations", _guarded(api.operations, _jaeger_error)),
        Route("/api/v3/traces", _guarded(api.find_traces, _jaeger_error)),
        Route("/api/v3/traces/{trace_id}", _guarded(api.get_trace, _jaeger_error)),
        Route("/push.v1.PusherService/Push", _guarded(api.push, _connect_error), methods=["POST"]),
        *(
            Route(f"{_QUERIER}/{name}", _guarded(call, _connect_error), methods=["POST"])
            for name, call in (
                ("SelectMergeStacktraces", api.select_merge_stacktraces),
                ("SelectMergeProfile", api.select_merge_profile),
                ("LabelValues", api.label_values),
            )
        ),
        Route("/pyroscope/render", _guarded(api.render, _connect_error)),
        Route("/api/annotations", _guarded(api.annotations, _grafana_error)),
        Route("/api/annotations", _guarded(api.annotate, _grafana_error), methods=["POST"]),
        Route("/", _guarded(pages.home, pages.error)),
        Route("/search", _guarded(pages.search, pages.error)),
        Route("/trace/{trace_id}", _guarded(pages.trace, pages.error)),
        Route("/pyroscope", _guarded(pages.profile, pages.error)),
    ]
    app = Starlette(routes=routes)
    app.state.stores = stores
    return app


def _guarded(call: Endpoint, explain: Callable[[Refusal], Response]) -> Endpoint:
    """Return the endpoint with its refusals turned into its API's own kind of error."""

    async def endpoint(request: Request) -> Response:
        try:
            return await call(request)
        except Refusal as refusal:
            return explain(refusal)

    return endpoint


def _otlp_error(refusal: Refusal) -> Response:
    return _json(
        {"code": _GRPC_CODES.get(refusal.status, 3), "message": str(refusal)}, refusal.status
    )


def _jaeger_error(refusal: Refusal) -> Response:
    error = {
        "grpcCode": _GRPC_CODES.get(refusal.status, 2),
        "httpCode": refusal.status,
        "message": str(refusal),
        "httpStatus": {400: "Bad Request", 404: "Not Found"}.get(refusal.status, ""),
    }
    return _json({"error": error}, refusal.status)


def _connect_error(refusal: Refusal) -> Response:
    code = _CONNECT_CODES.get(refusal.status, "unknown")
    return _json({"code": code, "message": str(refusal)}, refusal.status)


def _grafana_error(refusal: Refusal) -> Response:
    return _json({"message": str(refusal)}, refusal.status)


def _json(document: object, status: int = 200) -> Response:
    # Escaped to ASCII: span attributes may hold lone surrogates, which UTF-8 cannot carry.
    body = json.dumps(document, separators=(",", ":"))
    return Response(body, status_code=status, media_type="application/json")


class _Api:
    """The machine-readable endpoints."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def health(self, request: Request) -> Response:
        stores = self._stores
        return JSONResponse(
            {
                "status": "ok",
                "spans": len(stores.spans),
                "profiles": len(stores.profiles),
                "annotations": len(stores.annotations),
            }
        )

    async def forget(self, request: Request) -> Response:
        # Deploy markers are history, not telemetry: what is live was deployed whether or not
        # Prometheus still has samples of it. They go only where asked for.
        self._stores.spans.forget()
        self._stores.profiles.forget()
        if request.query_params.get("annotations") == "true":
            self._stores.annotations.forget()
        return JSONResponse({"ok": True})

    # --- OTLP -------------------------------------------------------------------------------

    async def export_traces(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in {"application/x-protobuf", "application/json"}:
            raise Refusal(
                "content type is neither application/x-protobuf nor application/json", status=415
            )
        is_json = content_type == "application/json"
        refused = self._stores.spans.add(
            spans.parse_otlp(await read_body(request), is_json=is_json)
        )
        reason = "trace id or span id is missing or has a wrong length" if refused else ""
        if is_json:
            partial = {"rejectedSpans": str(refused), "errorMessage": reason}
            return _json({"partialSuccess": partial} if refused else {})
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

        reply = service.ExportTraceServiceResponse()
        if refused:
            reply.partial_success.rejected_spans = refused
            reply.partial_success.error_message = reason
        return Response(reply.SerializeToString(), media_type="application/x-protobuf")

    # --- Jaeger's query API v3 --------------------------------------------------------------

    async def services(self, request: Request) -> Response:
        return _json({"services": list(self._stores.spans.services())})

    async def operations(self, request: Request) -> Response:
        params = request.query_params
        found = self._stores.spans.operations(
            params.get("service", ""), params.get("spanKind") or params.get("span_kind") or ""
        )
        return _json({"operations": [{"name": n, "spanKind": kind} for n, kind in found]})

    async def find_traces(self, request: Request) -> Response:
        found = self._stores.spans.find(_span_query(request))
        return _json({"result": spans.to_otlp_json(found)})

    async def get_trace(self, request: Request) -> Response:
        trace_id = parse_trace_id(request.path_params["trace_id"])
        trace = self._stores.spans.get(trace_id)
        if trace is None:
            raise Refusal("trace not found", status=404)
        return _json({"result": spans.to_otlp_json([trace])})

    # --- Pyroscope --------------------------------------------------------------------------

    async def push(self, request: Request) -> Response:
        self._stores.profiles.push(await read_body(request))
        if request.headers.get("content-type", "").startswith("application/json"):
            return _json({})
        return Response(b"", media_type="application/proto")

    async def select_merge_stacktraces(self, request: Request) -> Response:
        query = _ProfileQuery(await _connect_body(request))
        merged = query.run(self._stores.profiles)
        match query.format:
            case "PROFILE_FORMAT_PPROF" | 4:
                return _json({"pprof": {"profile": query.pprof(merged)}})
            case "PROFILE_FORMAT_UNSPECIFIED" | "PROFILE_FORMAT_FLAMEGRAPH" | 0 | 1:
                graph = profiles.flamegraph(merged, max_nodes=query.max_nodes)
                return _json({"flamegraph": graph})
            case _:
                raise Refusal(f"format {query.format!r} is not supported")

    async def select_merge_profile(self, request: Request) -> Response:
        query = _ProfileQuery(await _connect_body(request))
        return _json(query.pprof(query.run(self._stores.profiles)))

    async def label_values(self, request: Request) -> Response:
        name = (await _connect_body(request)).get("name")
        names = self._stores.profiles.services() if name == "service_name" else ()
        return _json({"names": list(names)})

    async def render(self, request: Request) -> Response:
        params = request.query_params
        now = self._stores.now()
        profile_type, selector = split_query(params.get("query", ""))
        if not profile_type:
            raise Refusal("query is required")
        merged = self._stores.profiles.merge(
            parse_selector(selector),
            profile_type=profile_type,
            since=parse_relative(params.get("from", "now-1h"), now),
            until=parse_relative(params.get("until", "now"), now),
        )
        graph = profiles.flamegraph(merged, max_nodes=_integer(params.get("maxNodes"), 0))
        return _json(
            {
                "version": 1,
                "flamebearer": {
                    "names": graph["names"],
                    "levels": [[int(v) for v in level["values"]] for level in graph["levels"]],
                    "numTicks": int(graph["total"]),
                    "maxSelf": int(graph["maxSelf"]),
                },
                "metadata": {
                    "format": "single",
                    "spyName": "",
                    "sampleRate": 1_000_000_000,
                    "units": "samples",
                    "name": profile_type,
                },
            }
        )

    # --- Grafana ----------------------------------------------------------------------------

    async def annotations(self, request: Request) -> Response:
        params = request.query_params
        found = self._stores.annotations.find(
            since=_integer(params.get("from"), None),
            until=_integer(params.get("to"), None),
            tags=params.getlist("tags"),
            match_any=params.get("matchAny") == "true",
            limit=_integer(params.get("limit"), 100),
        )
        return _json([annotation.to_json() for annotation in found])

    async def annotate(self, request: Request) -> Response:
        kept = self._stores.annotations.add(_parse_json(await read_body(request)))
        return _json({"message": "Annotation added", "id": kept.id})


class _ProfileQuery:
    """A request of Pyroscope's querier, checked."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.profile_type = _text(body, "profileTypeID") or profiles.DEFAULT_TYPE
        self.selector = parse_selector(_text(body, "labelSelector") or "{}")
        self.start = _integer(body.get("start"), None)
        self.end = _integer(body.get("end"), None)
        if self.start is None or self.end is None:
            raise Refusal("start and end are required, in Unix milliseconds")
        self.trace_ids = _ids(body, "traceIdSelector", 32)
        self.span_ids = _ids(body, "spanSelector", 16)
        if self.trace_ids and self.span_ids:
            raise Refusal("span_selector and trace_id_selector cannot be combined")
        self.max_nodes = _integer(body.get("maxNodes"), 0)
        self.format = body.get("format", 0)

    def run(self, store: ProfileStore) -> profiles.Merged:
        assert self.start is not None and self.end is not None
        return store.merge(
            self.selector,
            since=self.start * _MILLISECOND,
            until=self.end * _MILLISECOND,
            profile_type=self.profile_type,
            trace_ids=self.trace_ids,
            span_ids=self.span_ids,
        )

    def pprof(self, merged: profiles.Merged) -> dict[str, Any]:
        assert self.start is not None and self.end is not None
        return profiles.to_pprof_json(
            merged,
            profile_type=self.profile_type,
            since=self.start * _MILLISECOND,
            until=self.end * _MILLISECOND,
        )


def _span_query(request: Request) -> SpanQuery:
    def param(name: str) -> str:
        # Jaeger took snake_case before 2.x and still does.
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        params = request.query_params
        return params.get(f"query.{name}") or params.get(f"query.{snake}") or ""

    since, until = param("startTimeMin"), param("startTimeMax")
    if not since or not until:
        raise Refusal("query.startTimeMin and query.startTimeMax are required")
    duration_max = param("durationMax")
    depth = _integer(param("searchDepth") or param("numTraces") or None, 100)
    return SpanQuery(
        service=param("serviceName"),
        operation=param("operationName"),
        since=parse_instant(since),
        until=parse_instant(until),
        duration_min=parse_duration(param("durationMin") or "0s"),
        duration_max=parse_duration(duration_max) if duration_max else None,
        depth=max(0, min(depth, 10_000)),
    )


def parse_trace_id(text: str) -> str:
    """Return a trace id as 32 lower-case hex digits; shorter ones are padded, as Jaeger does."""
    digits = text.lower()
    if not 0 < len(digits) <= 32 or not all(c in "0123456789abcdef" for c in digits):
        raise Refusal(f"malformed parameter trace_id: {text[:64]!r} is not a trace id")
    return digits.zfill(32)


def parse_relative(text: str, now: int) -> int:
    """Return the Unix nanoseconds of ``now``, ``now-15m``, or Unix seconds, ms or ns."""
    if text.startswith("now"):
        return now - (parse_duration(text[4:]) if text[3:4] == "-" else 0)
    number = _integer(text, None)
    if number is None:
        raise Refusal(f"time {text[:40]!r} is neither relative nor a Unix time")
    # As Pyroscope guesses: by the number of digits.
    scale = 10**9 if number < 10**11 else 10**6 if number < 10**14 else 1
    return number * scale


@overload
def _integer(value: object, default: int) -> int: ...
@overload
def _integer(value: object, default: None) -> int | None: ...
def _integer(value: object, default: int | None) -> int | None:
    if value is None:
        return default
    # Connect writes int64 as text; a length limit, because Python's integers have none.
    if not isinstance(value, bool) and isinstance(value, int | str):
        text = str(value)
        if len(text) < 20 and text.removeprefix("-").isascii() and text.removeprefix("-").isdigit():
            return int(text)
    raise Refusal(f"{str(value)[:40]!r} is not a whole number")


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"body is not JSON: {str(error)[:200]}") from error


async def _connect_body(request: Request) -> dict[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refusal("only Connect's JSON is spoken here: application/json", status=415)
    document = _parse_json(await read_body(request))
    if not isinstance(document, dict):
        raise Refusal("body is not a JSON object")
    return document


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Refusal(f"{name} is not a text")
    return value


def _ids(body: dict[str, Any], name: str, length: int) -> tuple[str, ...]:
    value = body.get(name) or []
    if not isinstance(value, list) or len(value) > 10_000:
        raise Refusal(f"{name} is not a list of at most 10000 ids")
    for entry in value:
        if not isinstance(entry, str) or not re.fullmatch(f"[0-9a-fA-F]{{{length}}}", entry):
            raise Refusal(f"{name} must contain {length} hexadecimal characters")
    return tuple(entry.lower() for entry in value)
