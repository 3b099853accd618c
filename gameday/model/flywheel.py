"""What the flywheel says of many incidents: the values that are printed and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from gameday.model.duration_trend import SpanChange, Spread
from gameday.model.past_incident import Contradiction, Theme
from gameday.model.pattern import Pattern, Repeat, Return, Unjudged
from scoring.verdict import Verdict

__all__ = ["Flywheel", "LoopTime", "Month", "PlayedDrill", "InTime", "LoopTarget", "TimeTrend"]


class LoopTime(StrEnum):
    """A time of the loop."""

    DETECT = "to detect"
    ACK = "to acknowledge"
    RECOVER = "to recover"


@dataclass(frozen=True, slots=True)
class PlayedDrill:
    """A game day that was played to its end.

    Attributes:
        place: its region, or its target where it names none.
        recovered_seconds: from the page to the recovery; None: it did not get there.
    """

    scenario: str
    place: str
    at: datetime
    recovered_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class InTime:
    """How many of so many; of none, nothing can be said."""

    met: int = 0
    of: int = 0

    @property
    def ratio(self) -> float | None:
        """Return the share, 0 to 1; None of none."""
        return self.met / self.of if self.of else None

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"met": self.met, "of": self.of, "ratio": self.ratio}


@dataclass(frozen=True, slots=True)
class TimeTrend:
    """How long one part of the loop takes, and what became of that.

    Attributes:
        left_out: incidents whose record contradicts itself in it.
        spread: None where it is known of no incident.
        change: from before the split to after it; None where either side has too few.
    """

    time: LoopTime
    spread: Spread | None
    change: SpanChange | None
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "time": str(self.time),
            "left_out": self.left_out,
            "spread": self.spread.to_json() if self.spread else None,
            "change": self.change.to_json() if self.change else None,
        }


@dataclass(frozen=True, slots=True)
class Month:
    """One month.

    Attributes:
        first: its first day.
        severe: of the incidents, SEV-1 and SEV-2.
        recover: how long users were hurt; None: known of none.
        postmortems: of the severe ones, those with a postmortem within 48 h.
        actions: of the action items that were due, those done within 30 days.
        drills: game days that were played.
    """

    first: date
    incidents: int
    severe: int
    recover: Spread | None
    postmortems: InTime
    actions: InTime
    drills: int

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "month": f"{self.first:%Y-%m}",
            "incidents": self.incidents,
            "severe": self.severe,
            "recover": self.recover.to_json() if self.recover else None,
            "postmortems": self.postmortems.to_json(),
            "actions": self.actions.to_json(),
            "drills": self.drills,
        }


@dataclass(frozen=True, slots=True)
class LoopTarget:
    """One line of the table of targets.

    Attributes:
        wanted, stands: in a few words.
        reason: why it cannot be said, or how sure it is; may be empty.
    """

    name: str
    wanted: str
    stands: str
    verdict: Verdict
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "name": self.name,
            "wanted": self.wanted,
            "stands": self.stands,
            "verdict": str(self.verdict),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Flywheel:
    """All of it.

    Attributes:
        team: whose incidents; empty: everybody's.
        since: when the first began; split: where before ends and after begins.
        months: the last ones, oldest first; of each team likewise.
        drills: drills of the same scenario, the first against the last, in pairs; None: too few.
        recurring: action items that came up again and again.
    """

    team: str
    incidents: int
    since: datetime
    split: datetime
    as_of: datetime
    targets: Sequence[LoopTarget]
    times: Sequence[TimeTrend]
    months: Sequence[Month]
    teams: Mapping[str, Sequence[Month]]
    drills: SpanChange | None
    patterns: Sequence[Pattern]
    unjudged: Sequence[Unjudged]
    repeats: Sequence[Repeat]
    returns: Sequence[Return]
    recurring: Sequence[Theme]
    contradictions: Sequence[Contradiction]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``gameday flywheel --json`` prints it."""
        return {
            "team": self.team or None,
            "incidents": self.incidents,
            "since": self.since.isoformat(),
            "split": self.split.isoformat(),
            "as_of": self.as_of.isoformat(),
            "targets": [one.to_json() for one in self.targets],
            "times": [one.to_json() for one in self.times],
            "months": [one.to_json() for one in self.months],
            "teams": {t: [m.to_json() for m in months] for t, months in self.teams.items()},
            "drills": self.drills.to_json() if self.drills else None,
            "patterns": [one.to_json() for one in self.patterns],
            "unjudged": [one.to_json() for one in self.unjudged],
            "repeats": [one.to_json() for one in self.repeats],
            "returns": [one.to_json() for one in self.returns],
            "recurring": [theme.to_json() for theme in self.recurring],
            "contradictions": [
                {"incident": c.incident, "sentence": c.sentence, "spoils": sorted(c.spoils)}
                for c in self.contradictions
            ],
        }
