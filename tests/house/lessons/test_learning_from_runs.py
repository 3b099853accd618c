"""Runs that have ended say what they have to say of action items: all of it, and once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.errors import UsageError
from gameday.house.lessons.items import checked_evidence, item_named, proofs_of, said_of
from gameday.house.lessons.runs import learn_from_runs
from gameday.house.run.judgement import judge
from gameday.house.run.stories import read_story
from gameday.model.action_item import ActionChange, ActionKind, ActionWord, Filing
from gameday.model.result import RunResult
from gameday.spec import Catalogue
from gameday.testing.memory import MemoryStore
from scoring.timeline import Fact, Kind, Timeline

ROOT = Path(__file__).parents[3]
GOLDEN = json.loads((ROOT / "tests/scoring/golden/slow-db-v2.json").read_text(encoding="utf-8"))
LATER = datetime(2026, 12, 1, tzinfo=UTC)

Plays = Callable[..., RunResult]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def play(store: MemoryStore) -> Plays:
    """Return what stores a run on the text of a runbook, which ends on this day."""

    def played(text: str, day: int) -> RunResult:
        run, later = f"run-{day}", timedelta(days=day)
        story = read_story(str(ROOT / "scenarios/slow-db.yaml"))
        documents = replace(story.documents, runbook=text)
        facts = [Fact.from_json(one) for one in GOLDEN["facts"]]
        if not any(f.kind == Kind.RUN_ENDED for f in facts):
            last = facts[-1]
            facts.append(replace(last, id="end", kind=Kind.RUN_ENDED, data={}))
        facts = [
            replace(f, happened_at=f.happened_at + later, recorded_at=f.recorded_at + later)
            for f in facts
        ]
        store.open_run(
            run,
            scenario="slow-db",
            target="sandbox",
            started_at=facts[0].happened_at,
            documents=documents.to_mapping(),
        )
        for fact in facts:
            store.append(run, fact)
        result = judge(run, Timeline.of(facts), documents)
        store.close_run(run, ended_at=facts[-1].happened_at, result=result)
        return result

    return played


@pytest.fixture
def runbook() -> str:
    return (ROOT / "runbooks/checkout-latency.md").read_text(encoding="utf-8")


@pytest.fixture
def unread(runbook: str) -> str:
    lines = runbook.splitlines(keepends=True)
    return "".join(line for line in lines if "read-profile" not in line)


def test_a_run_files_what_it_asks_for_and_the_next_on_a_better_runbook_proves_it(
    store: MemoryStore, play: Plays, runbook: str, unread: str
) -> None:
    play(unread, 0)
    filed = learn_from_runs(store, now=LATER)
    play(runbook, 1)
    changed = learn_from_runs(store, now=LATER)

    (item,) = [i for i in filed if i.task == "check-missing"]
    assert ("storefront", "checkout-latency", "Checkout on-call", "P2") == (
        item.service,
        item.slo,
        item.owner,
        item.priority,
    )
    (proven,) = [i for i in changed if i.id == item.id]
    assert ("closed, proven", ("run run-1",)) == (proven.state, proven.evidence)


def test_a_run_is_learned_from_once(store: MemoryStore, play: Plays, unread: str) -> None:
    play(unread, 0)

    assert learn_from_runs(store, now=LATER)
    assert () == learn_from_runs(store, now=LATER)
    assert {1} == {item.times_found for item in store.action_items()}


def test_a_run_of_which_nothing_can_be_read_is_passed_over_for_good(
    store: MemoryStore, play: Plays, unread: str
) -> None:
    store.open_run("odd", scenario="s", target="t", started_at=LATER, documents={})
    result = play(unread, 0)
    store.close_run("odd", ended_at=LATER, result=replace(result, run="odd"))

    learn_from_runs(store, now=LATER)

    assert [] == list(store.runs_to_learn_from())


def test_an_item_is_found_by_the_beginning_of_its_id(
    store: MemoryStore, play: Plays, unread: str
) -> None:
    play(unread, 0)
    (item, *_) = learn_from_runs(store, now=LATER)

    assert item == item_named(store, item.id[:6]) == item_named(store, item.id)
    with pytest.raises(UsageError, match=r"there is no action item 'zz'.*actions list --all"):
        item_named(store, "zz")


def test_what_fits_several_is_told_with_some_of_them(store: MemoryStore) -> None:
    for item in ("aa1", "aa2"):
        filing = Filing(cause=item, kind=ActionKind.PREVENT, title="Mend it")
        found = ActionChange(
            id=item, item=item, word=ActionWord.FOUND, at=LATER, by="gameday", filing=filing
        )
        store.change_actions([found])

    with pytest.raises(UsageError, match="'aa' fits several action items, aa1, aa2 among them"):
        item_named(store, "aa")


def test_evidence_that_names_a_run_is_held_against_the_runs_there_are(
    store: MemoryStore, play: Plays, unread: str
) -> None:
    play(unread, 0)

    shown = checked_evidence(store, ["run last", "https://wiki.example/design"])

    assert ["run run-0", "https://wiki.example/design"] == shown
    with pytest.raises(UsageError, match="there is no run 'nope'"):
        checked_evidence(store, ["run nope"])


def test_the_drill_that_would_prove_an_item_is_one_that_is_there(
    store: MemoryStore, play: Plays, unread: str
) -> None:
    play(unread, 0)
    (item, *_) = learn_from_runs(store, now=LATER)
    closed = said_of(store, item, ActionWord.CLOSED, now=LATER)

    (proof,) = proofs_of([closed], Catalogue((ROOT,)))

    assert "slow-db" == proof.scenarios[0]
    assert len(proof.scenarios) > 1
