"""How often `gameday validate` and Chaos Toolkit agree about an experiment.

Draws experiments, whole and broken in every field, has both judge each, and plays those that both
take as gameday injects and recovers them. Exits 1 where they disagree, with every disagreement.

    python bench/experiments.py [--count 2000] [--first 1] [--write docs/measured/experiments.md]
"""

from __future__ import annotations

import argparse
import logging
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from gameday.testing.agreement import Agreement, agreement
from gameday.testing.experiments import drawn, somewhere


def judged(count: int, first: int) -> tuple[Counter[str], list[tuple[int, Agreement]]]:
    """Return how often they said what, and every disagreement with its seed."""
    words: Counter[str] = Counter()
    apart: list[tuple[int, Agreement]] = []
    with tempfile.TemporaryDirectory() as folder, somewhere() as base:
        for seed in range(first, first + count):
            path = drawn(seed, base).written(Path(folder))
            found = agreement(path, base)
            path.unlink()
            words[found.word] += 1
            if not found.holds:
                apart.append((seed, found))
    return words, apart


def table(words: Counter[str], apart: list[tuple[int, Agreement]]) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"{words.total():,} experiments, **{len(apart)} disagreements**."
        " Differences kept on purpose are rules ([experiments.md](../experiments.md)).",
        "",
        "| what both say | experiments |",
        "|---|---|",
        *(f"| {word} | {number:,} |" for word, number in words.most_common()),
    ]
    lines += [f"\nSeed {seed}: {found}" for seed, found in apart]
    return "\n".join(lines)


def main() -> int:
    """Print the figures; 1 where the two disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    words, apart = judged(options.count, options.first)
    text = table(words, apart)
    print(text)
    if options.write:
        asked = ["git", "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        command = f"python bench/experiments.py --count {options.count} --first {options.first}"
        options.write.write_text(
            "# What gameday and Chaos Toolkit make of the same experiments\n\n"
            f"Commit {commit}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `{command}`,"
            f" Python {platform.python_version()}, chaostoolkit-lib"
            f" {version('chaostoolkit-lib')}.\n\n{text}\n",
            encoding="utf-8",
        )
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
