"""`gameday prune`: what goes, said before and after, and what is left to say of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.cli.app import run
from gameday.house.run.opening import open_store
from gameday.testing.results import run_result
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

BEGAN = datetime(2020, 1, 5, 9, tzinfo=UTC)
RUN = "20200105-0900-aaaa"


@pytest.fixture(autouse=True)
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    monkeypatch.setenv("GAMEDAY_RETENTION_LINES", "none")
    with open_store() as store:
        for name in (RUN, "20200105-0900-bbbb"):
            store.open_run(name, scenario="s", target="t", started_at=BEGAN, documents={})
        store.append(RUN, Fact("f1", Kind.MEASUREMENT, BEGAN, BEGAN, "prometheus"))
        store.close_run(RUN, ended_at=BEGAN, result=run_result(RunVerdict.PASSED))


def test_what_goes_is_said_before_and_what_is_left_afterwards(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = []
    for options in (["--dry-run"], [], []):
        assert 0 == run(["prune", "--json", *options])
        told.append(json.loads(capsys.readouterr().out))

    counts = [{t["what"]: (t["count"], t["facts"]) for t in one["pruned"]} for one in told]
    assert [(1, 1), (1, 1), (0, 0)] == [one["runs"] for one in counts]
    assert [True, False, False] == [one["dry_run"] for one in told]
    why = "it never ended; `gameday recover 20200105-0900-bbbb`"
    assert [{"what": "run 20200105-0900-bbbb", "why": why}] == told[0]["kept"]


def test_whoever_asks_for_a_pruned_run_is_told_when_and_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(["prune"])
    capsys.readouterr()

    codes = [run([command, RUN]) for command in ("show", "score", "report", "abort")]

    said = capsys.readouterr().err
    assert [2, 2, 2, 2] == codes
    assert 4 == said.count(f"run {RUN} was pruned on ")
    assert 4 == said.count("by the retention of 400 days")
    assert 0 == run(["runs"])
    assert "passed, pruned" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["none", "0", "0d"])
def test_none_keeps_for_ever(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAMEDAY_RETENTION_RUNS", text)

    assert 0 == run(["prune", "--json"])

    assert all(t["count"] == 0 for t in json.loads(capsys.readouterr().out)["pruned"])


def test_less_than_a_day_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAMEDAY_RETENTION_RUNS", "12h")

    assert 2 == run(["prune"])

    assert "GAMEDAY_RETENTION_RUNS: '12h' is not within its limits" in capsys.readouterr().err
