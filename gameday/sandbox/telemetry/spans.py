"""Spans of the last minutes: in as OTLP, found by trace id, service and time, out as OTLP JSON."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import time_ns
from typing import Any

from gameday.sandbox.telemetry.intake import Refusal

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_OVERHEAD_BYTES = 600
"""What a span costs beside its own bytes: objects, index entries (measured, rounded up)."""
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_LATE = 60 * 10**9
"""Spans of one trace may arrive this much later than its first."""


@dataclass(frozen=True, slots=True)
class StoredResource:
    """Who emitted a span; one object for all spans of a process."""

    service: str
    resource: dict[str, Any]
    scope: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """One span: what searches need in plain, the rest as the bytes it came in."""

    origin: StoredResource
    name: str
    kind: int
    start: int
    end: int
    data: bytes

    def decode(self) -> Any:
        """Return the OTLP message."""
        from opentelemetry.proto.trace.v1.trace_pb2 import Span

        return Span.FromString(self.data)


@dataclass(slots=True)
class StoredTrace:
    """The spans of one trace in order of arrival."""

    id: str
    arrived: int
    spans: list[StoredSpan]


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """A search as Jaeger understands it: one span must satisfy all of it.

    Times and durations in nanoseconds; ``service`` may be empty (any).
    """

    service: str
    since: int
    until: int
    operation: str = ""
    duration_min: int = 0
    duration_max: int | None = None
    depth: int = 100

    def matches(self, span: StoredSpan) -> bool:
        """Return whether this span satisfies the search."""
        duration = span.end - span.start
        return (
            (not self.service or span.origin.service == self.service)
            and self.since <= span.start <= self.until
            and (not self.operation or span.name == self.operation)
            and duration >= self.duration_min
            and (self.duration_max is None or duration <= self.duration_max)
        )


class SpanStore:
    """A ring of traces, bounded by age and by memory."""

    def __init__(
        self, *, retention: timedelta, memory_bytes: int, now: Callable[[], int] = time_ns
    ) -> None:
        self._retention = round(retention.total_seconds() * 10**9)
        self._memory_bytes = memory_bytes
        self._now = now
        self._traces: dict[str, StoredTrace] = {}  # in order of first arrival
        self._by_service: dict[str, dict[str, None]] = {}
        self._operations: dict[tuple[str, str, int], int] = {}  # → last seen
        self._origins: dict[tuple[bytes, bytes], StoredResource] = {}
        self._bytes = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, request: Any) -> int:
        """Take an ExportTraceServiceRequest; return how many of its spans were refused.

        A span is refused where its ids are not 16 and 8 bytes long or all zeroes.
        """
        refused = 0
        now = self._now()
        for group in request.resource_spans:
            resource = group.resource.SerializeToString()
            for scoped in group.scope_spans:
                origin = self._origin(group.resource, resource, scoped.scope)
                for span in scoped.spans:
                    if not _is_id(span.trace_id, 16) or not _is_id(span.span_id, 8):
                        refused += 1
                        continue
                    self._keep(span, origin, now)
        self._evict()
        return refused

    def get(self, trace_id: str) -> StoredTrace | None:
        """Return one trace by its 32 lower-case hex digits."""
        self._evict()
        return self._traces.get(trace_id)

    def find(self, query: SpanQuery) -> Sequence[StoredTrace]:
        """Return whole traces with a span that satisfies the search, newest first."""
        self._evict()
        ids: Iterable[str] = (
            self._by_service.get(query.service, {}) if query.service else self._traces
        )
        found: list[tuple[int, StoredTrace]] = []
        for trace_id in reversed(list(ids)):
            trace = self._traces[trace_id]
            # A span arrives after it started, so whatever came well before the range lies
            # outside of it.
            if trace.arrived < query.since - _LATE:
                break
            starts = [span.start for span in trace.spans if query.matches(span)]
            if starts:
                found.append((max(starts), trace))
        found.sort(key=lambda pair: pair[0], reverse=True)
        return [trace for _, trace in found[: query.depth]]

    def services(self) -> Sequence[str]:
        """Return the services that have spans here, sorted."""
        self._evict()
        return sorted(self._by_service)

    def operations(self, service: str, kind: str = "") -> Sequence[tuple[str, str]]:
        """Return (name, kind) of a service's spans, sorted; of one kind where one is named."""
        self._evict()
        found = {(name, KINDS[k]) for s, name, k in self._operations if s == service}
        return sorted(pair for pair in found if not kind or pair[1] == kind)

    def forget(self) -> None:
        """Drop everything."""
        self._traces.clear()
        self._by_service.clear()
        self._operations.clear()
        self._origins.clear()
        self._bytes = self._count = 0

    def _origin(self, message: Any, resource: bytes, scope: Any) -> StoredResource:
        key = (resource, scope.SerializeToString())
        origin = self._origins.get(key)
        if origin is None:
            attributes = {a.key: any_value(a.value) for a in message.attributes}
            service = attributes.get("service.name", {}).get("stringValue") or "unknown_service"
            named = {"name": scope.name, "version": scope.version}
            origin = StoredResource(
                service=service,
                resource={"attributes": _attributes(message.attributes)},
                scope={k: v for k, v in named.items() if v},
            )
            if len(self._origins) > 10_000:  # a flood of made-up resources
                self._origins.clear()
            self._origins[key] = origin
        return origin

    def _keep(self, span: Any, origin: StoredResource, now: int) -> None:
        trace_id = span.trace_id.hex()
        kind = span.kind if 0 <= span.kind < len(KINDS) else 0
        start = span.start_time_unix_nano
        stored = StoredSpan(
            origin=origin,
            name=span.name,
            kind=kind,
            start=start,
            end=max(start, span.end_time_unix_nano),
            data=span.SerializeToString(),
        )
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = StoredTrace(trace_id, now, [])
        trace.spans.append(stored)
        self._by_service.setdefault(origin.service, {}).setdefault(trace_id)
        self._operations[origin.service, span.name, kind] = now
        self._bytes += len(stored.data) + _OVERHEAD_BYTES
        self._count += 1

    def _evict(self) -> None:
        oldest = self._now() - self._retention
        while self._traces:
            trace_id, trace = next(iter(self._traces.items()))
            if trace.arrived >= oldest and self._bytes <= self._memory_bytes:
                break
            del self._traces[trace_id]
            for span in trace.spans:
                self._bytes -= len(span.data) + _OVERHEAD_BYTES
                held = self._by_service.get(span.origin.service)
                if held is not None:
                    held.pop(trace_id, None)
                    if not held:
                        del self._by_service[span.origin.service]
            self._count -= len(trace.spans)
        if len(self._operations) > 1000:  # names made of ids would grow without end
            self._operations = {k: t for k, t in self._operations.items() if t >= oldest}
            while len(self._operations) > 1000:
                del self._operations[next(iter(self._operations))]


