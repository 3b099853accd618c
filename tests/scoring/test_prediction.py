from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.detection import (
    ErrorShape,
    Prediction,
    Timing,
    limit,
    lowest_ratio,
    predict,
    predict_shape,
    shortest_fault,
)
from scoring.slo import BurnWindow, Objective, Severity, workbook_windows

MONTH = timedelta(days=30)
NINES = Objective(0.999, MONTH)
FAST, SLOW = workbook_windows(MONTH)[:2]
SECOND = timedelta(seconds=1)

ratios = st.floats(0.001, 1.0)


def seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


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


# --- any shape ----------------------------------------------------------------------------------

TIMINGS = (None, Timing(SECOND, SECOND), Timing(2 * SECOND, 5 * SECOND, 10 * SECOND, SECOND))

windows = st.builds(
    lambda long, part, burn, hold: BurnWindow(
        long * SECOND, long * SECOND / part, burn, for_=hold * SECOND
    ),
    st.integers(10, 400),
    st.sampled_from([1, 2, 4, 12]),
    st.floats(1.5, 14.4),
    st.sampled_from([0, 0, 3, 20]),
)


@st.composite
def faults(draw: st.DrawFn) -> ErrorShape:
    """Return a fault of a few pieces that begins and ends at no errors at all."""
    steps = draw(st.lists(st.tuples(st.integers(1, 200), st.floats(0, 1)), min_size=1, max_size=5))
    points, at = [(timedelta(0), draw(st.floats(0, 1)))], 0
    for wait, ratio in steps:
        at += wait
        points.append((timedelta(seconds=at), ratio))
    return ErrorShape(tuple(points))


def close(left: timedelta | None, right: timedelta | None) -> bool:
    """Return whether two delays are the same to a millisecond."""
    if left is None or right is None:
        return left is right
    return abs(left - right) <= timedelta(milliseconds=1)


@given(
    window=windows,
    error_ratio=st.floats(0.001, 1),
    baseline=st.sampled_from([0.0, 0.001, 0.02]),
    lasts=st.integers(1, 600),
    timing=st.sampled_from(TIMINGS),
)
def test_the_general_form_agrees_with_the_formula_for_a_constant_error_ratio(
    window: BurnWindow, error_ratio: float, baseline: float, lasts: int, timing: Timing | None
) -> None:
    objective = Objective(0.99, MONTH)
    threshold = window.burn_rate * 0.01
    assume(abs(error_ratio - threshold) > 1e-6 and abs(baseline - threshold) > 1e-6)
    share = (threshold - baseline) / (error_ratio - baseline) if error_ratio > baseline else 2
    holds = share * window.long.total_seconds()
    clears = (1 - share) * window.short.total_seconds()
    # Within a microsecond of "just too short" either answer is right.
    assume(abs(lasts - holds) > 1e-3)
    assume(abs(lasts + clears - holds - window.for_.total_seconds()) > 1e-3)

    formula = predict(
        objective,
        [window],
        error_ratio,
        fault_duration=lasts * SECOND,
        timing=timing,
        baseline_ratio=baseline,
    )
    shape = ErrorShape.constant(error_ratio, lasts * SECOND, baseline_ratio=baseline)
    general = predict_shape(objective, [window], shape, timing=timing)

    (one,), (other,) = formula.branches, general.branches
    if error_ratio >= baseline or baseline <= threshold:
        for field in ("detects_after", "detects_at_latest", "resets_after", "resets_at_latest"):
            assert close(getattr(one, field), getattr(other, field)), field
        for field in ("page_detects_after", "page_detects_at_latest", "page_resets_after"):
            assert close(getattr(formula, field), getattr(general, field)), field
        assert (one.firings, formula.page_firings) == (other.firings, general.page_firings)
        assert pytest.approx(one.budget_spent_ratio, abs=1e-6) == other.budget_spent_ratio
    assert close(one.limit_after, other.limit_after)


def test_a_fault_that_does_not_end_is_detected_and_never_resets() -> None:
    found = predict_shape(NINES, [FAST, SLOW], ErrorShape.constant(1.0))

    assert (pytest.approx(51.84), None) == (
        seconds(found.page_detects_after),
        found.page_resets_after,
    )


def test_a_fault_that_is_better_than_the_baseline_ends_what_was_firing() -> None:
    better = ErrorShape.constant(0.0, timedelta(hours=2), baseline_ratio=0.5)

    (found,) = predict_shape(NINES, [FAST], better).branches

    # It fired before the onset already, went silent meanwhile, and never ends afterwards.
    assert (timedelta(0), 0.0, None, 2) == (
        found.detects_after,
        found.budget_spent_ratio,
        found.resets_after,
        found.firings,
    )


