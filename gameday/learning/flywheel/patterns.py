"""What more incidents have in common than chance explains.

A team with twice the deploys may have twice the incidents, so a share is held against exposure: the
share of what incidents come of. Where nobody said how much that was, a share is shown and not
judged. A class of causes has no exposure; it is held against itself at other times. Hours have the
clock's.

Much is looked at at once, and among a hundred values a few are always remarkable. What is called a
pattern is therefore so improbable that of a thousand histories without any, all values and
dimensions together, five at most have one.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter

from gameday.model.past_incident import Chronicle, Dimension, PastIncident
from gameday.model.pattern import Pattern, Unjudged, Yardstick

__all__ = ["FAMILY_WISE", "SHARE", "patterns_in", "unjudged_in"]

FAMILY_WISE = 0.005
"""In which share of histories without any pattern one may be named, all looked at together."""

SHARE = FAMILY_WISE / 4
"""Of it for what stands out here, and as much again for what repeats, see `returns`; the rest is
left to wordings that are alike by chance, whose odds nobody can work out."""

FEWEST = 4
"""Incidents of a value before it is looked at: fewer are anecdotes."""

STRETCH = timedelta(days=90)
"""In which a class may come up more often than at other times."""

NO_EXPOSURE = (Dimension.CAUSE, Dimension.TRIGGER)
"""What incidents are, and not where they come from."""


def patterns_in(chronicle: Chronicle) -> Sequence[Pattern]:
    """Return the values that stand out, the least probable first.

    Every value of every dimension that could be held against something counts as looked at, also
    those with too few incidents: which ones have few is found out from the same history.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979, which holds
    however the tests depend on each other.
    """
    asked = [*_by_exposure(chronicle), *_by_time(chronicle)]
    asked.sort(key=lambda one: (one.p, one.dimension, one.value))
    found, highest = [], 0.0
    for place, one in enumerate(asked):
        highest = max(highest, min(1.0, one.p * (len(asked) - place)))
        if highest > SHARE:
            break
        found.append(replace(one, adjusted_p=highest))
    return found


def unjudged_in(chronicle: Chronicle) -> Sequence[Unjudged]:
    """Return what most incidents have in common where no exposure says whether that is much."""
    found = []
    for dimension in Dimension:
        if dimension in NO_EXPOSURE or exposure_of(chronicle, dimension):
            continue
        counts = _counts(chronicle.incidents, dimension)
        of = counts.total()
        for value, count in counts.most_common(1):
            if len(counts) > 1 and count >= FEWEST and count / of >= 0.5:
                found.append(Unjudged(dimension, value, count, of))
    return found


def exposure_of(chronicle: Chronicle, dimension: Dimension) -> Mapping[str, float]:
    """Return how much exposure each value of a dimension had; empty where nobody said."""
    if dimension is Dimension.HOUR:
        return {f"{hour:02}": 1.0 for hour in range(24)}
    return chronicle.exposures.get(dimension, {})


def _counts(incidents: Sequence[PastIncident], dimension: Dimension) -> Counter[str]:
    # A hundred thousand of them, so a column is taken out as a whole.
    if dimension is Dimension.HOUR:
        counts = Counter(one.value(dimension) for one in incidents)
    else:
        counts = Counter(map(attrgetter(str(dimension)), incidents))
    del counts[""]
    return counts


def _by_exposure(chronicle: Chronicle) -> Iterator[Pattern]:
    """Yield, for each value with exposure, how its share of the incidents compares with it.

    Of n incidents each falls to the value with the share of its exposure, so that their number is
    binomial. Values without any exposure on record are left out, with their incidents.
    """
    from scipy.special import bdtrc

    for dimension in Dimension:
        exposure = {v: e for v, e in exposure_of(chronicle, dimension).items() if e > 0}
        if len(exposure) < 2:
            continue
        counts = _counts(chronicle.incidents, dimension)
        of = sum(counts[value] for value in exposure)
        total = sum(exposure.values())
        for value, amount in exposure.items():
            count, expected = counts[value], amount / total
            # P(X >= count); bdtrc gives P(X > count - 1).
            p = float(bdtrc(count - 1, of, expected)) if count >= FEWEST else 1.0
            yield Pattern(dimension, value, Yardstick.EXPOSURE, count, of, expected, p, 1.0)


def _by_time(chronicle: Chronicle) -> Iterator[Pattern]:
    """Yield, for each class, the stretch of time in which most of it came up.

    Were the class dealt out to the incidents by chance, so many of it among the incidents of one
    stretch would be hypergeometric. The stretch was chosen for its many, among as many as the class
    has incidents, which multiplies how often chance does as much (Bonferroni).
    """
    for dimension in NO_EXPOSURE:
        said = attrgetter(str(dimension))
        known = [(one.began_at, value) for one in chronicle.incidents if (value := said(one))]
        if not known or known[-1][0] - known[0][0] < 2 * STRETCH:
            continue
        times = [at for at, _ in known]
        by_value: dict[str, list[datetime]] = defaultdict(list)
        for at, value in known:
            by_value[value].append(at)
        if len(by_value) < 2:
            continue
        for value, own in by_value.items():
            begin, count = _densest(own)
            end = begin + STRETCH
            others = bisect_right(times, end) - bisect_left(times, begin)
            p = 1.0
            if count >= FEWEST and count * len(times) > len(own) * others:
                p = len(own) * _dealt_out(count, len(own), others, len(times))
            yield Pattern(
                dimension,
                value,
                Yardstick.OTHER_TIMES,
                count,
                others,
                len(own) / len(times),
                min(1.0, p),
                1.0,
                begin,
                end,
            )


def _dealt_out(count: int, own: int, others: int, of: int) -> float:
    """Return how often chance deals so many of a class to a stretch: P(X >= count).

    Of `of` incidents `others` lie in the stretch and `own` are of the class, so that those that are
    both are hypergeometric. In logarithms of factorials, as the figures themselves are too large.
    """

    def choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    every = choose(of, others)
    first = max(count, own + others - of)
    odds = 0.0
    for x in range(first, min(own, others) + 1):
        part = math.exp(choose(own, x) + choose(of - own, others - x) - every)
        odds += part
        # Beyond what is expected each is smaller than the one before.
        if part < odds * 1e-15 and x * of > own * others:
            break
    return odds


def _densest(times: Sequence[datetime]) -> tuple[datetime, int]:
    """Return (where the stretch begins that holds most of these, how many it holds)."""
    best, start = (times[0], 0), 0
    for place, at in enumerate(times):
        while at - times[start] > STRETCH:
            start += 1
        if place - start + 1 > best[1]:
            best = times[start], place - start + 1
    return best
