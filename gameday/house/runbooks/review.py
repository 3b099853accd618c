"""A review that was done, written into its runbook's file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from gameday.errors import UsageError
from gameday.house.runbooks.shelf import Shelf
from gameday.learning.runbook_review import reviewed_text
from gameday.model.runbook import Runbook
from gameday.names import did_you_mean
from gameday.spec.runbook import parse_runbook
from gameday.spec.tree import quoted

__all__ = ["mark_reviewed"]


def mark_reviewed(shelf: Shelf, name: str, *, day: date, by: str = "") -> Runbook:
    """Write into a runbook's file that it was reviewed; return it as it is now.

    Args:
        name: of the runbook, or the path of its file.
        by: the role that did it; empty: the file does not say.

    Raises:
        UsageError: there is no such runbook, or several, or its file cannot be written.
    """
    runbook = _named(shelf, name)
    path = Path(runbook.path)
    try:
        # As bytes: line endings and a byte order mark stay what they are.
        text = reviewed_text(path.read_bytes().decode("utf-8"), day, by)
        path.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{quoted(str(path))} cannot be written: {error.strerror}") from error
    return parse_runbook(text.removeprefix("\ufeff"), path)


def _named(shelf: Shelf, name: str) -> Runbook:
    runbooks = [page.runbook for page in shelf.pages if page.runbook is not None]
    found = [r for r in runbooks if name in (r.id, r.path)]
    if len(found) > 1:
        paths = ", ".join(r.path for r in found)
        raise UsageError(f"{len(found)} runbooks are called {quoted(name)}: give the path, {paths}")
    if not found:
        hint = did_you_mean(name, [r.id for r in runbooks], what="known runbooks")
        raise UsageError(f"there is no runbook {quoted(name)} ({hint})")
    return found[0]
