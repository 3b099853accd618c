"""What incidents have in common beyond chance, and what came back: the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gameday.model.past_incident import Dimension
from gameday.model.severity import IncidentSeverity

__all__ = ["Yardstick", "Pattern", "Repeat", "Return", "Unjudged", "Why"]


class Yardstick(StrEnum):
    """What a share of the incidents is held against."""

    EXPOSURE = "exposure"  # the share of deploys, requests, hours that the value had
    OTHER_TIMES = "other times"  # how often the value came up in the rest of the time


@dataclass(frozen=True, slots=True)
class Pattern:
    """A value that more incidents have than chance explains.

    Attributes:
        incidents: how many have it, of so many (`of`) that say.
        expected_ratio: the share that would be no news, 0 to 1.
        p: how often chance alone does as much; adjusted: over everything that was looked at.
        until, since: of `OTHER_TIMES` the stretch in which it came up so often.
    """

    dimension: Dimension
    value: str
    yardstick: Yardstick
    incidents: int
    of: int
    expected_ratio: float
    p: float
    adjusted_p: float
    since: datetime | None = None
    until: datetime | None = None

    @property
    def ratio(self) -> float:
        """Return the share of the incidents that have it."""
        return self.incidents / self.of

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "dimension": str(self.dimension),
            "value": self.value,
            "yardstick": str(self.yardstick),
            "incidents": self.incidents,
            "of": self.of,
            "ratio": self.ratio,
            "expected_ratio": self.expected_ratio,
            "p": self.p,
            "adjusted_p": self.adjusted_p,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A value that many incidents have, of which nobody said how much exposure it had."""

    dimension: Dimension
    value: str
    incidents: int
    of: int

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "dimension": str(self.dimension),
            "value": self.value,
            "incidents": self.incidents,
            "of": self.of,
            "verdict": "unknown",
        }


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same severe incident, again and again within a short time: a fact, whatever its odds.

    Attributes:
        incidents: their ids, in the order they began.
        by_chance: how many such runs chance alone would have dealt out in this history.
        is_beyond_chance: whether that is too few for it to be chance.
    """

    severity: IncidentSeverity
    cause: str
    incidents: Sequence[str]
    since: datetime
    until: datetime
    by_chance: float
    is_beyond_chance: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "severity": str(self.severity),
            "cause": self.cause,
            "incidents": list(self.incidents),
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "by_chance": self.by_chance,
            "is_beyond_chance": self.is_beyond_chance,
        }


class Why(StrEnum):
    """How a class of incidents could come back."""

    CLOSED = "although its items were closed"
    OPEN = "while its items were open"
    NONE = "without an item against it"
    UNKNOWN = "and nobody said how its items stood"


@dataclass(frozen=True, slots=True)
class Return:
    """A class of incidents that came back.

    Attributes:
        first: the incident whose items were to prevent it.
        again: the ones that came all the same; of more than twenty the first.
        times: how many came.
        items: how many items those before them had.
    """

    cause: str
    why: Why
    first: str
    again: Sequence[str]
    times: int
    items: int

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "cause": self.cause,
            "why": str(self.why),
            "first": self.first,
            "again": list(self.again),
            "times": self.times,
            "items": self.items,
        }