def test_a_ramp_is_detected_when_its_area_in_the_window_is_the_budget_share() -> None:
    # 0 to 60 % over 10 minutes: after t seconds t²/2000 of errors; 0.0144 × 3600 s = 51.84 s.
    found = predict_shape(NINES, [FAST], ErrorShape.ramp(0.6, timedelta(minutes=10)))

    assert pytest.approx((51.84 * 2000) ** 0.5, abs=1e-3) == seconds(found.page_detects_after)


def test_a_spike_whose_mean_never_rises_above_the_threshold_is_never_seen() -> None:
    # The area of the triangle is 0.5 × duration / 2: 51.84 s of errors take 207.36 s.
    missed, seen = (
        predict_shape(NINES, [FAST], ErrorShape.spike(0.5, timedelta(seconds=lasts)))
        for lasts in (207, 208)
    )

    assert missed.page_detects_after is None
    assert 0 == missed.page_firings
    assert seen.page_detects_after is not None
    # It is seen only as it dies away, and the short window's mean is still high then.
    assert 0 < (seconds(seen.page_resets_after) or 0) < 300


def test_an_intermittent_fault_flaps_in_the_fast_branch_and_holds_in_the_slow_one() -> None:
    shape = ErrorShape.intermittent(
        1.0,
        on=timedelta(minutes=1),
        off=timedelta(minutes=9),
        duration=timedelta(hours=2),
    )

    fast, slow = predict_shape(NINES, [FAST, SLOW], shape).branches

    # Each minute of outage fires the fast branch anew; its short window is clean again 5 minutes
    # after. The slow one's 30 minutes always hold a pulse once the third has come.
    assert (12, 1) == (fast.firings, slow.firings)
    assert pytest.approx(51.84) == seconds(fast.detects_after)
    assert pytest.approx(20 * 60 + 9.6, abs=0.001) == seconds(slow.detects_after)
    assert pytest.approx(-9 * 60 + 295.68, abs=0.001) == seconds(fast.resets_after)


def test_a_page_fires_as_often_as_its_branches_leave_gaps() -> None:
    pulses = ErrorShape.intermittent(
        1.0, on=timedelta(minutes=1), off=timedelta(minutes=9), duration=timedelta(hours=2)
    )

    found = predict_shape(NINES, [FAST, SLOW], pulses)

    # Twice the fast branch alone; from the third pulse on the slow one bridges the pauses.
    assert 3 == found.page_firings


# --- laws ---------------------------------------------------------------------------------------


@given(shape=faults(), window=windows, timing=st.sampled_from(TIMINGS[:2]))
def test_no_branch_fires_before_the_limit_of_its_budget(
    shape: ErrorShape, window: BurnWindow, timing: Timing | None
) -> None:
    (found,) = predict_shape(NINES, [window], shape, timing=timing).branches

    if found.detects_at_latest is not None:
        assert found.limit_after is not None
        assert found.limit_after <= found.detects_at_latest + timedelta(milliseconds=1)


@given(error_ratio=st.floats(0.02, 1))
def test_a_constant_fault_is_detected_at_the_limit_itself(error_ratio: float) -> None:
    (found,) = predict(NINES, [FAST], error_ratio).branches

    assert close(found.limit_after, found.detects_after)


def test_a_window_that_forgets_comes_later_than_the_limit() -> None:
    # A minute of outage every two hours: the budget goes, and an hour's window never knows.
    rare = ErrorShape.intermittent(
        1.0, on=30 * SECOND, off=timedelta(hours=2), duration=timedelta(hours=9)
    )

    (found,) = predict_shape(NINES, [FAST], rare).branches

    assert found.detects_after is None
    assert limit(NINES, FAST, rare) == timedelta(hours=2, seconds=30 + 21.84)


@given(shape=faults(), window=windows)
def test_both_windows_of_a_branch_never_fire_before_either_alone_whatever_the_shape(
    shape: ErrorShape, window: BurnWindow
) -> None:
    def detects(long: timedelta, short: timedelta) -> float | None:
        alone = BurnWindow(long, short, window.burn_rate)
        return seconds(predict_shape(NINES, [alone], shape).page_detects_after)

    both, long, short = (
        detects(window.long, window.short),
        detects(window.long, window.long),
        detects(window.short, window.short),
    )

    assert both is None or (
        long is not None and short is not None and both >= max(long, short) - 1e-6
    )


@given(shape=faults(), window=windows, more=st.floats(1, 3))
def test_a_fault_that_is_worse_all_along_is_never_detected_later(
    shape: ErrorShape, window: BurnWindow, more: float
) -> None:
    hold = BurnWindow(window.long, window.short, window.burn_rate)
    worse = ErrorShape(tuple((at, min(1.0, ratio * more)) for at, ratio in shape.points))

    slow, quick = (
        seconds(predict_shape(NINES, [hold], s).page_detects_after) for s in (shape, worse)
    )

    assert slow is None or (quick is not None and quick <= slow + 1e-3)


