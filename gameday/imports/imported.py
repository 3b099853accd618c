"""An incident as it was read, with all that its record says beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gameday.model.past_incident import Contradiction, Dimension, PastIncident, PastItem

__all__ = ["Imported", "Histories"]


@dataclass(frozen=True, slots=True)
class Imported:
    """One incident, its action items, and what in its record cannot all be true."""

    incident: PastIncident
    items: Sequence[PastItem] = ()
    contradictions: Sequence[Contradiction] = ()


@dataclass(frozen=True, slots=True)
class Histories:
    """What was read of files.

    Attributes:
        incidents: ordered by when they began.
        exposures: how much of what incidents come of each value had.
        unread: what could not be read, each in a sentence that names the file and the line.
    """

    incidents: Sequence[Imported]
    exposures: Mapping[Dimension, Mapping[str, float]]
    unread: Sequence[str] = ()
