"""The store as the flywheel uses it: incidents that were, and the action items of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gameday.model.past_incident import (
    Chronicle,
    Contradiction,
    Dimension,
    FiledItem,
    PastIncident,
)


class PastStore(Protocol):
    """Durable memory of what was. When a method returns, its write has been committed."""

    def keep_past(
        self,
        incidents: Sequence[PastIncident],
        contradictions: Sequence[Contradiction],
        items: Sequence[FiledItem],
        exposures: Mapping[Dimension, Mapping[str, float]],
    ) -> None:
        """Write all of this in one transaction; what is there already is brought up to date.

        Of an incident that is there already the items are those that are given now.
        """

    def file_items(self, items: Sequence[FiledItem]) -> None:
        """Write action items in one transaction; one that is there already is replaced."""

    def known_wordings(self, components: Sequence[str]) -> Sequence[tuple[int, str, str]]:
        """Return (theme, component, signature) of what was worded before, in order of the theme."""

    def last_theme(self) -> int:
        """Return the number of the newest theme; 0 where there is none."""

    def actions_to_file(self) -> tuple[int, Sequence[str]]:
        """Return (the number of the newest word about our action items, the items that changed)."""

    def incidents_of_drills(self) -> Mapping[str, tuple[str, str]]:
        """Return run → (the incident of its drill, its region or nothing); of several the first."""

    def groups_without_times(self) -> Sequence[str]:
        """Return the groups of incidents whose lines an older gameday wrote, without instants."""

    def chronicle(self, *, as_of: datetime) -> Chronicle:
        """Return everything that is known until an instant; drills are none of it."""
