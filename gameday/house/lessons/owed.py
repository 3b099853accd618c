"""Which incidents owe a postmortem, and how each stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gameday.errors import GamedayError
from gameday.house.lessons.incident_story import state_in_store
from gameday.incidents.state import IncidentState, State
from gameday.model.postmortem import Postmortem
from gameday.model.record import IncidentRow
from gameday.ports import IncidentStore, PostmortemStore

__all__ = ["BACK", "OwedPostmortem", "owed_postmortems"]

BACK = timedelta(days=30)
"""How far back is looked for what was never written; older than that nobody remembers enough."""

MOST_INCIDENTS = 1000
"""How many are looked through, the newest first."""


@dataclass(frozen=True, slots=True)
class OwedPostmortem:
    """A postmortem that somebody owes.

    Attributes:
        postmortem: what there is of it; None: nothing.
    """

    incident: IncidentState
    due_at: datetime
    postmortem: Postmortem | None

    def is_late(self, now: datetime) -> bool:
        """Return whether it is not published and should be."""
        is_published = self.postmortem is not None and self.postmortem.published_at is not None
        return not is_published and now > self.due_at


def owed_postmortems(
    incidents: IncidentStore,
    postmortems: PostmortemStore,
    *,
    now: datetime,
    passed_over: Collection[str] = (),
) -> Sequence[OwedPostmortem]:
    """Return the closed incidents that owe one and began lately, oldest first.

    What cannot be read owes nothing that anybody could write.

    Args:
        passed_over: ids that are known to owe nothing more.
    """
    found = []
    for row in incidents.incidents(limit=MOST_INCIDENTS):
        if row.id in passed_over or not _may_owe(row, now):
            continue
        try:
            state = state_in_store(incidents, row.id, now=now)
        except GamedayError:
            continue
        due = next((p.due_at for p in state.phases if p.name == "postmortem"), None)
        if state.state is State.RESOLVED and due is not None:
            found.append(OwedPostmortem(state, due, postmortems.postmortem(row.id)))
    return sorted(found, key=lambda one: (one.due_at, one.incident.id))


def _may_owe(row: IncidentRow, now: datetime) -> bool:
    return (
        row.severity.postmortem_within is not None
        and row.state == State.RESOLVED
        and row.pruned_at is None
        and row.opened_at > now - BACK
    )
