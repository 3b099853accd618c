"""Calls whose span knows an address only are laid at the door of who answers there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.peers import named
from gameday.diagnosis.suspicion import accuse
from gameday.model.signals import Span, Trace

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NEW = {"url.full": "http://10.0.0.7:8080/get", "server.address": "10.0.0.7", "server.port": 8080}
OLD = {"http.url": "http://10.0.0.7:8080/get"}
GRPC = {"net.peer.name": "stock", "net.peer.port": 9000}


def call(
    number: int,
    attributes: Mapping[str, object],
    *,
    answered_by: str = "",
    took: float = 0.01,
    error: bool = False,
) -> Trace:
    """A request of the gateway's to somebody, who left a span where it is said who."""
    at = NOON + timedelta(seconds=number)
    whole = timedelta(seconds=took)
    ids = f"{number:032x}"
    spans = [
        Span(ids, "a", None, "GET", "client", "gateway", at, whole, error, attributes),
        Span(ids, "b", "a", "GET /get", "server", answered_by, at, whole / 2),
    ]
    return Trace(ids, tuple(spans if answered_by else spans[:1]))


def peer(trace: Trace) -> object:
    return trace.spans[0].attributes.get("peer.service")


@pytest.mark.parametrize("attributes", [NEW, OLD, GRPC], ids=["new", "old", "grpc"])
def test_who_answers_is_told_by_calls_that_were_answered(attributes: Mapping[str, object]) -> None:
    (silent,), (answered,) = named(
        [call(1, attributes, error=True)], [call(0, attributes, answered_by="httpbin")]
    )

    assert ("httpbin", "httpbin") == (peer(silent), peer(answered))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (NEW, "10.0.0.7"),
        (OLD, "10.0.0.7"),
        (GRPC, "stock"),
        ({"url.full": "http://payments.example/charge"}, "payments.example"),
        ({"url.full": "http://u:p@payments.example/charge"}, "payments.example"),
        ({**NEW, "peer.service": "stock"}, "stock"),
        ({"db.system.name": "postgresql", "server.address": "10.0.0.9"}, None),
        ({"url.full": "http://[", "rpc.service": "Stock"}, None),
        ({}, None),
    ],
)
def test_one_that_nobody_knows_keeps_its_name_or_its_host(
    attributes: Mapping[str, object], expected: str | None
) -> None:
    ((trace,),) = named([call(1, attributes)])

    assert expected == peer(trace)


def test_where_several_answer_at_one_address_it_is_the_one_that_mostly_does() -> None:
    traces = [call(n, NEW, answered_by="httpbin") for n in range(3)]
    traces += [call(9, NEW, answered_by="canary"), call(10, OLD)]

    (found,) = named(traces)

    assert {"httpbin"} == {peer(trace) for trace in found}


def test_a_server_that_answers_nobody_any_more_is_accused_by_its_name() -> None:
    quiet = [call(n, NEW, answered_by="httpbin") for n in range(6)]
    bad = [call(20 + n, NEW, took=0.5, error=True) for n in range(6)]

    suspect = accuse(bad, quiet)

    assert suspect is not None
    assert Hop("gateway", "httpbin") == suspect.place
    assert suspect.errors and suspect.bulk_ratio > 0.9
