"""A newer draft and a person's edits in one text: nothing of theirs is lost."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.learning.merge import MIDDLE, MINE, THEIRS, merged

BASE = "a\nb\nc\nd\ne\n"
texts = st.lists(st.sampled_from("abcdefg"), max_size=8).map(
    lambda ls: "".join(f"{x}\n" for x in ls)
)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (BASE, "a\nB\nc\nd\ne\n", "a\nB\nc\nd\ne\n"),
        ("a\nB\nc\nd\ne\n", BASE, "a\nB\nc\nd\ne\n"),
        ("a\nB\nc\nd\ne\n", "a\nb\nc\nD\ne\n", "a\nB\nc\nD\ne\n"),
        ("a\nB\nc\nd\ne\n", "a\nB\nc\nd\ne\n", "a\nB\nc\nd\ne\n"),
        ("a\nb\nx\nc\nd\ne\n", "a\nb\nc\nd\n", "a\nb\nx\nc\nd\n"),
        ("mine\n", BASE, "mine\n"),
        ("a\nb\nc\nd\ne", "A\nb\nc\nd\ne\n", "A\nb\nc\nd\ne"),
    ],
    ids=["theirs", "mine", "both", "alike", "added and removed", "all of it", "no last newline"],
)
def test_what_only_one_changed_is_as_that_one_has_it(mine: str, theirs: str, expected: str) -> None:
    found = merged(BASE, mine, theirs)

    assert (expected, []) == (found.text, list(found.conflicts))


def test_where_both_changed_the_same_line_both_stand_and_the_place_is_told() -> None:
    found = merged(BASE, "a\nmine\nc\nd\ne\n", "a\ntheirs\nc\nd\ne\n")

    marked = f"a\n{MINE}\nmine\n{MIDDLE}\ntheirs\n{THEIRS}\nc\nd\ne\n"
    assert (marked, [2]) == (found.text, [c.line for c in found.conflicts])


def test_a_marker_stands_on_a_line_of_its_own_where_the_last_line_does_not_end() -> None:
    found = merged("a", "mine", "theirs")

    assert f"{MINE}\nmine\n{MIDDLE}\ntheirs\n{THEIRS}\n" == found.text


@given(texts, texts)
def test_who_changed_nothing_takes_the_others(base: str, other: str) -> None:
    assert other == merged(base, base, other).text == merged(base, other, base).text
    assert other == merged(base, other, other).text


@given(texts, texts, texts)
def test_no_line_that_a_person_added_is_lost(base: str, mine: str, theirs: str) -> None:
    added = Counter(mine.splitlines()) - Counter(base.splitlines())

    kept = Counter(merged(base, mine, theirs).text.splitlines())

    assert added <= kept


@given(texts, texts, texts)
def test_whose_text_is_called_mine_decides_nothing_but_the_order_in_a_conflict(
    base: str, mine: str, theirs: str
) -> None:
    one, two = merged(base, mine, theirs), merged(base, theirs, mine)

    assert len(one.conflicts) == len(two.conflicts)
    if not one.conflicts:
        assert one.text == two.text


@pytest.mark.served
def test_git_brings_a_postmortem_together_in_the_same_way(tmp_path: Path) -> None:
    base = "".join(f"line {n}\n" for n in range(40))
    mine = base.replace("line 3\n", "line 3, edited\nand more\n").replace("line 30\n", "")
    theirs = base.replace("line 12\n", "line 12, newer\n").replace("line 38\n", "a\nb\n")
    for name, text in (("base", base), ("mine", mine), ("theirs", theirs)):
        (tmp_path / name).write_text(text, encoding="utf-8")

    done = subprocess.run(
        ["git", "merge-file", "-p", "mine", "base", "theirs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )

    assert done.stdout == merged(base, mine, theirs).text
