"""What every store of runs promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gameday.errors import StoreError, UsageError
from gameday.ports import Order, OrderKind, Store, Undo
from gameday.testing.contracts.contract import refused
from gameday.testing.results import run_result
from scoring.scorecard import HalfScore, Score
from scoring.timeline import Fact
from scoring.verdict import RunVerdict

__all__ = ["OpensStore", "StoreContract"]

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

OpensStore = Callable[[], Store]
"""A store under the contract, empty at first: opens the same one once more, as another process
would. Closing what it opened is the business of whoever made it."""


class StoreContract:
    """For a `gameday.ports.Store`."""

    def test_facts_come_back_unchanged_in_order_and_of_their_run_alone(
        self, subject: OpensStore
    ) -> None:
        store = _with_two_runs(subject)
        written = [_fact(n) for n in range(12)]

        for one in written:
            store.append("r1", one)
        store.append("r2", _fact(99))

        assert written == list(store.facts("r1"))
        assert [_fact(99)] == list(store.facts("r2"))

    def test_what_is_written_is_seen_by_everybody_at_once(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        store.append("r1", _fact(1))
        store.save_undo(_undo())
        store.give(_fence("r2"))

        other = subject()

        assert [_fact(1)] == list(other.facts("r1"))
        assert [_undo()] == list(other.open_undos())
        assert [_fence("r2")] == list(other.orders("r2"))

    def test_what_the_caller_changes_afterwards_does_not_change_the_store(
        self, subject: OpensStore
    ) -> None:
        store = _with_two_runs(subject)
        data: dict[str, object] = {"list": [1]}
        store.append("r1", Fact("f1", "k", NOW, NOW, "s", data=data))
        store.save_undo(Undo("u", "experiment", "r1", "slow", "c", data))

        data["list"] = "changed"

        assert {"list": [1]} == store.facts("r1")[0].data
        assert {"list": [1]} == store.open_undos()[0].data

    def test_a_fact_said_again_is_kept_once_and_another_of_its_id_is_refused(
        self, subject: OpensStore
    ) -> None:
        store = _with_two_runs(subject)
        for _ in range(2):
            store.append("r1", _fact(1))

        with refused(StoreError, "another fact 'f1' already"):
            store.append("r1", replace(_fact(1), source="conductor"))

        store.append("r2", _fact(1))
        assert [[_fact(1)], [_fact(1)]] == [list(store.facts(run)) for run in ("r1", "r2")]

    def test_two_who_write_at_once_lose_nothing(self, subject: OpensStore) -> None:
        _begin(subject(), "r1")
        errors: list[Exception] = []

        def write(who: int) -> None:
            try:
                store = subject()
                for number in range(20):
                    store.append("r1", _fact(100 * who + number), fenced=bool(who))
            except StoreError as error:
                errors.append(error)

        writers = [threading.Thread(target=write, args=(who,)) for who in range(2)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert [] == errors
        written = [f.data["n"] for f in subject().facts("r1")]
        assert sorted([*range(20), *range(100, 120)]) == sorted(written)
        for who in range(2):
            mine = [n for n in written if n // 100 == who]
            assert mine == sorted(mine)

    def test_undos_are_open_until_closed_newest_first(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        for number in (1, 2, 3):
            store.save_undo(_undo(number, toxics=[number]))

        store.close_undo("gd-r1-2", proven_at=NOW)

        assert [_undo(3, toxics=[3]), _undo(1, toxics=[1])] == list(store.open_undos("r1"))

    def test_undos_are_found_by_run_and_by_target(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        _begin(store, "r3", target="kubernetes")
        for run in ("r1", "r2", "r3"):
            store.save_undo(_undo(run=run))

        assert ["r2"] == [u.run for u in store.open_undos("r2")]
        assert ["r3"] == [u.run for u in store.open_undos(target="kubernetes")]
        assert {"r1", "r2"} == {u.run for u in store.open_undos(target="sandbox")}
        assert [] == list(store.open_undos("r1", target="kubernetes"))

    def test_closing_again_or_what_is_not_there_is_harmless(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        store.save_undo(_undo())

        store.close_undo("gd-r1-1", proven_at=NOW)
        store.close_undo("gd-r1-1", proven_at=NOW + MINUTE)
        store.close_undo("none", proven_at=NOW)

        assert [] == list(store.open_undos())

    def test_an_undo_is_stored_once(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        store.save_undo(_undo(toxics=["mine"]))

        with refused(StoreError):
            store.save_undo(_undo(toxics=["another"]))

        assert [_undo(toxics=["mine"])] == list(store.open_undos())

    def test_a_run_hears_its_own_orders_and_those_for_all_oldest_first(
        self, subject: OpensStore
    ) -> None:
        store = _with_two_runs(subject)
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

    def test_a_stop_is_lifted_once_and_nothing_else_is(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        abort = Order(OrderKind.ABORT, "r1", "enough", "operator", NOW)
        store.give(abort)
        store.give(Order(OrderKind.STOP, None, "wait", "operator", NOW))

        lifted = [store.lift_stop(at=NOW + MINUTE) for _ in range(2)]

        assert [True, False] == lifted
        assert [abort] == list(store.orders("r1"))

    def test_a_fenced_run_writes_no_more_but_its_heirs_do(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        store.append("r1", _fact(1))
        store.save_undo(_undo())

        store.give(_fence())

        with refused(StoreError, "taken over by its sentinel"):
            store.append("r1", _fact(2))
        with refused(StoreError, "taken over by its sentinel"):
            store.save_undo(_undo(2))
        with refused(StoreError, "taken over by its sentinel"):
            store.close_run("r1", ended_at=NOW, result=run_result())
        store.append("r1", _fact(3), fenced=True)
        store.close_undo("gd-r1-1", proven_at=NOW)
        result = run_result(RunVerdict.ABORTED)
        store.close_run("r1", ended_at=NOW, result=result, fenced=True)
        assert [_fact(1), _fact(3)] == list(store.facts("r1"))
        assert [] == list(store.open_undos())
        assert result == store.result("r1")

    def test_a_fence_is_around_one_run_only(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        store.give(_fence())

        store.append("r2", _fact(1))
        store.save_undo(_undo(run="r2"))

        assert [_fact(1)] == list(store.facts("r2"))

    def test_a_run_keeps_its_documents_and_has_no_result_until_it_ends(
        self, subject: OpensStore
    ) -> None:
        store = _with_two_runs(subject)
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
        assert (None, None) == (record.system_percent, record.response_percent)

    def test_the_list_has_both_numbers_of_a_run(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        halves = (HalfScore(30, 30, 100.0), HalfScore(0, 70, 0.0))

        score = Score("default", 30.0, 100.0, None, (), *halves)
        store.close_run("r1", ended_at=NOW, result=run_result(RunVerdict.MISSED, score=score))

        record = next(r for r in store.runs() if r.id == "r1")
        assert (None, 100.0, 0.0) == (
            record.percent,
            record.system_percent,
            record.response_percent,
        )

    def test_a_run_that_ended_may_be_judged_again(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        for verdict in (RunVerdict.PASSED, RunVerdict.MISSED):
            store.close_run("r1", ended_at=NOW, result=run_result(verdict))

        assert run_result(RunVerdict.MISSED) == store.result("r1")

    def test_runs_are_listed_newest_first_and_found_by_their_beginning(
        self, subject: OpensStore
    ) -> None:
        store = _with_two_runs(subject)
        _begin(store, "20260106-bb", 9)

        assert ["20260106-bb", "r2", "r1"] == [r.id for r in store.runs()]
        assert ["20260106-bb"] == [r.id for r in store.runs(limit=1)]
        assert "20260106-bb" == store.find("last") == store.find("2026")
        assert "r1" == store.find("r1")

    def test_a_run_is_begun_once(self, subject: OpensStore) -> None:
        store = _with_two_runs(subject)
        with refused(StoreError):
            _begin(store, "r1")

    def test_what_is_not_there_is_a_usage_error_and_facts_of_it_are_none(
        self, subject: OpensStore
    ) -> None:
        store = _with_two_runs(subject)
        for ask in (store.result, store.documents, store.find):
            with refused(UsageError, "no run 'x'"):
                ask("x")
        with refused(UsageError, "fits 2 runs"):
            store.find("r")
        assert [] == list(store.facts("x"))


def _with_two_runs(subject: OpensStore) -> Store:
    store = subject()
    for run, minute in (("r1", 0), ("r2", 1)):
        _begin(store, run, minute)
    return store


def _begin(store: Store, run: str, minute: int = 0, target: str = "sandbox") -> None:
    started = NOW + minute * MINUTE
    store.open_run(run, scenario="slow-db", target=target, started_at=started, documents={"a": "ü"})


def _undo(number: int = 1, run: str = "r1", **data: object) -> Undo:
    return Undo(f"gd-{run}-{number}", "experiment", run, "slow", f"gameday recover {run}", data)


def _fact(number: int) -> Fact:
    data = {"n": number, "none": None, "words": ["ü", "→"]}
    return Fact(f"f{number}", "measurement.taken", NOW, NOW + MINUTE, "prometheus", data=data)


def _fence(run: str = "r1") -> Order:
    return Order(OrderKind.FENCE, run, "its heartbeat was silent", "sentinel", NOW)
