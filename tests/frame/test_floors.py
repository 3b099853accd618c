"""The floors of the house hold: imports go down only, and every room says what it is for."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STRUCTURE = runpy.run_path(str(ROOT / "bench/structure.py"))
circles = STRUCTURE["circles"]
SHOP_SOURCE = ROOT / "gameday/sandbox/shop/source"


def modules() -> list[Path]:
    """Return every module of ours but the shop's, which plays a stranger's code."""
    found = [p for name in ("gameday", "scoring") for p in (ROOT / name).rglob("*.py")]
    return sorted(p for p in found if SHOP_SOURCE not in p.parents)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_import_goes_down_a_floor() -> None:
    tool = Path(sys.executable).parent / "lint-imports"

    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert 0 == done.returncode, done.stdout + done.stderr


def test_no_room_can_be_reached_from_itself() -> None:
    assert [] == circles(STRUCTURE["arrows"](STRUCTURE["modules"](ROOT)))


def test_a_circle_of_rooms_is_found_however_long_it_is() -> None:
    drawn = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("d", "e")]

    assert ["b", "c", "d"] == circles(drawn)


def test_every_module_says_what_it_is_for_in_a_sentence() -> None:
    silent = [
        name(path)
        for path in modules()
        if not (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
        .partition("\n")[0]
        .endswith((".", "?", ":"))
    ]

    assert [] == silent
