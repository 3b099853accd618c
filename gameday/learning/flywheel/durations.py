"""How long incidents take, as distributions: medians and geometric means, and whether they change.

Times to recover spread over powers of ten, and a mean is the longest of them and little else. Their
logarithms are about normal, so the geometric mean is what they gather around, and changes are
factors. What a number of incidents could have shown at all is said beside what they did show.

Sources: durations of incidents as log-normal, and how little their mean says: Davidovič, "Incident
Metrics in SRE" (O'Reilly, 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from gameday.model.duration_trend import SpanChange, Spread, Trend

__all__ = [
    "FOUND_BELOW",
    "POWER",
    "change_between",
    "log_of",
    "paired_change",
    "smallest_visible_ratio",
    "spread_of",
]

CONFIDENCE = 0.95
"""Of every interval."""

FOUND_BELOW = 0.04
"""How improbable a difference must be without a change before it is called one.

A little less than the usual 0.05: then of 100 histories without a change fewer than 5 are mistaken,
and a halving is still found in 96 of 100 that have 100 incidents a side and a spread of 1.25."""

POWER = 0.8
"""In how many of all histories a change must be found to count as one that can be seen."""

ZERO = timedelta(seconds=30)
"""What a span of nothing is counted as, for it has no logarithm: its two instants were written down
to the minute."""

MANY = 40
"""A side, from which on the ranks are taken as normal."""

FEWEST = 3
"""Spans of which a spread is worked out."""


def log_of(span: timedelta) -> float:
    """Return the natural logarithm of a span's seconds."""
    return math.log((span or ZERO).total_seconds())


