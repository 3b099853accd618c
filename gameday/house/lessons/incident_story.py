"""An incident out of the store, as a postmortem tells it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gameday.errors import Pruned, Refused, UsageError
from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.state import IncidentState, state_of
from gameday.model.postmortem import Impact, IncidentStory, StoryPhase
from gameday.model.record import IncidentRow
from gameday.ports import IncidentStore
from scoring.timeline import Fact, Kind, Timeline

__all__ = ["state_in_store", "story_of"]

DEPLOYS_BEFORE = timedelta(days=1)
"""How long before an incident a deploy may have been to be told beside it."""

_ALERTS = (Kind.PAGE_RECEIVED, Kind.PAGE_RESOLVED)


def state_in_store(store: IncidentStore, id: str, *, now: datetime) -> IncidentState:
    """Return how an incident stands, by what the store has of it.

    Raises:
        UsageError: there is no such incident.
        Pruned: it is gone but for its line.
        Refused: it was merged into another one, which is the one to tell of.
    """
    row = store.incident(id)
    if row is None:
        raise UsageError(f"there is no incident {id!r}; `gameday incident list --all` shows them")
    state = _state(store, row, now=now)
    if state is None:
        if row.pruned_at is not None:
            kept = row.pruned_after or timedelta(0)
            raise Pruned(f"incident {id}", at=row.pruned_at, after=kept)
        raise UsageError(f"the facts of incident {id!r} are not in this store")
    if state.merged_into is not None:
        raise Refused(f"{id} was merged into {state.merged_into}, which has the postmortem")
    return state


def _state(store: IncidentStore, row: IncidentRow, *, now: datetime) -> IncidentState | None:
    group = AlertGroup(row.group, store.group_facts(row.group))
    found = group.incident_of(row.id)
    return None if found is None else state_of(found, group=row.group, now=now)


def story_of(store: IncidentStore, state: IncidentState) -> IncidentStory:
    """Return an incident as a postmortem tells it; what it cost is not measured yet."""
    postmortem = next((p for p in state.phases if p.name == "postmortem"), None)
    return IncidentStory(
        id=state.id,
        summary=state.summary,
        service=state.service,
        slo=state.slo,
        severity=state.severity,
        alert=state.first.told.name or state.slo,
        drill=state.drill,
        starts_at=state.starts_at,
        paged_at=state.paged_at,
        cleared_at=state.cleared_at,
        resolved_at=state.closed_at,
        due_at=postmortem.due_at if postmortem is not None else None,
        phases=tuple(
            StoryPhase(p.name, p.at, p.due_at, p.verdict(state.now)) for p in state.phases
        ),
        timeline=Timeline.of(_facts(store, state)),
        deploys=_deploys(store, state),
        impact=Impact("it was not measured"),
    )


def _facts(store: IncidentStore, state: IncidentState) -> Sequence[Fact]:
    """Return what was heard of the incident's alerts, and everything that was said about it."""
    alerts = {firing.told.fingerprint for firing in state.firings}
    until = state.closed_at or state.now
    heard = [
        fact
        for fact in store.group_facts(state.group)
        if fact.kind in _ALERTS
        and fact.data.get("fingerprint") in alerts
        and state.starts_at <= fact.recorded_at <= until
    ]
    return sorted((*heard, *state.events), key=lambda fact: (fact.happened_at, fact.id))


def _deploys(store: IncidentStore, state: IncidentState) -> tuple[Fact, ...]:
    since = state.starts_at - DEPLOYS_BEFORE
    facts = store.group_facts(f"deploy:{state.service}")
    recent = [fact for fact in facts if since <= fact.happened_at <= state.starts_at]
    return tuple(sorted(recent, key=lambda fact: fact.happened_at))
