"""How often `gameday validate` and Chaos Toolkit agree about an experiment.

    .venv/bin/python bench/experiments.py [COUNT] [FIRST_SEED]

Draws experiments, whole and broken in every field, has both judge each, and plays those that both
take as gameday injects and recovers them. Prints the figures and every disagreement.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

from gameday.testing.agreement import agreement
from gameday.testing.experiments import drawn, somewhere


def main() -> int:
    """Print the figures; 1 where the two disagree."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    logging.disable(logging.CRITICAL)
    words: Counter[str] = Counter()
    disagreements = 0
    with tempfile.TemporaryDirectory() as folder, somewhere() as base:
        for seed in range(first, first + count):
            path = drawn(seed, base).written(Path(folder))
            judged = agreement(path, base)
            words[judged.word] += 1
            if not judged.holds:
                disagreements += 1
                print(f"seed {seed}: {judged}")
    print(f"{count} experiments, {disagreements} disagreements")
    for word, number in words.most_common():
        print(f"  {number:5}  {word}")
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
