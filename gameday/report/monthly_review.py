"""A team's month in Markdown: one page, to be read together."""

from __future__ import annotations

from collections.abc import Sequence

from gameday.legible import in_markdown
from gameday.model.duration_trend import Spread
from gameday.model.monthly_review import MonthlyReview
from gameday.report.flywheel import (
    proposal_in_words,
    repeat_in_words,
    return_in_words,
    share_in_words,
    span_in_words,
)
from gameday.report.wording import NO_DATA, figure, table

__all__ = ["review_markdown"]


def review_markdown(review: MonthlyReview) -> str:
    """Return the page of one team's month."""
    parts = [
        f"# {in_markdown(review.team)}, {review.first:%B %Y}",
        table(("", "this month", "for comparison"), _rows(review)),
        "## What came back",
        _listed(
            [
                *(repeat_in_words(one) for one in review.repeats),
                *(return_in_words(one) for one in review.returns),
            ],
            "Nothing that is known to have been there before.",
        ),
        "## What was asked for again",
        _listed(
            [proposal_in_words(one) for one in review.recurring],
            "No action item that three incidents have asked for.",
        ),
        "## To be decided",
        "_Which of these is the team's next piece of reliability work, and who owns it?_",
    ]
    return "\n\n".join(parts) + "\n"


def _rows(review: MonthlyReview) -> Sequence[Sequence[str]]:
    usual = "no year before it" if review.usual is None else f"{figure(review.usual)} a month"
    pages = [
        (
            f"pages, {one.role}",
            str(one.pages),
            f"{one.out_of_hours} of them out of hours",
        )
        for one in review.pages
    ]
    return [
        ("incidents", f"{review.incidents}, {review.severe} of them SEV-1/2", usual),
        ("time to recover", _spread(review.recover), f"{_spread(review.recover_before)} before"),
        *pages,
        ("postmortems within 48 h", share_in_words(review.postmortems), "100 %"),
        (
            "action items of last month done in 30 days",
            share_in_words(review.actions),
            f"at least 80 %; {review.open} are open in all",
        ),
        (
            "cost against traffic",
            "unknown",
            "nothing here knows what its signals cost",
        ),
    ]


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return NO_DATA
    words = f"median {span_in_words(spread.median)} of {spread.count}"
    if spread.median_interval is not None:
        low, high = (span_in_words(end) for end in spread.median_interval)
        words += f" ({low} to {high})"
    return words


def _listed(sentences: Sequence[str], none: str) -> str:
    return "\n".join(f"- {in_markdown(one)}" for one in sentences) or none
