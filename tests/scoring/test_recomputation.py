from __future__ import annotations

import random
import time
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.counters import CounterSeries
from scoring.detection import Recomputed, Timing, predict, recompute
from scoring.slo import BurnWindow, NoData, Objective, Severity, workbook_windows

SECOND = timedelta(seconds=1)
MONTH = timedelta(days=30)
OBJECTIVE = Objective(0.99, MONTH).scaled(60)
FAST, SLOW = (w.scaled(60) for w in workbook_windows(MONTH)[:2])
TIMING = Timing(SECOND, SECOND)

Pair = tuple[list[CounterSeries], list[CounterSeries]]


def shop(
    *,
    error_ratio: float = 0.5,
    injected: int = 100,
    mitigated: int = 140,
    until: int = 220,
    processes: int = 2,
    rate: int = 8,
    since: int = 0,
    seed: int | None = None,
) -> Pair:
    """Return counters of a steady load that fails with this ratio from one instant to another.

    Without a seed the bad requests are spread evenly; with one they are drawn.
    """
    rng = random.Random(seed)
    good: list[CounterSeries] = []
    total: list[CounterSeries] = []
    for process in range(processes):
        phase = (process + 0.3) / processes
        fines, all_ = [], []
        fine, seen = 50.0, since * rate
        for second in range(since, until):
            now = second + phase
            if seed is None:
                bad = error_ratio * rate * max(0.0, min(now, mitigated) - injected)
                all_.append((now, 50 + rate * (now - since)))
                fines.append((now, 50 + rate * (now - since) - bad))
                continue
            while seen / rate <= now:
                is_bad = injected <= seen / rate < mitigated and rng.random() < error_ratio
                fine += not is_bad
                seen += 1
            all_.append((now, 50.0 + seen - since * rate))
            fines.append((now, fine))
        good.append(fines)
        total.append(all_)
    return good, total


def judged(pair: Pair, **changes: object) -> Recomputed:
    arguments: dict[str, object] = {
        "timing": TIMING,
        "injected_at": 100.0,
        "until": 220.0,
        "mitigated_at": 140.0,
    }
    arguments |= {"windows": [FAST], "objective": OBJECTIVE, **changes}
    found = recompute(*pair, **arguments)  # type: ignore[arg-type]  # a test's keywords
    assert isinstance(found, Recomputed)
    return found


def test_steady_counters_fire_and_reset_as_the_formula_says() -> None:
    theory = predict(OBJECTIVE, [FAST], 0.5, timing=TIMING)

    found = judged(shop()).branches[0]

    assert found.fires_at is not None and found.resets_at is not None
    assert pytest.approx(theory.page_detects_after.total_seconds(), abs=0.3) == (  # type: ignore[union-attr]  # it fires
        found.fires_at - 100
    )
    assert pytest.approx(theory.page_resets_after.total_seconds(), abs=0.3) == (  # type: ignore[union-attr]  # it fires
        found.resets_at - 140
    )


