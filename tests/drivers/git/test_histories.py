"""Which commit is named, whatever happened to a file since: one history a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_repository import Repository, made

from gameday.drivers.git import GitHistory
from gameday.errors import DriverError, HistoryUnknown

TOTAL = """\
def total(lines):
    found = 0
    for line in lines:
        found += line.price
    log(found)
    return found
"""
REST = '\n\ndef other():\n    return "something that nobody changes, and is long enough"\n'
FILE = "cart.py"


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    repository = made(tmp_path / "shop", {FILE: TOTAL + REST})
    repository.replace(FILE, "found = 0", "found = 1")
    repository.commit("change", day=2)
    return repository


async def blamed(
    repository: Repository,
    *,
    file: str = FILE,
    revision: str = "HEAD",
    folder: Path | None = None,
    function: str = "total",
) -> str:
    found = await GitHistory().blame(
        repository=str(folder or repository.folder),
        revision=revision,
        file=file,
        line=0,
        function=function,
    )
    return repository.words(found.commit)


async def since(
    repository: Repository, earlier: str, *, file: str = FILE, revision: str = "HEAD"
) -> str | None:
    found = await GitHistory().change_since(
        repository=str(repository.folder),
        revision=revision,
        earlier=repository.commits.get(earlier, earlier),
        file=file,
        line=0,
        function="total",
    )
    return None if found is None else repository.words(found.commit)


# --- what changes nothing -----------------------------------------------------------------------


async def test_a_file_that_got_another_name_is_followed(shop: Repository) -> None:
    shop.git("mv", FILE, "basket.py")
    shop.commit("rename", day=3)
    (shop.folder / "deep").mkdir()
    shop.git("mv", "basket.py", "deep/basket.py")
    shop.commit("rename again", day=4)

    assert "change" == await blamed(shop, file="deep/basket.py")
    assert await since(shop, "change", file="deep/basket.py") is None
    assert "change" == await since(shop, "base", file="deep/basket.py")


async def test_a_file_that_got_another_name_and_was_changed_is_blamed_on_that(
    shop: Repository,
) -> None:
    shop.git("mv", FILE, "basket.py")
    shop.replace("basket.py", "log(found)", "log(found + 1)")
    shop.commit("rename and change", day=3)

    assert "rename and change" == await blamed(shop, file="basket.py")
    assert "rename and change" == await since(shop, "change", file="basket.py")


async def test_other_line_ends_are_no_change(shop: Repository) -> None:
    shop.write(FILE, shop.read(FILE).replace("\n", "\r\n"))
    shop.commit("to CRLF", day=3)

    assert "change" == await blamed(shop)
    assert await since(shop, "change") is None

    shop.replace(FILE, "log(found)\r\n", "log(found, 1)\r\n")
    shop.commit("change in CRLF", day=4)
    shop.write(FILE, shop.read(FILE).replace("\r\n", "\n"))
    shop.commit("back to LF", day=5)

    assert "change in CRLF" == await blamed(shop)
    assert "change in CRLF" == await since(shop, "change")


async def test_a_function_that_was_moved_to_another_file_is_followed(shop: Repository) -> None:
    shop.write(FILE, shop.read(FILE).replace("found = 0", "found = 1").partition("\n\n\n")[2])
    shop.write("moved.py", "import log\n\n\n" + TOTAL.replace("found = 0", "found = 1"))
    shop.commit("move", day=3)

    assert "change" == await blamed(shop, file="moved.py")
    assert await since(shop, "change", file="moved.py") is None

    shop.replace("moved.py", "log(found)", "log(found + 2)")
    shop.commit("change after the move", day=4)

    assert "change after the move" == await blamed(shop, file="moved.py")


async def test_a_function_that_was_moved_into_a_class_is_followed(shop: Repository) -> None:
    text = TOTAL.replace("found = 0", "found = 1")
    shop.write(FILE, shop.read(FILE).partition("\n\n\n")[2])
    shop.write("moved.py", "class Cart:\n" + "".join(f"    {x}\n" for x in text.splitlines()))
    shop.commit("move", day=3)

    assert "change" == await blamed(shop, file="moved.py", function="Cart.total")


async def test_a_function_that_changed_its_place_in_the_file_is_not_changed(
    shop: Repository,
) -> None:
    total, _, rest = shop.read(FILE).partition("\n\n\n")
    shop.write(FILE, f"{rest}\n\n{total}\n")
    shop.commit("reorder", day=3)

    assert "change" == await blamed(shop)


async def test_what_is_below_or_above_a_function_is_not_the_function(shop: Repository) -> None:
    shop.write(FILE, "import log\n\n\n" + shop.read(FILE) + "\n\nLAST = 1\n")
    shop.commit("around", day=3)

    assert "change" == await blamed(shop)


# --- what changes something ---------------------------------------------------------------------


async def test_a_line_that_was_taken_out_is_a_change(shop: Repository) -> None:
    shop.replace(FILE, "    log(found)\n", "")
    shop.commit("take a line out", day=3)

    assert "take a line out" == await blamed(shop)
    assert "take a line out" == await since(shop, "change")


async def test_lines_that_changed_places_are_a_change(shop: Repository) -> None:
    shop.replace(FILE, "    log(found)\n    return found\n", "    return found\n    log(found)\n")
    shop.commit("swap", day=3)

    assert "swap" == await blamed(shop)


async def test_a_line_that_moved_into_another_block_is_a_change(shop: Repository) -> None:
    shop.replace(FILE, "    log(found)\n", "        log(found)\n")
    shop.commit("indent", day=3)

    assert "indent" == await blamed(shop)


async def test_a_copy_is_new(shop: Repository) -> None:
    shop.write("copied.py", TOTAL.replace("found = 0", "found = 1"))
    shop.commit("copy", day=3)

    assert "copy" == await blamed(shop, file="copied.py")


# --- merges -------------------------------------------------------------------------------------


@pytest.fixture
def merged(shop: Repository) -> Repository:
    """Two sides change the function: ``side`` earlier, ``main`` later, then both are merged."""
    shop.git("checkout", "--quiet", "-b", "side")
    shop.replace(FILE, "found = 1", "found = 2")
    shop.commit("side", day=3)
    shop.git("checkout", "--quiet", "main")
    shop.replace(FILE, "return found", "return found + 1")
    shop.commit("main", day=4)
    shop.git("merge", "--quiet", "--no-edit", "side", day=5)
    shop.commits["merge"] = shop.git("rev-parse", "HEAD")
    return shop


async def test_a_merge_that_only_joins_is_not_blamed(merged: Repository) -> None:
    assert "main" == await blamed(merged)


@pytest.mark.parametrize(("earlier", "brought"), [("main", "side"), ("side", "main")])
async def test_of_a_merge_what_was_not_live_before_is_blamed(
    merged: Repository, earlier: str, brought: str
) -> None:
    assert brought == await since(merged, earlier)


async def test_a_merge_that_writes_what_neither_side_had_is_blamed_itself(
    shop: Repository,
) -> None:
    shop.git("checkout", "--quiet", "-b", "side")
    shop.replace(FILE, "found = 1", "found = 2")
    shop.commit("side", day=3)
    shop.git("checkout", "--quiet", "main")
    shop.replace(FILE, "found = 1", "found = 3")
    shop.commit("main", day=4)
    shop.git("merge", "--quiet", "--no-commit", "--strategy=ours", "side", day=5)
    shop.replace(FILE, "found = 3", "found = 5")
    shop.commit("merge", day=5)

    assert "merge" == await blamed(shop)
    assert "merge" == await since(shop, "main")


async def test_a_merge_of_something_else_changes_nothing(shop: Repository) -> None:
    shop.git("checkout", "--quiet", "-b", "side")
    shop.write("README", "words")
    shop.commit("words", day=3)
    shop.git("checkout", "--quiet", "main")
    shop.write("LICENSE", "more words")
    shop.commit("more words", day=4)
    shop.git("merge", "--quiet", "--no-edit", "side", day=5)

    assert "change" == await blamed(shop)
    assert await since(shop, "change") is None


# --- against what was live before ---------------------------------------------------------------


async def test_after_a_rollback_the_older_function_is_what_changed(shop: Repository) -> None:
    shop.replace(FILE, "log(found)", "log(found + 3)")
    later = shop.commit("later", day=3)

    assert "change" == await since(shop, later, revision=shop.commits["change"])


async def test_a_change_that_was_taken_back_is_none(shop: Repository) -> None:
    shop.replace(FILE, "log(found)", "log(found + 3)")
    shop.commit("there", day=3)
    shop.replace(FILE, "log(found + 3)", "log(found)")
    shop.commit("and back", day=4)

    assert await since(shop, "change") is None


async def test_a_function_that_is_new_is_what_changed(shop: Repository) -> None:
    shop.write("new.py", TOTAL)
    shop.commit("new", day=3)

    assert "new" == await since(shop, "change", file="new.py")


@pytest.mark.parametrize("missing", ["0" * 40, "v9.9.9", "nowhere"])
async def test_a_revision_that_is_not_there_says_what_to_do(shop: Repository, missing: str) -> None:
    with pytest.raises(HistoryUnknown, match=rf"not have the revision '{missing}'.*fetch --tags"):
        await blamed(shop, revision=missing)
    with pytest.raises(HistoryUnknown, match=missing):
        await since(shop, missing)


async def test_a_tag_is_a_revision(shop: Repository) -> None:
    shop.git("tag", "-a", "-m", "one", "v1.2.3+build")
    shop.replace(FILE, "log(found)", "log(found + 3)")
    shop.commit("later", day=3)

    assert "change" == await blamed(shop, revision="v1.2.3+build")
    assert "later" == await since(shop, "v1.2.3+build")


# --- how a repository lies there ----------------------------------------------------------------


async def test_in_a_shallow_clone_what_it_holds_is_blamed_and_nothing_else(
    shop: Repository, tmp_path: Path
) -> None:
    shop.write("README", "words")
    shop.commit("words", day=3)
    for depth in (1, 2, 3):
        shop.git(
            *("clone", "--quiet", f"--depth={depth}", f"file://{shop.folder}"),
            str(tmp_path / f"clone-{depth}"),
        )

    assert "change" == await blamed(shop, folder=tmp_path / "clone-3")
    for depth in (1, 2):
        with pytest.raises(HistoryUnknown, match=r"fetch --unshallow"):
            await blamed(shop, folder=tmp_path / f"clone-{depth}")


@pytest.mark.parametrize(
    "path",
    [
        "with space/my cart.py",
        "ünïcode/カート.py",
        'quo"te/ca\\rt.py',
        "a:b/c.py",
        "tab\there/cart.py",
        "-dash/-cart.py",
        "[x]/c*rt.py",
    ],
)
async def test_a_path_is_taken_as_it_is_written(shop: Repository, path: str) -> None:
    shop.write(path, TOTAL)
    shop.commit("add", day=3)
    shop.replace(path, "log(found)", "log(found + 7)")
    shop.commit("change there", day=4)
    (shop.folder / "next").mkdir()
    shop.git("mv", "--", path, "next/cart of before.py")
    shop.commit("rename", day=5)

    assert "change there" == await blamed(shop, file=path, revision=shop.commits["change there"])
    assert "change there" == await blamed(shop, file="next/cart of before.py")


async def test_a_file_that_begins_with_a_mark_of_its_encoding_is_read(shop: Repository) -> None:
    shop.write("bom.py", "\ufeff" + TOTAL)
    shop.commit("add", day=3)
    shop.replace("bom.py", "log(found)", "log(found + 7)")
    shop.commit("change there", day=4)
    shop.write("bom.py", shop.read("bom.py").removeprefix("\ufeff"))
    shop.commit("without the mark", day=5)

    assert "change there" == await blamed(shop, file="bom.py")


async def test_a_file_of_another_language_is_blamed_by_its_line(shop: Repository) -> None:
    shop.write("cart.rb", "def total\n  1\nend\n")
    shop.commit("add", day=3)
    shop.replace("cart.rb", "  1\n", "  2\n")
    shop.commit("change there", day=4)
    history = GitHistory()

    async def at(line: int) -> str:
        found = await history.blame(
            repository=str(shop.folder), revision="HEAD", file="cart.rb", line=line, function="x"
        )
        return shop.words(found.commit)

    assert ["add", "change there"] == [await at(1), await at(2)]
    with pytest.raises(DriverError, match="no line"):
        await at(0)


async def test_python_of_another_version_than_this_one_is_read(shop: Repository) -> None:
    shop.write("old.py", 'print "of Python 2"\n' + TOTAL)
    shop.commit("add", day=3)

    assert "add" == await blamed(shop, file="old.py")
