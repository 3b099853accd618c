"""How an incident stands beside the ones that it is part of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.incidents.duties import AFTER, next_due
from gameday.incidents.incident import QUIET, Incident
from gameday.incidents.memory import Memory
from gameday.incidents.state import IncidentState, State, state_of

KEPT = timedelta(hours=1)
"""How long a closed incident stays in memory, for the news that come late."""


def standing(memory: Memory, group: str, found: Incident, *, now: datetime) -> IncidentState:
    """Return how an incident stands at an instant; one that fires on is not over with its whole."""
    state = state_of(found, group=group, now=now)
    if state.merged_into is None or not found.waking:
        return state
    left_at = _left_at(memory, state, now)
    return state if left_at is None else state_of(found, group=group, now=now, left_at=left_at)


def _left_at(memory: Memory, state: IncidentState, now: datetime) -> datetime | None:
    """Return since when what a merged incident is part of is over; None: that goes on.

    What it was merged into may have been merged itself: it goes with that one then, for as long as
    that goes on.
    """
    held = memory.held(state.merged_into or "")
    if held is None:
        return _merged_at(state)
    group, found = held
    whole = state_of(found, group=group, now=now)
    circle = _circle(memory, state, now)
    if circle and state.id == min(circle, key=lambda s: (_merged_at(s), s.id)).id:
        # Merged in turns, somebody has to be the whole: what was said first was taken back then.
        alone = state_of(found, group=group, now=now, left_at=_merged_at(whole))
        latest = max(map(_merged_at, circle))
        return min(latest, _over_at(alone) or latest)
    left_at = None
    if whole.merged_into is not None:
        left_at = _left_at(memory, whole, now)
        if left_at is None:
            return None
        whole = state_of(found, group=group, now=now, left_at=left_at)
    if whole.state is State.FALSE_ALARM:
        return None  # what was said to be the same is one, too
    over_at = _over_at(whole)
    return max(over_at, left_at or over_at) if over_at else None


def _over_at(whole: IncidentState) -> datetime | None:
    """Return since when an incident is over; None: it goes on."""
    # Closed after it had cleared, it was over when it had cleared; that instant stays.
    return min((at for at in (whole.cleared_at, whole.closed_at) if at), default=None)


def _circle(memory: Memory, state: IncidentState, now: datetime) -> Sequence[IncidentState]:
    """Return the incidents that were merged in turns, this one among them; mostly none."""
    found = {state.id: state}
    last = state
    while (held := memory.held(last.merged_into or "")) is not None:
        last = state_of(held[1], group=held[0], now=now)
        if last.merged_into is None:
            return ()
        if last.id in found:
            return tuple(found.values()) if last.id == state.id else ()
        found[last.id] = last
    return ()


def _merged_at(state: IncidentState) -> datetime:
    assert state.closed_at is not None, "a merged incident was merged at some time"
    return state.closed_at


def is_done(found: Incident, now: datetime) -> bool:
    """Return whether nobody will ask about it any more, and it owes nothing."""
    if found.cleared_at is None and found.closing() is None:
        return False
    kept_until = _kept_until(state_of(found, group="", now=now))
    return kept_until is not None and now > kept_until


def stands_until(found: Incident, state: IncidentState, *, now: datetime) -> datetime | None:
    """Return the first instant from now on at which an incident may not be as it is.

    That is: not stand so, ask for something else, or be done, as long as nothing is heard of it.
    None: it stays so. One that goes with another may change with every word about that one, so
    of it that is now.

    Args:
        state: how it stands now, see `standing`.
    """
    if found.waking and (state.merged_into is not None or state.left_at is not None):
        return now
    limits = (_kept_until(state), state.cleared_at + QUIET if state.cleared_at else None)
    found_out = [limit + AFTER for limit in limits if limit is not None]
    due = next_due(state, now=now)
    return min((at for at in (*found_out, *([due] if due else ())) if at > now), default=None)


def _kept_until(state: IncidentState) -> datetime | None:
    """Return until when an incident may still be asked about, or owe something; None: open."""
    if state.closed_at is None:
        return None
    owed = [p.due_at + KEPT for p in state.phases if p.name == "postmortem" and p.due_at]
    return max((state.closed_at + KEPT, *owed))
