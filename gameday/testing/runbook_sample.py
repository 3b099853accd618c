"""A sample of what the linter finds in runbooks that others wrote, and what a reader said of it.

Drawn evenly over the kinds of flaw, so that the many that are alike do not hide the few.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from gameday.learning.flaw import Flaw

__all__ = ["Label", "drawn", "labels_in", "name_of"]


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of one flaw after reading its file.

    Attributes:
        why: what stands there, in the reader's words.
    """

    is_true: bool
    why: str


def drawn(flaws: Sequence[Flaw], seed: int, count: int) -> Sequence[Flaw]:
    """Return flaws drawn by a seed: one of each kind in turn, until there are enough."""
    shuffled = sorted(flaws, key=lambda f: (f.file, f.line, f.kind, f.what))
    random.Random(seed).shuffle(shuffled)
    kinds = sorted({flaw.kind for flaw in flaws})
    by_kind = [[flaw for flaw in shuffled if flaw.kind is kind] for kind in kinds]
    found: list[Flaw] = []
    while len(found) < count and any(by_kind):
        for left in by_kind:
            if left and len(found) < count:
                found.append(left.pop())
    return found


def name_of(flaw: Flaw, folder: Path) -> str:
    """Return what a flaw is labelled by: its place, its kind and a digest of what it says."""
    file = Path(flaw.file).relative_to(folder).as_posix()
    digest = hashlib.sha256(flaw.what.replace(flaw.file, file).encode()).hexdigest()[:8]
    return f"{file}:{flaw.line} {flaw.kind} {digest}"


def labels_in(path: Path, seed: int) -> Mapping[str, Label]:
    """Return the labels of the sample of a seed; empty where there is none."""
    held = yaml.safe_load(path.read_text(encoding="utf-8"))
    samples = [sample for sample in held["samples"] if sample["seed"] == seed]
    return {
        entry["flaw"]: Label(entry["holds"], entry["why"])
        for sample in samples
        for entry in sample["labels"]
    }
