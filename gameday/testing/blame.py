"""Labelled sentences that the linter of postmortems is measured on, and their two halves.

Rules may be written on one half, and are measured on the other. A pair of sentences that say the
same, once of a person and once of the system, is never torn apart.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gameday.spec.prose import Sentence, sentences_of

__all__ = ["Halves", "Labelled", "halves", "of_reports", "written"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One sentence, and whether it blames, as a person labelled it."""

    words: str
    is_blameful: bool


@dataclass(frozen=True, slots=True)
class Halves:
    """The sentences that rules may be written on, and those they are measured on."""

    rules: Sequence[Labelled]
    held_out: Sequence[Labelled]


def written(pairs: Path) -> Sequence[Sequence[Labelled]]:
    """Return the sentences of ``pairs.yaml``, those of a pair together."""
    held = yaml.safe_load(pairs.read_text(encoding="utf-8"))
    together = [
        [Labelled(pair["blameful"], True), Labelled(pair["blameless"], False)]
        for pair in held["pairs"]
    ]
    alone = [
        [Labelled(words, kind == "blameful")]
        for kind in ("blameful", "blameless")
        for words in held[kind]
    ]
    return [*together, *alone]


def of_reports(labels: Path, reports: Path) -> Sequence[Sequence[Labelled]]:
    """Return the labelled sentences of reports that others wrote.

    Raises:
        LookupError: a report does not hold a sentence that is labelled; it is another version.
    """
    held = yaml.safe_load(labels.read_text(encoding="utf-8"))
    return [[found] for found in _looked_up(held, reports)]


def halves(groups: Sequence[Sequence[Labelled]], seed: int) -> Halves:
    """Return the groups split in half by a seed."""
    shuffled = list(groups)
    random.Random(seed).shuffle(shuffled)
    middle = len(shuffled) // 2
    first = [one for group in shuffled[:middle] for one in group]
    return Halves(first, [one for group in shuffled[middle:] for one in group])


def _looked_up(held: Mapping[str, Any], reports: Path) -> Iterator[Labelled]:
    known: dict[str, Sequence[Sentence]] = {}
    for kind in ("blameful", "blameless"):
        for name, line, digest in held[kind]:
            if name not in known:
                known[name] = sentences_of((reports / name).read_text(encoding="utf-8"))
            for sentence in known[name]:
                if sentence.line == line and _digest(sentence.words) == digest:
                    yield Labelled(sentence.words, kind == "blameful")
                    break
            else:
                raise LookupError(f"{name} has no sentence {digest} at line {line}")


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:12]
