"""Plain HTML for people: where the traces and profile links of a page lead. No scripts.

Addresses and parameters are those of Jaeger's and Pyroscope's own pages, so that a deeplink
made for one works with the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gameday.sandbox.telemetry.intake import Refusal
from gameday.sandbox.telemetry.profiles import DEFAULT_TYPE, Merged
from gameday.sandbox.telemetry.selector import parse_duration, parse_selector, split_query
from gameday.sandbox.telemetry.spans import (
    KINDS,
    SpanQuery,
    StoredSpan,
    StoredTrace,
    any_value,
)

if TYPE_CHECKING:
    from gameday.sandbox.telemetry.app import Stores

_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem;color:#1b1f24;background:#fff}
h1{font-size:1.2rem}a{color:#0b57d0}code{font-size:.9em}
table{border-collapse:collapse;width:100%}
td,th{padding:.2rem .6rem .2rem 0;text-align:left;border-bottom:1px solid #e3e6ea;
vertical-align:top}
.n{text-align:right;white-space:nowrap}.e{color:#b3261e;font-weight:600}
.lane{position:relative;height:1.1rem;background:#f3f5f7;min-width:20rem}
.bar{position:absolute;top:.15rem;height:.8rem;background:#6b9bd1;min-width:2px}
.bulk .bar{background:#d9822b}.bulk td:first-child{font-weight:600}
.ice{position:relative;width:100%}
.ice div{position:absolute;height:1.2rem;overflow:hidden;white-space:nowrap;font-size:.75rem;
border:1px solid #fff;box-sizing:border-box;padding:0 .2rem}
form{margin:.6rem 0}input{margin-right:.8rem}
"""
_COLOURS = ("#f2c48d", "#efb079", "#f3d19c", "#e9a36b", "#f5dcb3")
_MAX_ROWS = 500
_MAX_DEPTH = 120


