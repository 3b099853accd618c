"""Closing what a run's drill left open in the list of incidents, when the run is ended for it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from gameday.errors import GamedayError
from gameday.house.run.drills import is_disposable
from gameday.house.run.judgement import open_faults
from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.state import state_of
from gameday.model.plan_record import recorded
from gameday.ports import GroupFact, WholeStore
from scoring.timeline import Fact, Kind, Timeline

MOST_INCIDENTS = 1000
"""How many open ones are looked through."""


def close_incidents(store: WholeStore, run: str, *, target: str, now: datetime) -> None:
    """Close the incidents of a run that was ended by others, as the run would have.

    Left open is what burns on a target where somebody is on call, and what is not proven gone:
    `gameday serve` has an eye on that.
    """
    facts = store.facts(run)
    if open_faults(Timeline.of(facts)):
        return
    scale = 1.0
    with suppress(GamedayError):
        plan = recorded(facts)
        scale = plan.time_scale if plan is not None else scale
    for row in store.incidents(limit=MOST_INCIDENTS, only_open=True):
        if row.drill != run:
            continue
        found = AlertGroup(row.group, store.group_facts(row.group)).incident_of(row.id)
        if found is None:
            continue
        state = state_of(found, group=row.group, now=now)
        if not state.is_open:
            store.commit((), rows=[replace(row, state=str(state.state))])
        elif state.cleared_at is not None or is_disposable(target, scale):
            said = {
                "incident": row.id,
                "text": "the game day is over",
                "anyway": True,
                "by": "gameday",
                "by_person": False,
            }
            fact = Fact.noted(f"{row.id}/ended", Kind.RESOLVED, now, source="conductor", data=said)
            closed = replace(row, state="resolved")
            store.commit([GroupFact(row.group, fact, run)], rows=[closed])
