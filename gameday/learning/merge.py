"""What two people made of one text, brought together line by line; where it cannot be, both stand.

Pure. The rule of every three-way merge: what only one of them changed is as that one has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from gameday.learning.patch import lines

__all__ = ["Undecided", "Merged", "conflicts_in", "merged"]

MINE = "<<<<<<< as it was edited"
MIDDLE = "======="
THEIRS = ">>>>>>> by the newer draft"


@dataclass(frozen=True, slots=True)
class Undecided:
    """A place that both changed.

    Attributes:
        line: 1-based, of the marker it begins with.
    """

    line: int


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome.

    Attributes:
        conflicts: in order; empty: there are none.
    """

    text: str
    conflicts: Sequence[Undecided]


def merged(base: str, mine: str, theirs: str) -> Merged:
    """Return both texts' changes of ``base`` in one.

    Nothing that stands in ``mine`` and not in ``base`` is left out.
    """
    out: list[str] = []
    for common, own, other in _regions(lines(base), lines(mine), lines(theirs)):
        if own == other or other == common:
            out += own
        elif own == common:
            out += other
        else:
            out += _both(own, other)
    text = "".join(out)
    return Merged(text, conflicts_in(text))


def conflicts_in(text: str) -> Sequence[Undecided]:
    """Return the places of a text that nobody has decided yet."""
    return [Undecided(n) for n, line in enumerate(text.split("\n"), 1) if line.rstrip() == MINE]


def _both(own: Sequence[str], other: Sequence[str]) -> list[str]:
    head = 0
    while head < min(len(own), len(other)) and own[head] == other[head]:
        head += 1
    tail = 0
    while tail < min(len(own), len(other)) - head and own[-1 - tail] == other[-1 - tail]:
        tail += 1
    end_own, end_other = len(own) - tail, len(other) - tail
    marked = [
        f"{MINE}\n",
        *_ended(own[head:end_own]),
        f"{MIDDLE}\n",
        *_ended(other[head:end_other]),
        f"{THEIRS}\n",
    ]
    return [*_ended(own[:head]), *marked, *own[end_own:]]


def _ended(some: Sequence[str]) -> list[str]:
    """Return lines that all end: a marker stands on a line of its own."""
    return [line if line.endswith("\n") else f"{line}\n" for line in some]


Region = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""What stands at one place in the base, in mine and in theirs."""


def _regions(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> Iterator[Region]:
    """Yield the texts in turns: where at least one differs, and where all three are the same."""
    at = at_mine = at_theirs = 0
    for begin, in_mine, in_theirs, size in _same(base, mine, theirs):
        yield base[at:begin], mine[at_mine:in_mine], theirs[at_theirs:in_theirs]
        whole = base[begin : begin + size]
        yield whole, whole, whole
        at, at_mine, at_theirs = begin + size, in_mine + size, in_theirs + size
    yield base[at:], mine[at_mine:], theirs[at_theirs:]


def _same(
    base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (begin in the base, in mine, in theirs, length) of what all three have, in order."""
    ours = SequenceMatcher(None, base, mine, autojunk=False).get_matching_blocks()
    other = SequenceMatcher(None, base, theirs, autojunk=False).get_matching_blocks()
    a = b = 0
    while a < len(ours) and b < len(other):
        one, two = ours[a], other[b]
        begin, end = max(one.a, two.a), min(one.a + one.size, two.a + two.size)
        if begin < end:
            yield begin, one.b + begin - one.a, two.b + begin - two.a, end - begin
        if one.a + one.size < two.a + two.size:
            a += 1
        else:
            b += 1
