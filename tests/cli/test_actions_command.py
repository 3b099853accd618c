"""``gameday actions`` as its user sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gameday.cli.actions import say_learned
from gameday.cli.app import run
from gameday.house.run.opening import open_store
from gameday.model.action_item import (
    ActionChange,
    ActionKind,
    ActionWord,
    Filing,
    Priority,
    action_id,
)
from gameday.testing.results import run_result
from scoring.verdict import RunVerdict

NOW = datetime.now(UTC)
DAY = timedelta(days=1)

Said = Callable[[], tuple[str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return read


def filed(
    cause: str, *, days_ago: float = 0, priority: Priority = Priority.P2, patch: str = ""
) -> str:
    """File an item in the store, as a run would, and return its id."""
    filing = Filing(
        cause=cause,
        kind=ActionKind.MITIGATE,
        title=f"List {cause} under Likely causes",
        slo="checkout-latency",
        scenario="slow-db",
        runbook="runbooks/checkout-latency.md",
        task="cause-missing",
        owner="Checkout on-call" if cause == "db" else "",
        priority=priority,
        patch=patch,
    )
    item = action_id(cause, filing.kind)
    with open_store() as store:
        store.change_actions(
            [
                ActionChange(
                    id=f"{item}/run r1",
                    item=item,
                    word=ActionWord.FOUND,
                    at=NOW - days_ago * DAY,
                    by="gameday",
                    evidence=("run r1",),
                    filing=filing,
                )
            ]
        )
    return item


def test_without_an_item_it_says_so_and_prints_nothing(said: Said) -> None:
    assert 0 == run(["actions", "list"])

    assert ("", "nothing is open; --all lists closed ones\n") == said()


def test_the_most_urgent_stand_first_and_late_ones_say_so(said: Said) -> None:
    later, late = filed("db", days_ago=1), filed("cache", days_ago=8)
    first = filed("dns", priority=Priority.P1)

    assert 0 == run(["actions", "list"])

    out, err = said()
    rows = [line.split()[0] for line in out.splitlines()[1:] if line[:1].strip()]
    assert [first, late, later] == rows
    assert "open, late" in out
    assert "3 action items, 1 late\n" == err


def test_as_json_they_are_whole_and_those_of_one_owner_can_be_asked_for(said: Said) -> None:
    item = filed("db")
    filed("cache")

    assert 0 == run(["actions", "list", "--owner", "Checkout on-call", "--json"])

    (found,) = json.loads(said()[0])
    assert (item, "open", "mitigate", ["run r1"], []) == (
        found["id"],
        found["state"],
        found["kind"],
        found["found_in"],
        found["evidence"],
    )


def test_an_item_shows_what_was_said_of_it_and_its_patch(said: Said) -> None:
    item = filed("db", patch="--- a/x\n+++ b/x\n")
    run(["actions", "start", item[:6], "--text", "in the next sprint"])
    said()

    assert 0 == run(["actions", "show", item])

    out, _ = said()
    assert out.startswith("List db under Likely causes\n")
    assert "in the next sprint" in out and "run r1 (1 time)" in out
    assert out.endswith("--- a/x\n+++ b/x\n")

    assert 0 == run(["actions", "show", item, "--json"])

    assert ["found", "begun"] == [c["word"] for c in json.loads(said()[0])["changes"]]


def test_closed_without_evidence_it_is_not_proven_and_verify_names_the_drill(said: Said) -> None:
    item = filed("db")

    assert 0 == run(["actions", "close", item])
    assert f"{item} is closed, not proven: List db under Likely causes\n" == said()[1]
    assert 1 == run(["actions", "verify"])
    assert "gameday run slow-db" in said()[0]
    assert 1 == run(["actions", "verify", "--json"])
    (found,) = json.loads(said()[0])
    assert "slow-db" == found["proved_by"][0]

    run(["actions", "list", "--all"])
    assert "1 action item, 0 late, 1 closed and not proven\n" == said()[1]


def test_closed_with_a_run_as_evidence_it_is_proven(said: Said) -> None:
    item = filed("db")
    with open_store() as store:
        store.open_run("r7", scenario="slow-db", target="sandbox", started_at=NOW, documents={})

    assert 0 == run(["actions", "close", item, "--evidence", "run r7", "--json"])

    assert ("closed, proven", ["run r7"]) == (
        (found := json.loads(said()[0]))["state"],
        found["evidence"],
    )
    assert 0 == run(["actions", "verify"])
    assert "every item that is closed is proven\n" == said()[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["close", "ITEM", "--evidence", " "], 2, "--evidence is empty"),
        (["close", "ITEM", "--evidence", "run nope"], 2, "there is no run 'nope'"),
        (["reopen", "ITEM"], 3, "is open already"),
        (["show", "zz"], 2, "there is no action item 'zz'"),
    ],
)
def test_what_cannot_be_said_is_refused_in_words(
    said: Said, arguments: list[str], code: int, words: str
) -> None:
    item = filed("db")

    assert code == run(["actions", *(item if a == "ITEM" else a for a in arguments)])

    assert words in said()[1]


def test_an_item_is_filed_by_hand_and_the_same_words_are_one_item(said: Said) -> None:
    asked = ["actions", "add", "Watch  the lag", "--kind", "detect", "--owner", "Ops", "--json"]

    assert 0 == run(asked)
    first = json.loads(said()[0])
    assert 0 == run([*asked[:2], "watch the LAG", *asked[3:]])
    second = json.loads(said()[0])

    assert ("Watch the lag", "detect", "Ops", "P3", "open") == tuple(
        first[name] for name in ("title", "kind", "owner", "priority", "state")
    )
    assert (first["id"], 2) == (second["id"], second["times_found"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--kind", "hope"], "there is no kind 'hope': prevent, detect, mitigate, process"),
        (["x", "--priority", "P9"], "there is no priority 'P9': P1, P2, P3"),
        ([" "], "say in a sentence what is to be done"),
    ],
)
def test_what_cannot_be_filed_is_told_in_words(
    said: Said, arguments: list[str], words: str
) -> None:
    assert 2 == run(["actions", "add", *arguments])

    assert words in said()[1]


def test_what_is_reopened_is_open(said: Said) -> None:
    item = filed("db")
    run(["actions", "close", item])

    assert 0 == run(["actions", "reopen", item])

    assert said()[1].endswith(f"{item} is open: List db under Likely causes\n")


def test_a_run_that_teaches_nothing_is_not_spoken_of(said: Said) -> None:
    with open_store() as store:
        store.open_run("r1", scenario="s", target="t", started_at=NOW, documents={})
        store.close_run("r1", ended_at=NOW, result=run_result(RunVerdict.PASSED))

        say_learned(store)

        assert [] == list(store.runs_to_learn_from())
    assert ("", "") == said()
