"""A person plays the whole slow-db game day by clicking, in a real browser on the real sandbox."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from browsing import DESKTOP, PATIENCE, Eyes, needs_chromium
from reading import RIGHT, fill

from gameday.sandbox.state import SandboxState

pytestmark = [pytest.mark.sandbox, needs_chromium]

REPOSITORY = Path(__file__).resolve().parents[2]
OVERVIEW = re.compile(r"/console/incidents/\d+-\d+-\w+$")
TRIES = 3
"""Runs that are begun at most: a machine that is busy just then does not hold a steady state."""


@dataclass
class Run:
    """A game day that a person plays, and what it says in the terminal."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Keep what the terminal says."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)

    def begins(self) -> bool:
        """Whether the steady state held; returns once that is known."""
        while self.process.poll() is None:
            if any("steady state holds" in line for line in self.said):
                return True
            time.sleep(0.1)
        return False

    def link(self, announced: str) -> str:
        """The sign-in link that follows these words, once it is printed."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            found = re.search(rf"(?s){announced}.*?(http://\S+)", "".join(self.said))
            if found:
                return found.group(1)
            assert self.process.poll() is None, "".join(self.said)
            time.sleep(0.05)
        raise AssertionError("no link was printed:\n" + "".join(self.said))


@pytest.fixture
def run(sandbox: SandboxState) -> Iterator[Run]:
    """A game day whose fault is in place."""
    environment = {**os.environ, "GAMEDAY_STATE": str(Path(sandbox.folder).parent)}
    refused = []
    for _ in range(TRIES):
        for command in (["recover"], ["sandbox", "reset", "--history"]):
            gameday = [sys.executable, "-m", "gameday", *command]
            subprocess.run(gameday, env=environment, capture_output=True, check=False)
        with playing(environment) as played:
            if played.begins():
                yield played
                return
            refused.append("".join(played.said))
    pytest.fail("no steady state:\n" + "\n".join(refused))


@contextmanager
def playing(environment: dict[str, str]) -> Iterator[Run]:
    """Play slow-db with a person as its responder."""
    gameday = [sys.executable, "-m", "gameday", "run", "scenarios/slow-db.yaml"]
    with subprocess.Popen(
        [*gameday, "--responder", "human", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=REPOSITORY,
    ) as process:
        played = Run(process)
        listener = threading.Thread(target=played.listen, daemon=True)
        listener.start()
        try:
            yield played
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            listener.join(10)


@pytest.mark.row
def test_a_person_plays_the_whole_game_day_by_clicking(run: Run, browser: Any, eyes: Eyes) -> None:
    clicked: dict[str, datetime] = {}
    watching = browser.new_context(viewport=DESKTOP)
    facilitator = watching.new_page()
    on_call = browser.new_context(viewport=DESKTOP)
    bytes_seen: list[str] = []
    page = on_call.new_page()
    for opened in (facilitator, page):
        opened.set_default_timeout(PATIENCE)
        eyes.watch(opened)
    page.on("response", lambda r: _keep(r, bytes_seen))

    page.goto(run.link("You are on call"))
    facilitator.goto(run.link("The facilitator"))
    # The page comes by itself, and so does the incident.
    page.wait_for_url(OVERVIEW)
    page.wait_for_selector(".meter")
    eyes.keep(page, "1-paged")

    clicked["acked"] = _click(page, "#next")
    page.wait_for_url("**/red")
    page.wait_for_selector("#chart-duration[data-drawn]")
    eyes.keep(page, "2-red")
    fill(page, RIGHT[0])
    clicked["red"] = _click(page, "#next")
    page.wait_for_url("**/traces")
    _until(page, "details.trace li")
    eyes.keep(page, "3-traces")
    fill(page, RIGHT[1])
    clicked["trace"] = _click(page, "#next")
    page.wait_for_url("**/profile*")
    _until(page, "figure.flame")
    eyes.keep(page, "4-profile")
    fill(page, RIGHT[2])
    clicked["profile"] = _click(page, "#next")
    page.wait_for_url("**/blame")
    eyes.keep(page, "5-blame")
    fill(page, RIGHT[3])
    clicked["blame"] = _click(page, "#next")
    page.wait_for_url("**/runbook")
    eyes.keep(page, "6-runbook")
    clicked["mitigated"] = _click(page, "#next")
    page.wait_for_url(OVERVIEW)
    page.get_by_label("Note for the record").fill("watching <b>it</b> recover")
    page.get_by_role("button", name="Put on record").click()
    page.wait_for_selector(".chip.state-recovered")
    cleared_seen = datetime.now(UTC)
    eyes.keep(page, "7-recovered")
    eyes.keep(facilitator, "9-facilitator-late")
    assert run.process.stdout is not None
    result = json.loads(run.process.stdout.read())
    run.process.wait(60)

    assert result["verdict"] == "passed", json.dumps(result["phases"], indent=1)
    paged_at = datetime.fromisoformat(result["phases"]["paged"]["at"])
    for name, at in clicked.items():
        seen = result["phases"][name]["seconds_from_page"]
        assert seen == pytest.approx((at - paged_at).total_seconds(), abs=1.0), name
    recovered_at = datetime.fromisoformat(result["phases"]["recovered"]["at"])
    assert recovered_at <= cleared_seen
    assert {s["verdict"] for s in result["funnel"]} == {"met"}, result["funnel"]
    everything = "\n".join(bytes_seen).lower()
    for word in ("slow-downstream", "slow-db", "toxic", "400ms", "fault injected"):
        assert word not in everything
    # Once the run is over its server is gone, and the page says so; that is no problem of the page.
    problems = [p for p in eyes.problems if "ERR_" not in p and "Failed to load" not in p]
    assert problems == []


def _click(page: Any, selector: str) -> datetime:
    at = datetime.now(UTC)
    page.click(selector, no_wait_after=True)
    return at


def _until(page: Any, selector: str) -> None:
    """Load a page again until it shows something: telemetry arrives in batches."""
    deadline = time.monotonic() + 60
    while page.query_selector(selector) is None:
        assert time.monotonic() < deadline, page.inner_text("main")
        time.sleep(1)
        page.reload()


def _keep(response: Any, seen: list[str]) -> None:
    kind = response.headers.get("content-type", "")
    if "event-stream" in kind or "/assets/" in response.url or response.status in (302, 303):
        return
    from playwright.sync_api import Error

    try:
        seen.append(response.text())
    except Error:
        return  # the page went on before it was read
