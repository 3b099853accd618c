"""Which files a command about runbooks reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.errors import UsageError
from gameday.house.runbooks.shelf import shelf_of

RULES = "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n"


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_a_folder_gives_its_runbooks_and_rules_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "a/one.md": "# One\n",
        "README.md": "# About\n",
        "rules.yaml": RULES,
        "values.yaml": "x: 1\n",
        "chart.yaml": "{{ if }}\n",
    }

    shelf = shelf_of([written(tmp_path, files)])

    assert [str(tmp_path / "a/one.md")] == [page.file for page in shelf.pages]
    assert ["Down"] == [rule.name for rule in shelf.rules]
    assert [] == list(shelf.unreadable)


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    written(tmp_path, {"one.md": "# One\n"})

    assert 1 == len(shelf_of([tmp_path, tmp_path / "one.md"]).pages)


def test_a_named_file_that_holds_no_rules_is_told(tmp_path: Path) -> None:
    written(tmp_path, {"values.yaml": "x: 1\n"})

    (problem,) = shelf_of([tmp_path / "values.yaml"]).unreadable

    assert "holds no groups of Prometheus rules" == problem.message


@pytest.mark.parametrize("name", ["nowhere", "notes.txt"])
def test_what_is_no_runbook_is_refused_with_what_to_give(tmp_path: Path, name: str) -> None:
    written(tmp_path, {"notes.txt": ""})

    with pytest.raises(UsageError, match="give runbooks"):
        shelf_of([tmp_path / name])
