from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.counters import Counters, CounterSeries, error_ratio

STEADY: CounterSeries = [(float(second), 10.0 + 2 * second) for second in range(10, 31)]


# By hand, from extrapolatedRate in Prometheus' promql/functions.go.
@pytest.mark.parametrize(
    ("at", "window", "rate"),
    [
        # Samples at 21…30 rise by 18 in 9 s; 0.1 s to the start, 0.5 s to the end: both reached.
        (30_500, 9_600, 18 * 9.6 / 9 / 9.6),
        # Samples at 24…30 rise by 12 in 6 s; the start is met exactly, the end is 3 s away, too
        # far: only half a sample distance is added.
        (33_000, 9_000, 12 * 6.5 / 6 / 9),
        # Samples at 10…13 rise by 6 in 3 s; the start is 7 s away: half a distance is added.
        (13_000, 10_000, 6 * 3.5 / 3 / 10),
        (31_000, 500, None),  # no sample
        (30_500, 1_000, None),  # one is no range
        (5_000, 3_000, None),
        (60_000, 10_000, None),
    ],
)
def test_a_rate_is_extrapolated_to_edges_that_are_near(
    at: int, window: int, rate: float | None
) -> None:
    found = Counters.of([STEADY]).rate(at, window)

    assert found == (None if rate is None else pytest.approx(rate))


def test_a_sample_on_the_left_edge_belongs_to_the_range_until_prometheus_3() -> None:
    two: CounterSeries = [(10.0, 0.0), (15.0, 5.0)]

    assert Counters.of([two]).rate(15_000, 5_000) == pytest.approx(1.0)
    assert Counters.of([two], left_open=True).rate(15_000, 5_000) is None


def test_a_young_counter_is_not_extrapolated_below_zero() -> None:
    # 1 → 11 in 10 s: at this slope it was born 1 s before its first sample, not 5.
    young: CounterSeries = [(5.0, 1.0), (10.0, 6.0), (15.0, 11.0)]

    assert pytest.approx(10 * 11 / 10 / 15) == Counters.of([young]).rate(15_000, 15_000)


def test_empty_series_are_left_out() -> None:
    assert () == Counters.of([[], []]).groups
    assert Counters.of([[]]).first is None
    assert Counters.of([[]]).last is None


def test_a_series_that_begins_after_the_span_adds_nothing_to_it() -> None:
    later: CounterSeries = [(100.0, 50.0), (101.0, 60.0)]

    assert pytest.approx(20) == Counters.of([STEADY, later]).increase(20_000, 30_000, gap=5_000)


def test_a_reset_counts_from_zero() -> None:
    reset: CounterSeries = [(10.0, 100.0), (11.0, 3.0), (12.0, 7.0)]

    assert pytest.approx(7) == Counters.of([reset]).increase(10_000, 12_000, gap=5_000)


def test_the_first_values_of_a_first_scrape_are_no_increase() -> None:
    # Two processes scraped half a second apart: the second is not born, it was merely read later.
    other: CounterSeries = [(at + 0.5, value) for at, value in STEADY]

    assert pytest.approx(80) == Counters.of([STEADY, other]).increase(9_000, 40_000, gap=5_000)


def test_a_gap_is_not_covered() -> None:
    holed: CounterSeries = [(10.0, 0.0), (11.0, 0.0), (20.0, 0.0), (21.0, 0.0)]

    assert 2_000 == Counters.of([holed]).covered(0, 30_000, gap=5_000)
    assert 500 == Counters.of([holed]).covered(10_500, 15_000, gap=5_000)


def test_a_ratio_needs_both_sides_and_traffic() -> None:
    steady, nothing = Counters.of([STEADY]), Counters.of([])
    idle = Counters.of([[(at, 5.0) for at, _ in STEADY]])

    assert error_ratio(nothing, steady, 30_000, 10_000) is None
    assert error_ratio(idle, idle, 30_000, 10_000) is None
    assert error_ratio(idle, steady, 30_000, 10_000) == 1.0
    assert error_ratio(steady, steady, 30_000, 10_000) == 0.0


increments = st.lists(st.integers(0, 9), min_size=3, max_size=40)


@given(steps=increments, restart=st.integers(1, 39))
def test_a_restart_loses_no_events(steps: list[int], restart: int) -> None:
    whole, cut, value, kept = [], [], 0, 0
    for second, more in enumerate(steps):
        value += more
        kept = more if second == restart else kept + more
        whole.append((float(second), float(value)))
        cut.append((float(second), float(kept)))

    span = (0, len(steps) * 1000)

    # A restart shows only if the counter falls; where it does not, no reader can know.
    before = sum(steps[:restart])
    seen = restart >= len(steps) or steps[restart] < before or before == 0
    difference = Counters.of([whole]).increase(*span, gap=5_000) - Counters.of([cut]).increase(
        *span, gap=5_000
    )
    assert 0 == difference if seen else difference >= 0


@given(steps=increments)
def test_a_rate_is_never_negative_and_grows_with_its_series(steps: list[int]) -> None:
    series: list[tuple[float, float]] = []
    for second, more in enumerate(steps):
        series.append((float(second), (series[-1][1] if series else 0.0) + more))
    at, window = (len(steps) - 1) * 1000, 20_000

    one, two = (
        Counters.of([series]).rate(at, window),
        Counters.of([series, series]).rate(at, window),
    )

    assert one is not None and two is not None
    assert one >= 0
    assert two == pytest.approx(2 * one)
