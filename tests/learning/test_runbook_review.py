"""Which reviews are due, and that a review changes nothing else of a file."""

from __future__ import annotations

from datetime import date

import pytest

from gameday.learning.runbook_review import reviewed_text, reviews_of
from gameday.model.runbook_review import ReviewState
from gameday.spec.runbook import parse_runbook

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("head", "state", "due"),
    [
        ("alert: X", ReviewState.NEVER, None),
        ("reviewed: 2026-08-01", ReviewState.OVERDUE, date(2026, 10, 30)),
        ("reviewed: 2026-08-30", ReviewState.SOON, date(2026, 11, 28)),
        ("reviewed: 2026-09-12", ReviewState.SOON, date(2026, 12, 11)),
        ("reviewed: 2026-09-15", ReviewState.DONE, date(2026, 12, 14)),
        ("reviewed: 2026-01-01\nreview_every: 365d", ReviewState.DONE, date(2027, 1, 1)),
    ],
)
def test_a_review_is_due_after_its_time_or_a_quarter(
    head: str, state: ReviewState, due: date | None
) -> None:
    (review,) = reviews_of([parse_runbook(f"---\n{head}\n---\n# X\n", "x.md")], TODAY)

    assert (state, due) == (review.state, review.due)


def test_the_most_urgent_stands_first() -> None:
    texts = {"a": "reviewed: 2026-08-01", "b": "alert: B", "c": "reviewed: 2026-07-01"}
    books = [parse_runbook(f"---\n{head}\n---\n", f"{name}.md") for name, head in texts.items()]

    assert ["b", "c", "a"] == [review.runbook for review in reviews_of(books, TODAY)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "---\nalert: X\nreviewed: 2026-01-01  # by hand\nowner: A\n---\n# X\n",
            "---\nalert: X\nreviewed: 2026-11-28  # by hand\nowner: A\n---\n# X\n",
        ),
        (
            "---\r\nreviewed: '2026-01-01'\r\n---\r\n# X",
            "---\r\nreviewed: 2026-11-28\r\n---\r\n# X",
        ),
        ("---\nreviewed:\n---\n", "---\nreviewed: 2026-11-28\n---\n"),
        ("---\nalert: X\n---\n\n# X\n", "---\nalert: X\nreviewed: 2026-11-28\n---\n\n# X\n"),
        ("---\n---\n# X\n", "---\nreviewed: 2026-11-28\n---\n# X\n"),
        ("# X\r\n", "---\r\nreviewed: 2026-11-28\r\n---\r\n\r\n# X\r\n"),
        ("\ufeff# X\n", "\ufeff---\nreviewed: 2026-11-28\n---\n\n# X\n"),
        ("\ufeff---\nalert: X\n---\n", "\ufeff---\nalert: X\nreviewed: 2026-11-28\n---\n"),
        ("", "---\nreviewed: 2026-11-28\n---\n\n"),
        ("---\nnever: closed\n", "---\nnever: closed\n"),
        (
            "---\nx: {reviewed: 1}\n---\nreviewed: 2026-01-01\n",
            "---\nx: {reviewed: 1}\nreviewed: 2026-11-28\n---\nreviewed: 2026-01-01\n",
        ),
    ],
)
def test_a_review_changes_its_field_and_nothing_else(before: str, after: str) -> None:
    assert after == reviewed_text(before, TODAY, "")


@pytest.mark.parametrize("by", ["Checkout on-call", "#shop: nights", 'the "night" shift', "-"])
def test_who_did_it_is_read_back_as_it_was_said(by: str) -> None:
    text = reviewed_text(reviewed_text("# X\n", TODAY, "somebody # else"), TODAY, by)

    book = parse_runbook(text, "x.md")

    assert (TODAY, by) == (book.reviewed, book.reviewed_by)
