"""The lines of a simulated night: the SLOs of its services, and what should be of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gameday.testing.phones import firing

__all__ = ["SERVICES", "SLOS", "Line", "Lines", "Truth", "alert"]

SERVICES = ("orders", "search")

SLOS = ("latency", *(f"slo-{number}" for number in range(12)))
"""Of each service; a storm is many of them."""

Line = tuple[str, str]
"""(service, SLO)"""


@dataclass
class Truth:
    """What should be of one line, by what was told.

    Attributes:
        fires: fingerprint → when it fired.
        since: since when it burns; answered_at: when somebody answered.
        taken_back_at: when that answer was taken back, and somebody had to be awake again.
        over_at: when all of it had cleared.
        part_of: the line that it was merged with, and when.
        sev: how bad its alerts say it is.
    """

    fires: dict[str, datetime] = field(default_factory=dict)
    since: datetime | None = None
    answered_at: datetime | None = None
    taken_back_at: datetime | None = None
    over_at: datetime | None = None
    part_of: tuple[Line, datetime] | None = None
    sev: str = ""


class Lines(dict[Line, Truth]):
    """What should be of every line, by what was told of all of them."""

    def __init__(self) -> None:
        super().__init__({(name, slo): Truth() for name in SERVICES for slo in SLOS})

    def needs(self, line: Line) -> tuple[bool, datetime | None]:
        """Return (whether somebody has to be woken for it, since when they are asked)."""
        truth, since = self[line], self.burns_alone_since(line)
        if since is None:
            return False, None
        answered = truth.answered_at is not None and truth.answered_at >= since
        return not answered, max(since, truth.taken_back_at or since)

    def burns_alone_since(self, line: Line) -> datetime | None:
        """Return since when it burns by itself, and not as a part of what burns anyway."""
        truth = self[line]
        if not truth.fires or truth.since is None:
            return None
        if truth.part_of is None:
            return truth.since
        over_at = self._whole_over_at(line)
        return None if over_at is None else max(truth.since, over_at)

    def _whole_over_at(self, line: Line) -> datetime | None:
        """Return since when what it was merged with is over, and what that one is part of, too."""
        part_of = self[line].part_of
        assert part_of is not None, f"{line} was merged with nothing"
        other, merged_at = part_of
        whole, left_at = self[other], merged_at
        if whole.part_of is not None:
            whole_left_at = self._whole_over_at(other)
            if whole_left_at is None:
                return None
            left_at = max(left_at, whole_left_at)
        return None if whole.fires else max(left_at, whole.over_at or left_at)


def alert(
    line: Line,
    fingerprint: str,
    starts_at: datetime,
    *,
    ends_at: datetime | None = None,
    sev: str = "",
) -> dict[str, Any]:
    """Return an alert of a line, as a webhook tells it; one that has an end has cleared."""
    return firing(line[0], fingerprint, starts_at, ends_at=ends_at, sev=sev, slo=line[1])
