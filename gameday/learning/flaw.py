"""What lets the reader of a runbook down: one thing, where it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Flaw", "FlawKind"]


class FlawKind(StrEnum):
    """What sort of thing it is."""

    FORM = "form"  # a responder that is a program cannot use it: what `gameday validate` says
    ALERT = "alert"  # of which alert it is the runbook, it does not say
    OWNER = "owner"
    REVIEW = "review"
    SECTION = "section"  # one that every runbook has is missing or empty
    PLACEHOLDER = "placeholder"  # words that wait to be written, or to be replaced
    COMMAND = "command"  # the shell cannot read it
    QUERY = "query"  # it is no PromQL
    METRIC = "metric"  # this Prometheus does not have it
    LINK = "link"  # it leads nowhere
    ANCHOR = "anchor"  # the page is there, the place in it is not
    MOVING_BRANCH = "moving-branch"  # what it leads to changes under the reader
    UNREACHABLE = "unreachable"  # from where a page is read, nobody gets there


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing.

    Attributes:
        line: 1-based; 0: of no line of the file.
        what: what is wrong, as a sentence without its full stop.
        remedy: what to do next, as an order.
    """

    kind: FlawKind
    file: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.kind}: {self.what} ({self.remedy})"
