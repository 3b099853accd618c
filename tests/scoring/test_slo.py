from __future__ import annotations

from datetime import timedelta

import pytest

from scoring.slo import BurnWindow, Objective, Severity, burn_rate, nominal, workbook_windows


# SRE Workbook, ch. 5, table 5-8, and the same shares rebased to 28 days (14.4 × 28 / 30).
@pytest.mark.parametrize(
    ("days", "rates"), [(30, [14.4, 6.0, 3.0, 1.0]), (28, [13.44, 5.6, 2.8, 0.9333333333])]
)
def test_thresholds_are_rebased_to_the_period(days: int, rates: list[float]) -> None:
    found = workbook_windows(timedelta(days=days))

    assert rates == [w.burn_rate for w in found]
    assert [Severity.PAGE] * 2 + [Severity.TICKET] * 2 == [w.severity for w in found]
    assert ["5m", "30m", "2h", "6h"] == [nominal(w.short) for w in found]


def test_scaling_shrinks_times_and_keeps_rates() -> None:
    hour = timedelta(hours=1)
    window = BurnWindow(hour, hour / 12, 14.4, for_=timedelta(minutes=2)).scaled(60)

    assert timedelta(minutes=1) == window.long
    assert timedelta(seconds=5) == window.short
    assert (timedelta(seconds=2), 14.4) == (window.for_, window.burn_rate)
    assert Objective(0.99, timedelta(hours=12)) == Objective(0.99, timedelta(days=30)).scaled(60)


@pytest.mark.parametrize(
    ("bad", "target", "rate"), [(0.001, 0.999, 1), (1, 0.99, 100), (0, 0.9, 0)]
)
def test_a_burn_rate_is_bad_over_allowed(bad: float, target: float, rate: float) -> None:
    assert pytest.approx(rate) == burn_rate(bad, target)


@pytest.mark.parametrize(("bad", "target"), [(1.1, 0.99), (-0.1, 0.99), (0.5, 99.9), (0.5, 1)])
def test_a_burn_rate_of_impossible_ratios_is_refused(bad: float, target: float) -> None:
    with pytest.raises(ValueError, match="must lie"):
        burn_rate(bad, target)


@pytest.mark.parametrize(("target", "days"), [(99.9, 30), (1, 30), (0, 30), (0.99, 0)])
def test_an_impossible_objective_is_refused(target: float, days: int) -> None:
    with pytest.raises(ValueError, match="must"):
        Objective(target, timedelta(days=days))


def test_the_budget_is_what_the_target_leaves() -> None:
    assert pytest.approx(0.001) == Objective(0.999, timedelta(days=30)).budget_ratio


@pytest.mark.parametrize(("seconds", "name"), [(300, "5m"), (259200, "3d"), (90, "90s"), (0, "0s")])
def test_a_window_is_named_as_prometheus_writes_it(seconds: int, name: str) -> None:
    assert name == nominal(timedelta(seconds=seconds))