class Pages:
    """The pages; every text from outside is escaped."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def home(self, request: Request) -> Response:
        """List the services, with a search for each."""
        rows = [
            f"<tr><td>{escape(name)}</td>"
            f'<td><a href="{_href("/search", service=name)}">traces</a></td>'
            f'<td><a href="{_href("/pyroscope", query=_query(name))}">profile</a></td></tr>'
            for name in self._stores.spans.services()
        ]
        return _page("Telemetry", f"<table>{''.join(rows)}</table>" if rows else "<p>Nothing yet.")

    async def search(self, request: Request) -> Response:
        """List a service's traces; ``start`` and ``end`` in microseconds, as in Jaeger's page."""
        params = request.query_params
        service = params.get("service", "")
        now = self._stores.now()
        until = _number(params.get("end"), now // 1000) * 1000
        since = _number(params.get("start"), until // 1000 - 15 * 60 * 10**6) * 1000
        shortest = params.get("minDuration", "")
        limit = max(1, min(_number(params.get("limit"), 20), _MAX_ROWS))
        found = self._stores.spans.find(
            SpanQuery(
                service=service,
                since=since,
                until=until,
                depth=limit,
                duration_min=parse_duration(shortest) if shortest else 0,
            )
        )
        rows = [_trace_row(trace) for trace in found]
        table = (
            "<table><tr><th>Trace<th>Start<th>Request<th class=n>Duration<th class=n>Spans"
            f"<th>Services<th>Bulk of the time</tr>{''.join(rows)}</table>"
            if rows
            else "<p>No trace matches."
        )
        longer = f", at least {escape(shortest)}" if shortest else ""
        span = f"{_time(since)} to {_time(until)}"
        return _page(
            f"Traces of {service or 'all services'}",
            f"<p>{span}{longer}; newest {limit} at most.</p>{table}",
        )

    async def trace(self, request: Request) -> Response:
        """Draw one trace as a waterfall; the span that holds the bulk of the time is marked."""
        from gameday.sandbox.telemetry.app import parse_trace_id

        trace_id = parse_trace_id(request.path_params["trace_id"])
        trace = self._stores.spans.get(trace_id)
        if trace is None:
            raise Refusal(f"Trace {trace_id} is not here; it may be too old.", status=404)
        begin = min(span.start for span in trace.spans)
        whole = max(1, max(span.end for span in trace.spans) - begin)
        own = _own_times(trace.spans)
        bulk = max(range(len(own)), key=lambda i: own[i])
        order = sorted(range(len(own)), key=lambda i: trace.spans[i].start)[:_MAX_ROWS]
        depths = _depths(trace.spans)
        rows = "".join(
            _span_row(trace.spans[i], own[i], depths[i], begin, whole, is_bulk=i == bulk)
            for i in order
        )
        heaviest = trace.spans[bulk]
        profile = _href(
            "/pyroscope",
            query=_query(heaviest.origin.service),
            trace_id=trace_id,
            **{"from": str(begin // 10**6 - 15_000), "until": str(heaviest.end // 10**6 + 15_000)},
        )
        return _page(
            f"Trace {trace_id}",
            f"<p>{_time(begin)}, {_ms(whole)}. Bulk of the time: "
            f"<b>{escape(heaviest.origin.service)}: {escape(heaviest.name)}</b>, "
            f"{_ms(own[bulk])} of its own. "
            f'<a href="{profile}">Profile of {escape(heaviest.origin.service)} in this trace</a>'
            f"</p><table><tr><th>Span<th>Kind<th class=n>Duration<th class=n>Own time<th>"
            f"Time line<th>Attributes</tr>{rows}</table>",
        )

    async def profile(self, request: Request) -> Response:
        """Draw a profile as an icicle, root on top; ``from`` and ``until`` in milliseconds."""
        from gameday.sandbox.telemetry.app import parse_relative, parse_trace_id

        params = request.query_params
        now = self._stores.now()
        query, trace_id = params.get("query", ""), params.get("trace_id", "").strip()
        profile_type, selector = split_query(query)
        since = parse_relative(params.get("from", "now-15m"), now)
        until = parse_relative(params.get("until", "now"), now)
        merged = self._stores.profiles.merge(
            parse_selector(selector),
            since=since,
            until=until,
            profile_type=DEFAULT_TYPE if profile_type in {"", "process_cpu"} else profile_type,
            trace_ids=[parse_trace_id(trace_id)] if trace_id else [],
        )
        hidden = "".join(
            f'<input type=hidden name="{name}" value="{escape(params.get(name, ""))}">'
            for name in ("query", "from", "until")
            if name in params
        )
        form = (
            f"<form>{hidden}<label>Trace id <input name=trace_id size=34 "
            f'value="{escape(trace_id)}"></label><button>Filter</button></form>'
        )
        body = (
            _icicle(merged) + _leaf_table(merged)
            if merged
            else "<p>No sample here: nothing ran or waited in Python code, or the agent has not "
            "pushed yet (it does every few seconds)."
        )
        of_trace = f", trace {escape(trace_id)}" if trace_id else ""
        return _page(
            f"Profile {query}",
            f"<p>{_time(since)} to {_time(until)}{of_trace}. Wall clock: waiting counts.</p>"
            f"{form}{body}",
        )

    def error(self, refusal: Refusal) -> Response:
        """Say what is wrong with an address."""
        return _page("That cannot be shown", f"<p>{escape(str(refusal))}</p>", refusal.status)


def _page(title: str, body: str, status: int = 200) -> Response:
    head = f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8>{head}"
        f'<p><a href="/">Telemetry</a></p><h1>{escape(title)}</h1>{body}</html>',
        status_code=status,
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


def _trace_row(trace: StoredTrace) -> str:
    begin = min(span.start for span in trace.spans)
    whole = max(span.end for span in trace.spans) - begin
    own = _own_times(trace.spans)
    heaviest = trace.spans[max(range(len(own)), key=lambda i: own[i])]
    first = min(trace.spans, key=lambda span: (span.start, -span.end))
    services = sorted({span.origin.service for span in trace.spans})
    failed = any(span.decode().status.code == 2 for span in trace.spans)
    mark = '<span class="e">failed</span> ' if failed else ""
    return (
        f'<tr><td><a href="/trace/{trace.id}"><code>{trace.id[:8]}</code></a>'
        f"<td>{_time(begin)}<td>{mark}{escape(first.origin.service)}: {escape(first.name)}"
        f"<td class=n>{_ms(whole)}<td class=n>{len(trace.spans)}"
        f"<td>{escape(', '.join(services))}"
        f"<td>{escape(heaviest.origin.service)}: {escape(heaviest.name)}</tr>"
    )


def _span_row(
    span: StoredSpan, own: int, depth: int, begin: int, whole: int, *, is_bulk: bool
) -> str:
    decoded = span.decode()
    left = 100 * (span.start - begin) / whole
    width = 100 * (span.end - span.start) / whole
    failed = ' <span class="e">failed</span>' if decoded.status.code == 2 else ""
    attributes = "<br>".join(
        f"{escape(pair.key)} = {escape(_plain(any_value(pair.value)))}"
        for pair in decoded.attributes
    )
    return (
        f"<tr{' class=bulk' if is_bulk else ''}>"
        f'<td style="padding-left:{min(depth, 30)}rem">{escape(span.origin.service)}: '
        f"{escape(span.name)}{failed}<td>{KINDS[span.kind]}"
        f"<td class=n>{_ms(span.end - span.start)}<td class=n>{_ms(own)}"
        f'<td><div class=lane><div class=bar style="left:{left:.2f}%;width:{width:.2f}%">'
        f"</div></div><td><details><summary>{len(decoded.attributes)}</summary>"
        f"{attributes}</details></tr>"
    )


def _own_times(spans: Sequence[StoredSpan]) -> list[int]:
    """Return each span's time not covered by its children, in nanoseconds."""
    ids, parents = _links(spans)
    children: dict[int, list[tuple[int, int]]] = {}
    for i, parent in enumerate(parents):
        if parent in ids and ids[parent] != i:
            outer = spans[ids[parent]]
            start, end = max(spans[i].start, outer.start), min(spans[i].end, outer.end)
            if end > start:
                children.setdefault(ids[parent], []).append((start, end))
    return [span.end - span.start - _covered(children.get(i, ())) for i, span in enumerate(spans)]


