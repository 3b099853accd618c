"""What a team looks at once a month: the values, one page of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gameday.model.duration_trend import Spread
from gameday.model.flywheel import InTime
from gameday.model.past_incident import Theme
from gameday.model.pattern import Repeat, Return

__all__ = ["MonthlyReview", "PagesOfRole"]


@dataclass(frozen=True, slots=True)
class PagesOfRole:
    """How often a role was paged, and how often of that outside its hours."""

    role: str
    pages: int
    out_of_hours: int

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"role": self.role, "pages": self.pages, "out_of_hours": self.out_of_hours}


@dataclass(frozen=True, slots=True)
class MonthlyReview:
    """One team's month.

    Attributes:
        first: the first day of the month.
        incidents: that began in it; severe: SEV-1 and SEV-2 of them.
        usual: incidents of a month, in the mean over the year before; None: there is no such year.
        recover: how long users were hurt; recover_before: in the year before.
        postmortems: of the severe incidents, those with a postmortem within 48 h.
        actions: of the action items of the incidents of the month before, those done in time.
        open: action items of all its incidents that are not done.
        returns: classes that came back in the month.
        repeats: SEV-1 that came four times in three months, the last time in this one.
        recurring: what its incidents asked for again and again.
    """

    team: str
    first: date
    incidents: int
    severe: int
    usual: float | None
    recover: Spread | None
    recover_before: Spread | None
    postmortems: InTime
    actions: InTime
    open: int
    pages: Sequence[PagesOfRole]
    returns: Sequence[Return]
    repeats: Sequence[Repeat]
    recurring: Sequence[Theme]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``gameday flywheel --review --json`` prints it."""
        return {
            "team": self.team,
            "month": f"{self.first:%Y-%m}",
            "incidents": self.incidents,
            "severe": self.severe,
            "usual": self.usual,
            "recover": self.recover.to_json() if self.recover else None,
            "recover_before": self.recover_before.to_json() if self.recover_before else None,
            "postmortems": self.postmortems.to_json(),
            "actions": self.actions.to_json(),
            "open": self.open,
            "pages": [one.to_json() for one in self.pages],
            "returns": [one.to_json() for one in self.returns],
            "repeats": [one.to_json() for one in self.repeats],
            "recurring": [t.to_json() for t in self.recurring],
            "cost_against_traffic": {
                "verdict": "unknown",
                "reason": "nothing here knows what its signals cost",
            },
        }
