from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.detection import Timing, predict
from scoring.slo import BurnWindow, Objective, Severity, workbook_windows

MONTH = timedelta(days=30)
NINES = Objective(0.999, MONTH)
FAST, SLOW = workbook_windows(MONTH)[:2]
SECOND = timedelta(seconds=1)

ratios = st.floats(0.001, 1.0)


def seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


# Hand-calculated with budget/error × window × burn and short × (1 − burn·budget/error); the first
# column is the one in the SRE Workbook's chapter 5, the reset figures reproduce its method.
@pytest.mark.parametrize(
    ("error_ratio", "branch", "detects", "resets"),
    [
        (1.0, FAST, 51.84, 295.68),
        (0.5, FAST, 103.68, 291.36),
        (0.1, FAST, 518.4, 256.8),
        (0.05, FAST, 1036.8, 213.6),
        (0.02, FAST, 2592.0, 84.0),
        (0.0144, FAST, None, None),
        (1.0, SLOW, 129.6, 1789.2),
        (0.1, SLOW, 1296.0, 1692.0),
        (0.02, SLOW, 6480.0, 1260.0),
        (0.006, SLOW, None, None),
    ],
)
def test_a_branch_fires_and_resets_as_the_formula_says(
    error_ratio: float, branch: BurnWindow, detects: float | None, resets: float | None
) -> None:
    (found,) = predict(NINES, [branch], error_ratio).branches

    assert pytest.approx(detects) == seconds(found.detects_after)
    assert pytest.approx(resets) == seconds(found.resets_after)


def test_a_single_window_resets_after_the_58_minutes_of_the_workbook() -> None:
    hour = timedelta(hours=1)
    # Chapter 5: burn rate 36 over one hour, all requests failing, keeps firing for 58 minutes.
    (found,) = predict(NINES, [BurnWindow(hour, hour, 36)], 1.0).branches

    assert pytest.approx(57.84) == (found.resets_after or timedelta()) / timedelta(minutes=1)


@pytest.mark.parametrize(("minutes", "clears"), [(2, 295.68), (3, 1789.2), (10, 1789.2)])
def test_the_page_clears_with_the_slowest_branch_that_had_fired(
    minutes: int, clears: float
) -> None:
    found = predict(NINES, [FAST, SLOW], 1.0, fault_duration=timedelta(minutes=minutes))

    assert pytest.approx(clears) == seconds(found.page_resets_after)


def test_a_fault_that_ends_before_its_alert_can_fire_has_no_prediction() -> None:
    found = predict(NINES, [FAST, SLOW], 1.0, fault_duration=timedelta(seconds=51))

    assert found.page_detects_after is None
    assert found.page_resets_after is None


def test_only_branches_of_the_wanted_severity_make_up_the_page() -> None:
    found = predict(NINES, workbook_windows(MONTH), 0.02, severity=Severity.TICKET)

    assert seconds(found.page_detects_after) == pytest.approx(0.001 / 0.02 * 86400 * 3)


@pytest.mark.parametrize(("share", "branch"), [(0.02, FAST), (0.05, SLOW)])
def test_a_page_has_spent_the_budget_share_of_its_branch_when_it_fires(
    share: float, branch: BurnWindow
) -> None:
    (found,) = predict(NINES, [branch], 0.5).branches

    assert pytest.approx(share) == found.budget_spent_ratio


def test_scrape_evaluation_and_chain_delay_the_alert_and_group_wait_only_the_page() -> None:
    timing = Timing(2 * SECOND, 4 * SECOND, group_wait=10 * SECOND, rule_chain=SECOND)

    found = predict(NINES, [FAST], 1.0, timing=timing)

    # Each expected figure loses one scrape of window: 2 s × 0.0144 and 2 s × (1 − 0.0144).
    assert pytest.approx(51.84 + 4 - 0.0288) == seconds(found.branches[0].detects_after)
    assert pytest.approx(51.84 + 7) == seconds(found.branches[0].detects_at_latest)
    assert pytest.approx(51.84 + 4 - 0.0288 + 10) == seconds(found.page_detects_after)
    assert pytest.approx(51.84 + 7 + 10) == seconds(found.page_detects_at_latest)
    assert pytest.approx(295.68 + 4 - 1.9712) == seconds(found.page_resets_after)
    assert pytest.approx(295.68 + 7) == seconds(found.page_resets_at_latest)


