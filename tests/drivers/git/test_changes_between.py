"""What lies between two versions of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_repository import Repository, made

from gameday.drivers.git import GitHistory
from gameday.errors import HistoryUnknown
from gameday.model.signals import ChangeSet

FILE = "cart.py"
TOTAL = "def total(lines):\n    return sum(lines)\n"


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    return made(tmp_path / "shop", {FILE: TOTAL})


async def between(
    repository: Repository, earlier: str, revision: str = "HEAD", *, folder: Path | None = None
) -> tuple[list[str], list[str]]:
    """Return what a version brought and what it took back, in the words of the commits."""
    found: ChangeSet = await GitHistory().changes_between(
        repository=str(folder or repository.folder),
        revision=repository.commits.get(revision, revision),
        earlier=repository.commits.get(earlier, earlier),
    )
    brought, taken_back = (
        [repository.words(change.commit) for change in changes]
        for changes in (found.brought, found.taken_back)
    )
    return brought, taken_back


def changed(repository: Repository, words: str, *, day: int, path: str = FILE) -> None:
    repository.write(path, f"# {words}\n{TOTAL}")
    repository.commit(words, day=day)


async def test_the_commits_of_a_version_are_told_newest_first(shop: Repository) -> None:
    changed(shop, "one", day=2)
    changed(shop, "two", day=3)

    assert (["two", "one"], []) == await between(shop, "base")
    assert (["two"], []) == await between(shop, "one")


async def test_a_commit_is_told_with_who_when_and_its_files(shop: Repository) -> None:
    shop.write("täglich \n.txt", "1\n")
    changed(shop, "one", day=2)

    found = await GitHistory().changes_between(
        repository=str(shop.folder), revision="HEAD", earlier=shop.commits["base"]
    )

    (one,) = found.brought
    assert ("Ada", "one", (FILE, "täglich \n.txt")) == (one.author, one.summary, one.files)
    assert "2026-01-03T12:00:00+00:00" == one.committed_at.isoformat()


async def test_a_version_differs_from_itself_in_nothing(shop: Repository) -> None:
    assert ([], []) == await between(shop, "base")


async def test_a_commit_that_changed_no_file_is_left_out(shop: Repository) -> None:
    shop.git("commit", "--quiet", "--allow-empty", "--message", "nothing", day=2)

    assert ([], []) == await between(shop, "base")


async def test_an_older_version_takes_back_what_the_newer_had(shop: Repository) -> None:
    changed(shop, "one", day=2)
    changed(shop, "two", day=3)

    assert ([], ["two", "one"]) == await between(shop, "two", "base")


async def test_of_two_branches_each_has_what_the_other_has_not(shop: Repository) -> None:
    changed(shop, "here", day=2)
    shop.git("checkout", "--quiet", "-b", "side", shop.commits["base"])
    changed(shop, "there", day=3)

    assert (["there"], ["here"]) == await between(shop, "here", "there")


async def test_a_merge_that_only_joins_two_sides_is_left_out(shop: Repository) -> None:
    shop.git("checkout", "--quiet", "-b", "side")
    changed(shop, "there", day=2, path="side.py")
    shop.git("checkout", "--quiet", "main")
    changed(shop, "here", day=3)
    shop.git("merge", "--quiet", "--no-ff", "--message", "join", "side", day=4)

    assert (["here", "there"], []) == await between(shop, "base")


async def test_a_merge_in_which_somebody_wrote_is_told(shop: Repository) -> None:
    shop.git("checkout", "--quiet", "-b", "side")
    changed(shop, "there", day=2, path="side.py")
    shop.git("checkout", "--quiet", "main")
    changed(shop, "here", day=3)
    shop.git("merge", "--quiet", "--no-ff", "--no-commit", "side", day=4)
    changed(shop, "join", day=4, path="side.py")

    assert (["join", "here", "there"], []) == await between(shop, "base")


async def test_in_a_shallow_clone_nothing_is_told_of_what_it_does_not_hold(
    shop: Repository, tmp_path: Path
) -> None:
    for day, words in enumerate(("one", "two", "three"), start=2):
        changed(shop, words, day=day)
    clones = {depth: tmp_path / f"clone-{depth}" for depth in (2, 3)}
    for depth, clone in clones.items():
        origin = f"file://{shop.folder}"
        shop.git("clone", "--quiet", f"--depth={depth}", origin, str(clone))

    assert (["three", "two"], []) == await between(shop, "one", folder=clones[3])
    with pytest.raises(HistoryUnknown, match="does not have the revision"):
        await between(shop, "one", folder=clones[2])


async def test_where_the_copy_ends_between_two_versions_nothing_is_told(
    shop: Repository, tmp_path: Path
) -> None:
    changed(shop, "one", day=2)
    shop.git("tag", "older")
    for day, words in enumerate(("two", "three"), start=3):
        changed(shop, words, day=day)
    clone = tmp_path / "clone"
    shop.git("clone", "--quiet", "--depth=1", f"file://{shop.folder}", str(clone))
    # A tag fetched by itself, as a pipeline does: its commit is there, and no way leads to it.
    Repository(clone).git("fetch", "--quiet", "--depth=1", "origin", "tag", "older")

    with pytest.raises(HistoryUnknown, match=r"ends at .*fetch --unshallow"):
        await between(shop, "one", folder=clone)
