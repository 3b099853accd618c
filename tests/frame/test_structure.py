"""Modules stay small, are named by nouns, and keep what belongs to this machine out."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE = 500
LONGEST_TEST = 800
EMPTY_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "managers",
    "base",
    "misc",
}


def python_files() -> list[Path]:
    found = [p for name in ("gameday", "scoring", "tests") for p in (ROOT / name).rglob("*.py")]
    return sorted(p for p in found if "__pycache__" not in p.parts)


def product_files() -> list[Path]:
    return [p for p in python_files() if ROOT / "tests" not in p.parents]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_module_is_short() -> None:
    long = [
        name(path)
        for path in python_files()
        if len(path.read_text(encoding="utf-8").splitlines())
        > (LONGEST_TEST if ROOT / "tests" in path.parents else LONGEST_MODULE)
    ]

    assert [] == long, "split it by noun"


def test_no_two_files_of_tests_share_a_name() -> None:
    """Pytest imports them by it, and collects neither where both are asked for."""
    files = [path for path in python_files() if path.name.startswith("test_")]
    seen = Counter(path.name for path in files)

    assert [] == [name(path) for path in files if seen[path.name] > 1]


def test_every_modules_name_says_something() -> None:
    empty = [
        name(path)
        for path in python_files()
        if EMPTY_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)
    ]

    assert [] == empty


def test_only_the_command_line_ends_the_process() -> None:
    exits = [
        f"{name(path)}:{node.lineno}"
        for path in product_files()
        # But for the command line, and a process's own entry.
        if (ROOT / "gameday/cli") not in path.parents and path.name != "__main__.py"
        if "sys.exit" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and node.attr == "exit"
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    ]

    assert [] == exits


def test_no_test_folder_is_a_package() -> None:
    assert [] == sorted((ROOT / "tests").rglob("__init__.py"))


def test_nothing_committed_names_a_path_of_some_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    # Written apart, so that this file does not find itself.
    machine_path = re.compile(
        "(?<![\\w.-])/(?:" + "work" + "/(?:main|shared)|" + "home/[a-z]|root/)"
    )

    found = [
        file
        for file in listed.stdout.split("\0")
        if file and machine_path.search((ROOT / file).read_text(encoding="utf-8", errors="replace"))
    ]

    assert [] == found


def test_what_a_test_is_given_is_read_in_one_place() -> None:
    # Read anywhere else, a variable of ours is gone already, and the test that waits for it never
    # runs: that of the state folder is the tests' own.
    read = re.compile(r"""(?:environ(?:\.get)?|getenv)\s*[(\[]\s*f?["'](GAMEDAY_\w+)""")
    found = {
        (name(path), variable)
        for path in (ROOT / "tests").rglob("*.py")
        for variable in read.findall(path.read_text(encoding="utf-8"))
        if variable != "GAMEDAY_STATE" and path.name != "given.py"
    }

    assert set() == found


def test_there_is_one_fake_clock() -> None:
    """Another would be one more that nobody holds against the contract of clocks."""
    found = {
        (name(path), node.name)
        for path in python_files()
        if "def sleep(" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        and {"now", "sleep"}
        <= {f.name for f in node.body if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)}
    }

    assert {
        ("gameday/ports/time.py", "Clock"),
        ("gameday/drivers/clock.py", "SystemClock"),
        ("gameday/drivers/clock.py", "SteadyClock"),
        ("gameday/testing/virtual.py", "VirtualClock"),
        ("gameday/testing/machine.py", "MachineClock"),  # moved by all of a machine's processes
    } == found
