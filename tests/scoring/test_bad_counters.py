"""An SLI that counts its bad events is judged as one that counts the good ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.counters import Counters, CounterSeries, Without, error_ratio
from scoring.detection import Recomputed, Timing, recompute
from scoring.slo import NoData, Objective, workbook_windows

SECOND = timedelta(seconds=1)
MONTH = timedelta(days=30)
OBJECTIVE = Objective(0.99, MONTH).scaled(60)
FAST = workbook_windows(MONTH)[0].scaled(60)


def counters(ratio: float, *, until: int = 200) -> tuple[list[CounterSeries], ...]:
    """Return (good, bad, all): ten events a second, bad with this ratio from second 100 to 140."""
    good, bad, every = [], [], []
    for second in range(until):
        wrong = ratio * 10 * max(0, min(second, 140) - 100)
        every.append((float(second), 10.0 * second))
        # Far from zero, or rate() would not look past the instant at which it was there.
        bad.append((float(second), 1000.0 + wrong))
        good.append((float(second), 10.0 * second - wrong))
    return [good], [bad], [every]


def judged(
    part: list[CounterSeries], every: list[CounterSeries], **changes: object
) -> Recomputed | NoData:
    return recompute(
        part,
        every,
        [FAST],
        OBJECTIVE,
        timing=Timing(SECOND, SECOND),
        injected_at=100.0,
        until=200.0,
        mitigated_at=140.0,
        **changes,  # type: ignore[arg-type]  # a test's keywords
    )


@settings(deadline=None, max_examples=20)
@given(st.floats(0.2, 1))
def test_counting_the_bad_ones_gives_the_same_judgement(ratio: float) -> None:
    good, bad, every = counters(ratio)

    by_good, by_bad = judged(good, every), judged(bad, every, counts_bad=True)

    assert isinstance(by_good, Recomputed) and isinstance(by_bad, Recomputed)
    assert pytest.approx(by_good.fires_at, abs=0.11) == by_bad.fires_at
    assert pytest.approx(by_good.resets_at, abs=0.11) == by_bad.resets_at
    assert pytest.approx(by_good.bad_events) == by_bad.bad_events
    assert by_good.all_events == by_bad.all_events
    assert pytest.approx(by_good.budget_spent_ratio) == by_bad.budget_spent_ratio


def test_a_counter_of_bad_events_that_was_never_born_means_that_nothing_was_bad() -> None:
    _, _, every = counters(0)

    found = judged([], every, counts_bad=True)

    assert isinstance(found, Recomputed)
    assert (None, 0, True) == (found.fires_at, found.bad_events, found.windows_clean)


def test_a_counter_of_bad_events_may_be_born_by_the_fault() -> None:
    _, (bad,), every = counters(0.5)
    born = [(at, value - 1000) for at, value in bad if at > 100]

    found = judged([born], every, counts_bad=True)

    assert isinstance(found, Recomputed)
    whole = judged([bad], every, counts_bad=True)
    assert isinstance(whole, Recomputed)
    # Its first sample, 5 events at once, is no rise that a rate could see.
    assert pytest.approx(195) == found.bad_events
    assert found.fires_at is not None and whole.fires_at is not None
    assert whole.fires_at <= found.fires_at <= whole.fires_at + 3


def test_without_all_events_there_is_nothing_to_judge() -> None:
    _, bad, _ = counters(0.5)

    assert isinstance(judged(bad, [], counts_bad=True), NoData)
    assert error_ratio(Without(Counters.of([]), Counters.of(bad)), Counters.of([]), 10, 5) is None
    assert Without(Counters.of([]), Counters.of(bad)).rate(10_000, 5_000) is None
