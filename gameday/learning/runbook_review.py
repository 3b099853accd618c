"""Reviews of runbooks: which are due, and how one that was done is written into the file.

Pure: texts in, texts out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from gameday.learning.runbook_head import review_due
from gameday.model.runbook import Runbook
from gameday.model.runbook_review import Review, ReviewState

__all__ = ["reviewed_text", "reviews_of"]

SOON = timedelta(days=14)
"""How long before its day a review is spoken of: two weeks, in which to find an hour."""

_CLOSING = re.compile(r"---\s*\Z")
_PLAIN = re.compile(r"[A-Za-z0-9][\w .@/+-]*\Z")


def reviews_of(runbooks: Sequence[Runbook], today: date) -> Sequence[Review]:
    """Return how the review of each stands, the most urgent first."""
    found = [_review(runbook, today) for runbook in runbooks]
    return sorted(found, key=lambda r: (r.due is not None, r.due or today, r.runbook))


def reviewed_text(text: str, day: date, by: str) -> str:
    """Return a runbook's text with the day of its review in its head; nothing else is changed.

    Fields that are there keep their place and their comment; a runbook without a head gets one.

    Args:
        by: the role that did it; empty: the text does not say.
    """
    text = _with_field(text, "reviewed", day.isoformat())
    return _with_field(text, "reviewed_by", _as_yaml(by)) if by else text


def _review(runbook: Runbook, today: date) -> Review:
    due = review_due(runbook)
    if due is None:
        state = ReviewState.NEVER
    elif due < today:
        state = ReviewState.OVERDUE
    else:
        state = ReviewState.SOON if due - today <= SOON else ReviewState.DONE
    owner = runbook.owner
    return Review(
        runbook.id,
        runbook.path,
        state,
        due,
        runbook.reviewed,
        runbook.reviewed_by,
        (owner.name or owner.team) if owner is not None else "",
    )


def _with_field(text: str, name: str, value: str) -> str:
    lines = text.splitlines(keepends=True)
    first = lines[0].removeprefix("\ufeff") if lines else ""
    end_of_line = "\r\n" if first.endswith("\r\n") else "\n"
    if first.rstrip() != "---":
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        head = end_of_line.join(["---", f"{name}: {value}", "---", "", ""])
        return mark + head + text.removeprefix(mark)
    closing = next((n for n in range(1, len(lines)) if _CLOSING.match(lines[n])), None)
    if closing is None:  # no head that can be read
        return text
    field = re.compile(
        rf"(?P<name>{name}[ \t]*:[ \t]*)(?P<value>\"[^\"]*\"|'[^']*'|[^#\r\n]*?)"
        r"(?P<rest>[ \t]*(?:#[^\r\n]*)?(?:\r?\n)?)\Z"
    )
    for number in range(1, closing):
        found = field.match(lines[number])
        if found is not None:
            before = found["name"] if found["name"][-1] in " \t" else found["name"] + " "
            lines[number] = f"{before}{value}{found['rest']}"
            return "".join(lines)
    lines.insert(closing, f"{name}: {value}{end_of_line}")
    return "".join(lines)


def _as_yaml(words: str) -> str:
    if _PLAIN.match(words) and not words.endswith(" "):
        return words
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'
