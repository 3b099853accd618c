from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.shape import ErrorShape, both, either

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

ratios = st.floats(0, 1).map(lambda r: round(r, 3))


@st.composite
def shapes(draw: st.DrawFn, baseline: st.SearchStrategy[float] = ratios) -> ErrorShape:
    """Return any shape of a few pieces, with steps, flats and pauses."""
    steps = draw(st.lists(st.tuples(st.integers(0, 40), ratios), min_size=1, max_size=7))
    points, at = [(timedelta(0), draw(ratios))], 0
    for wait, ratio in steps:
        at += wait
        points.append((timedelta(seconds=at), ratio))
    return ErrorShape(tuple(points), draw(baseline), ends=draw(st.booleans()))


def ratio_at(shape: ErrorShape, at: float) -> float:
    """Return the error ratio at an instant that is no corner of the shape."""
    points = [(t.total_seconds(), r) for t, r in shape.points]
    if at < 0 or (at > points[-1][0] and shape.ends):
        return shape.baseline_ratio
    if at > points[-1][0]:
        return points[-1][1]
    for (begin, low), (end, high) in pairwise(points):
        if begin <= at < end:
            return low + (high - low) * (at - begin) / (end - begin)
    return points[-1][1]


def mean_over(shape: ErrorShape, at: float, window: float) -> float:
    """Return the mean over (at − window, at], by the midpoint rule between corners: exact there."""
    corners = [t.total_seconds() for t, _ in shape.points]
    edges = sorted({at - window, at, *(c for c in corners if at - window < c < at)})
    spans = pairwise(edges)
    return sum(ratio_at(shape, (a + b) / 2) * (b - a) for a, b in spans) / window


@given(
    shape=shapes(),
    window=st.integers(1, 60),
    threshold=st.floats(0.01, 0.99),
    at=st.floats(-80, 400),
)
def test_a_window_is_above_the_threshold_just_when_its_mean_is(
    shape: ErrorShape, window: int, threshold: float, at: float
) -> None:
    mean = mean_over(shape, at, window)
    assume(abs(mean - threshold) > 1e-6)

    spans = shape.above(window * SECOND, threshold)

    assert (mean > threshold) == any(begin < at < end for begin, end in spans)


@given(shape=shapes(), window=st.integers(1, 60), threshold=st.floats(0.01, 0.99))
def test_at_the_edge_of_a_span_the_mean_is_the_threshold_itself(
    shape: ErrorShape, window: int, threshold: float
) -> None:
    spans = shape.above(window * SECOND, threshold)

    edges = [edge for span in spans for edge in span if abs(edge) < inf]
    assert [pytest.approx(threshold, abs=1e-6)] * len(edges) == [
        mean_over(shape, edge, window) for edge in edges
    ]
    assert sorted(edges) == edges


@given(shape=shapes(), errors=st.floats(0.001, 50))
def test_errors_reach_a_number_at_the_first_instant_at_which_so_many_have_happened(
    shape: ErrorShape, errors: float
) -> None:
    at = shape.reaches(errors)

    if at is None:
        ends = 1e6 if shape.lasts is None else shape.lasts.total_seconds()
        assert shape.errors_until(ends) <= errors + 1e-9
    else:
        assert pytest.approx(errors, abs=1e-6) == shape.errors_until(at)
        assert shape.errors_until(at - 0.01) <= errors


@given(shape=shapes(), at=st.floats(0.01, 300))
def test_errors_are_the_area_under_the_shape(shape: ErrorShape, at: float) -> None:
    assert pytest.approx(mean_over(shape, at, at) * at, abs=1e-6) == shape.errors_until(at)


def test_no_errors_are_reached_at_once_and_none_happen_before_the_onset() -> None:
    shape = ErrorShape.constant(0.5, MINUTE, baseline_ratio=0.1)

    assert (0.0, 0.0) == (shape.reaches(0), shape.errors_until(-5))


@given(tenths=st.integers(1, 10), seconds=st.integers(1, 99))
def test_a_fault_that_dies_away_reaches_its_last_error_by_its_end(
    tenths: int, seconds: int
) -> None:
    # The curve is flat there, so rounding decides whether there is a crossing at all.
    shape = ErrorShape(((timedelta(0), tenths / 10), (seconds * SECOND, 0.0)))

    assert pytest.approx(seconds, abs=1e-3) == shape.reaches(shape.errors_until(seconds))


