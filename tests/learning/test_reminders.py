"""What is said of an action item that is not where it should be, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gameday.learning.reminders import reminders
from gameday.model.action_item import (
    ActionChange,
    ActionItem,
    ActionKind,
    ActionWord,
    Filing,
    action_id,
    changed,
)

FILED = datetime(2026, 11, 23, 8, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def item() -> ActionItem:
    filing = Filing(
        cause="c", kind=ActionKind.DETECT, title="Watch the lag", owner="Checkout on-call"
    )
    id = action_id("c", filing.kind)
    found = ActionChange(
        id="f", item=id, word=ActionWord.FOUND, at=FILED, by="gameday", filing=filing
    )
    made = changed(None, found)
    assert made is not None
    return made


def said(item: ActionItem, days: float) -> list[str]:
    return [c.id.split("/")[1] for c in reminders(item, FILED + days * DAY)]


def test_who_owns_an_item_is_reminded_after_a_day_a_week_and_a_month(item: ActionItem) -> None:
    assert [[], ["begin"], ["begin", "due"], ["begin", "due", "month"]] == [
        said(item, days) for days in (1, 1.01, 7.01, 30.01)
    ]
    assert (
        "it was due by 2026-11-30 08:02 UTC (Checkout on-call)"
        == reminders(item, FILED + 8 * DAY)[1].text
    )


def test_nobody_is_reminded_of_what_is_begun_to_begin_nor_of_what_is_closed(
    item: ActionItem,
) -> None:
    def after(word: ActionWord) -> ActionItem:
        now = changed(
            item, ActionChange(id="x", item=item.id, word=word, at=FILED + DAY / 2, by="owner")
        )
        assert now is not None
        return now

    assert ["due"] == said(after(ActionWord.BEGUN), 8)
    assert [] == said(after(ActionWord.CLOSED), 40)


def test_each_reminder_has_one_id_however_late_it_is_looked_for(item: ActionItem) -> None:
    first, later = reminders(item, FILED + 2 * DAY), reminders(item, FILED + 3 * DAY)

    assert first == later
    reopened = replace(item, opened_at=item.opened_at + 9 * DAY)
    assert first[0].id != reminders(reopened, FILED + 20 * DAY)[0].id