@given(shape=faults(), window=windows, factor=st.sampled_from([0.25, 2, 60]))
def test_scaling_time_scales_every_answer_of_the_bare_formula(
    shape: ErrorShape, window: BurnWindow, factor: float
) -> None:
    slow_shape = ErrorShape(tuple((at * factor, ratio) for at, ratio in shape.points))
    slow_window, slow_objective = window.scaled(1 / factor), NINES.scaled(1 / factor)

    quick: Prediction = predict_shape(NINES, [window], shape)
    slow = predict_shape(slow_objective, [slow_window], slow_shape)

    def same(one: timedelta | None, other: timedelta | None) -> bool:
        if one is None or other is None:
            return one is other
        return other.total_seconds() == pytest.approx(factor * one.total_seconds(), abs=1e-2)

    (one,), (other,) = quick.branches, slow.branches
    # A condition that is only just met for just long enough may fall either way of a rounding.
    assume((one.firings, one.limit_after is None) == (other.firings, other.limit_after is None))
    assert same(one.detects_after, other.detects_after)
    assert same(one.resets_after, other.resets_after)
    assert same(one.limit_after, other.limit_after)
    assert pytest.approx(one.budget_spent_ratio, abs=1e-5) == other.budget_spent_ratio


def test_rounding_does_not_decide_on_which_piece_of_a_fault_the_window_begins() -> None:
    # 28 s + the short window, less the short window, is a hair below 28 s in binary.
    short = timedelta(seconds=4, microseconds=20_833)
    window = BurnWindow(timedelta(seconds=48.25), short, 3.0)
    seconds_ratios = ((0, 1.0), (0.25, 0.0), (28, 0.0), (28.25, 1.0))
    shape = ErrorShape(tuple((timedelta(seconds=at), ratio) for at, ratio in seconds_ratios))

    (branch,) = predict_shape(NINES, [window], shape).branches

    # The last x seconds of the ramp hold x − x²/2 × 4 = 0.003 × short: x = 0.012368.
    assert branch.resets_after is not None
    assert pytest.approx(4.020833 - 0.012368, abs=1e-5) == branch.resets_after.total_seconds()


# --- what is never seen -------------------------------------------------------------------------


@given(
    error_ratio=st.floats(0.001, 1),
    window=windows,
    nudge=st.sampled_from([0.99, 1.01]),
)
def test_the_shortest_fault_that_is_seen_lies_between_seen_and_unseen(
    error_ratio: float, window: BurnWindow, nudge: float
) -> None:
    shortest = shortest_fault(NINES, [window], error_ratio)

    if shortest is None:
        assert predict(NINES, [window], error_ratio).page_detects_after is None
    else:
        found = predict(NINES, [window], error_ratio, fault_duration=shortest * nudge)
        assert (nudge > 1) == (found.page_detects_after is not None)


@pytest.mark.parametrize(
    ("target", "severity", "lowest"),
    [
        (0.999, Severity.PAGE, 0.006),
        (0.999, Severity.TICKET, 0.001),
        (0.9, Severity.PAGE, 0.6),
        # Three quarters of all requests may fail: every threshold lies above 1.
        (0.25, Severity.PAGE, None),
    ],
)
def test_the_lowest_error_ratio_that_is_seen_is_the_smallest_threshold(
    target: float, severity: Severity, lowest: float | None
) -> None:
    objective = Objective(target, MONTH)

    found = lowest_ratio(objective, workbook_windows(MONTH), severity)

    assert pytest.approx(lowest) == found
    if found is not None and severity is Severity.PAGE:
        ratio = found * 1.001
        assert predict(objective, [SLOW], ratio).page_detects_after is not None
        assert predict(objective, [FAST, SLOW], found * 0.999).page_detects_after is None


def test_an_alert_without_branches_sees_nothing() -> None:
    assert (None, None) == (lowest_ratio(NINES, []), shortest_fault(NINES, []))
    assert shortest_fault(NINES, workbook_windows(MONTH)[2:]) is None


def test_the_page_knows_what_is_spent_when_it_arrives() -> None:
    timing = Timing(SECOND, SECOND, group_wait=30 * SECOND)

    found = predict(NINES, [FAST, SLOW], 1.0, timing=timing)

    assert found.page_detects_after is not None
    assert pytest.approx(found.page_detects_after / (MONTH * 0.001)) == (
        found.page_budget_spent_ratio
    )
    assert pytest.approx(51.84) == seconds(found.page_limit_after)
