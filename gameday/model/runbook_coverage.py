"""How alerts stand: with or without a runbook that somebody keeps, exercised or never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from scoring.verdict import RunVerdict

__all__ = ["CoveredAlert", "DrilledAlerts", "RunbookCoverage", "Standing"]


class Standing(StrEnum):
    """How an alert stands."""

    COVERED = "covered"
    NO_RUNBOOK = "no runbook"  # it names none, and none here is for it
    ELSEWHERE = "elsewhere"  # it names one, which is not among those that were read
    UNREACHABLE = "unreachable"  # whoever is paged cannot open it
    NO_OWNER = "no owner"  # it has one, and nobody keeps it


@dataclass(frozen=True, slots=True)
class DrilledAlerts:
    """A run that was played to its end, and the alerts that fired in it.

    Attributes:
        at: when it began.
        alerts: by their names.
    """

    run: str
    scenario: str
    at: datetime
    verdict: RunVerdict
    alerts: frozenset[str]


@dataclass(frozen=True, slots=True)
class CoveredAlert:
    """An alert, its runbook, and the drill that last made it fire.

    Attributes:
        places: where its rules stand, each once, with their lines.
        runbook: path of the file here, else the address the rule names; may be empty.
        owner: who keeps it; may be empty.
        exercised: None where no drill that is known made it fire.
    """

    alert: str
    places: tuple[str, ...]
    standing: Standing
    runbook: str = ""
    owner: str = ""
    exercised: DrilledAlerts | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the line as ``gameday runbooks coverage --json`` prints it."""
        drill = self.exercised
        return {
            "alert": self.alert,
            "places": list(self.places),
            "standing": str(self.standing),
            "runbook": self.runbook or None,
            "owner": self.owner or None,
            "last_exercised": {
                "run": drill.run,
                "scenario": drill.scenario,
                "at": drill.at.isoformat(),
                "verdict": str(drill.verdict),
            }
            if drill is not None
            else None,
        }

    @property
    def is_covered(self) -> bool:
        """Return whether it has a runbook that is reached and owned."""
        return self.standing is Standing.COVERED


@dataclass(frozen=True, slots=True)
class RunbookCoverage:
    """All of it.

    Attributes:
        alerts: ordered by name.
        idle: runbooks that are for no alert of these, by their paths.
    """

    alerts: Sequence[CoveredAlert]
    idle: Sequence[str]

    @property
    def lacking(self) -> Sequence[CoveredAlert]:
        """Return the alerts that are not covered."""
        return [one for one in self.alerts if not one.is_covered]

    @property
    def never_exercised(self) -> Sequence[CoveredAlert]:
        """Return the alerts that no drill has made fire."""
        return [one for one in self.alerts if one.exercised is None]
