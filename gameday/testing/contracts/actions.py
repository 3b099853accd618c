"""What every store of action items promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gameday.errors import Refused, StoreError, UsageError
from gameday.model.action_item import (
    OPEN,
    ActionChange,
    ActionKind,
    ActionState,
    ActionWord,
    Filing,
    action_id,
)
from gameday.ports import ActionStore, Store
from gameday.testing.contracts.contract import refused
from gameday.testing.results import run_result

__all__ = ["ActionStoreContract", "OpensActionStore"]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class _WithRuns(ActionStore, Store, Protocol):
    """A store that holds runs as well."""


OpensActionStore = Callable[[], _WithRuns]
"""A store under the contract, empty at first: opens the same one once more."""


class ActionStoreContract:
    """For a `gameday.ports.ActionStore` that is a `gameday.ports.Store` as well."""

    def test_an_item_is_filed_once_however_often_it_is_said(
        self, subject: OpensActionStore
    ) -> None:
        store = subject()

        first = store.change_actions([_found("a")])
        again = subject().change_actions([_found("a")])

        assert [1] == [item.times_found for item in first]
        assert () == tuple(again)
        assert [_id("a")] == [item.id for item in store.action_items()]
        assert [_found("a")] == list(store.action_changes(_id("a")))

    def test_words_in_one_transaction_stand_upon_each_other(
        self, subject: OpensActionStore
    ) -> None:
        store = subject()

        (item,) = store.change_actions([_found("a"), _said("a", ActionWord.CLOSED)])

        assert (ActionState.UNPROVEN, NOON + HOUR) == (item.state, item.closed_at)
        assert item == subject().action_item(item.id)

    def test_where_one_word_is_refused_nothing_of_it_is_said(
        self, subject: OpensActionStore
    ) -> None:
        store = subject()
        store.change_actions([_found("a")])

        with refused(Refused, "is open already"):
            store.change_actions([_found("b"), _said("a", ActionWord.REOPENED)])

        assert [_id("a")] == [item.id for item in store.action_items()]
        assert () == tuple(store.action_changes(_id("b")))

    def test_of_an_item_that_is_not_filed_nothing_can_be_said(
        self, subject: OpensActionStore
    ) -> None:
        with refused(UsageError, "there is no action item"):
            subject().change_actions([_said("a", ActionWord.CLOSED)])

        assert subject().action_item(_id("a")) is None
        assert () == tuple(subject().action_changes(_id("a")))

    def test_items_are_listed_newest_first_and_closed_ones_when_asked(
        self, subject: OpensActionStore
    ) -> None:
        store = subject()
        for hours, cause in enumerate(("a", "b", "c")):
            found = _found(cause)
            store.change_actions([replace(found, at=found.at + hours * HOUR)])
        store.change_actions([_said("b", ActionWord.PROVEN, evidence=("run r2",))])

        assert [_id(c) for c in "cba"] == [item.id for item in store.action_items()]
        assert [_id(c) for c in "ca"] == [item.id for item in store.action_items(*OPEN)]
        assert [_id("b")] == [item.id for item in store.action_items(ActionState.PROVEN)]
        assert [_id("c")] == [item.id for item in store.action_items(limit=1)]

    def test_items_are_found_by_the_beginning_of_their_id_and_by_nothing_else_in_it(
        self, subject: OpensActionStore
    ) -> None:
        store = subject()
        store.change_actions([_found("a"), _found("b")])

        found = store.action_items(beginning=_id("a")[:6])

        assert [_id("a")] == [item.id for item in found]
        assert () == tuple(store.action_items(beginning="%"))
        assert () == tuple(store.action_items(beginning=_id("a")[1:]))

    def test_of_many_who_say_different_things_at_once_nothing_is_lost(
        self, subject: OpensActionStore
    ) -> None:
        errors: list[Exception] = []

        def find(who: int) -> None:
            try:
                store = subject()
                for number in range(10):
                    found = _found("a")
                    store.change_actions([replace(found, id=f"{found.id}/{who}/{number}")])
            except StoreError as error:
                errors.append(error)

        subject()
        writers = [threading.Thread(target=find, args=(who,)) for who in range(3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert [] == errors
        (item,) = subject().action_items()
        assert (30, 30) == (item.times_found, len(subject().action_changes(item.id)))

    def test_a_run_is_learned_from_once_and_with_all_that_it_says(
        self, subject: OpensActionStore
    ) -> None:
        store = subject()
        for number, run in enumerate(("r2", "r1", "r3")):
            store.open_run(run, scenario="s", target="t", started_at=NOON, documents={})
            if run != "r3":
                at = NOON + number * HOUR
                store.close_run(run, ended_at=at, result=run_result())

        before = list(store.runs_to_learn_from())
        store.change_actions([_found("a")], learned_from="r2", at=NOON)

        assert ["r2", "r1"] == before
        assert ["r1"] == list(subject().runs_to_learn_from())


def _id(cause: str) -> str:
    return action_id(cause, ActionKind.PREVENT)


def _found(cause: str) -> ActionChange:
    filing = Filing(cause=cause, kind=ActionKind.PREVENT, title=f"Mend {cause}", owner="team")
    return ActionChange(
        id=f"{_id(cause)}/run r1",
        item=_id(cause),
        word=ActionWord.FOUND,
        at=NOON,
        by="gameday",
        evidence=("run r1",),
        filing=filing,
    )


def _said(cause: str, word: ActionWord, evidence: tuple[str, ...] = ()) -> ActionChange:
    return ActionChange(
        id=f"{_id(cause)}/{word}",
        item=_id(cause),
        word=word,
        at=NOON + HOUR,
        by="operator",
        evidence=evidence,
    )
