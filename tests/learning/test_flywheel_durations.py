"""How long incidents take, whether that changed, and what could have been seen."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gameday.learning.flywheel.durations import (
    change_between,
    log_of,
    paired_change,
    smallest_visible_ratio,
    spread_of,
)
from gameday.model.duration_trend import Trend


def logs(*values: float) -> Sequence[float]:
    """Return the logarithms of spans of so many minutes."""
    return [log_of(timedelta(minutes=v)) for v in values]


def minutes(*values: float) -> Sequence[timedelta]:
    return [timedelta(minutes=v) for v in values]


def of(spans: Sequence[timedelta]) -> Sequence[float]:
    return [log_of(span) for span in spans]


def drawn(seed: int, count: int, *, median: float = 45, spread: float = 1.25) -> list[timedelta]:
    rng = random.Random(seed)
    return [timedelta(minutes=median * math.exp(rng.gauss(0, spread))) for _ in range(count)]


def test_of_nothing_there_is_no_spread() -> None:
    assert spread_of([]) is None


def test_one_long_incident_moves_a_mean_and_no_median() -> None:
    # Of 1, 10, 100 min the mean is 37 min; of 1, 10, 6000 it is 2,004.
    found = spread_of(logs(1, 10, 6000))

    assert found is not None
    assert timedelta(minutes=10) == pytest.approx(found.median, abs=timedelta(milliseconds=1))
    # The cube root of 1 · 10 · 6000.
    assert found.geometric_mean.total_seconds() / 60 == pytest.approx(60000 ** (1 / 3))


def test_the_interval_of_a_geometric_mean_is_students_on_logarithms() -> None:
    # ln of 1, e, e², e³ min: mean 1.5, deviation 1.29099, t(3; 0.975) 3.18245, half-width 2.05426.
    found = spread_of(logs(*(math.exp(n) for n in range(4))))

    assert found is not None and found.mean_interval is not None
    low, high = (end.total_seconds() / 60 for end in found.mean_interval)
    assert (low, high) == pytest.approx((math.exp(-0.55426), math.exp(3.55426)), rel=1e-4)
    assert found.deviation == pytest.approx(1.29099, rel=1e-5)


@pytest.mark.parametrize(
    ("count", "ranks"),
    # Source: the table of confidence limits for the median, Conover, A3: n=6: 1, n=10: 2, n=20: 6.
    [(5, None), (6, (1, 6)), (10, (2, 9)), (20, (6, 15))],
)
def test_the_interval_of_a_median_is_two_of_the_spans(
    count: int, ranks: tuple[int, int] | None
) -> None:
    found = spread_of(logs(*range(1, count + 1)))

    assert found is not None
    got = found.median_interval
    assert ranks == (None if got is None else tuple(round(end.total_seconds() / 60) for end in got))


def test_a_halving_is_found_among_hundreds_by_both_tests() -> None:
    change = change_between(of(drawn(1, 300)), of(drawn(2, 300, median=22.5)))

    assert change is not None
    assert Trend.SHORTER is change.trend
    assert change.p_ranks < 0.001
    assert change.interval[0] < 0.5 < change.interval[1]


def test_among_twelve_a_year_a_halving_is_not_shown_and_it_is_said_what_could_have_been() -> None:
    change = change_between(of(drawn(1, 12)), of(drawn(1, 12, median=22.5)))

    assert change is not None
    assert Trend.NOT_SHOWN is change.trend
    assert change.ratio == pytest.approx(0.5, rel=1e-3)
    assert change.smallest_visible_ratio > 0.7


def test_what_takes_longer_is_said_to() -> None:
    change = change_between(of(drawn(1, 200)), of(drawn(2, 200, median=180)))

    assert change is not None
    assert Trend.LONGER is change.trend


@pytest.mark.parametrize(
    ("count", "spread", "stated"),
    # By the normal approximation of Cohen's tables at p < 0.04 and power 0.8:
    # 1 - exp(-(2.0537 + 0.8416) · spread · √(2/n)); with few it asks for more.
    [(100, 1.25, 0.401), (400, 1.25, 0.226), (100, 1.75, 0.512), (400, 1.75, 0.301)],
)
def test_the_smallest_visible_cut_is_that_of_the_tables(
    count: int, spread: float, stated: float
) -> None:
    assert smallest_visible_ratio(count, count, spread) == pytest.approx(stated, abs=0.003)


def test_with_twelve_a_year_nothing_below_some_80_percent_can_be_seen() -> None:
    assert 0.76 < smallest_visible_ratio(12, 12, 1.25) < 0.82


def test_spans_without_any_spread_say_nothing_of_chance() -> None:
    assert change_between(logs(5, 5, 5), logs(5, 5, 5)) is None
    assert change_between(logs(1, 2), logs(1, 2, 3)) is None


def test_a_span_of_nothing_is_half_a_minute() -> None:
    found = spread_of(logs(0))

    assert found is not None
    assert timedelta(seconds=30) == pytest.approx(found.median, abs=timedelta(milliseconds=1))


def test_drills_are_compared_in_pairs_whatever_else_they_differ_in() -> None:
    before = drawn(3, 12, spread=2.5)
    rng = random.Random(4)
    after = [span * 0.5 * math.exp(rng.gauss(0, 0.2)) for span in before]

    in_pairs = paired_change(list(zip(before, after, strict=True)))
    apart = change_between(of(before), of(after))

    assert in_pairs is not None and apart is not None
    assert Trend.SHORTER is in_pairs.trend
    assert Trend.NOT_SHOWN is apart.trend
    assert in_pairs.smallest_visible_ratio < apart.smallest_visible_ratio


def test_too_few_pairs_say_nothing() -> None:
    two = minutes(1, 2)

    assert paired_change(list(zip(two, two, strict=True))) is None
    same = minutes(1, 2, 3)
    assert paired_change(list(zip(same, same, strict=True))) is None


@pytest.mark.parametrize("step", [1, 30])
def test_with_many_the_rank_test_is_scipys(step: int) -> None:
    from scipy.stats import mannwhitneyu

    # To the half hour, so that many are equal.
    sides = [
        [timedelta(minutes=round(s / timedelta(minutes=step)) * step) or s for s in drawn(n, 120)]
        for n in (1, 2)
    ]

    change = change_between(*map(of, sides))

    assert change is not None
    wanted = mannwhitneyu(*sides_in_seconds(sides), method="asymptotic").pvalue
    assert change.p_ranks == pytest.approx(wanted, rel=1e-9)


def sides_in_seconds(sides: Sequence[Sequence[timedelta]]) -> list[list[float]]:
    return [[span.total_seconds() for span in side] for side in sides]


def test_the_test_that_decides_is_welchs() -> None:
    from scipy.stats import ttest_ind

    before, after = drawn(1, 40), drawn(2, 90, spread=0.6)

    change = change_between(of(before), of(after))

    assert change is not None
    logs = [[math.log(s.total_seconds()) for s in side] for side in (before, after)]
    assert change.p_logs == pytest.approx(ttest_ind(*logs, equal_var=False).pvalue, rel=1e-9)
