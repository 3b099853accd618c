"""`gameday abort` and `gameday stop`, typed while a run goes on elsewhere."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.cli.app import run
from gameday.house.run.announcement import announced
from gameday.house.run.opening import open_store
from gameday.ports import OrderKind, Undo
from gameday.settings import Settings
from gameday.testing.results import run_result
from scoring.verdict import RunVerdict

pytestmark = pytest.mark.served

RUN = "20261123-1000-aaaa"
SLOW_DB = Path(__file__).resolve().parents[2] / "scenarios" / "slow-db.yaml"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    return Settings.from_environment()


@contextmanager
def going_on(settings: Settings, *, obeys: bool = True, leaves: bool = False) -> Iterator[None]:
    """Have a run that obeys the first order it sees; ``leaves``: with a fault still in place."""
    with open_store(settings) as store:
        store.open_run(
            RUN, scenario="s", target="sandbox", started_at=datetime.now(UTC), documents={}
        )
        store.save_undo(Undo("u1", "experiment", RUN, "slow db", f"gameday recover {RUN}", {}))

    def obey() -> None:
        with open_store(settings) as store:
            while obeys and not store.orders(RUN):
                time.sleep(0.02)
            if not leaves:
                store.close_undo("u1", proven_at=datetime.now(UTC))
            store.close_run(RUN, ended_at=datetime.now(UTC), result=RESULT)

    with announced(settings, RUN, "http://127.0.0.1:1/x", token="gd_x"):
        thread = threading.Thread(target=obey)
        thread.start()
        yield
        thread.join()


RESULT = run_result(RunVerdict.ABORTED, run=RUN)


def test_abort_waits_until_the_run_has_recovered(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with going_on(settings):
        code = run(["abort", "--reason", "enough", "--json"])

    assert code == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"runs": [{"run": RUN, "outcome": "aborted"}], "open": []}
    with open_store(settings) as store:
        order = store.orders(RUN)[0]
    assert (order.kind, order.reason) == (OrderKind.ABORT, "enough")


def test_a_fault_left_in_place_is_exit_5_and_the_command(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with going_on(settings, leaves=True):
        code = run(["abort", RUN[:8]])

    assert code == 5
    assert f"gameday recover {RUN}" in capsys.readouterr().err


def test_a_run_that_is_gone_has_the_end_that_its_sentinel_gives_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(settings) as store:
        store.open_run(
            RUN, scenario="s", target="sandbox", started_at=datetime.now(UTC), documents={}
        )

    def recover() -> None:
        with open_store(settings) as store:
            while not store.orders(RUN):
                time.sleep(0.02)
            time.sleep(0.3)
            store.close_run(RUN, ended_at=datetime.now(UTC), result=RESULT)

    sentinel = threading.Thread(target=recover)
    sentinel.start()
    assert run(["abort", RUN, "--json"]) == 0
    sentinel.join()

    said = json.loads(capsys.readouterr().out)
    assert [{"run": RUN, "outcome": "aborted"}] == said["runs"]


def test_abort_without_a_run_says_so(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["abort"]) == 2
    assert "no run is going on here" in capsys.readouterr().err


def test_a_run_that_has_ended_cannot_be_aborted(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with going_on(settings, obeys=False):
        pass

    assert run(["abort", RUN]) == 2
    assert "has ended" in capsys.readouterr().err


def test_a_stop_ends_what_goes_on_and_lets_nothing_begin_until_it_is_lifted(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with going_on(settings):
        assert run(["stop", "real incident 42"]) == 0

    assert run(["run", str(SLOW_DB)]) == 3
    refused = capsys.readouterr().err
    assert "real incident 42" in refused
    assert "gameday stop --lift" in refused
    assert run(["stop", "--status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stopped"] is True

    assert run(["stop", "--lift"]) == 0
    assert run(["stop", "--status"]) == 0
    assert "no stop is in force" in capsys.readouterr().out


def test_a_stop_with_no_run_going_on_is_in_force_all_the_same(settings: Settings) -> None:
    assert run(["stop"]) == 0
    with open_store(settings) as store:
        assert [o.kind for o in store.orders()] == [OrderKind.STOP]


def test_lifting_takes_no_reason(settings: Settings) -> None:
    assert run(["stop", "because", "--lift"]) == 2
