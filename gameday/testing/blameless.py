"""Labelled sentences that the linter of postmortems is measured on, and their two halves.

Rules may be written on one half, and are measured on the other. A pair of sentences that say the
same, once of a person and once of the system, is never torn apart.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gameday.learning.accusation import accusation_of, accusations_in
from gameday.spec.prose import Sentence, sentences_of

__all__ = [
    "Halves",
    "Labelled",
    "Tally",
    "false_alarms",
    "halves",
    "labelled_halves",
    "of_reports",
    "tally",
    "wilson",
    "written",
]


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


@dataclass(frozen=True, slots=True)
class Tally:
    """How often the linter and the labels agree."""

    found: int
    missed: int
    false: int
    passed: int

    @property
    def precision_ratio(self) -> float:
        """Return the share of what it found that blames."""
        return self.found / (self.found + self.false)

    @property
    def recall_ratio(self) -> float:
        """Return the share of what blames that it found."""
        return self.found / (self.found + self.missed)


def tally(sentences: Sequence[Labelled]) -> Tally:
    """Return how the linter does on labelled sentences."""
    said = [(accusation_of(Sentence(s.words, 1)) is not None, s.is_blameful) for s in sentences]
    return Tally(
        found=said.count((True, True)),
        missed=said.count((False, True)),
        false=said.count((True, False)),
        passed=said.count((False, False)),
    )


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Args:
        trials: at least 1.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
        JASA 22 (1927).
    """
    z = 1.959964
    share = successes / trials
    middle = share + z**2 / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return (middle - half) / scale, (middle + half) / scale


def labelled_halves(folder: Path, reports: Path | None) -> Halves:
    """Return the halves of all labelled sentences.

    Args:
        folder: where ``pairs.yaml`` and ``reports.yaml`` are.
        reports: the folder of the reports of others; None: theirs are left out.
    """
    pairs, labels = folder / "pairs.yaml", folder / "reports.yaml"
    own = halves(written(pairs), _seed(pairs))
    if reports is None:
        return own
    others = halves(of_reports(labels, reports), _seed(labels))
    return Halves([*own.rules, *others.rules], [*own.held_out, *others.held_out])


def false_alarms(labels: Path, reports: Path) -> tuple[int, int]:
    """Return how many sentences of the reports are found without being labelled, and of how many.

    A sentence without a label counts as blameless.
    """
    held = yaml.safe_load(labels.read_text(encoding="utf-8"))
    blameful = {tuple(entry) for entry in held["blameful"]}
    alarms = sentences = 0
    for report in sorted(reports.glob("*.md")):
        text = report.read_text(encoding="utf-8")
        sentences += len(sentences_of(text))
        found = {
            (report.name, b.sentence.line, _digest(b.sentence.words)) for b in accusations_in(text)
        }
        alarms += len(found - blameful)
    return alarms, sentences


def _seed(path: Path) -> int:
    return int(yaml.safe_load(path.read_text(encoding="utf-8"))["seed"])


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