def parse_otlp(body: bytes, *, is_json: bool) -> Any:
    """Return the ExportTraceServiceRequest of a body.

    Raises:
        Refusal: it is neither, or not what its content type says.
    """
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )

    if not is_json:
        try:
            return ExportTraceServiceRequest.FromString(body)
        except DecodeError as error:
            raise Refusal(f"not an OTLP trace request: {error}") from error
    try:
        document = json.loads(body)
        _hex_ids_to_base64(document)
        return json_format.ParseDict(
            document, ExportTraceServiceRequest(), ignore_unknown_fields=True
        )
    except (ValueError, RecursionError, json_format.ParseError) as error:
        raise Refusal(f"not an OTLP trace request in JSON: {str(error)[:200]}") from error


def _hex_ids_to_base64(document: object) -> None:
    # OTLP's JSON departs from protobuf's: ids are hex there, base64 in json_format.
    # https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    if isinstance(document, dict):
        for key, value in document.items():
            if key in {"traceId", "spanId", "parentSpanId"} and isinstance(value, str):
                document[key] = base64.b64encode(bytes.fromhex(value)).decode()
            else:
                _hex_ids_to_base64(value)
    elif isinstance(document, list):
        for entry in document:
            _hex_ids_to_base64(entry)


def to_otlp_json(traces: Iterable[StoredTrace]) -> dict[str, Any]:
    """Return TracesData: the spans grouped by who emitted them, trace after trace."""
    groups = []
    for trace in traces:
        by_origin: dict[int, tuple[StoredResource, list[dict[str, Any]]]] = {}
        for span in trace.spans:
            entry = by_origin.setdefault(id(span.origin), (span.origin, []))
            entry[1].append(span_json(span))
        groups += [
            {"resource": origin.resource, "scopeSpans": [{"scope": origin.scope, "spans": spans}]}
            for origin, spans in by_origin.values()
        ]
    return {"resourceSpans": groups}


def span_json(stored: StoredSpan) -> dict[str, Any]:
    """Return one span as OTLP JSON: hex ids, int64 as text, enums as numbers."""
    span = stored.decode()
    document: dict[str, Any] = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": stored.kind,
        "startTimeUnixNano": str(stored.start),
        "endTimeUnixNano": str(stored.end),
        "attributes": _attributes(span.attributes),
        "status": {},
    }
    if span.parent_span_id:
        document["parentSpanId"] = span.parent_span_id.hex()
    if span.status.code:
        document["status"]["code"] = span.status.code
    if span.status.message:
        document["status"]["message"] = span.status.message
    if span.events:
        document["events"] = [
            {
                "timeUnixNano": str(event.time_unix_nano),
                "name": event.name,
                "attributes": _attributes(event.attributes),
            }
            for event in span.events
        ]
    if span.links:
        document["links"] = [
            {
                "traceId": link.trace_id.hex(),
                "spanId": link.span_id.hex(),
                "attributes": _attributes(link.attributes),
            }
            for link in span.links
        ]
    return document


def _attributes(pairs: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": any_value(pair.value)} for pair in pairs]


def any_value(value: Any) -> dict[str, Any]:
    """Return an OTLP AnyValue in JSON; nesting is bounded by protobuf's own limit."""
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "double_value":
            number = value.double_value
            # JSON has no word for these; protobuf's mapping writes them as text.
            return {"doubleValue": number if math.isfinite(number) else _NOT_FINITE[str(number)]}
        case "bytes_value":
            return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
        case "array_value":
            return {"arrayValue": {"values": [any_value(v) for v in value.array_value.values]}}
        case "kvlist_value":
            return {"kvlistValue": {"values": _attributes(value.kvlist_value.values)}}
        case _:
            return {}


def _is_id(raw: bytes, length: int) -> bool:
    return len(raw) == length and any(raw)
