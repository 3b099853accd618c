"""Whether what the linter finds in runbooks that others wrote is true.

Draws a sample of its flaws by a seed, evenly over their kinds, and holds it against what a reader
said of each. Exits 1 where one is false, or where nobody has read one.

    python bench/runbooks_lint.py [--runbooks FOLDER] [--seed N] [--write docs/measured/…]
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from gameday.drivers.bash import Bash
from gameday.house.runbooks.linting import linted
from gameday.house.runbooks.shelf import Shelf, shelf_of
from gameday.learning.flaw import Flaw
from gameday.learning.runbook_code import scripts_of
from gameday.testing.blameless import wilson
from gameday.testing.runbook_sample import Label, drawn, labels_in, name_of

REPOSITORY = Path(__file__).parents[1]
LABELS = REPOSITORY / "tests/learning/labelled/runbook_flaws.yaml"
RUNBOOKS = REPOSITORY.parent / "shared/corpora/runbooks"

TODAY = date(2026, 11, 28)
"""The day that reviews are held against, so that the sample is the same tomorrow."""

SEED, COUNT = 17, 30


def main() -> int:
    """Print the figures; 1 where a flaw of the sample is false or unread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runbooks", type=Path, default=RUNBOOKS, help="folder of the runbooks")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample")
    parser.add_argument("--write", type=Path, help="write the figures here")
    options = parser.parse_args()
    if not options.runbooks.is_dir():
        print(f"{options.runbooks} is no folder: give the one of the runbooks by --runbooks")
        return 2
    shelf = shelf_of([options.runbooks])
    flaws = asyncio.run(linted(shelf, today=TODAY, bash=Bash())).flaws
    sample = drawn(flaws, options.seed, COUNT)
    labels = labels_in(LABELS, options.seed)
    read = [labels.get(name_of(flaw, options.runbooks)) for flaw in sample]
    for flaw, label in zip(sample, read, strict=True):
        if label is None:
            print(f"to be read: {name_of(flaw, options.runbooks)}\n    {flaw.what}")
        elif not label.is_true:
            print(f"false: {name_of(flaw, options.runbooks)}\n    {label.why}")
    true = sum(label is not None and label.is_true for label in read)
    text = (
        f"{len(shelf.pages)} runbooks were read, {len(shelf.unreadable)} could not be.\n\n"
        + table(flaws, sample, read)
        + f"\n**{true} of {len(sample)}** flaws of the sample of seed {options.seed} are true"
        f" (95 %: {interval(true, len(sample))}), {read.count(None)} were not read."
        " The sample is drawn evenly over the kinds; the labels are one person's, who wrote the"
        f" rules as well.\n\n{let_pass(shelf)}\n"
    )
    print(text)
    if options.write:
        asked = ["git", "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        options.write.write_text(
            "# The linter of runbooks on those of the Prometheus Operator\n\n"
            f"Commit {commit}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `python"
            f" bench/runbooks_lint.py`, Python {platform.python_version()}.\n\n{text}",
            encoding="utf-8",
        )
    return 0 if true == len(sample) == COUNT and not shelf.unreadable else 1


def table(flaws: Sequence[Flaw], sample: Sequence[Flaw], read: Sequence[Label | None]) -> str:
    """Return how many flaws there are of each kind, and what became of those of the sample."""
    found = Counter(str(flaw.kind) for flaw in flaws)
    counts: Mapping[str, Counter[str]] = {kind: Counter() for kind in found}
    for flaw, label in zip(sample, read, strict=True):
        counts[flaw.kind]["drawn"] += 1
        counts[flaw.kind]["true"] += label is not None and label.is_true
    rows = [
        f"| {kind} | {found[kind]} | {counts[kind]['drawn']} | {counts[kind]['true']} |"
        for kind in sorted(found)
    ]
    return "\n".join(["| kind | found | drawn | true |", "|---|---|---|---|", *rows]) + "\n"


def let_pass(shelf: Shelf) -> str:
    """Return how much was judged beside, which is where a false flaw would have come from."""
    code = [code for page in shelf.pages for code in page.contents.code]
    queries = sum(one.language == "promql" for one in code)
    commands = sum(len(scripts_of(page)) for page in shelf.pages)
    links = [link for page in shelf.pages for link in page.contents.links]
    local = sum(not link.to.startswith("http") for link in links)
    return (
        f"Judged beside, and let pass where the table says nothing of it: {commands} commands,"
        f" {queries} queries, {len(links)} links, {local} of them to files or anchors."
    )


def interval(successes: int, trials: int) -> str:
    """Return Wilson's interval in words."""
    low, high = wilson(successes, trials)
    return f"{low:.2f} to {high:.2f}"


if __name__ == "__main__":
    sys.exit(main())
