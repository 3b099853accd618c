"""A page of docs as something to follow: the commands in it, and the edits between them.

A fenced block of `sh` is run by a shell; one that is also called `beside` runs in a terminal of its
own, to the end of the page. A block of `diff` is an edit of one file, by hand: each hunk replaces
lines that stand there exactly once. In all of them what the page's first table names is replaced by
what the reader has in its place.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST_LINES = 30
"""Lines that a stranger edits by hand, at most."""

OVER_WITHIN = 240.0
"""Seconds for any one block of the page: windows fill, the alert fires, the page is seen."""

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


class Terminal:
    """A shell of somebody who follows the page, in a folder of theirs."""

    def __init__(
        self, folder: Path, state: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Open it.

        Args:
            environment: what its reader has set beside what this process has.
        """
        self.folder = folder
        self._said = state.parent
        own = os.environ | dict(environment or {})
        programs = f"{Path(sys.executable).parent}:{own['PATH']}"
        self._environment = own | {"GAMEDAY_STATE": str(state), "PATH": programs}

    def typed(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a block to its end."""
        return subprocess.run(
            ["sh", "-e", "-c", text],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=OVER_WITHIN,
            check=False,
        )

    def beside(self, text: str) -> subprocess.Popen[bytes]:
        """Run a block in another terminal; what it says is kept beside the folder."""
        with (self._said / "said.out").open("wb") as out, (self._said / "said.err").open("wb") as e:
            return subprocess.Popen(
                ["sh", "-e", "-c", f"exec {text}"],
                cwd=self.folder,
                env=self._environment,
                stdout=out,
                stderr=e,
            )

    def words(self) -> str:
        """Return what was said in the other terminal."""
        return (self._said / "said.err").read_text() + (self._said / "said.out").read_text()


def follow(page: str, own: dict[str, str], terminal: Terminal) -> int:
    """Do what the page says, from the top to the end; return how the drill beside it ended."""
    drill: subprocess.Popen[bytes] | None = None
    for step in steps(page, own):
        if isinstance(step, Edit):
            step.make(terminal.folder)
        elif step.beside:
            drill = terminal.beside(step.text)
        else:
            if drill is not None and "gameday report" in step.text:
                drill.wait(OVER_WITHIN)  # its reader waits for the first terminal, too
            done = terminal.typed(step.text)
            said = f"{step.text}\n{done.stdout}\n{done.stderr}"
            assert 0 == done.returncode, said + (terminal.words() if drill else "")
    assert drill is not None
    return drill.wait(OVER_WITHIN)
