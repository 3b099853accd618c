"""The shape of a fault: its error ratio over time, and what windows that slide over it see.

A window's mean error ratio is an integral of the shape divided by the window's length. The shape is
piecewise linear, so the integral over a sliding window is piecewise quadratic in the instant at
which the window ends: where it crosses a threshold is solved for, piece by piece, not searched for
in steps.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import inf, sqrt

ZERO = timedelta(0)

MOST_PULSES = 2_000
"""An intermittent shape with more pulses than this is a slip of the keyboard."""

TINY = 1e-10
"""Mean error ratios that differ by less than this are equal: binary floats are no finer over the
sums of a fault of weeks, and a budget of six nines is ten thousand times larger."""

Span = tuple[float, float]
"""From here to there in seconds since the onset, both ends left out; may begin at -inf or end at
inf."""


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """An error ratio over time: bad events / all events, at steady traffic.

    Attributes:
        points: (time since the onset, error ratio 0–1), ordered by time, the first at 0; straight
            lines between them, two at one instant make a step.
        baseline_ratio: error ratio before the first point, and after the last one where it ends.
        ends: whether the fault ends at the last point; else its ratio stays as it is there.

    Raises:
        ValueError: points or ratios are missing, unordered or out of range.
    """

    points: tuple[tuple[timedelta, float], ...]
    baseline_ratio: float = 0.0
    ends: bool = True

    def __post_init__(self) -> None:
        if not self.points or self.points[0][0] != ZERO:
            raise ValueError("a shape begins with a point at 0 s, the onset of the fault")
        if any(after[0] < before[0] for before, after in pairwise(self.points)):
            raise ValueError("the points of a shape must be ordered by time")
        for name, ratio in (("baseline_ratio", self.baseline_ratio), *_named(self.points)):
            if not 0 <= ratio <= 1:
                raise ValueError(f"{name} {ratio!r} must lie between 0 and 1")

    @classmethod
    def constant(
        cls, error_ratio: float, duration: timedelta | None = None, *, baseline_ratio: float = 0.0
    ) -> ErrorShape:
        """Return one error ratio from the onset to the end; without a duration it does not end."""
        points = ((ZERO, error_ratio), (duration or ZERO, error_ratio))
        return cls(points, baseline_ratio, ends=duration is not None)

    @classmethod
    def ramp(
        cls,
        error_ratio: float,
        rise: timedelta,
        duration: timedelta | None = None,
        *,
        baseline_ratio: float = 0.0,
    ) -> ErrorShape:
        """Return a ratio that rises from the baseline in a straight line, and then stays.

        Args:
            error_ratio: reached after ``rise``.
            duration: of the whole fault, at least ``rise``; None: it does not end.
        """
        if rise <= ZERO or (duration is not None and duration < rise):
            raise ValueError("a ramp rises for longer than 0 s and for no longer than it lasts")
        points = ((ZERO, baseline_ratio), (rise, error_ratio), (duration or rise, error_ratio))
        return cls(points, baseline_ratio, ends=duration is not None)

    @classmethod
    def spike(
        cls, error_ratio: float, duration: timedelta, *, baseline_ratio: float = 0.0
    ) -> ErrorShape:
        """Return a triangle: up to ``error_ratio`` in the first half, back in the second."""
        _positive(duration)
        points = ((ZERO, baseline_ratio), (duration / 2, error_ratio), (duration, baseline_ratio))
        return cls(points, baseline_ratio)

    @classmethod
    def intermittent(
        cls,
        error_ratio: float,
        *,
        on: timedelta,
        off: timedelta,
        duration: timedelta,
        baseline_ratio: float = 0.0,
    ) -> ErrorShape:
        """Return pulses of ``error_ratio``: on, off, on …, the first at once, until it ends."""
        for span in (on, off, duration):
            _positive(span)
        if duration / (on + off) > MOST_PULSES:
            raise ValueError(f"a shape of more than {MOST_PULSES} pulses is not computed")
        points: list[tuple[timedelta, float]] = []
        begins = ZERO
        while begins < duration:
            ends = min(begins + on, duration)
            points += [(begins, baseline_ratio), (begins, error_ratio)]
            points += [(ends, error_ratio), (ends, baseline_ratio)]
            begins += on + off
        return cls((*points, (duration, baseline_ratio)), baseline_ratio)

    @property
    def lasts(self) -> timedelta | None:
        """Return how long the fault lasts; None where it does not end."""
        return self.points[-1][0] if self.ends else None

    def errors_until(self, seconds: float) -> float:
        """Return the bad events from the onset to this instant, in seconds of total outage.

        Errors of the baseline count too, before the end and after it.
        """
        return _Curve.of(self).integral(max(seconds, 0.0))

    def reaches(self, errors: float) -> float | None:
        """Return how many seconds after the onset so many errors have happened (see
        `errors_until`), up to the end of the fault; None where it ends before.
        """
        return _Curve.of(self).reaches(errors)

    def above(self, window: timedelta, threshold: float) -> tuple[Span, ...]:
        """Return when the mean error ratio over a sliding window lies above a threshold.

        Args:
            window: its length; it ends at the instant that is asked about.
            threshold: error ratio, 0–1; the mean must be greater, not equal.
        """
        return _Curve.of(self).above(window.total_seconds(), threshold)


def _named(points: Sequence[tuple[timedelta, float]]) -> list[tuple[str, float]]:
    return [("error ratio", ratio) for _, ratio in points]


def _positive(duration: timedelta) -> None:
    if duration <= ZERO:
        raise ValueError(f"a duration of {duration.total_seconds():g} s must be above 0")


def both(first: Sequence[Span], second: Sequence[Span]) -> tuple[Span, ...]:
    """Return when both hold, given when each of them does (ordered, apart from each other)."""
    found: list[Span] = []
    left, right = list(first), list(second)
    while left and right:
        begins, ends = max(left[0][0], right[0][0]), min(left[0][1], right[0][1])
        if begins < ends:
            found.append((begins, ends))
        (left if left[0][1] <= right[0][1] else right).pop(0)
    return tuple(found)


def either(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return when at least one of them holds, joined where they overlap or touch; any order."""
    found: list[Span] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Curve:
    """The shape as straight pieces in seconds, with the errors counted up to the start of each.

    Piece i begins at ``starts[i]`` with ``ratios[i]`` and changes by ``slopes[i]`` per second until
    the next one begins; the last one goes on for ever. Before the first lies the baseline.
    """

    starts: tuple[float, ...]
    ratios: tuple[float, ...]
    slopes: tuple[float, ...]
    errors: tuple[float, ...]
    baseline: float
    ends: bool

    @classmethod
    def of(cls, shape: ErrorShape) -> _Curve:
        points = [(at.total_seconds(), ratio) for at, ratio in shape.points]
        starts, ratios, slopes, errors = [], [], [], []
        counted = 0.0
        for (begin, ratio), (end, later) in pairwise(points):
            if end > begin:
                starts.append(begin)
                ratios.append(ratio)
                slopes.append((later - ratio) / (end - begin))
                errors.append(counted)
                counted += (ratio + later) / 2 * (end - begin)
        starts.append(points[-1][0])
        ratios.append(shape.baseline_ratio if shape.ends else points[-1][1])
        slopes.append(0.0)
        errors.append(counted)
        return cls(
            tuple(starts),
            tuple(ratios),
            tuple(slopes),
            tuple(errors),
            shape.baseline_ratio,
            shape.ends,
        )

    def integral(self, at: float) -> float:
        """Return the errors from the onset to this instant; negative before the onset."""
        if at < 0:
            return at * self.baseline
        i = bisect_right(self.starts, at) - 1
        x = at - self.starts[i]
        return self.errors[i] + x * (self.ratios[i] + x * self.slopes[i] / 2)

    def line(self, at: float, *, within: float) -> tuple[float, float]:
        """Return (error ratio, its slope) at an instant, on the piece that holds another one.

        At a point where two pieces meet, rounding decides which of them holds it; an instant well
        within the piece that is meant does not leave that to chance.
        """
        i = bisect_right(self.starts, within) - 1
        if i < 0:
            return self.baseline, 0.0
        return self.ratios[i] + (at - self.starts[i]) * self.slopes[i], self.slopes[i]

    def reaches(self, errors: float) -> float | None:
        """Return when so many errors have happened since the onset, before the end; or None."""
        if errors <= 0:
            return 0.0
        i = bisect_left(self.errors, errors) - 1
        left = errors - self.errors[i]
        if i == len(self.starts) - 1:
            goes_on = not self.ends and self.ratios[i] > 0
            return self.starts[i] + left / self.ratios[i] if goes_on else None
        # Errors only ever grow, so the first crossing is the only one within its piece. Rounding
        # may put it a hair past the piece's end, or leave none where the piece falls to 0 there.
        crossings = _roots(self.slopes[i] / 2, self.ratios[i], -left)
        crossing = next((x for x in crossings if x >= 0), inf)
        return min(self.starts[i] + crossing, self.starts[i + 1])

    def above(self, window: float, threshold: float) -> tuple[Span, ...]:
        """Return the spans in which the window's mean exceeds the threshold."""
        # g(t) = errors in (t − w, t] − θ·w. Its derivative is ratio(t) − ratio(t − w): linear
        # wherever neither end of the window crosses a point of the shape, so g is quadratic there.
        knots = sorted({k for start in self.starts for k in (start, start + window)})
        level = (threshold + TINY) * window
        found: list[Span] = []
        if self.baseline > threshold + TINY:
            found.append((-inf, knots[0]))
        for begin, end in pairwise([*knots, inf]):
            value = self.integral(begin) - self.integral(begin - window) - level
            inside = (begin + end) / 2 if end < inf else begin + 1.0
            now, now_slope = self.line(begin, within=inside)
            old, old_slope = self.line(begin - window, within=inside - window)
            rise, bend = now - old, (now_slope - old_slope) / 2
            turns = [x for x in _roots(bend, rise, value) if 0 < x < end - begin]
            for low, high in pairwise([0.0, *turns, end - begin]):
                middle = (low + high) / 2 if high < inf else low + 1.0
                if value + middle * (rise + middle * bend) > 0:
                    found.append((begin + low, begin + high))
        return either(found)


def _roots(a: float, b: float, c: float) -> list[float]:
    """Return the real roots of a·x² + b·x + c in rising order; none where it is constant."""
    if a == 0:
        return [] if b == 0 else [-c / b]
    square = b * b - 4 * a * c
    if square < 0:
        return []
    # The sum of two numbers of one sign loses no digits; the other root follows from their
    # product, c / a (Numerical Recipes, 5.6).
    q = -(b + (sqrt(square) if b >= 0 else -sqrt(square))) / 2
    return sorted([q / a, c / q] if q else [0.0])
