"""What a run files, what it proves, and what it says nothing of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import slow_db_run

from gameday.learning.action_items import (
    Exercise,
    lessons_of,
    proved_by,
    settled_ids,
)
from gameday.learning.tasks import runbook_tasks, settled
from gameday.model.action_item import ActionChange, ActionItem, ActionKind, ActionWord, changed
from gameday.model.result import RunResult
from gameday.model.scenario import Scenario
from scoring.timeline import Fact, Kind, Timeline

PATH = "runbooks/checkout-latency.md"
RUNBOOK = slow_db_run.RUNBOOK
UNREAD = RUNBOOK.replace(
    "3. **read-profile**: Open the profile. Which function is the widest leaf?\n", ""
)
UNLISTED = RUNBOOK.replace("downstream: db", "downstream: cache")
UNOWNED = RUNBOOK.replace(
    'owner: {name: Checkout on-call, team: checkout, contact: "#checkout-oncall"}\n', ""
)
WAITING = "A leaf that only waits is no cause."
ENDED = slow_db_run.START + timedelta(minutes=2)
DAY = timedelta(days=1)

Runs = Callable[..., Exercise]


@pytest.fixture
def run(scenario: Scenario, result: RunResult) -> Runs:
    def made(
        text: str = RUNBOOK, *, day: int = 0, facts: list[Fact] | None = None, **changes: Any
    ) -> Exercise:
        timeline = Timeline.of(slow_db_run.slow_db() if facts is None else facts)
        judged = replace(result, run=f"r{day}", **changes)
        tasks = runbook_tasks(timeline, scenario, text, PATH, judged)
        judged = replace(judged, tasks=tuple(tasks))
        return Exercise(
            result=judged,
            service="storefront",
            slo="checkout-latency",
            runbook=PATH,
            owner="Checkout on-call",
            ended_at=ENDED + day * DAY,
            settled=settled(timeline, scenario, text, PATH, judged),
        )

    return made


class Items:
    """The items as a store would have them."""

    def __init__(self) -> None:
        self.by_id: dict[str, ActionItem] = {}

    def learn(self, run: Exercise) -> list[ActionChange]:
        known = [self.by_id[id] for id in settled_ids(run) if id in self.by_id]
        changes = list(lessons_of(run, known))
        for change in changes:
            item = changed(self.by_id.get(change.item), change)
            assert item is not None
            self.by_id[item.id] = item
        return changes

    @property
    def states(self) -> dict[str, str]:
        return {item.task: str(item.state) for item in self.by_id.values()}

    def of(self, task: str) -> ActionItem:
        (item,) = [item for item in self.by_id.values() if item.task == task]
        return item


@pytest.mark.parametrize(
    ("text", "task", "kind"),
    [
        (UNLISTED, "cause-missing", ActionKind.MITIGATE),
        (UNREAD, "check-missing", ActionKind.MITIGATE),
        (RUNBOOK, "check-unclear", ActionKind.MITIGATE),
        (UNOWNED, "owner-missing", ActionKind.PROCESS),
    ],
)
def test_what_a_run_asks_for_is_filed_and_a_later_one_that_does_not_proves_it(
    run: Runs, text: str, task: str, kind: ActionKind
) -> None:
    items = Items()
    mended = RUNBOOK.replace("the widest leaf?", f"the widest leaf? {WAITING}")

    items.learn(run(text))
    filed = items.of(task)
    items.learn(run(mended, day=1))
    proven = items.of(task)

    assert (kind, "Checkout on-call", ("run r0",), "P3", ENDED + 7 * DAY) == (
        filed.kind,
        filed.owner,
        filed.found_in,
        filed.priority,
        filed.due_at,
    )
    assert ("closed, proven", ("run r1",), ENDED + DAY) == (
        str(proven.state),
        proven.evidence,
        proven.closed_at,
    )


def test_a_run_that_asks_again_files_nothing_a_second_time(run: Runs) -> None:
    items = Items()

    items.learn(run(UNREAD))
    items.learn(run(UNREAD, day=1))

    assert (2, ("run r0", "run r1"), "open") == (
        items.of("check-missing").times_found,
        items.of("check-missing").found_in,
        items.of("check-missing").state,
    )


def test_that_a_fix_was_exercised_is_nothing_to_be_done(run: Runs) -> None:
    items = Items()
    exercise = run()

    items.learn(exercise)

    assert "exercised" in {task.kind for task in exercise.result.tasks}
    assert "exercised" not in items.states


def test_a_run_that_did_not_come_to_it_proves_nothing(run: Runs) -> None:
    items = Items()
    nobody = [f for f in slow_db_run.slow_db() if f.kind != Kind.FINDING]

    items.learn(run(UNREAD))
    items.learn(run(RUNBOOK, day=1, facts=nobody))

    assert "open" == items.of("check-missing").state


def test_another_drill_proves_nothing(run: Runs) -> None:
    items = Items()

    items.learn(run(UNREAD))
    items.learn(run(RUNBOOK, day=1, scenario="another"))

    assert "open" == items.of("check-missing").state


def test_an_older_run_that_is_heard_of_late_proves_nothing(run: Runs) -> None:
    items = Items()

    items.learn(run(UNREAD, day=5))
    items.learn(run(RUNBOOK, day=1))

    assert "open" == items.of("check-missing").state


def test_what_was_closed_on_a_word_is_proven_by_the_next_run(run: Runs) -> None:
    items = Items()
    items.learn(run(UNREAD))
    item = items.of("check-missing")
    said = ActionChange(id="x", item=item.id, word=ActionWord.CLOSED, at=ENDED + DAY, by="owner")
    closed = changed(item, said)
    assert closed is not None
    items.by_id[item.id] = closed

    items.learn(run(RUNBOOK, day=2))

    assert ("closed, proven", ENDED + DAY) == (
        items.of("check-missing").state,
        items.of("check-missing").closed_at,
    )


def test_what_was_proven_and_comes_back_is_open_again(run: Runs) -> None:
    items = Items()
    for day, text in enumerate((UNREAD, RUNBOOK, UNREAD)):
        items.learn(run(text, day=day))

    assert ("open", 1) == (
        items.of("check-missing").state,
        items.of("check-missing").times_reopened,
    )


def test_a_step_that_was_done_is_proven_and_one_that_was_not_ticked_is_not(run: Runs) -> None:
    def ticked(done: bool) -> list[Fact]:
        tick = slow_db_run.fact(50, Kind.RUNBOOK_STEP, 40, "responder", step="read-red", done=done)
        return [*slow_db_run.slow_db(), tick]

    items = Items()
    items.learn(run(facts=ticked(False)))
    items.learn(run(day=1))
    before = items.of("step-not-done").state
    items.learn(run(day=2, facts=ticked(True)))

    assert ("open", "closed, proven") == (before, items.of("step-not-done").state)


def test_the_drill_that_found_it_proves_it_first_and_then_those_of_the_same_promise(
    run: Runs,
) -> None:
    items = Items()
    items.learn(run(UNREAD))
    item = items.of("check-missing")
    slos = [("another", "checkout-latency"), ("other", "search"), ("slow-db", "checkout-latency")]

    assert ("slow-db", "another") == proved_by(item, slos)
    assert () == proved_by(replace(item, slo="", scenarios=("gone",)), slos)
