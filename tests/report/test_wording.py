"""Figures in words."""

from __future__ import annotations

import pytest

from gameday.report.wording import after_answer, both_times, clock, figure, percent, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 s"),
        (0.5, "0.5 s"),
        (17.28, "17.3 s"),
        (90, "90 s"),
        (125, "2 min 5 s"),
        (1080, "18 min"),
        (4320, "1 h 12 min"),
        (3 * 86400, "3 d"),
        (-4, "−4 s"),
        (None, "no data"),
        ("17", "no data"),
        (True, "no data"),
    ],
)
def test_seconds_are_read_at_a_glance(value: object, expected: str) -> None:
    assert expected == seconds(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0314, "0.031"), (1.0405, "1.04"), (17.26, "17.3"), (1200.4, "1200"), (10.0, "10")],
)
def test_figures_have_the_digits_worth_reading(value: float, expected: str) -> None:
    assert expected == figure(value)


def test_nominal_time_is_shown_only_where_time_is_compressed() -> None:
    assert "9 s (nominal 9 min)" == both_times(9, 60)
    assert "9 s" == both_times(9, 1)
    assert "no data" == both_times(None, 60)
    assert "0 s" == both_times(0, 60)


def test_the_responders_part_of_a_span_is_not_scaled() -> None:
    assert "25 s (nominal 9 min 16 s)" == after_answer(25, 16, 60)
    assert "25 s" == after_answer(25, None, 60)


def test_what_is_missing_is_no_data() -> None:
    assert ("no data", "no data") == (percent(None), clock(None))
