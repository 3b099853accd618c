"""What is to be said of an action item that is not where it should be by now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.learning.action_items import BY
from gameday.model.action_item import ActionChange, ActionItem, ActionState, ActionWord

__all__ = ["reminders"]

BEGIN_WITHIN = timedelta(days=1)
"""The loop's T+1 day: action items begun."""

ALL_WITHIN = timedelta(days=30)
"""After this the share that is done is counted: at least four of five."""


def reminders(item: ActionItem, now: datetime) -> Sequence[ActionChange]:
    """Return what is to be said now of an open item that is not where it should be.

    Each has an id of its own for each time that the item was opened, so that it is said once.
    """
    if not item.state.is_open:
        return ()
    who = item.owner or "nobody, for no owner is named"
    due: list[tuple[datetime, str, str]] = [
        (item.due_at, "due", f"it was due by {item.due_at:%Y-%m-%d %H:%M} UTC ({who})"),
        (
            item.opened_at + ALL_WITHIN,
            "month",
            f"it is open after {ALL_WITHIN.days} days ({who})",
        ),
    ]
    if item.state is ActionState.OPEN:
        text = f"nobody has begun it within a day ({who})"
        due.append((item.opened_at + BEGIN_WITHIN, "begin", text))
    return tuple(
        ActionChange(
            id=f"{item.id}/{name}/{item.opened_at.isoformat()}",
            item=item.id,
            word=ActionWord.REMINDED,
            at=at,
            by=BY,
            text=text,
        )
        for at, name, text in sorted(due)
        if now > at
    )
