"""Runs on the real sandbox that are killed, frozen and aborted: nothing is left broken.

How long it takes is measured by bench/kills.py and bench/aborts.py; here only the outcome counts.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from test_drills import Shell, wait_for

from gameday.http.keys import auth_for
from gameday.sandbox.state import SandboxState

pytestmark = pytest.mark.sandbox

QUIET = {
    "apiVersion": "gameday/v1",
    "kind": "Scenario",
    "metadata": {"name": "quiet"},
    "spec": {
        "target": "sandbox",
        "slo": "checkout-latency",
        "steadyState": {"for": "0s", "burnRateBelow": 1000, "within": "30s"},
        "faults": [
            {
                "experiment": "slow-downstream",
                "with": {"service": "inventory", "downstream": "db", "latency": "20ms"},
                "duration": "60s",
            },
            {
                "experiment": "deploy-change",
                "with": {"service": "checkout", "kind": "harmless", "seed": 7},
                "duration": "60s",
            },
        ],
        "expect": {"errorRatio": "0%", "alert": "none"},
        "responder": "none",
    },
}


@pytest.fixture
def shell(sandbox: SandboxState) -> Iterator[Shell]:
    """Return a terminal on a sandbox where nothing is out of order; its history does not matter."""
    environment = {**os.environ, "GAMEDAY_STATE": str(Path(sandbox.folder).parent)}
    found = Shell(environment, sandbox)
    found.gameday("recover", "--strays")
    found.gameday("sandbox", "reset", expect=0)
    yield found
    assert left(found) == []


@pytest.fixture
def harm(shell: Shell, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start a run and return once its toxic and its deploy are in place, and a region drained."""
    path = tmp_path / "quiet.yaml"
    path.write_text(yaml.safe_dump(QUIET))
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = shell.start("run", str(path), "--json")
        started.append(process)
        wait_for(lambda: shell.toxics() and astray(shell), "the faults to be in place")
        folder = Path(shell.environment["GAMEDAY_STATE"]) / "incidents"
        notes = [json.loads(path.read_text()) for path in folder.glob("*.json")]
        note = next(note for note in notes if note["pid"] == process.pid)
        drain = {"name": "drain-region", "parameters": {"region": "us-east"}}
        own = {"authorization": f"Bearer {note['token']}"}
        url = f"{note['url']}/api/mitigation"
        httpx.post(url, json=drain, headers=own, timeout=30).raise_for_status()
        assert status(shell)["drained"] == ["us-east"]
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def status(shell: Shell) -> dict[str, Any]:
    url = f"{shell.sandbox.control_url}/status"
    answer: dict[str, Any] = httpx.get(url, timeout=30, auth=auth_for(url)).json()
    return answer


def astray(shell: Shell) -> list[str]:
    said = status(shell)
    return [name for name, revision in said["live"].items() if revision != said["baseline"]]


def left(shell: Shell) -> list[Any]:
    said = status(shell)
    return [*shell.toxics(), *astray(shell), *said["drained"]]


def verdict(shell: Shell) -> str | None:
    runs = json.loads(shell.gameday("runs", "--json", expect=0).stdout)
    return runs[0]["verdict"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("killed", marks=pytest.mark.row),
        pytest.param("frozen", marks=pytest.mark.row),
        pytest.param("killed while the store is locked", marks=pytest.mark.long),
    ],
)
def test_what_a_lost_run_changed_is_taken_back(
    shell: Shell, harm: Callable[[], subprocess.Popen[str]], how: str
) -> None:
    process = harm()
    holder = None
    if how.endswith("locked"):
        path = Path(shell.environment["GAMEDAY_STATE"]) / "gameday.db"
        holder = sqlite3.connect(path, isolation_level=None, timeout=10)
        holder.execute("BEGIN IMMEDIATE")

    process.send_signal(signal.SIGSTOP if how == "frozen" else signal.SIGKILL)

    wait_for(lambda: left(shell) == [], "everything to be taken back", 60)
    if holder is not None:
        holder.rollback()
        holder.close()
    process.send_signal(signal.SIGCONT)
    assert process.wait(30) == -signal.SIGKILL
    wait_for(lambda: verdict(shell) == "aborted", "the run to be closed")
    assert left(shell) == []
    shell.gameday("recover", expect=0)  # what the store could not be told is told now


def test_an_abort_recovers_and_says_so(
    shell: Shell, harm: Callable[[], subprocess.Popen[str]]
) -> None:
    process = harm()

    done = shell.gameday("abort", "--reason", "enough", "--json", expect=0)

    assert left(shell) == []
    assert json.loads(done.stdout)["open"] == []
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 4
    assert json.loads(output)["verdict"] == "aborted"


@pytest.mark.row
def test_a_toxic_that_no_store_knows_refuses_the_next_run(shell: Shell, tmp_path: Path) -> None:
    auth = auth_for(shell.sandbox.proxy_url)
    proxies = httpx.get(f"{shell.sandbox.proxy_url}/proxies", auth=auth).json()
    toxic = {"name": "gd-20260101-0900-ab12-1", "type": "latency", "attributes": {"latency": 1}}
    url = f"{shell.sandbox.proxy_url}/proxies/{next(iter(proxies))}/toxics"
    httpx.post(url, json=toxic, auth=auth).raise_for_status()
    path = tmp_path / "quiet.yaml"
    path.write_text(yaml.safe_dump(QUIET))

    refused = shell.gameday("run", str(path), expect=3)
    shell.gameday("recover", "--strays", expect=0)

    assert "gameday recover --strays" in refused.stderr
    assert shell.toxics() == []