def _covered(intervals: Iterable[tuple[int, int]]) -> int:
    covered, reached = 0, 0
    for start, end in sorted(intervals):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def _depths(spans: Sequence[StoredSpan]) -> list[int]:
    ids, parents = _links(spans)
    depths = []
    for i in range(len(spans)):
        depth, at, seen = 0, i, {i}
        while parents[at] in ids and ids[parents[at]] not in seen:
            at = ids[parents[at]]
            seen.add(at)
            depth += 1
        depths.append(depth)
    return depths


def _links(spans: Sequence[StoredSpan]) -> tuple[dict[bytes, int], list[bytes]]:
    decoded = [span.decode() for span in spans]
    return (
        {d.span_id: i for i, d in enumerate(decoded)},
        [d.parent_span_id for d in decoded],
    )


def _icicle(merged: Merged) -> str:
    """Return nested boxes as one positioned layer per depth; widths in percent of the whole."""
    total = sum(merged.values()) or 1
    boxes: dict[tuple[str, ...], list[int]] = {}
    order = sorted(merged, key=lambda frames: [frame.function for frame in frames])
    at = 0
    deepest = 0
    for frames in order:
        value = merged[frames]
        for depth in range(min(len(frames), _MAX_DEPTH)):
            path = tuple(frame.function for frame in frames[: depth + 1])
            box = boxes.setdefault(path, [at, 0])
            box[1] += value
            deepest = max(deepest, depth)
        at += value
    drawn = "".join(
        f'<div title="{escape(path[-1])} {_ms(width)} ({width / total:.1%})" '
        f'style="top:{(len(path) - 1) * 1.2:.1f}rem;left:{100 * left / total:.3f}%;'
        f'width:{100 * width / total:.3f}%;background:{_COLOURS[len(path) % len(_COLOURS)]}">'
        f"{escape(path[-1])}</div>"
        for path, (left, width) in boxes.items()
        if width / total >= 0.001
    )
    return f'<div class=ice style="height:{(deepest + 1) * 1.2:.1f}rem">{drawn}</div>'


def _leaf_table(merged: Merged) -> str:
    total = sum(merged.values()) or 1
    leaves: dict[tuple[str, str, int], int] = {}
    for frames, value in merged.items():
        if frames:
            leaves[frames[-1]] = leaves.get(frames[-1], 0) + value
    rows = "".join(
        f"<tr><td>{escape(function)}<td><code>{escape(file)}:{line}</code>"
        f"<td class=n>{_ms(value)}<td class=n>{value / total:.1%}</tr>"
        for (function, file, line), value in sorted(leaves.items(), key=lambda p: -p[1])[:20]
    )
    return (
        "<h1>Widest leaf frames</h1><table><tr><th>Function<th>Where<th class=n>Time"
        f"<th class=n>Share</tr>{rows}</table>"
    )


def _plain(value: dict[str, object]) -> str:
    return str(next(iter(value.values()), ""))


def _query(service: str) -> str:
    quoted = service.replace("\\", "\\\\").replace('"', '\\"')
    return f'process_cpu{{service_name="{quoted}"}}'


def _href(path: str, **params: str) -> str:
    return escape(f"{path}?{urlencode(params)}")


def _number(text: str | None, default: int) -> int:
    if text is None or text == "":
        return default
    if len(text) > 19 or not (text.isascii() and text.isdigit()):
        raise Refusal(f"{text[:40]!r} is not a whole number")
    return int(text)


def _time(nanoseconds: int) -> str:
    seconds = nanoseconds / 10**9
    if not 0 <= seconds < 253_402_300_800:  # the year 10000, where datetime ends
        return "an impossible time"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 10**6:,.1f} ms"
