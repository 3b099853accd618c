"""A branch of patches that leaves everything else as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gameday.drivers.git import PatchBranch
from gameday.errors import PermanentDriverError
from gameday.learning.patch import unified

BEFORE, AFTER = "a\nb\n", "a\nB\n"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "On-call")
    git(tmp_path, "config", "user.email", "on-call@example.org")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "a.md").write_text(BEFORE, encoding="utf-8")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


async def test_patches_become_commits_of_a_branch_and_nothing_else_moves(repository: Path) -> None:
    (repository / "runbooks" / "a.md").write_text("mine\n", encoding="utf-8")
    (repository / "staged").write_text("x", encoding="utf-8")
    git(repository, "add", "staged")
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    before = git(repository, "status", "--porcelain"), git(repository, "rev-parse", "HEAD")

    branch = await PatchBranch.from_head(repository / "runbooks")
    await branch.add(unified(BEFORE, AFTER, "runbooks/a.md"), "say B\n\nbecause")
    assert AFTER == await branch.text("runbooks/a.md")
    await branch.add(unified(AFTER, "B\n", "runbooks/a.md"), "leave a out")
    await branch.name("gameday/x")

    assert before == (
        git(repository, "status", "--porcelain"),
        git(repository, "rev-parse", "HEAD"),
    )
    assert "mine\n" == (repository / "runbooks" / "a.md").read_text(encoding="utf-8")
    assert ["leave a out", "say B"] == git(
        repository, "log", "--format=%s", "HEAD..gameday/x"
    ).splitlines()
    assert "B\n" == git(repository, "show", "gameday/x:runbooks/a.md")


async def test_what_cannot_be_done_is_told_in_a_sentence(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    branch = await PatchBranch.from_head(repository)

    with pytest.raises(PermanentDriverError, match=r"git apply in .* failed"):
        await branch.add(unified("z\n", "y\n", "runbooks/a.md"), "x")
    with pytest.raises(PermanentDriverError, match=r"git cat-file in .* failed"):
        await branch.text("runbooks/none.md")
    with pytest.raises(PermanentDriverError, match=r"git branch in .* failed: .*main"):
        await branch.name("main")
    with pytest.raises(PermanentDriverError, match="not a git repository"):
        await PatchBranch.from_head(tmp_path_factory.mktemp("elsewhere"))
