"""Nothing is kept alive by its tests alone."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
unused = runpy.run_path(str(ROOT / "bench/unused.py"))["unused"]

ALLOWED = {
    # Probes of experiments, which name them in their files: also of those that others wrote.
    "gameday/chaos/faults/broken_downstream.py: downstream_is_broken",
    "gameday/chaos/faults/slow_downstream.py: downstream_is_slow",
}


def test_what_the_product_defines_it_uses() -> None:
    assert set() == set(unused(ROOT)) - ALLOWED


def test_what_only_a_test_or_a_fake_uses_is_found(tmp_path: Path) -> None:
    files = {
        "gameday/__init__.py": "from gameday.one import used\n__all__ = ['alone', 'used']",
        "gameday/one.py": (
            "def used(): return Here().asked()\n"
            "def alone(n): return alone(n - 1)\n"
            "class Here:\n    def asked(self): ...\n"
            "    def never(self): ...\n    def _own(self): ..."
        ),
        "gameday/testing/fake.py": "from gameday.one import alone\nalone(3)",
        "scoring/two.py": "from gameday.one import used\nused()",
        "tests/test_one.py": "Here().never()",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert ["gameday/one.py: alone", "gameday/one.py: Here.never"] == unused(tmp_path)
