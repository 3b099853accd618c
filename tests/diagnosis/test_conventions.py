"""Rate, errors and duration are asked for as the metrics of a convention are called."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gameday.diagnosis.conventions import PRESETS, Convention, MetricNames, ServiceLabel
from gameday.diagnosis.queries import RedQueries
from gameday.diagnosis.red import Signal
from gameday.model.red import Histograms, RedPreset

MINUTE = timedelta(minutes=1)
ONE = Convention((ServiceLabel("app"),), (MetricNames("status", "5..", "took_seconds"),))


def asked(convention: Convention, histograms: Histograms = Histograms.CLASSIC) -> list[str]:
    return list(convention.queries(histograms).of("pages", window=MINUTE).values())


def test_there_are_queries_for_every_preset_that_a_document_may_name() -> None:
    assert set(RedPreset) == set(PRESETS)


@pytest.mark.parametrize("preset", RedPreset)
def test_every_preset_says_which_expression_draws_what(preset: RedPreset) -> None:
    queries = PRESETS[preset].queries().of("pages", window=MINUTE)

    assert list(Signal) == list(queries)


def test_classic_histograms_are_read_by_their_buckets() -> None:
    assert [
        'sum by (region, status) (rate(took_seconds_count{app="pages"}[60s]))',
        'sum by (region) (rate(took_seconds_count{app="pages",status=~"5.."}[60s]))'
        ' / sum by (region) (rate(took_seconds_count{app="pages"}[60s]))',
        "histogram_quantile(0.9, sum by (region, le)"
        ' (rate(took_seconds_bucket{app="pages"}[60s])))',
    ] == asked(ONE)


def test_native_histograms_are_read_whole() -> None:
    count = 'histogram_count(rate(took_seconds{app="pages"}[60s]))'
    failed = 'histogram_count(rate(took_seconds{app="pages",status=~"5.."}[60s]))'

    assert [
        f"sum by (region, status) ({count})",
        f"sum by (region) ({failed}) / sum by (region) ({count})",
        'histogram_quantile(0.9, sum by (region) (rate(took_seconds{app="pages"}[60s])))',
    ] == asked(ONE, Histograms.NATIVE)


def test_without_histograms_the_duration_is_a_mean_and_said_to_be_one() -> None:
    queries = ONE.queries(Histograms.NONE)

    assert (
        'sum by (region) (rate(took_seconds_sum{app="pages"}[60s]))'
        ' / sum by (region) (rate(took_seconds_count{app="pages"}[60s]))'
    ) == queries.of("pages", window=MINUTE)[Signal.DURATION]
    assert (
        "duration is the mean of a window: a few slow requests hardly move it",
    ) == queries.notes


def test_haproxy_is_asked_by_the_names_of_its_own_exporter() -> None:
    answers = "haproxy_backend_http_responses_total"

    assert [
        f'sum by (region, code) (rate({answers}{{proxy="pages"}}[60s]))',
        f'sum by (region) (rate({answers}{{proxy="pages",code="5xx"}}[60s]))'
        f' / sum by (region) (rate({answers}{{proxy="pages"}}[60s]))',
        'max by (region) (haproxy_backend_total_time_average_seconds{proxy="pages"})',
    ] == asked(PRESETS[RedPreset.HAPROXY])


def test_of_several_labels_the_first_that_a_series_has_counts() -> None:
    labels = (ServiceLabel("owner"), ServiceLabel("job", before="(.+/)?"))
    two = Convention(labels, ONE.metrics)

    assert (
        'sum by (region, status) (rate(took_seconds_count{owner="pages"}[60s])'
        ' or rate(took_seconds_count{owner="",job=~"(.+/)?pages"}[60s]))'
    ) == asked(two)[0]


def test_of_several_names_the_first_that_a_region_has_count() -> None:
    other = MetricNames("code", "5", "took_ms", per_second=1000)
    two = Convention(ONE.services, (*ONE.metrics, other))

    assert (
        'sum by (region) (rate(took_seconds_count{app="pages"}[60s]))'
        ' or sum by (region) (rate(took_ms_count{app="pages"}[60s]))'
    ) == asked(two)[0]


def test_milliseconds_are_drawn_as_seconds() -> None:
    assert asked(PRESETS[RedPreset.ENVOY])[2].endswith("[60s]))) / 1000")


def test_a_label_of_the_documents_takes_the_place_of_the_usual_ones() -> None:
    queries = PRESETS[RedPreset.TRAEFIK].queries(label="backend")

    assert (
        'sum by (region, code) (rate(traefik_service_requests_total{backend="pages"}[60s]))'
        == queries.of("pages", window=MINUTE)[Signal.RATE]
    )


def test_regions_are_told_apart_by_the_label_that_is_named_and_drawn_under_their_own() -> None:
    queries = replace(PRESETS[RedPreset.HAPROXY].queries(), region="zone")

    answers = 'rate(haproxy_backend_http_responses_total{proxy="pages"}[60s])'
    assert (
        f'label_replace(sum by (zone, code) ({answers}), "region", "$1", "zone", "(.+)")'
        == queries.of("pages", window=MINUTE)[Signal.RATE]
    )


def test_own_queries_may_name_the_label_of_regions() -> None:
    own = RedQueries("sum by ({region}) (rate(visits[{window}]))")

    assert "sum by (region) (rate(visits[60s]))" == own.of("pages", window=MINUTE)[Signal.RATE]


def test_own_queries_are_filled_in_and_what_is_not_measured_is_left_out() -> None:
    own = RedQueries('sum(rate(requests{{label}="{service}"}[{window}]))', label="app")

    assert {Signal.RATE: 'sum(rate(requests{app="a\\"b"}[1s]))'} == own.of(
        'a"b', window=timedelta(0)
    )


def test_a_name_inside_a_pattern_stands_for_itself() -> None:
    own = RedQueries('sum(rate(requests{job=~"(.+/)?{service_pattern}"}[{window}]))')

    assert {Signal.RATE: r'sum(rate(requests{job=~"(.+/)?a\\.b\\|c-1"}[60s]))'} == own.of(
        "a.b|c-1", window=MINUTE
    )