def test_a_fault_that_does_not_end_goes_on_at_its_last_ratio() -> None:
    assert pytest.approx(100) == ErrorShape.ramp(0.5, 10 * SECOND).reaches(2.5 + 45)
    assert ErrorShape.constant(0.0).reaches(1) is None
    assert ErrorShape.constant(0.5).lasts is None


# --- kinds of shape -----------------------------------------------------------------------------


def test_a_ramp_rises_from_the_baseline_and_stays() -> None:
    shape = ErrorShape.ramp(0.5, MINUTE, 3 * MINUTE, baseline_ratio=0.1)

    assert [0.1, 0.3, 0.5, 0.1] == [pytest.approx(ratio_at(shape, at)) for at in (-1, 30, 100, 181)]
    assert 3 * MINUTE == shape.lasts


def test_a_spike_is_a_triangle() -> None:
    shape = ErrorShape.spike(0.8, 2 * MINUTE)

    assert [0.4, 0.4, 0.0] == [pytest.approx(ratio_at(shape, at)) for at in (30, 90, 121)]
    assert pytest.approx(0.8 * 60) == shape.errors_until(500)


def test_an_intermittent_fault_pulses_until_it_ends() -> None:
    shape = ErrorShape.intermittent(0.6, on=MINUTE, off=2 * MINUTE, duration=3.5 * MINUTE)

    assert [0.6, 0.0, 0.6, 0.0] == [ratio_at(shape, at) for at in (30, 90, 200, 215)]
    assert 3.5 * MINUTE == shape.lasts
    assert pytest.approx(0.6 * 90) == shape.errors_until(1000)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ErrorShape(()), "begins with a point at 0 s"),
        (lambda: ErrorShape(((SECOND, 0.5),)), "begins with a point at 0 s"),
        (lambda: ErrorShape(((0 * SECOND, 0.5), (2 * SECOND, 0), (SECOND, 0))), "ordered by time"),
        (lambda: ErrorShape(((0 * SECOND, 1.5),)), "error ratio 1.5 must lie between 0 and 1"),
        (lambda: ErrorShape.constant(0.5, baseline_ratio=-1), "baseline_ratio -1 must lie"),
        (lambda: ErrorShape.ramp(0.5, 2 * MINUTE, MINUTE), "no longer than it lasts"),
        (lambda: ErrorShape.ramp(0.5, 0 * MINUTE), "rises for longer than 0 s"),
        (lambda: ErrorShape.spike(0.5, 0 * SECOND), "must be above 0"),
        (
            lambda: ErrorShape.intermittent(0.5, on=SECOND, off=0 * SECOND, duration=MINUTE),
            "must be above 0",
        ),
        (
            lambda: ErrorShape.intermittent(0.5, on=SECOND, off=SECOND, duration=99 * 60 * MINUTE),
            "more than 2000 pulses",
        ),
    ],
)
def test_a_shape_that_cannot_be_is_refused(make: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()  # type: ignore[operator]


# --- spans --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ([(0, 5)], [(3, 9)], ((3, 5),)),
        ([(0, 5)], [(5, 9)], ()),
        ([(-inf, 2), (4, inf)], [(1, 6)], ((1, 2), (4, 6))),
        ([(0, 9)], [(1, 2), (3, 4)], ((1, 2), (3, 4))),
        ([], [(0, 1)], ()),
    ],
)
def test_two_conditions_hold_together_where_their_spans_overlap(
    first: list[tuple[float, float]], second: list[tuple[float, float]], together: object
) -> None:
    assert together == both(first, second)
    assert together == both(second, first)


@pytest.mark.parametrize(
    ("spans", "joined"),
    [
        ([(3, 4), (0, 1)], ((0, 1), (3, 4))),
        ([(0, 2), (1, 3), (3, 5)], ((0, 5),)),
        ([(0, 9), (1, 2)], ((0, 9),)),
        ([], ()),
    ],
)
def test_one_of_several_conditions_holds_from_the_first_to_the_last_of_a_heap(
    spans: list[tuple[float, float]], joined: object
) -> None:
    assert joined == either(spans)
