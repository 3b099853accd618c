"""Traces as OTLP writes them in JSON, which every store of traces hands out in some dress."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gameday.model.signals import Span, Trace

__all__ = ["traces"]

_KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def traces(result: Mapping[str, Any]) -> list[Trace]:
    """Return the traces of a TracesData, each ordered by start; newest trace first.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: it is none.
    """
    spans: dict[str, list[Span]] = {}
    for group in result.get("resourceSpans") or ():
        resource = _attributes((group.get("resource") or {}).get("attributes"))
        for scoped in group.get("scopeSpans") or group.get("instrumentationLibrarySpans") or ():
            for raw in scoped.get("spans") or ():
                span = _read_span(raw, resource)
                spans.setdefault(span.trace_id, []).append(span)
    found = [
        Trace(trace_id, tuple(sorted(of_it, key=lambda s: (s.started_at, -s.duration))))
        for trace_id, of_it in spans.items()
    ]
    return sorted(found, key=lambda trace: trace.spans[0].started_at, reverse=True)


def _read_span(raw: Mapping[str, Any], resource: Mapping[str, object]) -> Span:
    start = int(raw["startTimeUnixNano"])
    end = int(raw.get("endTimeUnixNano") or start)
    return Span(
        trace_id=_id(raw["traceId"], 16),
        span_id=_id(raw["spanId"], 8),
        parent_id=_id(raw["parentSpanId"], 8) if raw.get("parentSpanId") else None,
        name=str(raw.get("name", "")),
        kind=_kind(raw.get("kind", 0)),
        service=str(resource.get("service.name", "unknown_service")),
        started_at=_EPOCH + timedelta(microseconds=start // 1000),
        duration=timedelta(microseconds=max(0, end - start) / 1000),
        error=(raw.get("status") or {}).get("code") in {2, "STATUS_CODE_ERROR"},
        attributes=_attributes(raw.get("attributes")),
        resource=resource,
    )


def _kind(value: object) -> str:
    # OTLP's JSON has enums as numbers; some servers write their names.
    if isinstance(value, str):
        name = value.removeprefix("SPAN_KIND_").lower()
        return name if name in _KINDS else "internal"
    return _KINDS[value] if isinstance(value, int) and 0 <= value < len(_KINDS) else "internal"


def _attributes(pairs: Iterable[Mapping[str, Any]] | None) -> dict[str, object]:
    return {str(pair["key"]): _value(pair.get("value") or {}) for pair in pairs or ()}


def _value(value: Mapping[str, Any]) -> object:
    for kind, content in value.items():
        match kind:
            case "intValue":
                return int(content)
            case "doubleValue":
                return float(content)
            case "arrayValue":
                return [_value(v) for v in content.get("values") or ()]
            case "kvlistValue":
                return _attributes(content.get("values"))
            case _:
                return content  # stringValue, boolValue, bytesValue (base64)
    return None


def _id(value: object, size: int) -> str:
    """Return an id in hex digits: as OTLP has it, or as protobuf's own JSON writes bytes."""
    text = str(value)
    if re.fullmatch(f"[0-9a-fA-F]{{1,{2 * size}}}", text):
        return text.lower()
    return base64.b64decode(text, validate=True).hex()
