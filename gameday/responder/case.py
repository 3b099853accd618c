"""What the bot knows about one incident so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gameday.incident import Page, Step
from gameday.responder.links import Dashboard
from gameday.responder.red import RedReading
from gameday.responder.stacks import Leaf
from gameday.responder.suspicion import Suspect
from gameday.signals import Deploy


@dataclass(slots=True)
class Case:
    """One incident under diagnosis; filled step by step, None where a step found nothing.

    Attributes:
        leaf: the function at fault, for a cause in code.
        deploy: the deploy that explains the onset.
        unknown: steps that could not be done.
    """

    page: Page
    dashboard: Dashboard | None = None
    red: RedReading | None = None
    suspect: Suspect | None = None
    leaf: Leaf | None = None
    deploy: Deploy | None = None
    unknown: set[Step] = field(default_factory=set)

    def onset(self) -> datetime | None:
        """Return when the trouble began: by the metrics, put right by the first to suffer.

        A rate over a window lags; the traces know the request that was slow first. A stray one
        long before does not count.
        """
        seen = self.red.onset() if self.red else None
        if self.suspect is None:
            return seen
        first = self.suspect.first_at()
        return first if seen is None else min(seen, first)

    def region(self) -> str | None:
        """Return the one region affected; None where several are.

        The bad traces tell, wherever they come from: they are read later than the metrics, which
        may have shown the first of two regions only, or the noise of a well one.
        """
        if self.suspect is not None:
            return self.suspect.region
        return self.red.region() if self.red is not None and self.red.movements else None

    def is_code(self) -> bool:
        """Return whether the suspect spends the time itself."""
        return self.suspect is not None and not self.suspect.place.downstream
