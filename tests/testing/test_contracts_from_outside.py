"""A driver of somebody else's, held against its contract where our tests are not.

It is the one that the documentation shows, in a folder and an interpreter of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gameday.testing.contracts import FaultDriverContract, promises

REPOSITORY_ROOT = Path(__file__).parents[2]
PATIENCE = 120.0


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with the files of the documentation's example, each named in its first line."""
    text = (REPOSITORY_ROOT / "docs/testing.md").read_text(encoding="utf-8")
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).write_text(code, encoding="utf-8")
    return tmp_path


def play(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "COV"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.served
def test_a_driver_of_an_outside_author_passes_its_contract(theirs: Path) -> None:
    done = play(theirs, "-m", "pytest", "-p", "no:cacheprovider")

    assert 0 == done.returncode, done.stdout
    assert f"{len(promises(FaultDriverContract))} passed" in done.stdout


@pytest.mark.served
@pytest.mark.parametrize(
    ("keeps", "breaks", "promise"),
    [
        (
            "flags.pop(undo.id, None)",
            "flags.clear()",
            "test_recovering_takes_back_what_the_undo_names_and_nothing_else",
        ),
        (
            'raise PermanentDriverError(f"{self.file} cannot be read: {error}") from error',
            "return {}",
            "test_a_system_that_does_not_answer_is_a_driver_error",
        ),
    ],
    ids=["takes too much back", "believes silence"],
)
def test_one_that_breaks_a_promise_is_told_which(
    theirs: Path, keeps: str, breaks: str, promise: str
) -> None:
    code = (theirs / "flags.py").read_text(encoding="utf-8")
    assert keeps in code
    (theirs / "flags.py").write_text(code.replace(keeps, breaks), encoding="utf-8")

    done = play(theirs, "-m", "pytest", "-p", "no:cacheprovider", "-rf")

    assert 1 == done.returncode, done.stdout
    assert f"TestFlags::{promise}" in done.stdout


def test_contracts_are_imported_without_pytest_and_without_our_tests(tmp_path: Path) -> None:
    code = (
        "import sys, gameday.testing.contracts as c;"
        "print(sorted({'pytest', '_pytest'} & set(sys.modules)), len(c.__all__) > 0)"
    )

    done = play(tmp_path, "-c", code)

    assert ("[] True\n", "") == (done.stdout, done.stderr)


def test_whatever_a_package_of_fakes_imports_is_not_pytest() -> None:
    found = [
        str(path.relative_to(REPOSITORY_ROOT))
        for path in (REPOSITORY_ROOT / "gameday/testing").rglob("*.py")
        if re.search(r"^\s*(import|from) _?pytest\b", path.read_text(encoding="utf-8"), re.M)
    ]

    assert [] == found
