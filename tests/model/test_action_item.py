"""How an action item stands, by everything that may be said of it in every state."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import Refused
from gameday.model.action_item import (
    ACTION_ITEM,
    STANDS,
    ActionChange,
    ActionItem,
    ActionKind,
    ActionState,
    ActionWord,
    Filing,
    Priority,
    action_id,
    changed,
)
from gameday.model.severity import IncidentSeverity

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WAYS = {
    ActionState.OPEN: (),
    ActionState.BEGUN: (ActionWord.BEGUN,),
    ActionState.UNPROVEN: (ActionWord.CLOSED,),
    ActionState.PROVEN: (ActionWord.PROVEN,),
}
"""How each state is reached from an item that was just filed."""

EXPECTED = {
    ActionState.OPEN: "open begun unproven proven - open",
    ActionState.BEGUN: "begun - unproven proven - begun",
    ActionState.UNPROVEN: "open - - proven open unproven",
    ActionState.PROVEN: "open - - proven open proven",
}
"""By hand, in the order found, begun, closed, proven, reopened, reminded; ``-``: refused."""


def word(word: ActionWord, hours: float, **more: object) -> ActionChange:
    filing = Filing(cause="c", kind=ActionKind.DETECT, title="Watch the lag", **more)
    return ActionChange(
        id=f"{word}/{hours}",
        item=action_id("c", ActionKind.DETECT),
        word=word,
        at=NOON + hours * HOUR,
        by="somebody",
        evidence=(f"run {hours}",),
        filing=filing if word is ActionWord.FOUND else None,
    )


def after(*words: ActionWord) -> ActionItem:
    item = changed(None, word(ActionWord.FOUND, 0))
    for hours, said in enumerate(words, start=1):
        item = changed(item, word(said, hours))
    assert item is not None
    return item


CASES = [
    (state, said, expected)
    for state, row in EXPECTED.items()
    for said, expected in zip(ActionWord, row.split(), strict=True)
]


@pytest.mark.parametrize(
    ("state", "said", "expected"), CASES, ids=[f"{a}-{b}" for a, b, _ in CASES]
)
def test_every_word_in_every_state_does_what_the_table_says(
    state: ActionState, said: ActionWord, expected: str
) -> None:
    item = after(*WAYS[state])
    assert state is item.state

    if expected == "-":
        with pytest.raises(Refused, match=item.id):
            changed(item, word(said, 9))
        return
    found = changed(item, word(said, 9))

    assert found is not None
    assert ActionState[expected.upper()] is found.state


def test_the_table_knows_every_state_and_every_word() -> None:
    assert set(itertools.product(ActionState, ActionWord)) == set(STANDS)


@given(st.lists(st.sampled_from(ActionWord), max_size=8))
def test_whatever_is_said_an_item_is_closed_exactly_when_it_says_since_when(
    words: Sequence[ActionWord],
) -> None:
    item = after()
    for hours, said in enumerate(words, start=1):
        try:
            item = changed(item, word(said, hours)) or item
        except Refused:
            continue

        assert (item.closed_at is None) == item.state.is_open
        assert (item.state is ActionState.PROVEN) == bool(item.evidence)
        assert (item.state is ActionState.BEGUN) <= (item.begun_at is not None)
        assert item.opened_at + timedelta(weeks=1) == item.due_at
        assert item == ACTION_ITEM.read(item.to_json())


def test_what_comes_back_is_due_anew_and_what_proved_it_is_no_proof_any_more() -> None:
    item = after(ActionWord.PROVEN, ActionWord.FOUND)

    assert (ActionState.OPEN, (), 1, 2) == (
        item.state,
        item.evidence,
        item.times_reopened,
        item.times_found,
    )
    assert NOON + 2 * HOUR + timedelta(weeks=1) == item.due_at


def test_a_run_from_before_it_was_closed_does_not_open_it_again() -> None:
    closed = after(ActionWord.BEGUN, ActionWord.PROVEN)

    found = changed(closed, word(ActionWord.FOUND, 1.5))

    assert found is not None
    assert (ActionState.PROVEN, 2, NOON + 1.5 * HOUR) == (
        found.state,
        found.times_found,
        found.found_at,
    )


def test_found_again_it_takes_the_newest_words_and_the_most_urgent_priority() -> None:
    item = changed(None, word(ActionWord.FOUND, 0, owner="a", scenario="x", priority=Priority.P2))
    newer = word(ActionWord.FOUND, 1, scenario="y", priority=Priority.P3, patch="+ line\n")
    assert newer.filing is not None

    found = changed(item, replace(newer, filing=replace(newer.filing, title="Watch it closely")))

    assert found is not None
    assert ("Watch it closely", "a", Priority.P2, ("x", "y"), "+ line\n") == (
        found.title,
        found.owner,
        found.priority,
        found.scenarios,
        found.patch,
    )


def test_of_an_item_that_is_not_filed_only_what_found_it_can_be_said() -> None:
    assert changed(None, word(ActionWord.CLOSED, 0)) is None


@pytest.mark.parametrize(
    ("severity", "priority"),
    list(zip(IncidentSeverity, ("P1", "P2", "P3", "P3", "P3"), strict=True)),
)
def test_what_wakes_people_goes_first(severity: IncidentSeverity, priority: str) -> None:
    assert priority == Priority.of(severity)


def test_the_id_follows_from_cause_and_kind_and_nothing_else() -> None:
    ids = {action_id(cause, kind) for cause in ("a", "b") for kind in ActionKind}

    assert 8 == len(ids)
    assert action_id("a", ActionKind.DETECT) in ids
