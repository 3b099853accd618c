"""How the review of a runbook stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

__all__ = ["Review", "ReviewState"]


class ReviewState(StrEnum):
    """Whether somebody has to read it."""

    NEVER = "never reviewed"
    OVERDUE = "overdue"
    SOON = "due soon"
    DONE = "done"

    @property
    def is_due(self) -> bool:
        """Return whether it has to be done now."""
        return self in (ReviewState.NEVER, ReviewState.OVERDUE)


@dataclass(frozen=True, slots=True)
class Review:
    """One runbook's.

    Attributes:
        runbook: its name.
        due: the day the next one is due; None where there was none yet.
        reviewed: the day of the last one.
        by: the role that did the last one; may be empty.
        owner: who is to do it; may be empty.
    """

    runbook: str
    path: str
    state: ReviewState
    due: date | None
    reviewed: date | None
    by: str
    owner: str

    def to_json(self) -> dict[str, Any]:
        """Return the line as ``gameday runbooks review --json`` prints it."""
        return {
            "runbook": self.runbook,
            "path": self.path,
            "state": str(self.state),
            "due": self.due.isoformat() if self.due else None,
            "reviewed": self.reviewed.isoformat() if self.reviewed else None,
            "by": self.by or None,
            "owner": self.owner or None,
        }
