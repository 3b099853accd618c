"""Whether the stated smallest visible change of a time is what a simulation sees.

Draws histories whose times to recover are log-normal, before and after a cut, and asks of each
whether the change is found. Prints, for each spread and number of incidents, the stated smallest
cut, the share of histories in which just that cut was found (80 % are stated), and the cut that was
found in 80 %; then how often a halving is found with 100 a side, and a change where there is none.
Exits 1 where one of them is outside its limit.

    python bench/flywheel_power.py [--histories N] [--write docs/measured/flywheel-power.md]
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from target import made_by

from gameday.learning.flywheel.durations import (
    FOUND_BELOW,
    POWER,
    change_between,
    smallest_visible_ratio,
)
from gameday.model.duration_trend import Trend

SPREADS = (1.25, 1.75)
COUNTS = (12, 50, 100, 400)
MEDIAN_SECONDS = 2700.0
POINTS = 0.02
HUNDREDS = 20


def found_share(
    rng: np.random.Generator, count: int, spread: float, cut: float, histories: int
) -> float:
    """Return in which share of histories a cut is found, by the product's own comparison."""
    found = 0
    for _ in range(histories):
        before = MEDIAN_SECONDS * np.exp(rng.normal(0.0, spread, count))
        after = MEDIAN_SECONDS * (1 - cut) * np.exp(rng.normal(0.0, spread, count))
        change = change_between(np.log(before).tolist(), np.log(after).tolist())
        found += change is not None and change.trend is not Trend.NOT_SHOWN
    return found / histories


def found_cut(
    rng: np.random.Generator, count: int, spread: float, near: float, histories: int
) -> float:
    """Return the cut that is found in `POWER` of the histories, between two that were tried."""
    shift = -math.log(1 - near)
    tried = []
    for factor in (0.9, 1.0, 1.1):
        cut = 1 - math.exp(-shift * factor)
        tried.append((found_share(rng, count, spread, cut, histories), shift * factor))
    # About the stated cut the share grows as good as straight with the logarithm of the cut.
    shares, shifts = np.array([t[0] for t in tried]), np.array([t[1] for t in tried])
    slope, start = np.polyfit(shifts, shares, 1)
    return float(1 - math.exp(-(POWER - start) / slope))


def main() -> int:
    """Print the figures; 1 where one is outside its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=4000, help="histories of each figure")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    lines = [
        "| spread (ln) | incidents a side | stated | found in 80 % of histories | points apart |"
        " the stated cut was found in |",
        "|---|---|---|---|---|---|",
    ]
    is_met = True
    for spread in SPREADS:
        for count in COUNTS:
            stated = smallest_visible_ratio(count, count, spread)
            seen = found_cut(rng, count, spread, stated, options.histories)
            share = found_share(rng, count, spread, stated, options.histories)
            is_met &= abs(stated - seen) <= POINTS and abs(share - POWER) <= POINTS
            lines.append(
                f"| {spread:g} | {count} | {stated:.1%} | {seen:.1%} |"
                f" {100 * (seen - stated):+.1f} | {share:.1%} |"
            )
    halved = [found_share(rng, 100, SPREADS[0], 0.5, 100) for _ in range(HUNDREDS)]
    unchanged = [found_share(rng, 100, SPREADS[0], 0.0, 100) for _ in range(HUNDREDS)]
    half, none = float(np.mean(halved)), float(np.mean(unchanged))
    is_met &= half >= 0.95 and none <= 0.05
    text = "\n".join(lines) + (
        f"\n\nA change counts as found at p < {FOUND_BELOW:g} by Welch's test on the logarithms."
        f" With 100 incidents a side and a spread of {SPREADS[0]:g}, over {HUNDREDS} times 100"
        f" histories: a halving is found in **{100 * half:.1f} of 100** (limit 95; the hundreds lie"
        f" between {100 * min(halved):.0f} and {100 * max(halved):.0f}), and where nothing changed"
        f" a change in **{100 * none:.1f} of 100** (limit 5; between {100 * min(unchanged):.0f} and"
        f" {100 * max(unchanged):.0f}).\n\nLimit of the other columns: {100 * POINTS:.0f} points."
        f" {options.histories:,} histories for each figure, seed {options.seed}.\n"
    )
    print(text)
    if options.write is not None:
        head = f"# What a number of incidents can show\n\n{made_by()}\n\n"
        options.write.write_text(head + text, encoding="utf-8")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
