"""A page of docs as something to follow: the commands in it, and the edits between them.

A fenced block of `sh` is run by a shell; one that is also called `beside` runs in a terminal of its
own, to the end of the page. A block of `diff` is an edit of one file, by hand: each hunk replaces
lines that stand there exactly once. In all of them what the page's first table names is replaced by
what the reader has in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Commands:
    """What is typed into a terminal.

    Attributes:
        beside: whether the terminal is one of its own, in which this goes on.
    """

    text: str
    beside: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """What is changed in a file by hand: for each place, the lines before and after."""

    path: str
    places: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

    @property
    def lines(self) -> int:
        """How many lines are edited: written anew, changed, or taken away."""
        return sum(len(_apart(before, after)) for before, after in self.places)

    def make(self, folder: Path) -> None:
        """Edit the file in this folder."""
        path = folder / self.path
        lines = path.read_text(encoding="utf-8").splitlines()
        for before, after in self.places:
            found = [
                at
                for at in range(len(lines) - len(before) + 1)
                if tuple(lines[at : at + len(before)]) == before
            ]
            assert len(found) == 1, f"{self.path} has {len(found)} times {before}"
            lines[found[0] : found[0] + len(before)] = after
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def placeholders(page: str) -> list[str]:
    """Return what the page's first table says stands for something of the reader's."""
    return _ROW.findall(page.partition("\n## ")[0])


def steps(page: str, own: Mapping[str, str]) -> Iterator[Commands | Edit]:
    """Yield the steps of a page in order, with the reader's own in the place of what stands there.

    Args:
        own: what the reader has, by what the page writes.
    """
    for language, words, text in _BLOCK.findall(page):
        for written, meant in own.items():
            text = text.replace(written, meant)
        if language == "sh":
            yield Commands(text, beside="beside" in words.split())
        elif language == "diff":
            yield _edit(text)


def _edit(text: str) -> Edit:
    head, *hunks = re.split(r"^@@\n", text, flags=re.MULTILINE)
    places = []
    for hunk in hunks:
        lines = hunk.splitlines()
        before = tuple(line[1:] for line in lines if not line.startswith("+"))
        after = tuple(line[1:] for line in lines if not line.startswith("-"))
        places.append((before, after))
    return Edit(head.removeprefix("--- ").strip(), tuple(places))


def _apart(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """Return the longer of two runs of lines, without those that they begin with alike."""
    same = next(
        (n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]),
        min(len(before), len(after)),
    )
    return max(before[same:], after[same:], key=len)
