"""A drill on a system that nobody of us wrote, as its own people would play it."""

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
import httpx
import pytest

pytestmark = pytest.mark.xdist_group("foreign")

PAGED_WITHIN = 240.0
"""Seconds until somebody can acknowledge: the windows fill, the alert fires, the page is seen."""


@pytest.fixture
def site(tmp_path: Path, monitoring: None) -> Iterator[foreign_site.Site]:
    lacking = foreign_site.missing()
    if lacking:
        pytest.skip(f"needs {lacking}; `make setup` installs what is missing")
    folder = tmp_path / "site"  # HAProxy's socket has a name that must be short
    folder.mkdir()
    with foreign_site.running(folder) as site:
        foreign_site.describe(site)
        yield site


def gameday(site: foreign_site.Site, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gameday", *words],
        cwd=site.folder,
        env=os.environ | {"GAMEDAY_STATE": str(site.folder / "state")},
        capture_output=True,
        text=True,
        timeout=PAGED_WITHIN,
        check=False,
    )


def answered(site: foreign_site.Site, run: subprocess.Popen[bytes]) -> None:
    """Answer the page as a person does who knows the system: by the runbook."""
    deadline = time.monotonic() + PAGED_WITHIN
    while (said := gameday(site, "incident", "ack")).returncode:
        assert run.poll() is None, (site.folder / "run.err").read_text()
        assert time.monotonic() < deadline, said.stderr
        time.sleep(1)
    found = "--set", "mitigation=take-out"
    gameday(site, "incident", "finding", "red", "errors moved", "--set", "moved=errors")
    gameday(site, "incident", "finding", "mitigate", "one of two hangs: take it out", *found)
    gameday(site, "mitigate", "take-out", "server=one")


def server_states(site: foreign_site.Site) -> set[str]:
    """Return how HAProxy holds its servers, by its own exporter."""
    port = next(
        line.rpartition(":")[2].strip()
        for line in (site.folder / "haproxy.cfg")
        .read_text()
        .split("frontend exporter")[1]
        .split("\n")
        if "bind" in line
    )
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    return {
        line.split("{")[1].split("}")[0]
        for line in text.splitlines()
        if line.startswith("haproxy_server_status{") and line.endswith(" 1")
    }


def test_a_drill_on_a_strangers_system_passes_and_leaves_it_as_it_was(
    site: foreign_site.Site,
) -> None:
    checked = [gameday(site, "validate", kind) for kind in ("systems", "slos", "scenarios")]
    before = server_states(site)
    with (site.folder / "run.json").open("w") as told, (site.folder / "run.err").open("w") as said:
        run = subprocess.Popen(
            [sys.executable, "-m", "gameday", "run", "hang", "--yes", "--json"],
            cwd=site.folder,
            env=os.environ | {"GAMEDAY_STATE": str(site.folder / "state")},
            stdout=told,
            stderr=said,
        )
        answered(site, run)
        code = run.wait(PAGED_WITHIN)

    result: dict[str, Any] = json.loads((site.folder / "run.json").read_text())
    words = (site.folder / "run.err").read_text()
    assert [0, 0, 0] == [c.returncode for c in checked]
    assert ("passed", "", 0) == (result["verdict"], result["reason"], code)
    assert "system/pages" == result["target"]
    assert {"trace", "profile", "blame"} == {
        name for name, p in result["phases"].items() if p["verdict"] == "not_applicable"
    }
    assert ("met", "met") == tuple(
        result["phases"][name]["verdict"] for name in ("mitigated", "recovered")
    )
    assert {"open": 0} == result["recovery"]
    assert before == server_states(site)
    assert "pages are polled: one may have come up to 1 s before it is seen" in words
