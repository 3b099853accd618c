"""What a postmortem lacks: parts that are not there, are empty, or still wait for an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gameday.spec.prose import Chapter, chapters_of

__all__ = ["Gap", "gaps_in"]

_PARTS = {
    "Summary": r"summary|overview|abstract|tl;?dr",
    "Impact": r"impact",
    "Timeline": r"timeline|chronology",
    "Root cause": r"causes?\b|contributing factors",
    "What went well": r"went (?:well|right)",
    "What went wrong": r"went (?:wrong|badly|poorly|less well)|did(?: not|n'?t) go well|to improve",
    "Where luck helped": r"luck",
    "Action items": r"action items?|actions|follow[- ]ups?|next steps",
}
"""The parts that each postmortem has, with the words that their headings are known by."""

_WAITING = re.compile(
    r"\b(?:[Tt]o be (?:answered|named|set|written|done)|FILL IN|TODO|TBD)\b|\?\?\?"
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that a postmortem lacks.

    Attributes:
        part: which part of it.
        line: 1-based, of the heading or of what waits for an answer; 1 where there is no heading.
        what: a sentence without its full stop, with what to do.
    """

    part: str
    line: int
    what: str


def gaps_in(text: str) -> Sequence[Gap]:
    """Return what a postmortem lacks, in the order of its lines; empty: it is whole."""
    chapters = chapters_of(text)
    found: list[Gap] = []
    for part, known_by in _PARTS.items():
        own = [n for n, s in enumerate(chapters) if re.search(known_by, s.heading, re.IGNORECASE)]
        # The title of the document may hold such a word as well.
        own = [n for n in own if chapters[n].level > 1] or own
        if not own:
            found.append(Gap(part, 1, f"there is no part “{part}”: write one"))
        elif not any(_says_something(text, chapters, n) for n in own):
            line = chapters[own[0]].line
            found.append(Gap(part, line, f"“{part}” is empty: write it, or say that there is none"))
    found += _unanswered(chapters)
    return sorted(found, key=lambda gap: gap.line)


def _says_something(text: str, chapters: Sequence[Chapter], number: int) -> bool:
    """Return whether anything but comments stands between a heading and the next of its level."""
    lines = text.replace("\r\n", "\n").replace("\r", " ").split("\n")
    own = chapters[number]
    below = (s for s in chapters[number + 1 :] if s.level <= own.level)
    end = next((s.line for s in below), len(lines) + 1)
    said = _COMMENT.sub("", "\n".join(lines[own.line : end - 1]))
    return re.search(r"\w", said) is not None


def _unanswered(chapters: Sequence[Chapter]) -> Iterator[Gap]:
    for chapter in chapters:
        lines: set[int] = set()
        for sentence in chapter.sentences:
            # Once a line: in a row of a table several cells may wait.
            if _WAITING.search(sentence.words) and sentence.line not in lines:
                lines.add(sentence.line)
                yield Gap(chapter.heading, sentence.line, f"waits for an answer: {sentence.words}")
