"""How bad an incident is, by the one scale that scenarios, alerts and incidents share."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

__all__ = ["IncidentSeverity"]


class IncidentSeverity(StrEnum):
    """How bad an incident is; the smallest is the worst.

    Not the severity of an alert, page or ticket, which is `scoring.slo.Severity`: that says how
    loudly the alert speaks.
    """

    SEV_1 = "SEV-1"
    SEV_2 = "SEV-2"
    SEV_3 = "SEV-3"
    SEV_4 = "SEV-4"
    SEV_5 = "SEV-5"

    @classmethod
    def named(cls, said: object) -> IncidentSeverity | None:
        """Return the severity of this name; None where there is none of it."""
        return next((severity for severity in cls if severity == said), None)

    @property
    def wakes(self) -> bool:
        """Return whether an alert of it wakes somebody."""
        return self in (IncidentSeverity.SEV_1, IncidentSeverity.SEV_2)

    @property
    def postmortem_within(self) -> timedelta | None:
        """Return how long after the resolution a postmortem is owed; None: none is.

        Source: the loop's Learn phase, complete within 24 to 48 h.
        """
        match self:
            case IncidentSeverity.SEV_1:
                return timedelta(hours=24)
            case IncidentSeverity.SEV_2:
                return timedelta(hours=48)
            case _:
                return None
