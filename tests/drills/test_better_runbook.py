"""What a drill teaches a runbook makes the next drill better, and proves itself by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameday.sandbox.state import SandboxState

pytestmark = [pytest.mark.sandbox, pytest.mark.row]

REPOSITORY = Path(__file__).resolve().parents[2]
RUNBOOK = "runbooks/lacking.md"


class Desk:
    """A repository with a scenario and a runbook of its own, and a gameday that plays it."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self._environment = {**os.environ, "GAMEDAY_STATE": str(state)}

    def gameday(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gameday", *arguments],
            capture_output=True,
            text=True,
            env={**self._environment, "PYTHONPATH": str(REPOSITORY)},
            cwd=self.folder,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self.gameday(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def items(self, *states: str) -> list[dict[str, Any]]:
        every = self.json("actions", "list", "--all")
        return [i for i in every if i["runbook"] == RUNBOOK and i["state"] in states]


@pytest.fixture
def desk(sandbox: SandboxState, tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path, Path(sandbox.folder).parent)
    found.gameday("recover")
    yield found
    found.gameday("recover")


def test_a_patched_runbook_is_clean_scores_higher_and_proves_its_items(desk: Desk) -> None:
    whole = (REPOSITORY / "runbooks/checkout-latency.md").read_text(encoding="utf-8")
    lines = whole.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if "**database-unwell**" in line)
    lacking = "".join([*lines[:start], *lines[start + 2 :]])
    scenario = yaml.safe_load((REPOSITORY / "scenarios/slow-db.yaml").read_text(encoding="utf-8"))
    scenario["metadata"]["name"] = "slow-db-lacking"
    scenario["spec"]["runbook"] = RUNBOOK
    desk.write("scenarios/slow-db-lacking.yaml", yaml.safe_dump(scenario))
    desk.write(RUNBOOK, lacking)
    desk.git("init", "--quiet")
    desk.git("config", "user.name", "On-call")
    desk.git("config", "user.email", "on-call@example.org")
    desk.git("add", "-A")
    desk.git("commit", "--quiet", "-m", "first")
    path = "scenarios/slow-db-lacking.yaml"

    before = desk.json("run", path)
    asked = desk.items("open")
    made = desk.json("runbooks", "tasks", "--apply", "--branch", "taught")
    desk.git("merge", "--quiet", "--ff-only", "taught")
    linted = desk.gameday("runbooks", "lint", RUNBOOK)
    desk.gameday("recover")
    after = desk.json("run", path)

    assert "cause-missing" in {task["kind"] for task in before["tasks"]}
    assert "cause-missing" in {item["task"] for item in asked}
    assert "taught" == made["branch"]
    assert 0 == linted.returncode, linted.stdout
    assert {"cause-missing", "fix-missing"}.isdisjoint(task["kind"] for task in after["tasks"])
    assert _response(after) > _response(before)
    proven = {item["task"]: item["evidence"] for item in desk.items("closed, proven")}
    assert [f"run {after['run']}"] == proven["cause-missing"]


def _response(result: dict[str, Any]) -> float:
    return float(result["score"]["response"]["percent"])
