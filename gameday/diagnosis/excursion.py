"""How errors or a duration left their quiet level by a given moment. Pure.

What came and went before, a former incident or a restart, is neither the onset nor the level of the
present trouble: that begins after the last calm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from scoring.red import MAD_TO_DEVIATION, NOISE_WIDTH, Samples

__all__ = ["FEWEST", "Excursion", "excursion"]

FEWEST = 3
"""Samples that a level rests on, at least."""

LASTS = 1.5
"""Short windows that an excursion lasts at least: one odd request stays in a rate for one."""

CALM = 2.0
"""Short windows near the quiet level that part one trouble from the next."""

STRONG = 0.25
"""From this share of the level on, an earlier outlier may have been the beginning."""


@dataclass(frozen=True, slots=True)
class Excursion:
    """What left its quiet level, once and up to the moment of reading. Instants in unix seconds.

    Attributes:
        calm_from: where the calm before it begins.
        began: its first sample; onset: when it began, None where an earlier rise may have been it.
        before, after: quiet level, and level since.
        is_brief: it lasted no longer than one odd request is seen in a rate.
    """

    calm_from: float
    began: float
    onset: float | None
    before: float
    after: float
    is_brief: bool


def excursion(
    samples: Samples, *, burn_from: float, by: float, window: float, least: float
) -> Excursion | None:
    """Return how a signal that only trouble raises left its quiet level; None where it did not.

    Args:
        samples: finite, ordered by time.
        burn_from: before this instant (unix seconds) the present trouble had not begun.
        by: later samples are not looked at.
        window: the short window, which rates look back over, in seconds.
        least: what counts as leaving the level, at least.
    """
    seen = [(t, v) for t, v in samples if t <= by]
    if len(seen) < 2 * FEWEST:
        return None
    step = median(b[0] - a[0] for a, b in pairwise(seen))
    limit = _limit(seen, burn_from, least)
    calm = _calm(seen, limit, CALM * window) or _calm(seen, limit, window - step)
    if calm is None:
        return None
    first, last = calm
    rest = seen[last + 1 :]
    before = median(v for _, v in seen[first : last + 1])
    above = [(t, v) for t, v in rest if v > limit]
    if len(above) < FEWEST:
        return None
    runs = _runs(above, 2.5 * step)
    # What goes on is the trouble of the page, however long a former one lasted.
    main = max(runs, key=lambda run: (run[-1][0], run[-1][0] - run[0][0]))
    if len(main) < FEWEST or seen[-1][0] - main[-1][0] > 2.5 * step:
        main = max(runs, key=lambda run: (run[-1][0] - run[0][0], run[0][0]))
    distances = sorted((v for t, v in rest if t >= main[0][0]), key=lambda v: abs(v - before))
    # The upper quarter: what a rate over a window has climbed to, and not how long it climbed.
    after = distances[(3 * len(distances)) // 4]
    if after <= limit:
        after = median(v for _, v in main)
    began = next(t for t, v in main if v - before >= (after - before) / 10)
    earlier = [
        run
        for run in _runs([(t, v) for t, v in seen if v > limit], 2.5 * step)
        if run[-1][0] < main[0][0] and run[-1][0] > main[0][0] - CALM * window
    ]
    is_doubtful = any(
        max(v for _, v in run) - before >= STRONG * (after - before) and began - run[0][0] > window
        for run in earlier
    )
    return Excursion(
        calm_from=seen[first][0],
        began=began,
        onset=None if is_doubtful else began,
        before=before,
        after=after,
        is_brief=sum(run[-1][0] - run[0][0] + step for run in runs) < LASTS * window,
    )


def _limit(seen: Samples, burn_from: float, least: float) -> float:
    """Return the limit above which the quiet level is left.

    That level is anchored before the burn window. The lower quarter there and of all is blind to a
    former trouble there, even one that fills it.
    """
    everything = [v for _, v in seen]
    base = [v for t, v in seen if t <= burn_from]
    levels = [_lower(values) for values in (base, everything) if len(values) >= 2 * FEWEST]
    level, noise = min(levels)
    return level + max(NOISE_WIDTH * noise, level / 2, least)


def _lower(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    level = ordered[len(ordered) // 4]
    lower = ordered[: len(ordered) // 2 + 1]
    return level, MAD_TO_DEVIATION * median(abs(v - level) for v in lower)


def _calm(seen: Samples, limit: float, least: float) -> tuple[int, int] | None:
    """Return first and last index of the last calm that is this long; None where there is none."""
    found: tuple[int, int] | None = None
    start: int | None = None
    for number, (t, v) in enumerate(seen):
        if v > limit:
            start = None
            continue
        start = number if start is None else start
        if t - seen[start][0] >= least - 1e-6:
            found = (start, number)
    return found


def _runs(above: Samples, apart: float) -> list[list[tuple[float, float]]]:
    """Return samples in runs between which there is more than this many seconds."""
    runs: list[list[tuple[float, float]]] = []
    for t, v in above:
        if runs and t - runs[-1][-1][0] <= apart:
            runs[-1].append((t, v))
        else:
            runs.append([(t, v)])
    return runs
