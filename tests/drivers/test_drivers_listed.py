"""Every driver says what real thing it was last held against, in docs/drivers.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(\w+)` \|(.+)\|$", re.MULTILINE)


def rows() -> dict[str, list[str]]:
    """Return the cells of each driver's row: tool, proven by, last held against, never met."""
    text = (ROOT / "docs/drivers.md").read_text(encoding="utf-8")
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in ROW.findall(text)}


def test_every_driver_is_listed_once_and_in_order() -> None:
    drivers = [
        path.stem
        for path in (ROOT / "gameday/drivers").iterdir()
        if not path.name.startswith("_") and (path.is_dir() or path.suffix == ".py")
    ]

    assert sorted(drivers) == list(rows())


def test_every_driver_was_held_against_something_by_tests_that_are_there() -> None:
    for name, (tool, proven_by, held_against, _) in rows().items():
        assert tool and held_against, name
        assert (ROOT / proven_by.strip("`")).exists(), name