def spread_of(logs: Sequence[float]) -> Spread | None:
    """Return where spans lie, of their logarithms; None where there are none.

    The median's interval is the exact one of order statistics, which asks nothing of the
    distribution; the geometric mean's is Student's on the logarithms. With fewer than three spans
    there are none; nor is there one for a median of fewer than six.

    Source: Conover, "Practical Nonparametric Statistics", 3.2 (quantiles); the interval of a mean
    by Student's t, on logarithms.
    """
    if not logs:
        return None
    import numpy as np
    from scipy.special import stdtrit

    ordered = np.sort(np.asarray(logs))
    count = len(logs)
    mean = float(ordered.mean())
    middle = float(ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    if count < FEWEST:
        return Spread(count, _span(middle), _span(mean))
    deviation = float(ordered.std(ddof=1))
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(count)
    rank = _rank(count)
    return Spread(
        count=count,
        median=_span(middle),
        geometric_mean=_span(mean),
        median_interval=(_span(ordered[rank - 1]), _span(ordered[-rank])) if rank else None,
        mean_interval=(_span(mean - half), _span(mean + half)),
        deviation=deviation,
    )


def _rank(count: int) -> int:
    """Return which from either end bounds the median's interval; 0: there are too few.

    The number of spans below the median is binomial with one half, so the interval from the
    rank-th to the rank-th last misses it with twice P(X < rank).
    """
    from scipy.special import bdtr

    # It lies about the square root below the middle, and is looked for from further down.
    rank = max(0, int(count / 2 - 1.1 * math.sqrt(count)) - 2)
    while 2 * float(bdtr(rank, count, 0.5)) <= 1 - CONFIDENCE:
        rank += 1
    return rank


def change_between(before: Sequence[float], after: Sequence[float]) -> SpanChange | None:
    """Return what became of spans, of their logarithms; None with fewer than 3 a side.

    Welch's test on the logarithms decides, for it is the one whose power is known. The rank test
    of Mann and Whitney asks nothing of the distribution and stands beside it as a witness.

    Source: Welch, "The Generalization of 'Student's' Problem", 1947; as scipy.stats.ttest_ind.
    """
    first, second = len(before), len(after)
    if min(first, second) < FEWEST:
        return None
    import numpy as np
    from scipy.special import stdtr, stdtrit

    old, new = np.asarray(before), np.asarray(after)
    difference = float(new.mean() - old.mean())
    old_variance, new_variance = float(old.var(ddof=1)), float(new.var(ddof=1))
    old_part, new_part = old_variance / first, new_variance / second
    error = math.sqrt(old_part + new_part)
    if error == 0.0:  # every span of a side is the same, and nothing can be said of chance
        return None
    # Welch and Satterthwaite's degrees of freedom.
    freedom = (old_part + new_part) ** 2 / (old_part**2 / (first - 1) + new_part**2 / (second - 1))
    by_logs = 2 * float(stdtr(freedom, -abs(difference) / error))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    pooled = math.sqrt(
        ((first - 1) * old_variance + (second - 1) * new_variance) / (first + second - 2)
    )
    trend = Trend.NOT_SHOWN
    if by_logs < FOUND_BELOW:
        trend = Trend.SHORTER if difference < 0 else Trend.LONGER
    return SpanChange(
        before=first,
        after=second,
        ratio=math.exp(difference),
        interval=(math.exp(difference - half), math.exp(difference + half)),
        p_logs=by_logs,
        p_ranks=_by_ranks(before, after),
        trend=trend,
        deviation=pooled,
        smallest_visible_ratio=smallest_visible_ratio(first, second, pooled),
    )


def _by_ranks(old: Sequence[float], new: Sequence[float]) -> float:
    """Return how often ranks fall apart like this by chance, on either side (Mann and Whitney).

    With many the sum of the ranks is as good as normal, with the correction for ties and for its
    being whole; with few it is scipy's, which is exact, and takes a second to be loaded.

    Source: Conover, "Practical Nonparametric Statistics", 5.1.
    """
    first, second = len(old), len(new)
    if min(first, second) < MANY:
        from scipy import stats

        return float(stats.mannwhitneyu(old, new, alternative="two-sided").pvalue)
    import numpy as np
    from scipy.special import ndtr

    both = first + second
    values = np.concatenate([np.asarray(old), np.asarray(new)])
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    # Those that are equal share the mean of their ranks.
    ranks = np.cumsum(counts) - (counts - 1) / 2
    above = float(ranks[which[:first]].sum()) - first * (first + 1) / 2
    equal = counts.astype(float)
    ties = float((equal**3 - equal).sum())
    variance = first * second / 12 * (both + 1 - ties / (both * (both - 1)))
    if variance <= 0:
        return 1.0
    apart = max(abs(above - first * second / 2) - 0.5, 0.0)
    return min(1.0, 2 * float(ndtr(-apart / math.sqrt(variance))))


def smallest_visible_ratio(before: int, after: int, deviation: float) -> float:
    """Return the smallest cut that so many incidents would have shown: 0.5 for a halving.

    A cut by c moves the mean of the logarithms by ln(1 - c). Student's t of it is then distributed
    as noncentral t with noncentrality |ln(1 - c)| / (deviation · √(1/before + 1/after)); the
    cut is the smallest at which it exceeds the test's critical value in `POWER` of all histories.

    Args:
        before, after: how many incidents, at least 2 a side.
        deviation: the standard deviation of the logarithms of spans, the same on both sides.

    Source: Cohen, "Statistical Power Analysis", 2.4; scipy.special.nctdtrinc.
    """
    from scipy.special import nctdtrinc, stdtrit

    freedom = before + after - 2
    critical = float(stdtrit(freedom, 1 - FOUND_BELOW / 2))
    # P(T < critical) = 1 - POWER; what falls below -critical is less than one in a million.
    noncentrality = float(nctdtrinc(freedom, 1 - POWER, critical))
    return 1 - math.exp(-noncentrality * deviation * math.sqrt(1 / before + 1 / after))


def paired_change(pairs: Sequence[tuple[timedelta, timedelta]]) -> SpanChange | None:
    """Return what became of spans that belong together, as of two drills of one scenario.

    Each pair is its own measure, so that what differs between scenarios does not count: Student's
    test on the differences of the logarithms, with Wilcoxon's of signed ranks beside it.

    Source: scipy.stats.wilcoxon; a paired t test is the test of one mean, of the differences.
    """
    if len(pairs) < FEWEST:
        return None
    from scipy import stats
    from scipy.special import nctdtrinc, stdtr, stdtrit

    differences = [log_of(after) - log_of(before) for before, after in pairs]
    count = len(differences)
    mean, deviation = math.fsum(differences) / count, math.sqrt(_variance(differences))
    if deviation == 0.0:
        return None
    error, freedom = deviation / math.sqrt(count), count - 1
    by_logs = 2 * float(stdtr(freedom, -abs(mean) / error))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    critical = float(stdtrit(freedom, 1 - FOUND_BELOW / 2))
    visible = float(nctdtrinc(freedom, 1 - POWER, critical)) * error
    trend = Trend.NOT_SHOWN
    if by_logs < FOUND_BELOW:
        trend = Trend.SHORTER if mean < 0 else Trend.LONGER
    return SpanChange(
        before=count,
        after=count,
        ratio=math.exp(mean),
        interval=(math.exp(mean - half), math.exp(mean + half)),
        p_logs=by_logs,
        p_ranks=float(stats.wilcoxon(differences).pvalue),
        trend=trend,
        deviation=deviation,
        smallest_visible_ratio=1 - math.exp(-visible),
    )


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _span(log: float) -> timedelta:
    return timedelta(seconds=math.exp(log))
