"""A runbook as its linter reads it: the page for a responder, and all that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gameday.errors import Problem, SpecError
from gameday.model.runbook import Runbook
from gameday.spec.contents import TextContents, contents_of
from gameday.spec.runbook import check_runbook, parse_runbook

__all__ = ["RunbookPage", "page_of"]


@dataclass(frozen=True, slots=True)
class RunbookPage:
    """One file.

    Attributes:
        file: as it was given.
        runbook: None where its head cannot be read.
        problems: what `gameday validate` says of it.
    """

    file: str
    runbook: Runbook | None
    problems: Sequence[Problem]
    contents: TextContents


def page_of(text: str, file: str) -> RunbookPage:
    """Return the page that a text is."""
    try:
        runbook = parse_runbook(text, file)
    except SpecError:
        runbook = None
    return RunbookPage(file, runbook, check_runbook(text, file), contents_of(text))
