"""Blaming a function in a repository made for the test."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.drivers.git import GitHistory
from gameday.errors import PermanentDriverError

FIRST = """\
import time


def reserve(order):
    total = price(order)
    return total


class Stock:
    def count(self):
        def inner():
            return 1
        return inner()


def price(order):
    return 1
"""
SECOND = FIRST.replace("    total = price(order)\n", "    total = price(order)\n    total += 0\n")
THIRD = SECOND.replace("return 1\n\n", "return 1\n\n").replace(
    "def price(order):\n    return 1", "def price(order):\n    return 2"
)


def git(folder: Path, *arguments: str, day: int = 1, author: str = "Ada") -> str:
    when = f"2026-01-{day:02d}T12:00:00Z"
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "HOME": str(folder),
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": f"{author.lower()}@example.org",
            "GIT_COMMITTER_NAME": author,
            "GIT_COMMITTER_EMAIL": f"{author.lower()}@example.org",
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_DATE": when,
        },
    ).stdout.strip()


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, list[str]]:
    repository = tmp_path / "shop"
    (repository / "src").mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main")
    commits = []
    for day, (text, author) in enumerate(
        [(FIRST, "Ada"), (SECOND, "Grace"), (THIRD, "Edsger")], start=1
    ):
        (repository / "src" / "stock.py").write_text(text)
        git(repository, "add", ".", day=day)
        git(repository, "commit", "-q", "-m", f"change {day}", day=day, author=author)
        commits.append(git(repository, "rev-parse", "HEAD"))
    return repository, commits


async def test_the_newest_commit_of_the_function_is_blamed_not_of_the_line(
    history: tuple[Path, list[str]],
) -> None:
    repository, commits = history

    blame = await GitHistory().blame(
        repository=f"file://{repository}",
        revision=commits[2],
        file="src/stock.py",
        line=7,
        function="reserve",
    )

    assert commits[1] == blame.commit
    assert "Grace" == blame.author
    assert "change 2" == blame.summary
    assert "src/stock.py" == blame.file
    assert datetime(2026, 1, 2, 12, tzinfo=UTC) == blame.committed_at


async def test_an_older_revision_knows_only_its_own_past(
    history: tuple[Path, list[str]],
) -> None:
    repository, commits = history

    blame = await GitHistory().blame(
        repository=str(repository), revision=commits[0], file="src/stock.py", line=5, function=""
    )

    assert commits[0] == blame.commit


async def test_an_absolute_path_of_a_release_is_mapped_by_its_longest_suffix(
    history: tuple[Path, list[str]],
) -> None:
    repository, commits = history

    blame = await GitHistory().blame(
        repository=str(repository),
        revision=commits[2],
        file=f"/var/releases/{commits[2]}/src/stock.py",
        line=19,
        function="price",
    )

    assert commits[2] == blame.commit


async def test_a_line_outside_every_function_is_looked_up_by_name(
    history: tuple[Path, list[str]],
) -> None:
    repository, commits = history

    blame = await GitHistory().blame(
        repository=str(repository),
        revision=commits[2],
        file="src/stock.py",
        line=1,
        function="shop.price",
    )

    assert commits[2] == blame.commit


@pytest.mark.parametrize(
    ("repository", "revision", "file", "match"),
    [
        ("/nowhere/at/all", "HEAD", "src/stock.py", "no repository"),
        ("https://example.org/shop.git", "HEAD", "src/stock.py", "not on this machine"),
        (None, "--output=/etc/x", "src/stock.py", "not a revision"),
        (None, "0" * 40, "src/stock.py", "failed"),
        (None, "HEAD", "src/other.py", "is not in"),
    ],
)
async def test_what_is_not_there_is_said_in_a_sentence(
    history: tuple[Path, list[str]], repository: str | None, revision: str, file: str, match: str
) -> None:
    with pytest.raises(PermanentDriverError, match=match):
        await GitHistory().blame(
            repository=repository or str(history[0]),
            revision=revision,
            file=file,
            line=1,
            function="reserve",
        )


async def test_a_repository_that_telemetry_names_otherwise_is_blamed_in_its_copy(
    history: tuple[Path, list[str]],
) -> None:
    repository, commits = history
    named = "file:///srv/elsewhere"

    blame = await GitHistory(copies={named: str(repository)}).blame(
        repository=named, revision=commits[2], file="src/stock.py", line=5, function="reserve"
    )

    assert commits[1] == blame.commit
