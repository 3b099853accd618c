"""The lines of a simulated night: the SLOs of its services, and what should be of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gameday.testing.phones import firing

__all__ = ["SERVICES", "SLOS", "Line", "Truth", "alert"]

SERVICES = ("checkout", "search")

SLOS = ("latency", *(f"slo-{number}" for number in range(12)))
"""Of each service; a storm is many of them."""

Line = tuple[str, str]
"""(service, SLO)"""


@dataclass
class Truth:
    """What should be of one line, by what was told.

    Attributes:
        fires: fingerprint → when it fired.
        since: since when somebody has to be awake for it; answered_at: when they answered.
        over_at: when all of it had cleared.
        part_of: the line that it was merged with, and when.
        sev: how bad its alerts say it is.
    """

    fires: dict[str, datetime] = field(default_factory=dict)
    since: datetime | None = None
    answered_at: datetime | None = None
    over_at: datetime | None = None
    part_of: tuple[Line, datetime] | None = None
    sev: str = ""


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