def test_a_page_seen_on_a_real_prometheus_came_when_predicted() -> None:
    # Prometheus 2.42, scrape and evaluation 500 ms, windows 60 s / 5 s, threshold 14.4 × 0.001,
    # 30 % errors: page 3.3 s after the injection, resolved 5.2 s after the fault was gone.
    half = timedelta(milliseconds=500)

    found = predict(NINES, [FAST.scaled(60)], 0.3, timing=Timing(half, half))

    assert pytest.approx(3.3, abs=0.1) == seconds(found.page_detects_after)
    assert pytest.approx(5.2, abs=0.5) == seconds(found.page_resets_after)


def test_for_postpones_the_firing_and_must_fit_before_the_reset() -> None:
    held = BurnWindow(FAST.long, FAST.short, FAST.burn_rate, for_=timedelta(minutes=2))

    fires = predict(NINES, [held], 1.0, fault_duration=timedelta(seconds=60)).branches[0]
    silent = predict(
        NINES,
        [BurnWindow(FAST.long, FAST.short, FAST.burn_rate, for_=timedelta(minutes=6))],
        1.0,
        fault_duration=timedelta(seconds=60),
    ).branches[0]

    assert pytest.approx(171.84) == seconds(fires.detects_after)
    assert silent.detects_after is None


def test_a_baseline_above_the_threshold_fires_at_once_and_never_resets() -> None:
    found = predict(NINES, [FAST], 0.5, baseline_ratio=0.02)

    assert found.page_detects_after == timedelta(0)
    assert found.page_resets_after is None


def test_a_baseline_below_the_threshold_brings_the_page_forward() -> None:
    found = predict(NINES, [FAST], 0.5, baseline_ratio=0.005)

    assert pytest.approx(3600 * (0.0144 - 0.005) / 0.495) == seconds(found.page_detects_after)


@pytest.mark.parametrize(("error_ratio", "baseline"), [(1.1, 0.0), (-0.1, 0.0), (0.5, 2.0)])
def test_a_ratio_outside_its_range_is_refused(error_ratio: float, baseline: float) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        predict(NINES, [FAST], error_ratio, baseline_ratio=baseline)


@given(lower=ratios, higher=ratios)
def test_detection_never_takes_longer_when_more_requests_fail(lower: float, higher: float) -> None:
    lower, higher = sorted((lower, higher))

    slow = seconds(predict(NINES, [FAST], lower).page_detects_after)
    quick = seconds(predict(NINES, [FAST], higher).page_detects_after)

    assert slow is None or (quick is not None and quick <= slow)


@given(error_ratio=ratios, target=st.sampled_from([0.9, 0.99, 0.999, 0.9999]))
def test_both_windows_together_never_fire_before_either(error_ratio: float, target: float) -> None:
    objective = Objective(target, MONTH)
    long_only = BurnWindow(FAST.long, FAST.long, FAST.burn_rate)
    short_only = BurnWindow(FAST.short, FAST.short, FAST.burn_rate)

    both, long, short = (
        seconds(predict(objective, [w], error_ratio).page_detects_after)
        for w in (FAST, long_only, short_only)
    )

    assert both is None or (long is not None and short is not None and both >= max(long, short))


@given(error_ratio=st.floats(0.002, 1.0))
def test_a_burn_rate_of_one_over_the_whole_period_spends_exactly_the_budget(
    error_ratio: float,
) -> None:
    whole = BurnWindow(MONTH, MONTH, 1.0)

    (found,) = predict(NINES, [whole], error_ratio).branches

    assert pytest.approx(1.0) == found.budget_spent_ratio


@given(
    error_ratio=st.floats(0.02, 1.0),
    lasts=st.integers(1, 90),
    baseline=st.sampled_from([0.0, 0.001, 0.01]),
)
def test_the_formulas_agree_with_windows_slid_over_every_second(
    error_ratio: float, lasts: int, baseline: float
) -> None:
    objective = Objective(0.99, MONTH)
    window = BurnWindow(60 * SECOND, 5 * SECOND, 14.4)
    step, span = 0.05, 200

    def holds(now: float) -> bool:
        def bad(size: float) -> float:
            overlap = max(0.0, min(now, lasts) - max(0.0, now - size))
            return (error_ratio * overlap + baseline * (size - overlap)) / size

        return bad(60) > 0.144 and bad(5) > 0.144

    held = [i * step for i in range(round(span / step)) if holds(i * step)]
    (found,) = predict(
        objective,
        [window],
        error_ratio,
        fault_duration=lasts * SECOND,
        baseline_ratio=baseline,
    ).branches

    if found.detects_after is None or found.resets_after is None:
        assert len(held) <= 1
    elif held:
        assert pytest.approx(held[0], abs=2 * step) == seconds(found.detects_after)
        assert pytest.approx(held[-1] - lasts, abs=2 * step) == seconds(found.resets_after)
