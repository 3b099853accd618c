"""The source of traces, on what answers as Tempo's documents say it does.

Its ids are bytes as protobuf's JSON writes them, its enums names, its answer to a search a list of
summaries; and it looks at whole seconds.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gameday.drivers.tempo import TempoTraces
from gameday.errors import PermanentDriverError
from gameday.http.credentials import Credentials
from gameday.ports import TraceSource
from gameday.testing.contracts import TracedShop, TraceSourceContract

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONDITION = re.compile(
    r'^\{ resource\.service\.name = "(?P<service>[^"]*)"'
    r"(?: && duration >= (?P<us>\d+)us)?(?P<failed> && status = error)? \}$"
)


class Shop(TracedShop):
    """Two services whose traces are kept as Tempo hands them out."""

    def __init__(self, *, first: str = "/api/v2/traces") -> None:
        mark = secrets.token_hex(4)
        self.front, self.back = f"front-{mark}", f"back-{mark}"
        self.started_at = NOON
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[httpx.Request] = []
        self._first = first

    def source(self) -> TraceSource:
        return TempoTraces("http://tempo", transport=httpx.MockTransport(self.answer))

    def unreachable(self) -> TraceSource:
        return TempoTraces("http://127.0.0.1:1", pause=timedelta(0))

    def request(self, at: timedelta, duration: timedelta, *, failed: bool = False) -> str:
        trace, outer, inner = (
            secrets.token_bytes(16),
            secrets.token_bytes(8),
            secrets.token_bytes(8),
        )
        start = round((self.started_at + at).timestamp() * 10**9)
        length = round(duration.total_seconds() * 10**9)
        status = {"code": "STATUS_CODE_ERROR", "message": "no stock"} if failed else {}
        attributes = [{"key": "http.response.status_code", "value": {"intValue": "200"}}]
        self.kept[trace.hex()] = [
            self._group(self.front, trace, outer, None, "POST /orders", start, length)
            | {"status": status, "attributes": attributes},
            self._group(self.back, trace, inner, outer, "POST /orders", start, length // 2),
        ]
        return trace.hex()

    def _group(
        self,
        service: str,
        trace: bytes,
        span: bytes,
        parent: bytes | None,
        name: str,
        start: int,
        length: int,
    ) -> dict[str, Any]:
        def text(id: bytes) -> str:
            return base64.b64encode(id).decode()

        return {
            "service": service,
            "traceId": text(trace),
            "spanId": text(span),
            **({"parentSpanId": text(parent)} if parent else {}),
            "name": name,
            "kind": "SPAN_KIND_SERVER",
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + length),
            "status": {},
        }

    # --- the server ---------------------------------------------------------------------------

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        if path == "/api/search":
            return httpx.Response(200, json={"traces": self._found(request), "metrics": {}})
        if not path.startswith(f"{self._first}/"):
            return httpx.Response(404, text="404 page not found")
        spans = self.kept.get(path.rpartition("/")[2])
        if spans is None:
            return httpx.Response(404)
        groups = [
            {
                "resource": {
                    "attributes": [
                        {"key": "service.name", "value": {"stringValue": span["service"]}},
                        {"key": "cloud.region", "value": {"stringValue": "eu-west"}},
                    ]
                },
                "scopeSpans": [{"spans": [{k: v for k, v in span.items() if k != "service"}]}],
            }
            for span in spans
        ]
        if self._first == "/api/traces":
            return httpx.Response(200, json={"batches": groups})
        return httpx.Response(200, json={"trace": {"resourceSpans": groups}, "metrics": {}})

    def _found(self, request: httpx.Request) -> list[dict[str, Any]]:
        said = request.url.params
        asked = CONDITION.match(said["q"])
        assert asked is not None, said["q"]

        def fits(span: dict[str, Any]) -> bool:
            start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
            return (
                span["service"] == asked["service"]
                and int(said["start"]) * 10**9 <= start < int(said["end"]) * 10**9
                and (end - start) // 1000 >= int(asked["us"] or 0)
                and (not asked["failed"] or span["status"].get("code") == "STATUS_CODE_ERROR")
            )

        ids = [i for i, spans in self.kept.items() if any(fits(s) for s in spans)]
        return [{"traceID": i.lstrip("0")} for i in ids][: int(said["limit"])]


class TestTempoTraces(TraceSourceContract):
    @pytest.fixture
    def subject(self) -> Shop:
        return Shop()


class TestTracesOfAnOlderTempo(TraceSourceContract):
    @pytest.fixture
    def subject(self) -> Shop:
        return Shop(first="/api/traces")


# --- what is asked, and answers that are none -------------------------------------------------


async def test_a_span_within_a_second_is_asked_for_in_whole_ones() -> None:
    shop = Shop()

    await shop.source().search(
        service="shop", since=NOON + timedelta(seconds=0.4), until=NOON + timedelta(seconds=0.6)
    )

    (asked,) = shop.asked
    seconds = round(NOON.timestamp())
    assert (str(seconds), str(seconds + 1)) == (asked.url.params["start"], asked.url.params["end"])


async def test_the_tenant_and_the_token_are_shown() -> None:
    shop = Shop()
    credentials = Credentials({"X-Scope-OrgID": "books", "Authorization": "Bearer HUNTER2"})
    source = TempoTraces(
        "http://tempo", credentials=credentials, transport=httpx.MockTransport(shop.answer)
    )

    await source.search(service="shop", since=NOON, until=NOON)

    (asked,) = shop.asked
    assert ("books", "Bearer HUNTER2") == (
        asked.headers["X-Scope-OrgID"],
        asked.headers["Authorization"],
    )


def answers(body: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, text=body)


@pytest.mark.parametrize(
    "body",
    [
        "<html>Welcome</html>",
        json.dumps({"traces": [{}]}),
        json.dumps({"traces": [{"traceID": "../services"}]}),
        json.dumps([]),
    ],
)
async def test_what_is_no_tempo_is_a_permanent_error(body: str) -> None:
    source = TempoTraces("http://tempo", transport=httpx.MockTransport(answers(body)))

    with pytest.raises(PermanentDriverError):
        await source.search(service="shop", since=NOON, until=NOON)


@pytest.mark.parametrize(
    "body", ["<html>Welcome</html>", json.dumps({"batches": [{"scopeSpans": [{"spans": [{}]}]}]})]
)
async def test_a_trace_that_is_none_is_a_permanent_error(body: str) -> None:
    source = TempoTraces("http://tempo", transport=httpx.MockTransport(answers(body)))

    with pytest.raises(PermanentDriverError):
        await source.trace("1" * 32)


def test_the_link_into_tempo_is_read_back_by_who_follows_it() -> None:
    from opened_drill import SLO

    from gameday.diagnosis.links import TraceSearch
    from gameday.incidents.deeplinks import Tools, traces
    from gameday.model.service_names import ServiceNames

    tools = Tools(
        "http://prom",
        "http://tempo/prefix",
        is_tempo=True,
        traced_as=ServiceNames({SLO.service: 'gate"way'}),
    )
    until = NOON + timedelta(minutes=1)

    link = traces(tools, SLO, since=NOON, until=until, slower=timedelta(milliseconds=250))

    assert "/prefix/api/search" == urlsplit(link).path
    assert "20" == parse_qs(urlsplit(link).query)["limit"][0]
    assert TraceSearch(
        "http://tempo/prefix", 'gate"way', NOON, until, timedelta(milliseconds=250)
    ) == TraceSearch.parse(link)
