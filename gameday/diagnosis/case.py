"""What a responder knows about one incident so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gameday.diagnosis import findings
from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.graph import Accused
from gameday.diagnosis.links import Dashboard
from gameday.diagnosis.red import RedReading
from gameday.diagnosis.stacks import Leaf, ProfileReading
from gameday.diagnosis.suspicion import Suspect
from gameday.model.page import Finding, Page, Step
from gameday.model.signals import Blame, Deploy

TALKING = 0.75
"""From this share of waiting for others on, a profile contradicts a cause in code."""


@dataclass(slots=True)
class Case:
    """One incident under diagnosis; filled step by step, None where a step found nothing.

    Attributes:
        accused: whom the graph of calls accuses, where there are no traces.
        leaf: the function at fault, for a cause in code.
        blamed: who changed that function last.
        deploy: the deploy that explains the onset.
        unknown: steps that could not be done.
    """

    page: Page
    dashboard: Dashboard | None = None
    red: RedReading | None = None
    suspect: Suspect | None = None
    accused: Accused | None = None
    leaf: Leaf | None = None
    blamed: Blame | None = None
    deploy: Deploy | None = None
    unknown: set[Step] = field(default_factory=set)

    def place(self) -> Hop | None:
        """Return who is to blame, by the traces or by the graph of calls."""
        if self.suspect is not None:
            return self.suspect.place
        return self.accused.place if self.accused is not None else None

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
        """Return whether who is to blame spends the time itself."""
        place = self.place()
        return place is not None and not place.downstream

    def judge_profile(self, suspect: Suspect, reading: ProfileReading | None) -> Finding:
        """Keep the leaf of a cause in code, and return what the profile showed.

        Args:
            reading: None: the profiler saw nothing of these traces.
        """
        contradicted = reading is not None and reading.talking_ratio >= TALKING
        if self.is_code() and reading is not None and reading.working and not contradicted:
            self.leaf = reading.working
            return findings.profile(suspect, reading.working, revision_of(suspect))
        return findings.waiting(suspect, reading, revision_of(suspect))


def revision_of(suspect: Suspect) -> str | None:
    """Return which revision the accused service ran; None where its spans do not say."""
    value = suspect.example.resource.get("vcs.ref.head.revision") or suspect.example.resource.get(
        "service.version"
    )
    return str(value) if value else None


def repository_of(suspect: Suspect) -> str | None:
    """Return where the accused service's code lies; None where its spans do not say."""
    value = suspect.example.resource.get("vcs.repository.url.full")
    return str(value) if value else None
