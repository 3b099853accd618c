"""How an incident stands beside the ones that it is part of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.incidents.alert_group import Incident
from gameday.incidents.memory import Memory
from gameday.incidents.state import IncidentState, State, state_of

KEPT = timedelta(hours=1)
"""How long a closed incident stays in memory, for the news that come late."""


def standing(
    memory: Memory, group: str, found: Incident, *, now: datetime, part_of: Sequence[str] = ()
) -> IncidentState:
    """Return how an incident stands at an instant; one that fires on is not over with its whole.

    Args:
        part_of: the incidents that are asked about already: two may have been merged in turns.
    """
    state = state_of(found, group=group, now=now)
    if state.merged_into is None or not found.waking:
        return state
    whole = memory.held(state.merged_into)
    left_at = state.closed_at
    if whole is not None and state.id not in part_of:
        other = standing(memory, *whole, now=now, part_of=(*part_of, state.id))
        if other.state is State.FALSE_ALARM:
            return state  # what was said to be the same is one, too
        # Closed after it had cleared, it was over when it had cleared; that instant stays.
        over_at = [at for at in (other.cleared_at, other.closed_at) if at is not None]
        if other.merged_into is not None or not over_at:
            return state
        left_at = min(over_at)
    return state_of(found, group=group, now=now, left_at=left_at)


def is_done(found: Incident, now: datetime) -> bool:
    """Return whether nobody will ask about it any more, and it owes nothing."""
    if found.cleared_at is None and found.closing() is None:
        return False
    state = state_of(found, group="", now=now)
    owed = [p.due_at + KEPT for p in state.phases if p.name == "postmortem" and p.due_at]
    return state.closed_at is not None and now > max((state.closed_at + KEPT, *owed))
