"""Repositories that a test of `gameday.drivers.git` makes for itself."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

SOURCES = Path(__file__).parent / "sources"

MARK = re.compile(r"(mark-[a-z-]+) 1")
"""What a commit of its own changes, in the function it stands in."""


@dataclass
class Repository:
    """A repository under the hands of a test.

    Attributes:
        commits: by the words they were committed with.
    """

    folder: Path
    commits: dict[str, str] = field(default_factory=dict)

    def git(self, *arguments: str, day: int = 1) -> str:
        when = (datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)).isoformat()
        return subprocess.run(
            ["git", "-C", str(self.folder), "-c", "core.autocrlf=false", *arguments],
            check=True,
            capture_output=True,
            text=True,
            env={
                "PATH": "/usr/bin:/bin:/usr/local/bin",
                "HOME": str(self.folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_AUTHOR_NAME": "Ada",
                "GIT_AUTHOR_EMAIL": "ada@example.org",
                "GIT_COMMITTER_NAME": "Ada",
                "GIT_COMMITTER_EMAIL": "ada@example.org",
                "GIT_AUTHOR_DATE": when,
                "GIT_COMMITTER_DATE": when,
            },
        ).stdout.strip()

    def write(self, path: str, text: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())

    def read(self, path: str) -> str:
        return (self.folder / path).read_bytes().decode()

    def replace(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert 1 == text.count(old), f"{old!r} stands {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))

    def commit(self, words: str, *, day: int) -> str:
        self.git("add", "--all", day=day)
        self.git("commit", "--quiet", "--message", words, day=day)
        self.commits[words] = self.git("rev-parse", "HEAD")
        return self.commits[words]

    def line_of(self, path: str, text: str) -> int:
        """Return the one line of a file, as it stands at the end, that holds a text."""
        found = [n for n, line in enumerate(self.read(path).split("\n"), 1) if text in line]
        assert 1 == len(found), f"{text!r} stands in lines {found} of {path}"
        return found[0]

    def words(self, commit: str) -> str:
        """Return with which words a commit was made."""
        return next(words for words, known in self.commits.items() if known == commit)


def made(folder: Path, files: Mapping[str, str]) -> Repository:
    """Return a repository whose first commit, ``base``, holds these files."""
    folder.mkdir(parents=True)
    repository = Repository(folder)
    repository.git("init", "--quiet", "--initial-branch=main")
    for path, text in files.items():
        repository.write(path, text)
    repository.commit("base", day=1)
    return repository


def seven_languages(folder: Path) -> Repository:
    """Return the sources beside this file, each mark in them changed by a commit of its own."""
    texts = {
        str(path.relative_to(SOURCES)).removesuffix(".txt"): path.read_text(encoding="utf-8")
        for path in sorted(SOURCES.rglob("*.txt"))
    }
    repository = made(folder, texts)
    marks = [(path, mark) for path, text in texts.items() for mark in MARK.findall(text)]
    for day, (path, mark) in enumerate(marks, start=2):
        repository.replace(path, f"{mark} 1", f"{mark} 2")
        repository.commit(mark, day=day)
    return repository