@pytest.mark.parametrize("error_ratio", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_alert_evaluated_on_any_grid_fires_near_the_recomputed_instant(
    error_ratio: float, seed: int
) -> None:
    pair = shop(error_ratio=error_ratio, seed=seed, mitigated=200)

    found = judged(pair, until=200.0)

    assert found.fires_at is not None and found.fires_at_latest is not None
    assert 0 <= found.fires_at_latest - found.fires_at < 1.5
    assert 0.8 < (found.fires_at_latest - 100) / (found.fires_at - 100) < 1.25


def test_the_page_resets_with_the_slowest_branch_that_had_fired() -> None:
    # 60 s of half the requests failing: 7.2 % of 360 s are 25.9 s / 0.5 = 43 s, so both fire.
    pair = shop(since=-300, mitigated=160, until=260)
    found = judged(pair, windows=[FAST, SLOW], mitigated_at=160.0, until=260.0)

    assert [True, True] == [b.fires_at is not None for b in found.branches]
    assert found.resets_at == found.branches[1].resets_at
    assert found.resets_at_latest == found.branches[1].resets_at_latest


def test_the_branches_known_to_have_fired_decide_the_reset_of_the_page() -> None:
    # 40 s of half the requests failing just do not raise the slow branch (43 s would).
    pair = shop(since=-300)
    windows = [FAST, SLOW]

    fast = judged(pair, windows=windows)
    both = judged(pair, windows=windows, fired=[FAST, SLOW])
    slow = judged(pair, windows=windows, fired=[SLOW])

    assert fast.resets_at == fast.branches[0].resets_at
    assert [True, False] == [b.has_fired for b in fast.branches]
    assert both.branches[1].fires_at is None
    assert both.resets_at == slow.resets_at == both.branches[1].resets_at
    # 30 s × (1 − 6 % / 50 %), less one scrape of window, plus half a scrape and half an evaluation.
    assert pytest.approx(140 + 29 * 0.88 + 1, abs=0.5) == slow.resets_at
    assert slow.branches[0].resets_at is None
    assert fast.fires_at == both.fires_at == slow.fires_at


def test_a_cold_start_fires_earlier_and_says_what_history_was_missing() -> None:
    warm, cold = judged(shop()), judged(shop(since=90))

    assert cold.fires_at is not None and warm.fires_at is not None
    assert cold.fires_at < warm.fires_at - 5
    assert warm.windows_full and not cold.windows_full
    assert pytest.approx(10 / 60, abs=0.02) == cold.history_ratio
    assert 1.0 == warm.history_ratio


def test_a_slow_branch_with_little_history_may_well_be_the_first_to_fire() -> None:
    found = judged(shop(since=40), windows=[FAST, SLOW])

    assert found.fires_at == found.branches[1].fires_at
    assert pytest.approx(60 / 360, abs=0.01) == found.history_ratio
    assert not found.windows_full


def test_a_burn_before_the_injection_is_told_and_brings_the_alert_forward() -> None:
    good, total = shop()
    burnt = [
        [(at, value - min(max(at - 80, 0), 10) * 2) for at, value in series] for series in good
    ]

    before, clean = judged((burnt, total)), judged((good, total))

    assert clean.windows_clean and not before.windows_clean
    assert before.fires_at is not None and clean.fires_at is not None
    assert before.fires_at < clean.fires_at
    assert pytest.approx(0.0) == clean.branches[0].burn_before


def test_a_restart_of_a_process_changes_nothing() -> None:
    def restarted(pair: list[CounterSeries]) -> list[CounterSeries]:
        at_restart = dict(pair[0])[next(at for at, _ in pair[0] if at >= 110)]
        return [
            [(at, value - (at_restart if at > 110.9 else 0)) for at, value in pair[0]],
            *pair[1:],
        ]

    good, total = shop()
    whole, cut = judged((good, total)), judged((restarted(good), restarted(total)))

    assert whole.bad_events == cut.bad_events
    assert whole.all_events == cut.all_events
    assert cut.fires_at == pytest.approx(whole.fires_at, abs=0.3)


def test_bad_events_are_set_against_the_events_of_the_whole_period() -> None:
    found = judged(shop())

    # 40 s × 16 requests/s × 0.5; allowed: 1 % of 16 requests/s over 30 d / 60.
    assert pytest.approx(320, abs=4) == found.bad_events
    assert pytest.approx(16.0, rel=0.01) == found.events_per_second
    assert pytest.approx(320 / (0.01 * 16 * 43200), rel=0.02) == found.budget_spent_ratio


def test_the_events_of_a_series_born_by_the_fault_are_counted_from_its_birth() -> None:
    good, total = shop(error_ratio=0.0)
    born: CounterSeries = [(float(at) + 0.5, float(at - 119)) for at in range(120, 220)]

    found = judged((good, [*total, born]))

    assert pytest.approx(100) == found.bad_events


def test_too_small_a_burn_fires_nothing_and_resets_nothing() -> None:
    found = judged(shop(error_ratio=0.03))

    assert found.fires_at is None
    assert found.fires_at_latest is None
    assert found.resets_at is None
    assert found.windows_full


def test_counters_that_end_before_the_reset_leave_it_open() -> None:
    found = judged(shop(mitigated=400, until=130), mitigated_at=None)

    assert found.fires_at is not None
    assert found.resets_at is None


def test_a_gap_in_the_counters_is_no_reset() -> None:
    good, total = shop()
    holed = [
        [[s for s in series if not 139 < s[0] < 160] for series in side] for side in (good, total)
    ]

    found = judged((holed[0], holed[1]))

    assert found.branches[0].fires_at is not None
    assert found.branches[0].resets_at is None


def test_for_must_hold_without_a_break() -> None:
    held = BurnWindow(FAST.long, FAST.short, FAST.burn_rate, for_=4 * SECOND)
    plain = judged(shop())

    found = recompute(*shop(), [held], OBJECTIVE, timing=TIMING, injected_at=100.0, until=220.0)

    assert isinstance(found, Recomputed)
    assert found.fires_at == pytest.approx((plain.fires_at or 0) + 4)


def test_a_chain_of_rules_adds_its_age() -> None:
    chained = Timing(SECOND, SECOND, rule_chain=SECOND)

    assert (judged(shop()).fires_at or 0) + 1 == judged(shop(), timing=chained).fires_at


def test_without_samples_after_the_injection_there_is_no_answer() -> None:
    good, total = shop(until=90)

    nothing = recompute([], [], [FAST], OBJECTIVE, timing=TIMING, injected_at=100.0, until=220.0)
    ended = recompute(good, total, [FAST], OBJECTIVE, timing=TIMING, injected_at=100.0, until=220.0)

    assert nothing == NoData("no samples of the counters")
    assert ended == NoData("no samples of the counters after the injection")


def test_without_traffic_no_budget_can_be_told() -> None:
    idle: list[CounterSeries] = [[(float(at), 5.0) for at in range(200)]]

    found = judged((idle, idle))

    assert found.fires_at is None
    assert found.budget_spent_ratio is None
    assert not found.windows_clean


def test_a_single_sample_is_no_history() -> None:
    one: list[CounterSeries] = [[(101.0, 5.0)]]

    found = judged((one, one))

    assert 0.0 == found.history_ratio
    assert found.budget_spent_ratio is None


def test_without_branches_only_the_budget_is_told() -> None:
    found = recompute(*shop(), [], OBJECTIVE, timing=TIMING, injected_at=100.0, until=220.0)

    assert isinstance(found, Recomputed)
    assert found.fires_at is None and not found.windows_full
    assert found.budget_spent_ratio is not None


def test_a_ticket_is_asked_for_by_its_severity() -> None:
    ticket = BurnWindow(FAST.long, FAST.short, FAST.burn_rate, Severity.TICKET)

    page = recompute(*shop(), [ticket], OBJECTIVE, timing=TIMING, injected_at=100.0, until=220.0)
    own = recompute(
        *shop(),
        [ticket],
        OBJECTIVE,
        timing=TIMING,
        injected_at=100.0,
        until=220.0,
        severity=Severity.TICKET,
    )

    assert isinstance(page, Recomputed) and isinstance(own, Recomputed)
    assert page.fires_at is None
    assert own.fires_at is not None


def test_six_minutes_of_forty_series_are_judged_quickly() -> None:
    pair = shop(processes=20, until=360, injected=250, mitigated=300)

    began = time.process_time()
    judged(pair, injected_at=250.0, mitigated_at=300.0, until=360.0)

    assert time.process_time() - began < 0.3


@settings(max_examples=10)
@given(factor=st.sampled_from([2, 4, 8]), seed=st.integers(0, 5))
def test_more_traffic_with_the_same_ratio_changes_no_instant(factor: int, seed: int) -> None:
    good, total = shop(seed=seed, until=150)
    more = [[[(at, v * factor) for at, v in s] for s in side] for side in (good, total)]

    assert (
        judged((good, total), until=150.0).fires_at
        == judged((more[0], more[1]), until=150.0).fires_at
    )


@given(phase=st.floats(0, 0.999))
def test_a_known_grid_places_the_reset_on_it_and_leaves_the_firing_alone(phase: float) -> None:
    pair = shop()
    averaged = judged(pair)
    found = judged(pair, evaluated_at=77 + phase)

    assert (found.fires_at, found.fires_at_latest) == (averaged.fires_at, averaged.fires_at_latest)
    assert found.resets_at is not None and averaged.resets_at is not None
    off_grid = (found.resets_at - phase) % 1
    assert min(off_grid, 1 - off_grid) < 0.0015
    assert abs(found.resets_at - averaged.resets_at) <= 1
    assert found.resets_at_latest == found.resets_at


def test_a_run_that_ended_between_two_grids_has_a_reset_on_the_one_that_is_known() -> None:
    pair = shop()
    clears = judged(pair).resets_at
    assert clears is not None
    ended = clears  # the mean of all grids: on the later ones it has not cleared yet

    open_ = judged(pair, until=ended)
    early = judged(pair, until=ended, evaluated_at=clears - 0.4)
    late = judged(pair, until=ended, evaluated_at=clears + 0.4)

    assert open_.resets_at is None
    assert early.resets_at is not None and early.resets_at <= ended
    assert late.resets_at is None


def test_a_branch_that_fired_against_the_counters_is_judged_by_its_short_window_on_the_grid() -> (
    None
):
    pair = shop(since=-300)

    found = judged(pair, windows=[SLOW], fired=[SLOW], evaluated_at=100.25)

    assert found.branches[0].fires_at is None
    assert found.resets_at is not None
    assert found.resets_at % 1 == pytest.approx(0.25, abs=0.002)
