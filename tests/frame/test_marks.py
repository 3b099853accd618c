"""Marks mean one thing each, and folders of tests mirror the rooms of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
README = (TESTS / "README.md").read_text(encoding="utf-8")

ABOUT_NO_SINGLE_ROOM = {"console", "contract", "drills", "foreign", "frame", "kind", "simulation"}
WITHOUT_TESTS_OF_THEIR_OWN = {"ports"}
"""Rooms without code that does anything: what ports name is promised in `contract`."""

FILES = {"bad", "catalogue", "golden", "good", "labelled"}
"""Folders of files, not of tests."""


def folders(place: Path) -> set[str]:
    return {p.name for p in place.iterdir() if p.is_dir() and not p.name.startswith(("_", "."))}


# --- rooms ------------------------------------------------------------------------------------


def test_every_room_has_its_folder_of_tests_and_every_folder_its_room() -> None:
    packages = {p.name for p in (ROOT / "gameday").iterdir() if (p / "__init__.py").exists()} | {
        "scoring"
    }
    modules = {p.stem for p in (ROOT / "gameday").glob("*.py")}

    mirrored = folders(TESTS) - ABOUT_NO_SINGLE_ROOM

    assert set() == mirrored - packages - modules, "tests of no room"
    assert WITHOUT_TESTS_OF_THEIR_OWN == packages - mirrored, "rooms without tests"
    assert ABOUT_NO_SINGLE_ROOM <= folders(TESTS)


def test_inside_a_room_folders_mirror_it_too() -> None:
    strange = {
        f"{room}/{inner}"
        for room in folders(TESTS) - ABOUT_NO_SINGLE_ROOM - {"scoring"}
        for inner in folders(TESTS / room) - FILES
        if not (ROOT / "gameday" / room / inner).is_dir()
    }

    assert set() == strange


def test_the_map_names_every_folder_that_is_no_room() -> None:
    assert ABOUT_NO_SINGLE_ROOM == set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE))


# --- marks ------------------------------------------------------------------------------------


def test_every_mark_is_described_once_in_the_map_and_for_pytest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        line.partition(": ") for line in project["tool"]["pytest"]["ini_options"]["markers"]
    ]

    named = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)

    assert [name for name, _, _ in declared] == named
    assert [] == [name for name, _, meaning in declared if not meaning]


def test_what_is_found_out_is_not_written_by_hand() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in TESTS.rglob("*.py")
        if TESTS / "kind" not in path.parents
        if re.search(r"^@?(?:pytestmark = )?\[?pytest\.mark\.kind\b", path.read_text(), re.M)
    }

    assert set() == found, "put it into tests/kind"


COLLECTED = """
import pytest

{mark}
def test_one({fixture}): ...
"""


@pytest.mark.served
@pytest.mark.parametrize(
    ("mark", "fixture", "expected"),
    [
        ("", "monitoring", "1 test collected"),
        ("@pytest.mark.sandbox", "sandbox", "1 test collected"),
        ("@pytest.mark.sandbox", "", "without the fixture `sandbox` or `monitoring`"),
        ("", "", "no tests collected (1 deselected)"),
    ],
    ids=["asks for the programs", "asks for the sandbox", "asks for nothing", "is not marked"],
)
def test_sandbox_is_who_asks_for_it_and_nobody_else(
    tmp_path: Path, mark: str, fixture: str, expected: str
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  sandbox: x\n  long: x\n")
    (tmp_path / "test_it.py").write_text(COLLECTED.format(mark=mark, fixture=fixture))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "--collect-only", "-m", "sandbox"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert expected in done.stdout + done.stderr
