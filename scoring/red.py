"""Rate, errors, duration: what moved, when it began, and in which shape.

The shapes are read as of one moment and measured in short windows, because a signal is itself a
rate over a window: it needs about one short window to climb to a new level, however sudden the
change was. What cause each shape hints at is gameday's own mapping, not a law of nature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from math import isfinite
from statistics import median

Samples = Sequence[tuple[float, float]]
"""(unix seconds, value), ordered by time; may be empty. NaN (no traffic) is passed over."""

NOISE_WIDTH = 4.0
"""How many deviations of the quiet part a value must leave it by to count as moved."""

MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation → standard deviation of a normal distribution."""

BINS = 6
"""Into how many equal parts a drift is cut to see that every part lies higher than the last."""


class Shape(StrEnum):
    """How a RED signal moved, as of the moment it is read.

    PLATEAU: a step that has been held for at least two short windows. SPIKE: back below half its
    peak within two. DRIFT: monotone for at least three, without a step. UNKNOWN: none of these, or
    not yet, or no data.
    """

    SPIKE = "spike"
    DRIFT = "drift"
    PLATEAU = "plateau"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Red:
    """The three signals of a service over one window; None where there is no data.

    Attributes:
        rate: requests per second.
        error_ratio: failed requests / all requests, 0–1.
        duration: a latency of the service, mean or quantile; the same one on both sides.
    """

    rate: float | None
    error_ratio: float | None
    duration: timedelta | None


def moved(baseline: Red, current: Red) -> tuple[str, ...]:
    """Return which of ``rate``, ``errors`` and ``duration`` moved, in this order.

    Rate moves by 30 % up or down; errors by a point and to twice what they were; duration by half
    and by 5 ms. A signal without data on either side is not said to have moved.

    Source: our own thresholds; a steady open-loop load stays well within them.
    """
    found = []
    if baseline.rate is not None and current.rate is not None:
        change = abs(current.rate - baseline.rate)
        if change > 0 and change >= 0.3 * baseline.rate:
            found.append("rate")
    if baseline.error_ratio is not None and current.error_ratio is not None:
        rise = current.error_ratio - baseline.error_ratio
        if rise >= 0.01 and current.error_ratio >= 2 * baseline.error_ratio:
            found.append("errors")
    if baseline.duration is not None and current.duration is not None:
        slower = current.duration - baseline.duration
        if slower >= timedelta(milliseconds=5) and slower >= baseline.duration / 2:
            found.append("duration")
    return tuple(found)


def _band(values: Sequence[float]) -> tuple[float, float]:
    """Return (level, deviation) of a quiet stretch, blind to a minority of outliers."""
    level = median(values)
    return level, MAD_TO_DEVIATION * median(abs(v - level) for v in values)


def onset(samples: Samples) -> float | None:
    """Return the instant (unix seconds) at which the signal left its quiet level.

    The signal is split where two levels explain it best; the part before gives the quiet level and
    its noise. The onset is the first of three samples in a row outside that noise, on the side of
    the largest excursion and by at least a tenth of it.

    Returns:
        None where nothing left the noise, or there are too few samples to tell (fewer than 8).
    """
    samples = [(t, v) for t, v in samples if isfinite(v)]
    values = [v for _, v in samples]
    if len(values) < 8:
        return None
    split = _best_split(values)
    level, noise = _band(values[:split])
    peak = max(values, key=lambda v: abs(v - level)) - level
    limit = max(NOISE_WIDTH * noise, abs(peak) / 10)
    side = 1.0 if peak > 0 else -1.0
    outside = [side * (v - level) > limit for v in values]
    for i in range(len(values) - 2):
        if all(outside[i : i + 3]):
            return samples[i][0]
    return None


def _best_split(values: Sequence[float]) -> int:
    """Return the index at which two constant levels fit best; at least three samples each side."""
    # Minimising the squared error of two means is maximising (Σ left)²/n + (Σ right)²/m.
    n, total = len(values), sum(values)
    best, best_gain, left = 3, float("-inf"), sum(values[:2])
    for i in range(3, n - 2):
        left += values[i - 1]
        gain = left * left / i + (total - left) ** 2 / (n - i)
        if gain > best_gain:
            best, best_gain = i, gain
    return best


def classify_shape(
    samples: Samples, *, onset: float | None, now: float, short_window: timedelta
) -> Shape:
    """Return the shape of a signal as of ``now``, from samples before and after its onset.

    Args:
        onset: unix seconds, see `onset`; None: nothing moved.
        now: unix seconds; later samples are not looked at.
        short_window: short window of the alert, in real time.
    """
    if onset is None:
        return Shape.UNKNOWN
    before = [v for t, v in samples if t < onset and isfinite(v)]
    after = [(t, v) for t, v in samples if onset <= t <= now and isfinite(v)]
    if not before or len(after) < 3:
        return Shape.UNKNOWN
    level, noise = _band(before)
    excursion = max((v - level for _, v in after), key=abs)
    side = 1.0 if excursion > 0 else -1.0
    rises = [(t, side * (v - level)) for t, v in after]
    peak_at, peak = max(rises, key=lambda r: r[1])
    if peak <= NOISE_WIDTH * noise:
        return Shape.UNKNOWN
    window = short_window.total_seconds()
    held = now - onset
    fallen = [t for t, v in rises if t > peak_at and v < peak / 2]
    if fallen:
        quick = fallen[0] - onset <= 2 * window
        return Shape.SPIKE if quick and rises[-1][1] < peak / 2 else Shape.UNKNOWN
    settled = [v for t, v in rises if t >= onset + window]
    if settled and _is_step(rises, onset + window, settled):
        return Shape.PLATEAU if held >= 2 * window else Shape.UNKNOWN
    if held >= 3 * window and _is_monotone(rises, noise):
        return Shape.DRIFT
    return Shape.UNKNOWN


def _is_step(rises: Samples, climbed_by: float, settled: Sequence[float]) -> bool:
    """Return whether the signal was at its later level after one short window, and stayed."""
    # The level is that of the newest third: a drift has not reached it by then, a step has.
    level = median(settled[-(len(settled) // 3 + 1) :])
    reached = max(v for t, v in rises if t <= climbed_by)
    return reached >= 0.75 * level and min(settled) >= level / 2


def _is_monotone(rises: Samples, noise: float) -> bool:
    """Return whether every sixth of the signal lies higher than the one before, none by a leap."""
    size = len(rises) / BINS
    if size < 1:
        return False
    cuts = [round(i * size) for i in range(BINS + 1)]
    levels = [median(v for _, v in rises[a:b]) for a, b in pairwise(cuts)]
    whole = levels[-1] - levels[0]
    tolerance = min(noise, abs(whole) / (2 * BINS))
    climbs = [after - before for before, after in pairwise(levels)]
    return all(c > -tolerance for c in climbs) and max(climbs) <= whole / 2
