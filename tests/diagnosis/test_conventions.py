"""Rate, errors and duration are asked for as the metrics of a convention are called."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.diagnosis.conventions import PRESETS, SHOP, Convention
from gameday.diagnosis.red import Signal, signal_of
from gameday.model.system import RedPreset
from gameday.spec.system import PRESETS as READ

MINUTE = timedelta(minutes=1)


def test_the_presets_that_a_document_may_name_are_those_there_are() -> None:
    assert set(READ) == set(PRESETS)


def test_haproxy_is_asked_by_the_names_of_its_own_exporter() -> None:
    answers = "haproxy_backend_http_responses_total"

    assert (
        f'sum by (proxy, code) (rate({answers}{{proxy="pages"}}[60s]))',
        f'sum by (proxy) (rate({answers}{{proxy="pages",code="5xx"}}[60s]))'
        f' / sum by (proxy) (rate({answers}{{proxy="pages"}}[60s]))',
        'max by (proxy) (haproxy_backend_total_time_average_seconds{proxy="pages"})',
    ) == PRESETS[RedPreset.HAPROXY].of("pages", window=MINUTE)


@pytest.mark.parametrize("convention", [SHOP, *PRESETS.values()])
def test_each_expression_is_read_as_what_it_draws(convention: Convention) -> None:
    drawn = [signal_of(e) for e in convention.of("pages", window=MINUTE)]

    assert [Signal.RATE, Signal.ERRORS, Signal.DURATION] == drawn


def test_own_queries_are_filled_in_and_what_is_not_measured_is_left_out() -> None:
    own = Convention('sum(rate(requests{{label}="{service}"}[{window}]))', "", "", label="app")

    assert ('sum(rate(requests{app="a\\"b"}[1s]))',) == own.of('a"b', window=timedelta(0))
