"""A run that may not begin, as the command line tells it: every reason, exit code 3."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gameday.cli.app import run
from gameday.house.run.opening import only_run, open_store
from gameday.model.plan_record import PlanRecord
from gameday.model.result import RunResult
from gameday.ports import Order, OrderKind
from gameday.settings import Settings

ROOT = Path(__file__).parents[2]
SLOW_DB = str(ROOT / "scenarios/slow-db.yaml")
PROGRAMME = """\
apiVersion: gameday/v1
kind: Programme
metadata: {name: p}
spec:
  targets:
    sandbox: {approval: required, approvers: [sre-lead]}
"""
STOP = "all runs are stopped since 2026-11-23 00:00 UTC by ada (enough); `gameday stop --lift` lets"
APPROVAL = "sandbox needs an approval; ask sre-lead, then start with --approved-by NAME"


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Have all runs stopped, and a programme that asks for an approval besides."""
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "programme.yaml").write_text(PROGRAMME)
    settings = Settings.from_environment()
    at = datetime(2026, 11, 23, tzinfo=UTC)
    with open_store(settings) as store:
        store.give(Order(OrderKind.STOP, None, "enough", "ada", at))
    return settings


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    assert 3 == run([*arguments, "--json"])
    out, err = capsys.readouterr()
    said: dict[str, Any] = json.loads(out)
    return said, err


@pytest.mark.usefixtures("stopped")
def test_a_refused_run_is_a_result_with_every_reason(capsys: pytest.CaptureFixture[str]) -> None:
    said, err = printed(capsys, "run", SLOW_DB)

    result = RunResult.from_json(said)
    assert ("refused", "", "sandbox") == (result.verdict, result.run, result.target)
    assert ["stop", "approval"] == [r["ground"] for r in said["refusals"]]
    assert all(r["reason"] and r["remedy"] for r in said["refusals"])
    assert f"  stop: {STOP}" in err
    assert f"  approval: {APPROVAL}\n" in err


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("command", [("plan",), ("run", "--dry-run")])
def test_a_plan_tells_the_same_reasons(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    refused = printed(capsys, "run", SLOW_DB)[0]

    planned, err = printed(capsys, *command, SLOW_DB)

    assert refused["refusals"] == planned["refusals"]
    assert PlanRecord.from_json(planned).refusals
    assert "refused, for 2 reasons" in err
    assert "not looked at: sandbox is not up, and is not started only to say no" in err


@pytest.mark.usefixtures("stopped")
def test_a_single_reason_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == run(["run", SLOW_DB, "--approved-by", "sre-lead"])

    assert f"gameday: {STOP}" in capsys.readouterr().err


def test_a_run_that_is_refused_leaves_nothing_in_the_store(
    stopped: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_run(stopped, "sandbox"):
        said, _ = printed(capsys, "run", SLOW_DB)

    assert ["stop", "lock", "approval"] == [r["ground"] for r in said["refusals"]]
    with open_store(stopped) as store:
        assert [] == list(store.runs())


@pytest.mark.usefixtures("stopped")
def test_what_cannot_be_played_there_says_what_can(capsys: pytest.CaptureFixture[str]) -> None:
    said, _ = printed(capsys, "run", str(ROOT / "scenarios/kill-pod.yaml"), "--target", "sandbox")

    assert ["stop", "misfit", "approval"] == [r["ground"] for r in said["refusals"]]
    assert "kill-service kills a process there" == said["refusals"][1]["remedy"]
