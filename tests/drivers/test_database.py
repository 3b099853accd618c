"""The store of runs: durable, exact, clear about what it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.database import Database
from gameday.errors import StoreError, UsageError
from gameday.ports import Order, OrderKind, Undo
from gameday.testing.results import run_result
from scoring.scorecard import Score
from scoring.timeline import Fact
from scoring.verdict import RunVerdict

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'deep' / 'runs.db'}")
    yield database
    database.close()


def opened(store: Database, run: str, at: datetime = NOW) -> None:
    store.open_run(run, scenario="slow-db", target="sandbox", started_at=at, documents={"a": "ü"})


def fact(number: int) -> Fact:
    return Fact(f"f{number}", "measurement.taken", NOW, NOW, "prometheus", data={"n": number})


def test_facts_come_back_unchanged_and_in_order(store: Database) -> None:
    opened(store, "r1")
    written = [fact(n) for n in range(3)]

    for one in written:
        store.append("r1", one)

    assert list(store.facts("r1")) == written


def test_facts_of_two_runs_do_not_mix(store: Database) -> None:
    for run in ("r1", "r2"):
        opened(store, run)
    store.append("r1", fact(1))
    store.append("r2", fact(2))

    assert [f.id for f in store.facts("r2")] == ["f2"]


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    first = Database(url)
    opened(first, "r1")
    first.append("r1", fact(1))
    first.close()

    second = Database(url)

    assert [f.id for f in second.facts("r1")] == ["f1"]
    assert second.documents("r1") == {"a": "ü"}
    second.close()


def test_an_undo_is_open_until_it_is_proven(store: Database) -> None:
    undo = Undo("u1", "experiment", "r1", "slow", "gameday recover r1", {"toxics": [1]})
    store.save_undo(undo)
    before = store.open_undos("r1")

    store.close_undo("u1", proven_at=NOW)

    assert before == (undo,)
    assert store.open_undos() == ()


def test_a_run_has_no_result_until_it_ends(store: Database) -> None:
    opened(store, "r1")
    before = store.result("r1")

    result = run_result(RunVerdict.PASSED, score=Score("default", 9.0, 10.0, 90.0, ()))
    store.close_run("r1", ended_at=NOW + timedelta(minutes=1), result=result)

    assert before is None
    assert store.result("r1") == result
    assert store.runs()[0].percent == 90.0


def test_the_newest_run_is_last_and_a_beginning_is_enough(store: Database) -> None:
    opened(store, "20260105-aa")
    opened(store, "20260106-bb", NOW + timedelta(days=1))

    assert store.find("last") == "20260106-bb"
    assert store.find("20260105") == "20260105-aa"


def test_an_ambiguous_or_unknown_run_is_a_usage_error(store: Database) -> None:
    opened(store, "r1")
    opened(store, "r2")

    with pytest.raises(UsageError, match="fits 2 runs"):
        store.find("r")
    with pytest.raises(UsageError, match="no run 'x'"):
        store.find("x")
    with pytest.raises(UsageError, match="no run 'x'"):
        store.result("x")


def test_a_store_of_a_newer_gameday_is_refused(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "runs.db"
    Database(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE gameday_schema SET version_num='9999'")
    connection.close()

    with pytest.raises(StoreError, match="newer gameday"):
        Database(f"sqlite:///{path}")


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(b"this is not a database at all" * 100)

    with pytest.raises(StoreError, match="cannot be opened"):
        Database(f"sqlite:///{path}")


def test_orders_hold_for_their_run_or_for_all_until_lifted(store: Database) -> None:
    abort = Order(OrderKind.ABORT, "r1", "enough", "ann", NOW)
    stop = Order(OrderKind.STOP, None, "real incident", "bob", NOW)
    store.give(abort)
    store.give(stop)

    assert store.orders("r1") == (abort, stop)
    assert store.orders("r2") == (stop,)
    assert store.orders() == (stop,)
    assert store.lift_stop(at=NOW)
    assert not store.lift_stop(at=NOW)
    assert store.orders("r1") == (abort,)


def test_a_fenced_run_writes_nothing_more_but_its_sentinel_does(store: Database) -> None:
    opened(store, "r1")
    store.give(Order(OrderKind.FENCE, "r1", "its heartbeat was silent", "sentinel", NOW))
    fact = Fact("f1", "run.aborted", NOW, NOW, "sentinel")
    undo = Undo("u1", "experiment", "r1", "slow", "gameday recover r1", {})
    aborted = run_result(RunVerdict.ABORTED)

    with pytest.raises(StoreError, match="taken over by its sentinel"):
        store.append("r1", fact)
    with pytest.raises(StoreError, match="taken over"):
        store.save_undo(undo)
    with pytest.raises(StoreError, match="taken over"):
        store.close_run("r1", ended_at=NOW, result=aborted)
    store.append("r1", fact, fenced=True)
    store.close_run("r1", ended_at=NOW, result=aborted, fenced=True)

    assert store.facts("r1") == (fact,)
    assert store.open_undos() == ()


def test_the_open_undos_of_a_target_are_its_own_and_those_of_no_known_run(store: Database) -> None:
    for run, target in (("r1", "sandbox"), ("r2", "kubernetes")):
        store.open_run(run, scenario="s", target=target, started_at=NOW, documents={})
    for run in ("r1", "r2", "unknown"):
        store.save_undo(Undo(f"u-{run}", "experiment", run, "slow", "c", {}))

    assert {u.run for u in store.open_undos(target="sandbox")} == {"r1", "unknown"}
