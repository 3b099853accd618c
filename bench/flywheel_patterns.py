"""Whether what is planted in a history is found, and nothing where nothing is planted.

Plays years of made-up incidents: with planted facts (one action item in six wordings, 60 % of the
incidents from one pipeline, a class four times in three months, a team with twice the deploys and
no more than its share), and controls in which everything is dealt out by chance over its exposure.
Exits 1 where a planted fact is missed, the innocent team is named, or more than 0.5 % of the
controls have anything named in them.

    python bench/flywheel_patterns.py [--controls N] [--write docs/measured/flywheel-patterns.md]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from target import made_by

from gameday.learning.flywheel.patterns import FAMILY_WISE, patterns_in
from gameday.learning.flywheel.returns import repeats_in
from gameday.model.past_incident import Chronicle, Dimension
from gameday.testing.past_years import PLANTED, planted_year, shuffled_year

SIZES = (60, 120, 400)


def found_in(year: Chronicle) -> dict[str, bool]:
    """Return which of the planted facts are found, and whether the innocent is named."""
    patterns = patterns_in(year)
    named = {(p.dimension, p.value) for p in patterns}
    return {
        "60 % from one pipeline": (Dimension.PIPELINE, PLANTED.pipeline) in named,
        "a class four times in three months": any(
            r.cause == PLANTED.cause for r in repeats_in(year.incidents)
        ),
        "one action item in six wordings": any(
            set(PLANTED.wordings) == set(t.wordings) for t in year.themes
        ),
        "the innocent team is not named": (Dimension.TEAM, PLANTED.innocent) not in named,
        "nothing else is named": named == {(Dimension.PIPELINE, PLANTED.pipeline)}
        and len(year.themes) == 1
        and len(repeats_in(year.incidents)) == 1,
    }


def named_in(year: Chronicle) -> int:
    """Return how much is named in a history."""
    repeats = [r for r in repeats_in(year.incidents) if r.is_beyond_chance]
    return len(patterns_in(year)) + len(repeats) + len(year.themes)


def main() -> int:
    """Print the figures; 1 where one is outside its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--controls", type=int, default=2000, help="controls of each size")
    parser.add_argument("--planted", type=int, default=100, help="planted years of each size")
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    lines = ["| incidents a year | " + " | ".join(found_in(planted_year(0))) + " |"]
    lines.append("|---" * (1 + len(found_in(planted_year(0)))) + "|")
    is_met = True
    for size in SIZES:
        tally: Counter[str] = Counter()
        for seed in range(options.planted):
            tally.update(
                {k: int(v) for k, v in found_in(planted_year(seed, incidents=size)).items()}
            )
        # Of what else is named chance may name one in two hundred, as in any other history.
        wanted = [n for k, n in tally.items() if not k.startswith("nothing else")]
        is_met &= all(n == options.planted for n in wanted)
        lines.append(
            f"| {size} | " + " | ".join(f"{n} of {options.planted}" for n in tally.values()) + " |"
        )
    lines += [
        "",
        "| incidents a year | controls with anything named | of the first 200 |",
        "|---|---|---|",
    ]
    for size in SIZES:
        named = [named_in(shuffled_year(s, incidents=size)) > 0 for s in range(options.controls)]
        share = sum(named) / len(named)
        is_met &= share <= FAMILY_WISE and sum(named[:200]) <= FAMILY_WISE * 200
        lines.append(
            f"| {size} | {sum(named)} of {len(named)} (**{100 * share:.2f} %**) |"
            f" {sum(named[:200])} |"
        )
    text = "\n".join(lines) + (
        f"\n\nLimits: every planted fact in every year, the innocent team in none;"
        f" {100 * FAMILY_WISE:g} % of the controls. Named are values of every dimension that stand"
        " out, severe incidents that repeat, and action items that recur, all together.\n"
    )
    print(text)
    if options.write is not None:
        head = f"# What stands out in a history, and what does not\n\n{made_by()}\n\n"
        options.write.write_text(head + text, encoding="utf-8")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
