"""The floors of the house hold: imports go down only, and every room says what it is for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize("path", modules(), ids=name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert docstring
    assert docstring.splitlines()[0].endswith((".", "?", ":")), "the first line is a sentence"
