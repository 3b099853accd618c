"""What is left of an error budget, by what Prometheus really holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.budget import BudgetLeft, BudgetUnknown, budget_left
from scoring.slo import Objective

MONTH = Objective(0.99, timedelta(days=30))


def left(**slots: list[float | None]) -> BudgetLeft:
    found = budget_left("checkout", MONTH, **slots)
    assert isinstance(found, BudgetLeft)
    return found


def test_half_of_the_allowed_bad_events_leave_half_of_the_budget() -> None:
    # 10 slots of 1,000 events: 1 % of 10,000 may be bad, 50 were.
    found = left(total=[1000.0] * 10, good=[950.0] + [1000.0] * 9)

    assert pytest.approx(0.5) == found.left_ratio
    assert (1.0, 50.0) == (found.history_ratio, found.bad_events)
    assert pytest.approx(100.0) == found.allowed_events
    assert timedelta(days=30) == found.period


def test_a_short_history_has_spent_little_however_bad_it_was() -> None:
    # One slot of a hundred, all of it bad: as much traffic in the other 99 would allow 100 bad
    # events to each 100 seen, so exactly the whole budget is gone; half as bad, half of it.
    whole = left(total=[100.0] + [None] * 99, good=[0.0] + [None] * 99)
    half = left(total=[100.0] + [None] * 99, good=[50.0] + [None] * 99)

    assert pytest.approx(0.0) == whole.left_ratio
    assert pytest.approx(0.5) == half.left_ratio
    assert 0.01 == whole.history_ratio


def test_more_bad_events_than_allowed_overspend_it() -> None:
    assert pytest.approx(-1.0) == left(total=[100.0], good=[98.0]).left_ratio


def test_a_slot_without_good_events_was_bad_and_one_without_bad_events_was_good() -> None:
    by_good = left(total=[100.0, 100.0], good=[100.0, None])
    by_bad = left(total=[100.0, 100.0], bad=[None, None])

    assert 100.0 == by_good.bad_events
    assert (0.0, 1.0) == (by_bad.bad_events, by_bad.left_ratio)


def test_a_slot_without_traffic_is_known_and_spends_nothing() -> None:
    found = left(total=[100.0, 0.0], bad=[1.0, 0.0])

    assert 1.0 == found.history_ratio
    assert pytest.approx(0.0) == found.left_ratio


def test_more_good_events_than_events_are_noise_and_earn_no_budget() -> None:
    assert 1.0 == left(total=[100.0], good=[100.4]).left_ratio


@pytest.mark.parametrize(
    ("total", "good", "reason"),
    [
        ([None, None], [None, None], "Prometheus holds no events of it"),
        ([0.0, None], [0.0, None], "Prometheus holds no events of it"),
        ([5.0, 5.0], [None, None], "Prometheus holds no good events of it, only others"),
    ],
)
def test_nothing_seen_is_unknown_and_neither_spent_nor_left(
    total: list[float | None], good: list[float | None], reason: str
) -> None:
    assert BudgetUnknown("checkout", reason) == budget_left(
        "checkout", MONTH, total=total, good=good
    )


@pytest.mark.parametrize(
    "slots",
    [
        {"total": [1.0]},
        {"total": [1.0], "good": [1.0], "bad": [0.0]},
        {"total": [1.0], "good": [1.0, 1.0]},
        {"total": [], "good": []},
    ],
)
def test_slots_that_do_not_fit_together_are_refused(slots: dict[str, list[float | None]]) -> None:
    with pytest.raises(ValueError, match="want"):
        budget_left("checkout", MONTH, **slots)


SLOTS = st.lists(
    st.tuples(st.floats(0, 1), st.floats(1, 1e6)) | st.none(), min_size=1, max_size=40
).filter(any)


@given(SLOTS, st.floats(1.5, 10))
def test_what_is_left_does_not_depend_on_how_busy_the_service_is(
    slots: list[tuple[float, float] | None], busier: float
) -> None:
    def of(factor: float) -> BudgetLeft:
        return left(
            total=[s and s[1] * factor for s in slots],
            bad=[s and s[0] * s[1] * factor for s in slots],
        )

    assert pytest.approx(of(1).left_ratio) == of(busier).left_ratio


@given(SLOTS, st.integers(1, 40))
def test_a_history_that_is_not_there_never_spends(
    slots: list[tuple[float, float] | None], missing: int
) -> None:
    total = [s and s[1] for s in slots]
    bad = [s and s[0] * s[1] for s in slots]

    held = left(total=total, bad=bad)
    within_more = left(total=total + [None] * missing, bad=bad + [None] * missing)

    assert within_more.left_ratio >= held.left_ratio
    assert within_more.history_ratio < held.history_ratio
