"""Whose a runbook is, of which alert, and when it was last read with care."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from gameday.learning.flaw import Flaw, FlawKind
from gameday.model.runbook import Runbook

__all__ = ["REVIEW_EVERY", "head_flaws", "is_owned", "review_due"]

REVIEW_EVERY = timedelta(days=90)
"""How long a review holds where the runbook does not say: quarterly."""


def head_flaws(runbook: Runbook, file: str, today: date) -> Iterator[Flaw]:
    """Yield what is wrong with a head that can be read."""
    if not runbook.alert:
        yield Flaw(
            FlawKind.ALERT,
            file,
            1,
            "it does not say of which alert it is the runbook",
            "write `alert: NAME` in the front matter, or the alert's name as its title",
        )
    yield from _owner(runbook, file)
    yield from _review(runbook, file, today)


def is_owned(runbook: Runbook) -> bool:
    """Return whether it names who keeps it right."""
    return runbook.owner is not None and bool(runbook.owner.name or runbook.owner.team)


def review_due(runbook: Runbook) -> date | None:
    """Return the day its next review is due; None where it was never reviewed."""
    if runbook.reviewed is None:
        return None
    try:
        return runbook.reviewed + (runbook.review_every or REVIEW_EVERY)
    except OverflowError:  # in thousands of years
        return date.max


def _owner(runbook: Runbook, file: str) -> Iterator[Flaw]:
    write = "write `owner: {name: …, team: …, contact: …}` in the front matter"
    if not is_owned(runbook):
        yield Flaw(FlawKind.OWNER, file, 1, "it names no owner", write)
    elif runbook.owner is not None and not runbook.owner.contact:
        what = "it does not say where its owner is reached"
        yield Flaw(FlawKind.OWNER, file, 1, what, "add `contact: …` to the owner")


def _review(runbook: Runbook, file: str, today: date) -> Iterator[Flaw]:
    done = f"read it, then `gameday runbooks review --done {runbook.id}`"
    due = review_due(runbook)
    if due is None:
        yield Flaw(FlawKind.REVIEW, file, 1, "it does not say when it was last reviewed", done)
    elif runbook.reviewed is not None and runbook.reviewed > today:
        what = f"it says it was reviewed on {runbook.reviewed.isoformat()}, which is to come"
        yield Flaw(FlawKind.REVIEW, file, 1, what, "write the day it was reviewed")
    elif due < today:
        yield Flaw(FlawKind.REVIEW, file, 1, f"its review was due on {due.isoformat()}", done)
