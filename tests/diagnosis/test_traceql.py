"""TraceQL as it is asked, and as it is read back out of a link."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.diagnosis.traceql import duration_in, service_in, spans_of


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (spans_of("shop"), '{ resource.service.name = "shop" }'),
        (
            spans_of("shop", at_least=timedelta(milliseconds=100), errors_only=True),
            '{ resource.service.name = "shop" && duration >= 100000us && status = error }',
        ),
        (spans_of('a"b\\c'), '{ resource.service.name = "a\\"b\\\\c" }'),
        (spans_of("shop", at_least=timedelta(0)), '{ resource.service.name = "shop" }'),
    ],
)
def test_spans_are_asked_for_in_traceql(asked: str, expected: str) -> None:
    assert expected == asked


@pytest.mark.parametrize("service", ["shop", 'a"b\\c', "with space"])
def test_what_is_asked_is_read_back(service: str) -> None:
    query = spans_of(service, at_least=timedelta(milliseconds=250))

    assert (service, "250000us") == (service_in(query), duration_in(query))


def test_what_a_query_does_not_ask_is_not_read_out_of_it() -> None:
    assert (None, "") == (service_in("{ status = error }"), duration_in("{ status = error }"))
