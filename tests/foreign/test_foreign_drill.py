"""A drill on a system that nobody of us wrote, as the page for strangers tells it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import foreign_site
import pytest
from tutorial_page import Commands, Edit, placeholders, steps

pytestmark = pytest.mark.xdist_group("foreign")

PAGE = foreign_site.ROOT / "docs/your-own-system.md"

MOST_LINES = 30
"""Lines that a stranger edits by hand, at most."""

OVER_WITHIN = 240.0
"""Seconds for any one block of the page: windows fill, the alert fires, the page is seen."""


@pytest.fixture
def site(tmp_path: Path, monitoring: None) -> Iterator[foreign_site.Site]:
    lacking = foreign_site.missing()
    if lacking:
        pytest.skip(f"needs {lacking}; `make setup` installs what is missing")
    folder = tmp_path / "site"  # HAProxy's socket has a name that must be short
    folder.mkdir()
    with foreign_site.running(folder) as site:
        yield site


class Terminal:
    """A shell of somebody who follows the page, in a folder of theirs."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self._said = state.parent
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = os.environ | {"GAMEDAY_STATE": str(state), "PATH": programs}

    def typed(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a block to its end."""
        return subprocess.run(
            ["sh", "-e", "-c", text],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=OVER_WITHIN,
            check=False,
        )

    def beside(self, text: str) -> subprocess.Popen[bytes]:
        """Run a block in another terminal; what it says is kept beside the folder."""
        with (self._said / "said.out").open("wb") as out, (self._said / "said.err").open("wb") as e:
            return subprocess.Popen(
                ["sh", "-e", "-c", f"exec {text}"],
                cwd=self.folder,
                env=self._environment,
                stdout=out,
                stderr=e,
            )

    def words(self) -> str:
        """Return what was said in the other terminal."""
        return (self._said / "said.err").read_text() + (self._said / "said.out").read_text()


def follow(page: str, own: dict[str, str], terminal: Terminal) -> int:
    """Do what the page says, from the top to the end; return how the drill beside it ended."""
    drill: subprocess.Popen[bytes] | None = None
    for step in steps(page, own):
        if isinstance(step, Edit):
            step.make(terminal.folder)
        elif step.beside:
            drill = terminal.beside(step.text)
        else:
            if drill is not None and "gameday report" in step.text:
                drill.wait(OVER_WITHIN)  # its reader waits for the first terminal, too
            done = terminal.typed(step.text)
            said = f"{step.text}\n{done.stdout}\n{done.stderr}"
            assert 0 == done.returncode, said + (terminal.words() if drill else "")
    assert drill is not None
    return drill.wait(OVER_WITHIN)


def test_a_stranger_who_follows_the_page_plays_a_drill_that_passes_and_leaves_no_trace(
    site: foreign_site.Site, tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    own = {
        "http://prometheus.example:9090": site.prometheus,
        "/srv/pages/server": str(site.server),
        "4711": str(site.web["one"]),
    }
    folder = tmp_path / "mine"
    folder.mkdir()
    terminal = Terminal(folder, tmp_path / "state")
    before = foreign_site.server_states(site)
    began = time.monotonic()

    code = follow(page, own, terminal)

    result: dict[str, Any] = json.loads(terminal.typed("gameday score last --json").stdout)
    assert list(own) == placeholders(page)
    assert ("passed", "", 0) == (result["verdict"], result["reason"], code), terminal.words()
    assert "system/website" == result["target"]
    assert {"trace", "profile", "blame"} == {
        name for name, p in result["phases"].items() if p["verdict"] == "not_applicable"
    }
    assert ("met", "met") == tuple(
        result["phases"][name]["verdict"] for name in ("mitigated", "recovered")
    )
    assert {"open": 0} == result["recovery"]
    assert before == foreign_site.server_states(site)
    assert "pages are polled: one may have come up to 1 s before it is seen" in terminal.words()
    assert time.monotonic() - began < 600


def test_a_stranger_edits_no_more_than_thirty_lines_by_hand() -> None:
    edits = [s for s in steps(PAGE.read_text(encoding="utf-8"), {}) if isinstance(s, Edit)]

    assert 4 == len(edits)
    assert sum(edit.lines for edit in edits) <= MOST_LINES


def test_the_page_has_the_commands_of_every_step() -> None:
    commands = [s for s in steps(PAGE.read_text(encoding="utf-8"), {}) if isinstance(s, Commands)]

    typed = " ".join(c.text for c in commands)
    assert all(word in typed for word in ("init", "validate", "doctor", "--dry-run", "ack"))
    assert ["gameday run pages-first-drill --yes\n"] == [c.text for c in commands if c.beside]
