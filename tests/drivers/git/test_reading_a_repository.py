"""Blaming a function in a repository made for the test."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.drivers.git import GitHistory
from gameday.errors import HistoryUnknown, PermanentDriverError

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
        (None, "0" * 40, "src/stock.py", "does not have the revision"),
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


async def blamed(repository: Path, revision: str, *, line: int = 7, name: str = "reserve") -> str:
    found = await GitHistory().blame(
        repository=str(repository),
        revision=revision,
        file="src/stock.py",
        line=line,
        function=name,
    )
    return found.commit


PROGRAM = '#!/bin/sh\ntouch {witness}\ncat "$1" 2>/dev/null || cat\n'


@pytest.mark.parametrize(
    "settings",
    [
        {"diff.mine.textconv": "{program}"},
        {"diff.mine.command": "{program}", "diff.external": "{program}"},
        {"filter.mine.smudge": "{program}", "filter.mine.clean": "{program}"},
        {"filter.mine.process": "{program}", "filter.mine.required": "true"},
        {"core.fsmonitor": "{program}", "core.hooksPath": "{hooks}"},
        {"core.pager": "{program}", "pager.blame": "{program}", "pager.show": "{program}"},
        {"alias.blame": "!{program}", "alias.cat-file": "!{program}"},
        {"core.sshCommand": "{program}", "credential.helper": "{program}"},
    ],
    ids=lambda s: " ".join(s),
)
@pytest.mark.parametrize("said_by", ["the repository", "its user", "the environment"])
async def test_nothing_that_is_configured_runs_a_program(
    history: tuple[Path, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    said_by: str,
) -> None:
    repository, commits = history
    (tmp_path / "hooks").mkdir()
    witness, program = tmp_path / "witness", tmp_path / "hooks" / "post-checkout"
    program.write_text(PROGRAM.format(witness=witness))
    program.chmod(0o755)
    attributes = "*.py diff=mine filter=mine\n"
    (repository / ".gitattributes").write_text(attributes)
    (repository / ".git" / "info" / "attributes").write_text(attributes)
    asked = {
        key: value.format(program=program, hooks=tmp_path / "hooks")
        for key, value in settings.items()
    }
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for number, (key, value) in enumerate(asked.items()):
        match said_by:
            case "the repository":
                git(repository, "config", key, value)
            case "its user":
                git(repository, "config", "--file", str(home / ".gitconfig"), key, value)
            case _:
                monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(asked)))
                monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
                monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)

    assert commits[1] == await blamed(repository, commits[2])
    assert not witness.exists()


async def test_nothing_a_repository_says_changes_what_is_read(
    history: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, commits = history
    ignored = repository / "ignored"
    ignored.write_text(f"{commits[1]}\n")
    git(repository, "config", "blame.ignoreRevsFile", str(ignored))
    git(repository, "replace", commits[1], commits[0])
    (repository / ".git" / "info" / "grafts").write_text(f"{commits[2]}\n")
    monkeypatch.setenv("GIT_DIR", "/nowhere")

    assert commits[1] == await blamed(repository, commits[2])


async def test_at_the_edge_of_a_shallow_clone_nobody_is_accused(
    history: tuple[Path, list[str]], tmp_path: Path
) -> None:
    repository, _ = history
    (repository / "README").write_text("newest")
    git(repository, "add", ".", day=4)
    git(repository, "commit", "-q", "-m", "only words", day=4, author="Barbara")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone))

    with pytest.raises(HistoryUnknown, match=r"history of .*clone ends at .*fetch --unshallow"):
        await blamed(clone, "HEAD")


async def test_what_changed_after_the_edge_of_a_shallow_clone_is_blamed(
    history: tuple[Path, list[str]], tmp_path: Path
) -> None:
    repository, commits = history
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{repository}", str(clone))

    assert commits[2] == await blamed(clone, "HEAD", line=19, name="price")
    with pytest.raises(HistoryUnknown):
        await blamed(clone, "HEAD")


async def test_a_partial_clone_is_not_completed_behind_ones_back(
    history: tuple[Path, list[str]], tmp_path: Path
) -> None:
    repository, commits = history
    git(repository, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    git(
        *(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none"),
        *(f"file://{repository}", str(clone)),
    )
    before = sorted((clone / ".git" / "objects").rglob("*"))

    with pytest.raises(HistoryUnknown, match="partial clone"):
        await blamed(clone, commits[2])
    assert before == sorted((clone / ".git" / "objects").rglob("*"))


async def test_a_repository_is_read_however_it_lies_there(
    history: tuple[Path, list[str]], tmp_path: Path
) -> None:
    repository, commits = history
    linked, bare, borrowing = (tmp_path / n for n in ("linked", "bare.git", "borrowing"))
    git(repository, "worktree", "add", "-q", str(linked))
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    git(tmp_path, "clone", "-q", "--shared", str(repository), str(borrowing))
    alternates = borrowing / ".git" / "objects" / "info" / "alternates"
    alternates.write_text("../../../shop/.git/objects\n")  # as one that was moved has it
    git(repository, "pack-refs", "--all")

    for place in (repository, linked, bare, borrowing):
        assert commits[1] == await blamed(place, commits[2]), place
        assert commits[1] == await blamed(place, "HEAD"), place
    assert commits[1] == await blamed(repository, "main")


async def test_a_repository_of_sha256_is_read(tmp_path: Path) -> None:
    repository = tmp_path / "shop"
    (repository / "src").mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main", "--object-format=sha256")
    (repository / "src" / "stock.py").write_text(FIRST)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "one")

    assert git(repository, "rev-parse", "HEAD") == await blamed(repository, "HEAD")
