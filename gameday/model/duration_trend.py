"""How long things take, and whether that changed: the values, not how they are worked out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

__all__ = ["SpanChange", "Trend", "Spread"]

Interval = tuple[timedelta, timedelta]


@dataclass(frozen=True, slots=True)
class Spread:
    """Where spans lie. Intervals are of 95 %; None: there are too few.

    Attributes:
        deviation: the standard deviation of their natural logarithms.
    """

    count: int
    median: timedelta
    geometric_mean: timedelta
    median_interval: Interval | None = None
    mean_interval: Interval | None = None
    deviation: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a document, in seconds."""
        return {
            "count": self.count,
            "median_seconds": self.median.total_seconds(),
            "median_interval_seconds": _seconds(self.median_interval),
            "geometric_mean_seconds": self.geometric_mean.total_seconds(),
            "geometric_mean_interval_seconds": _seconds(self.mean_interval),
            "log_deviation": self.deviation,
        }


class Trend(StrEnum):
    """What a comparison found."""

    SHORTER = "shorter"
    LONGER = "longer"
    NOT_SHOWN = "not shown"  # which is no proof that nothing changed


@dataclass(frozen=True, slots=True)
class SpanChange:
    """What became of spans from one time to another.

    Attributes:
        before, after: how many there are.
        ratio: the geometric mean after, as a multiple of the one before; 0.5: they take half.
        interval: of the ratio, 95 %.
        p_logs, p_ranks: how often chance alone does as much, by either test.
        deviation: of the logarithms, over both sides.
        smallest_visible_ratio: the smallest cut that this number of incidents would have shown in
            four of five histories; 0.5: a halving.
    """

    before: int
    after: int
    ratio: float
    interval: tuple[float, float]
    p_logs: float
    p_ranks: float
    trend: Trend
    deviation: float
    smallest_visible_ratio: float

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "before": self.before,
            "after": self.after,
            "ratio": self.ratio,
            "interval": list(self.interval),
            "p_logs": self.p_logs,
            "p_ranks": self.p_ranks,
            "trend": str(self.trend),
            "log_deviation": self.deviation,
            "smallest_visible_ratio": self.smallest_visible_ratio,
        }


def _seconds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [end.total_seconds() for end in interval]
