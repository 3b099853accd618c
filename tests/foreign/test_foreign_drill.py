"""A drill on a system that nobody of us wrote, as the page for strangers tells it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import foreign_site
import pytest
from tutorial_page import MOST_LINES, Commands, Edit, Terminal, follow, placeholders, steps

pytestmark = pytest.mark.xdist_group("foreign")

PAGE = foreign_site.ROOT / "docs/your-own-system.md"


@pytest.fixture
def site(tmp_path: Path, monitoring: None) -> Iterator[foreign_site.Site]:
    lacking = foreign_site.missing()
    if lacking:
        pytest.skip(f"needs {lacking}; `make setup` installs what is missing")
    folder = tmp_path / "site"  # HAProxy's socket has a name that must be short
    folder.mkdir()
    with foreign_site.running(folder) as site:
        yield site


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
