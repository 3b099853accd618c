from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.red import Red, Samples, Shape, classify_shape, moved, onset

SHORT = timedelta(seconds=5)


def signal(value: Callable[[float], float], *, until: int = 80, noise: float = 0.01) -> Samples:
    rng = random.Random(3)
    return [(float(t), value(t) + rng.gauss(0, noise)) for t in range(until)]


def step(t: float) -> float:
    return 0.5 * min(1.0, max(0.0, (t - 40) / 5))


def spike(t: float) -> float:
    return 0.5 if 40 <= t < 45 else 0.0


def drift(t: float) -> float:
    return 0.01 * max(0.0, t - 40)


def flat(_: float) -> float:
    return 0.1


def slow_decay(t: float) -> float:
    return 0.5 * math.exp(-(t - 40) / 20) if t >= 40 else 0.0


def sawtooth(t: float) -> float:
    return 0.02 * (t - 40) * (0.6 + 0.4 * (t % 14 < 7)) if t >= 40 else 0.0


@pytest.mark.parametrize(
    ("name", "value", "now", "shape"),
    [
        ("a step is not a plateau yet", step, 48, Shape.UNKNOWN),
        ("a step held for two short windows is one", step, 52, Shape.PLATEAU),
        ("a plateau stays one", step, 79, Shape.PLATEAU),
        ("a signal at its peak is no spike yet", spike, 44, Shape.UNKNOWN),
        ("back below half its peak within two short windows", spike, 48, Shape.SPIKE),
        ("a ramp is no drift before three short windows", drift, 52, Shape.UNKNOWN),
        ("a ramp of a long time", drift, 79, Shape.DRIFT),
        ("noise has no shape", flat, 79, Shape.UNKNOWN),
        ("too slow to fall for a spike", slow_decay, 79, Shape.UNKNOWN),
        ("neither held nor monotone", sawtooth, 79, Shape.UNKNOWN),
    ],
)
def test_a_shape_is_read_as_of_its_moment(
    name: str, value: Callable[[float], float], now: float, shape: Shape
) -> None:
    samples = signal(value)
    began = onset(samples) if value is not flat else 40.0

    assert shape == classify_shape(samples, onset=began, now=now, short_window=SHORT), name


def test_a_drop_has_a_shape_just_as_a_rise() -> None:
    samples = signal(lambda t: 1 - step(t))

    assert Shape.PLATEAU == classify_shape(
        samples, onset=onset(samples), now=70, short_window=SHORT
    )


def test_a_ramp_with_fewer_samples_than_parts_is_not_called_a_drift() -> None:
    samples = [(float(t), 0.0) for t in range(20)] + [(20.0, 0.1), (27.0, 0.2), (40.0, 1.0)]

    assert Shape.UNKNOWN == classify_shape(samples, onset=20.0, now=40, short_window=SHORT)


@pytest.mark.parametrize(
    ("samples", "began"),
    [([], 10.0), ([(1.0, 0.1), (12.0, 0.5)], 10.0), ([(20.0, 0.5), (21.0, 0.5)], 10.0)],
)
def test_without_samples_on_both_sides_there_is_no_shape(samples: Samples, began: float) -> None:
    assert Shape.UNKNOWN == classify_shape(samples, onset=began, now=60, short_window=SHORT)


def test_nothing_moved_has_no_shape() -> None:
    assert Shape.UNKNOWN == classify_shape(signal(step), onset=None, now=70, short_window=SHORT)


@pytest.mark.parametrize(("value", "tolerance"), [(step, 2), (spike, 1), (drift, 10)])
def test_the_onset_is_dated_close_to_the_change(
    value: Callable[[float], float], tolerance: float
) -> None:
    assert onset(signal(value)) == pytest.approx(40, abs=tolerance)


def test_a_single_wild_sample_is_no_onset() -> None:
    samples = list(signal(step))
    samples[12] = (12.0, 3.0)

    assert onset(samples) is None or onset(samples) == pytest.approx(42, abs=3)


def test_samples_without_a_number_are_passed_over() -> None:
    samples = [(t, v if t % 7 else math.nan) for t, v in signal(step)]

    began = onset(samples)

    assert began == pytest.approx(41, abs=2)
    assert Shape.PLATEAU == classify_shape(samples, onset=began, now=70, short_window=SHORT)


def test_few_or_flat_samples_have_no_onset() -> None:
    assert onset(signal(step, until=5)) is None
    assert onset([(float(t), 1.0) for t in range(50)]) is None


@given(scale=st.floats(0.001, 1000), shift=st.floats(0, 100))
def test_the_unit_of_a_signal_changes_nothing(scale: float, shift: float) -> None:
    samples = signal(step, noise=0.005)
    changed = [(t, v * scale + shift * scale) for t, v in samples]

    assert onset(changed) == onset(samples)
    assert Shape.PLATEAU == classify_shape(
        changed, onset=onset(changed), now=70, short_window=SHORT
    )


def test_the_shapes_are_those_that_a_finding_may_name() -> None:
    from gameday.model.page import RedShape

    assert [str(s) for s in RedShape] == [str(s) for s in Shape]


QUIET = Red(rate=16.0, error_ratio=0.0, duration=timedelta(milliseconds=20))


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (QUIET, ()),
        (Red(16.0, 0.0, timedelta(milliseconds=400)), ("duration",)),
        (Red(16.0, 0.5, timedelta(milliseconds=21)), ("errors",)),
        (Red(8.0, 0.5, timedelta(seconds=4)), ("rate", "errors", "duration")),
        (Red(30.0, 0.005, timedelta(milliseconds=24)), ("rate",)),
        (Red(None, None, None), ()),
    ],
)
def test_what_moved_is_named_in_the_order_of_red(current: Red, expected: tuple[str, ...]) -> None:
    assert expected == moved(QUIET, current)


def test_no_traffic_before_and_after_is_no_movement() -> None:
    assert () == moved(Red(0.0, None, None), Red(0.0, None, None))
