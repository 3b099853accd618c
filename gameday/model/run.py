"""What the store says of a run, and the orders it must obey."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scoring.verdict import RunVerdict


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run in the store's list.

    Attributes:
        percent: its one number, by a rubric that does not tell system from response.
        system_percent: how the system did; None: not known, or the run has no number.
        response_percent: how the response did; None also where nobody was to answer.
        pruned_at: when all but this line was deleted, by the retention; None: it is there.
    """

    id: str
    scenario: str
    target: str
    started_at: datetime
    ended_at: datetime | None
    verdict: RunVerdict | None
    percent: float | None
    pruned_at: datetime | None = None
    system_percent: float | None = None
    response_percent: float | None = None


class OrderKind(StrEnum):
    """What may be ordered from outside a run."""

    ABORT = "abort"  # this run recovers and ends
    STOP = "stop"  # every run does, and none may begin, until it is lifted
    FENCE = "fence"  # this run's process may write no more: its sentinel took over


@dataclass(frozen=True, slots=True)
class Order:
    """Something a run must obey, given from outside it.

    Attributes:
        run: whom it is for; None: every run.
        by: role or name of who gave it.
    """

    kind: OrderKind
    run: str | None
    reason: str
    by: str
    given_at: datetime
