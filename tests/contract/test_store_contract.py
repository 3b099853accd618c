"""What every store of runs promises: in memory, in SQLite, in PostgreSQL.

Set GAMEDAY_TEST_POSTGRES_URL (``postgresql+psycopg://…``) to run it on a server of your own, in a
database that holds no runs you want to keep: gameday's tables in it are dropped. Otherwise a
PostgreSQL is started for the occasion.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.database import Database
from gameday.errors import StoreError, UsageError
from gameday.ports import Order, OrderKind, Store, Undo
from gameday.testing.memory import MemoryStore
from gameday.testing.results import run_result
from scoring.scorecard import Score
from scoring.timeline import Fact
from scoring.verdict import RunVerdict

pytestmark = pytest.mark.sandbox  # real stores, servers or processes: not quick

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Handle = Callable[[], Store]
"""Opens the same store once more, as another process would."""


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        # A server of its own, so not among the quick tests.
        pytest.param("postgresql", marks=pytest.mark.sandbox),
    ]
)
def handle(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Handle]:
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")()
    opened: list[Database] = []

    def another() -> Store:
        opened.append(Database(url))
        return opened[-1]

    yield another
    for database in opened:
        database.close()


@pytest.fixture
def store(handle: Handle) -> Store:
    store = handle()
    for run, minute in (("r1", 0), ("r2", 1)):
        begin(store, run, minute)
    return store


def begin(store: Store, run: str, minute: int = 0, target: str = "sandbox") -> None:
    started = NOW + minute * MINUTE
    store.open_run(run, scenario="slow-db", target=target, started_at=started, documents={"a": "ü"})


def undo(number: int = 1, run: str = "r1", **data: object) -> Undo:
    return Undo(f"gd-{run}-{number}", "experiment", run, "slow", f"gameday recover {run}", data)


def fact(number: int) -> Fact:
    data = {"n": number, "none": None, "words": ["ü", "→"]}
    return Fact(f"f{number}", "measurement.taken", NOW, NOW + MINUTE, "prometheus", data=data)


def fence(run: str = "r1") -> Order:
    return Order(OrderKind.FENCE, run, "its heartbeat was silent", "sentinel", NOW)


# --- facts ----------------------------------------------------------------------------------------


def test_facts_come_back_unchanged_in_order_and_of_their_run_alone(store: Store) -> None:
    written = [fact(n) for n in range(12)]

    for one in written:
        store.append("r1", one)
    store.append("r2", fact(99))

    assert written == list(store.facts("r1"))
    assert [fact(99)] == list(store.facts("r2"))


def test_what_is_written_is_seen_by_everybody_at_once(store: Store, handle: Handle) -> None:
    store.append("r1", fact(1))
    store.save_undo(undo())
    store.give(fence("r2"))

    other = handle()

    assert [fact(1)] == list(other.facts("r1"))
    assert [undo()] == list(other.open_undos())
    assert [fence("r2")] == list(other.orders("r2"))


def test_what_the_caller_changes_afterwards_does_not_change_the_store(store: Store) -> None:
    data: dict[str, object] = {"list": [1]}
    store.append("r1", Fact("f1", "k", NOW, NOW, "s", data=data))
    store.save_undo(Undo("u", "experiment", "r1", "slow", "c", data))

    data["list"] = "changed"

    assert {"list": [1]} == store.facts("r1")[0].data
    assert {"list": [1]} == store.open_undos()[0].data


def test_a_fact_said_again_is_kept_once_and_another_of_its_id_is_refused(store: Store) -> None:
    for _ in range(2):
        store.append("r1", fact(1))

    with pytest.raises(StoreError, match="another fact 'f1' already"):
        store.append("r1", replace(fact(1), source="conductor"))

    store.append("r2", fact(1))
    assert [[fact(1)], [fact(1)]] == [list(store.facts(run)) for run in ("r1", "r2")]


def test_two_who_write_at_once_lose_nothing(handle: Handle) -> None:
    begin(handle(), "r1")
    errors: list[Exception] = []

    def write(who: int) -> None:
        try:
            store = handle()
            for number in range(20):
                store.append("r1", fact(100 * who + number), fenced=bool(who))
        except StoreError as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(who,)) for who in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [] == errors
    written = [f.data["n"] for f in handle().facts("r1")]
    assert sorted([*range(20), *range(100, 120)]) == sorted(written)
    for who in range(2):
        mine = [n for n in written if n // 100 == who]
        assert mine == sorted(mine)


# --- undos ----------------------------------------------------------------------------------------


def test_undos_are_open_until_closed_newest_first(store: Store) -> None:
    for number in (1, 2, 3):
        store.save_undo(undo(number, toxics=[number]))

    store.close_undo("gd-r1-2", proven_at=NOW)

    assert [undo(3, toxics=[3]), undo(1, toxics=[1])] == list(store.open_undos("r1"))


def test_undos_are_found_by_run_and_by_target(store: Store) -> None:
    begin(store, "r3", target="kubernetes")
    for run in ("r1", "r2", "r3"):
        store.save_undo(undo(run=run))

    assert ["r2"] == [u.run for u in store.open_undos("r2")]
    assert ["r3"] == [u.run for u in store.open_undos(target="kubernetes")]
    assert {"r1", "r2"} == {u.run for u in store.open_undos(target="sandbox")}
    assert [] == list(store.open_undos("r1", target="kubernetes"))


def test_closing_again_or_what_is_not_there_is_harmless(store: Store) -> None:
    store.save_undo(undo())

    store.close_undo("gd-r1-1", proven_at=NOW)
    store.close_undo("gd-r1-1", proven_at=NOW + MINUTE)
    store.close_undo("none", proven_at=NOW)

    assert [] == list(store.open_undos())


def test_an_undo_is_stored_once(store: Store) -> None:
    store.save_undo(undo(toxics=["mine"]))

    with pytest.raises(StoreError):
        store.save_undo(undo(toxics=["another"]))

    assert [undo(toxics=["mine"])] == list(store.open_undos())


# --- orders ---------------------------------------------------------------------------------------


def test_a_run_hears_its_own_orders_and_those_for_all_oldest_first(store: Store) -> None:
    orders = [
        Order(OrderKind.ABORT, "r1", "enough", "operator", NOW),
        Order(OrderKind.STOP, None, "a real incident", "on-call", NOW + MINUTE),
        Order(OrderKind.ABORT, "r2", "", "operator", NOW + 2 * MINUTE),
    ]
    for order in orders:
        store.give(order)

    assert orders[:2] == list(store.orders("r1"))
    assert orders[1:] == list(store.orders("r2"))
    assert orders[1:2] == list(store.orders())


def test_a_stop_is_lifted_once_and_nothing_else_is(store: Store) -> None:
    abort = Order(OrderKind.ABORT, "r1", "enough", "operator", NOW)
    store.give(abort)
    store.give(Order(OrderKind.STOP, None, "wait", "operator", NOW))

    lifted = [store.lift_stop(at=NOW + MINUTE) for _ in range(2)]

    assert [True, False] == lifted
    assert [abort] == list(store.orders("r1"))


def test_a_fenced_run_writes_no_more_but_its_heirs_do(store: Store) -> None:
    store.append("r1", fact(1))
    store.save_undo(undo())

    store.give(fence())

    for write in (
        lambda: store.append("r1", fact(2)),
        lambda: store.save_undo(undo(2)),
        lambda: store.close_run("r1", ended_at=NOW, result=run_result()),
    ):
        with pytest.raises(StoreError, match="taken over by its sentinel"):
            write()
    store.append("r1", fact(3), fenced=True)
    store.close_undo("gd-r1-1", proven_at=NOW)
    result = run_result(RunVerdict.ABORTED)
    store.close_run("r1", ended_at=NOW, result=result, fenced=True)
    assert [fact(1), fact(3)] == list(store.facts("r1"))
    assert [] == list(store.open_undos())
    assert result == store.result("r1")


def test_a_fence_is_around_one_run_only(store: Store) -> None:
    store.give(fence())

    store.append("r2", fact(1))
    store.save_undo(undo(run="r2"))

    assert [fact(1)] == list(store.facts("r2"))


# --- runs -----------------------------------------------------------------------------------------


def test_a_run_keeps_its_documents_and_has_no_result_until_it_ends(store: Store) -> None:
    before = store.result("r1")

    result = run_result(RunVerdict.PASSED, score=Score("default", 9.0, 10.0, 90.0, ()))
    store.close_run("r1", ended_at=NOW + MINUTE, result=result)

    assert None is before
    assert result == store.result("r1")
    assert {"a": "ü"} == store.documents("r1")
    record = next(r for r in store.runs() if r.id == "r1")
    assert (NOW, NOW + MINUTE, RunVerdict.PASSED, 90.0) == (
        record.started_at,
        record.ended_at,
        record.verdict,
        record.percent,
    )


def test_a_run_that_ended_may_be_judged_again(store: Store) -> None:
    for verdict in (RunVerdict.PASSED, RunVerdict.MISSED):
        store.close_run("r1", ended_at=NOW, result=run_result(verdict))

    assert run_result(RunVerdict.MISSED) == store.result("r1")


def test_runs_are_listed_newest_first_and_found_by_their_beginning(store: Store) -> None:
    begin(store, "20260106-bb", 9)

    assert ["20260106-bb", "r2", "r1"] == [r.id for r in store.runs()]
    assert ["20260106-bb"] == [r.id for r in store.runs(limit=1)]
    assert "20260106-bb" == store.find("last") == store.find("2026")
    assert "r1" == store.find("r1")


def test_a_run_is_begun_once(store: Store) -> None:
    with pytest.raises(StoreError):
        begin(store, "r1")


def test_what_is_not_there_is_a_usage_error_and_facts_of_it_are_none(store: Store) -> None:
    for ask in (store.result, store.documents, store.find):
        with pytest.raises(UsageError, match="no run 'x'"):
            ask("x")
    with pytest.raises(UsageError, match="fits 2 runs"):
        store.find("r")
    assert [] == list(store.facts("x"))
