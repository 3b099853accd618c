"""`gameday recover`, after a run whose process and whose sentinel are gone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.cli.app import run
from gameday.errors import TemporaryDriverError
from gameday.house.run import recover
from gameday.house.run.announcement import announced
from gameday.house.run.opening import only_run, open_store
from gameday.house.run.stories import read_story
from gameday.model.result import Recovery
from gameday.ports import Undo
from gameday.settings import RunSettings, Settings
from gameday.testing.results import run_result
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

# They look again and again at a target, in real time: not among the quick ones.
pytestmark = pytest.mark.served

RUN = "20261123-1000-aaaa"
SLOW_DB = Path(__file__).resolve().parents[2] / "scenarios" / "slow-db.yaml"
BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)

Command = Callable[..., Any]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    short = replace(
        Settings.from_environment(),
        run=RunSettings(
            lease=timedelta(milliseconds=10), recovery_budget=timedelta(milliseconds=10)
        ),
    )
    monkeypatch.setattr(Settings, "from_environment", lambda *_: short)
    return short


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Play a command; return what it prints as JSON."""

    def play(*arguments: str, code: int = 0) -> Any:
        assert run([*arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return play


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the ids of the undos that are still to be seen on the target."""
    there: set[str] = set()

    class Undoers:
        async def is_present(self, undo: Undo) -> bool:
            return undo.id in there

        async def recover(self, undo: Undo) -> None:
            there.discard(undo.id)

    monkeypatch.setattr(recover, "Undoers", Undoers)
    return there


@pytest.fixture
def faulty(settings: Settings, target: set[str]) -> str:
    """Have a run that has injected a fault; return the undo's id."""
    undo = f"{RUN}/u1"
    with open_store(settings) as store:
        documents = read_story(str(SLOW_DB)).documents.to_mapping()
        store.open_run(
            RUN, scenario="slow-db", target="sandbox", started_at=BEGAN, documents=documents
        )
        store.save_undo(Undo(undo, "experiment", RUN, "slow db", f"gameday recover {RUN}", {}))
        for number, kind in enumerate((Kind.RUN_STARTED, Kind.UNDO_STORED, Kind.FAULT_INJECTED)):
            store.append(RUN, fact(kind, number, undo=undo))
    target.add(undo)
    return undo


@pytest.fixture
def gone(settings: Settings) -> None:
    """Have the run's process be gone, without a farewell."""
    process = subprocess.Popen(["true"])
    process.wait()
    note = settings.state / "incidents" / f"{RUN}.json"
    note.parent.mkdir(parents=True)
    said = {"run": RUN, "url": "http://127.0.0.1:1/x", "pid": process.pid, "born": "before"}
    note.write_text(json.dumps(said))


def fact(kind: Kind, second: int, **data: object) -> Fact:
    at = BEGAN + timedelta(seconds=second)
    return Fact(
        id=f"f{second + 1:04d}",
        kind=str(kind),
        happened_at=at,
        recorded_at=at,
        source="conductor",
        subject=str(data.get("undo", "")),
        data=data,
    )


def kinds(shown: dict[str, Any], source: str) -> list[str]:
    return [f["kind"] for f in shown["facts"] if f["source"] == source]


@pytest.mark.usefixtures("gone")
def test_a_run_whose_sentinel_died_as_well_gets_its_end_by_hand(
    settings: Settings, faulty: str, command: Command
) -> None:
    (recovered,) = command("recover")

    assert (recovered["undo"], recovered["error"]) == (faulty, "")
    shown = command("show", RUN)
    assert ("aborted", {"open": 0}) == (shown["verdict"], shown["recovery"])
    assert [Kind.FAULT_RECOVERED, Kind.RUN_ABORTED, Kind.RUN_ENDED] == kinds(shown, "operator")
    assert [Kind.RECOVERY_PROVEN] == kinds(shown, "target")
    assert len({f["id"] for f in shown["facts"]}) == len(shown["facts"])
    written = Path(shown["timeline"]).read_text().splitlines()
    assert [f["id"] for f in shown["facts"]] == [json.loads(line)["id"] for line in written]

    assert command("recover") == []
    assert command("show", RUN) == shown


@pytest.mark.usefixtures("faulty")
def test_a_run_that_goes_on_is_not_ended(settings: Settings, command: Command) -> None:
    with announced(settings, RUN, "http://127.0.0.1:1/x", token="gd_x"):
        command("recover")

    (found,) = command("runs")
    assert found["verdict"] is None


def test_what_an_ended_run_left_is_no_longer_said_to_be_in_place(
    settings: Settings, faulty: str, command: Command
) -> None:
    with open_store(settings) as store:
        store.append(RUN, fact(Kind.RECOVERY_STUCK, 8, undo=faulty))
        store.append(RUN, fact(Kind.RUN_ENDED, 9, verdict="failed"))
        result = run_result(RunVerdict.FAILED, run=RUN, recovery=Recovery(open=1))
        ended_at = BEGAN + timedelta(seconds=9)
        store.close_run(RUN, ended_at=ended_at, result=result)

    command("recover")

    shown = command("show", RUN)
    assert ("failed", {"open": 0}) == (shown["verdict"], shown["recovery"])
    (found,) = command("runs")
    assert found["ended_at"] == ended_at.isoformat()


def test_what_cannot_be_taken_back_stays_open(
    faulty: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def in_vain(*_: object) -> None:
        pass

    monkeypatch.setattr(recover.Undoers, "recover", in_vain)
    (left,) = command("recover", code=5)

    assert left["undo"] == faulty
    assert "still shows it" in left["error"]


@pytest.mark.usefixtures("gone")
def test_what_nobody_can_prove_any_more_is_closed_on_somebodys_word(
    faulty: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def another(*_: object) -> None:
        raise TemporaryDriverError("another cluster answers")

    monkeypatch.setattr(recover.Undoers, "recover", another)
    (closed,) = command("recover", RUN, "--gone", "the cluster was deleted")

    assert (faulty, True) == (closed["undo"], closed["given_up"])
    assert [] == command("recover")
    shown = command("show", RUN)
    assert ("aborted", {"open": 1}) == (shown["verdict"], shown["recovery"])
    stuck = [f["data"]["error"] for f in shown["facts"] if f["kind"] == Kind.RECOVERY_STUCK]
    assert ["another cluster answers", "given up without a proof: the cluster was deleted"] == stuck


@pytest.mark.usefixtures("gone")
def test_what_can_be_proven_is_not_given_up(faulty: str, command: Command) -> None:
    (proven,) = command("recover", RUN, "--gone", "the cluster was deleted")

    assert (faulty, "") == (proven["undo"], proven["error"])
    assert {"open": 0} == command("show", RUN)["recovery"]


@pytest.mark.parametrize("arguments", [["--gone", "why"], [RUN, "--gone", " "]])
@pytest.mark.usefixtures("faulty")
def test_giving_up_needs_a_run_and_a_reason(
    arguments: list[str], command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["recover", *arguments]) == 2
    assert "name the run and say why" in capsys.readouterr().err


@pytest.mark.usefixtures("gone", "faulty")
def test_the_next_run_ends_one_that_was_left_behind(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", str(SLOW_DB)]) == 3  # its fault is still in place

    said = capsys.readouterr().err
    assert f"run {RUN} never ended" in said
    assert f"gameday recover {RUN}" in said
    (found,) = command("runs")
    assert found["verdict"] == "aborted"


@pytest.mark.usefixtures("gone", "faulty")
def test_a_run_whose_process_cannot_be_seen_from_here_is_not_ended(
    settings: Settings, command: Command
) -> None:
    with only_run(settings, "sandbox"):
        command("recover")

    (found,) = command("runs")
    assert found["verdict"] is None


@pytest.mark.usefixtures("gone")
def test_a_note_of_a_run_that_this_store_does_not_know_is_passed_over(
    settings: Settings, command: Command
) -> None:
    assert command("recover") == []
