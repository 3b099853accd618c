"""What a draft leaves to people, marked so that they, and `gameday doctor`, find it."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["MARK", "Blank", "blanks"]

MARK = "FILL IN:"
"""Stands before every word of what is missing; whoever filled it in takes the line away."""

_BLANK = re.compile(rf"{re.escape(MARK)}[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Blank:
    """One thing that only people know.

    Attributes:
        line: where it is marked (1-based).
        what: what is missing, for people.
    """

    line: int
    what: str


def blanks(text: str) -> tuple[Blank, ...]:
    """Return what a document leaves to people, in its order; empty where it is whole."""
    return tuple(
        Blank(number, found[1].strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := _BLANK.search(line))
    )
