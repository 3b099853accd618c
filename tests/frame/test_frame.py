"""The frame: its shell is sound, and the documents' links lead somewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("shell", "script"),
    [("sh", "tools/setup.sh"), ("sh", "tools/constraints.sh"), ("bash", ".ci/run")],
)
def test_every_script_is_sound_shell_and_may_be_run(shell: str, script: str) -> None:
    path = ROOT / script

    done = subprocess.run(
        [shell, "-n", path], capture_output=True, text=True, check=False, timeout=30
    )

    assert "" == done.stderr
    assert path.stat().st_mode & 0o111


def test_the_readme_opens_with_the_two_commands() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8")[:200]

    assert first.index("make demo") < first.index("make test")


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "tests/README.md"]
)
def test_links_between_our_documents_lead_somewhere(name: str) -> None:
    top = ROOT / name
    files = sorted(top.rglob("*.md")) if top.is_dir() else [top]

    broken = [
        f"{file.relative_to(ROOT)}: {link}"
        for file in files
        for link in re.findall(r"\]\(([^)#\s]+)", file.read_text(encoding="utf-8"))
        if "://" not in link and not (file.parent / link).exists()
    ]

    assert [] == broken


def test_what_ci_uses_of_others_is_pinned_by_its_hash() -> None:
    used = [
        found
        for path in sorted((ROOT / ".github/workflows").iterdir())
        for found in re.findall(r"uses:\s*(\S+)", path.read_text(encoding="utf-8"))
    ]

    assert used
    assert [] == [found for found in used if not re.fullmatch(r"\S+@[0-9a-f]{40}", found)]


def test_nobody_is_trusted_whatever_certificate_they_show() -> None:
    found = [
        str(path.relative_to(ROOT))
        for room in ("gameday", "scoring")
        for path in sorted((ROOT / room).rglob("*.py"))
        if re.search(
            r"verify=False|CERT_NONE|_create_unverified_context", path.read_text(encoding="utf-8")
        )
    ]

    assert [] == found


def test_a_fake_lets_as_many_callers_wait_as_come_at_once() -> None:
    """The sixth call to the standard library's server is dropped, and made again a second later."""
    meant = (p for room in ("gameday/testing", "tests", "bench") for p in (ROOT / room).rglob("*"))
    sources = [p for p in meant if p.suffix == ".py" and p != Path(__file__)]

    five = [p.name for p in sources if re.search(r"HTTPServer\b", p.read_text(encoding="utf-8"))]

    assert ["served.py"] == five
