"""Words about an incident, put on record from the command line into the store itself.

Whoever can write the store needs no token and no running service; nobody is paged by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from gameday.drivers.clock import SystemClock
from gameday.drivers.database import Database
from gameday.errors import UsageError
from gameday.house.run.drills import drills_of
from gameday.house.run.opening import open_store
from gameday.incidents.engine import Engine
from gameday.incidents.terms import Terms
from gameday.settings import Settings
from scoring.timeline import Fact

BY = "command line"


async def said_in_store(
    settings: Settings, about: str, kind: str, data: Mapping[str, object]
) -> Fact:
    """Put a word on record and return the fact.

    Args:
        about: id of an incident, or a run (``last``, or the beginning of its id): its drill's.

    Raises:
        UsageError: there is no such incident, or the run had none.
    """
    with open_store(settings) as store:
        incident = _incident(store, about)
        clock = SystemClock()
        terms = Terms(has_duties=False, drills=lambda: drills_of(store, now=clock.now()))
        engine = Engine(store, clock=clock, terms=terms)
        async with engine.running():
            return await engine.say(incident, kind, data, by=BY, source="operator")


def _incident(store: Database, about: str) -> str:
    if store.incident(about) is not None:
        return about
    run = store.find(about)
    found = [row.id for row in store.incidents(limit=1000) if row.drill == run]
    if not found:
        raise UsageError(f"run {run} paged nobody, and has no incident")
    return found[0]
