"""Functions of a source: what reads them, and what is said where that is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gameday.drivers.git.functions import functions_of
from gameday.drivers.git.grammars import parsed
from gameday.drivers.git.language import SUFFIXES, Language, language_of
from gameday.errors import NotInstalled

GO = "package main\n\nfunc main() {\n}\n"
REPOSITORY_ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("source", "language"),
    [(GO, Language.GO), ('print "of Python 2"\n', Language.PYTHON)],
)
def test_without_the_extra_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, source: str, language: Language
) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter", None)

    with pytest.raises(NotInstalled, match=r"needs tree-sitter .*pip install 'gameday\[code\]'"):
        functions_of(source, language, "a")


def test_python_of_this_version_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter", None)

    (function,) = functions_of("def total():\n    return 1\n", Language.PYTHON, "cart.py")

    assert ("total", 1, 2) == (function.path, function.first, function.last)


@pytest.mark.parametrize("folder", ["gameday/drivers", "gameday/conductor", "scoring"])
def test_both_readers_of_python_tell_the_same(folder: str) -> None:
    told: dict[str, list[set[tuple[str, int, int]]]] = {}
    for path in sorted((REPOSITORY_ROOT / folder).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        readers = (functions_of, parsed)
        told[path.name] = [
            {(f.path, f.first, f.last) for f in read(source, Language.PYTHON, path.name) if f.name}
            for read in readers
        ]

    assert {} == {name: (a - b, b - a) for name, (a, b) in told.items() if a != b}


def test_every_language_is_known_by_a_suffix() -> None:
    assert set(Language) == set(SUFFIXES.values())
    assert Language.TYPESCRIPT is language_of("src/App.TSX")
    assert language_of("Makefile") is None
