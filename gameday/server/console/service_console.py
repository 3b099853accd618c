"""The console of `gameday serve`, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gameday.house.service.key import server_key
from gameday.house.service.serve import Service
from gameday.server.console.app import Console
from gameday.server.console.incidents import EngineIncidents
from gameday.server.console.lessons import StoredLessons
from gameday.server.console.runs import StoredRuns
from gameday.server.gate import Gate, GateDoors
from gameday.server.sessions import Sessions
from gameday.settings import Settings


@contextmanager
def service_console(
    running: Service, gate: Gate, *, settings: Settings, say: Callable[[str], None]
) -> Iterator[Console]:
    """Yield the console over a running service's incidents and its store's game days.

    Args:
        say: told what cannot be read around the service: a runbook, an SLO.
    """
    engine, chosen = running.engine, running.settings
    for problem in running.problems:
        say(problem)
    console = Console(
        incidents=EngineIncidents(
            engine,
            link_of=running.link_of,
            lookup=running.lookup,
            facts_of=running.store.facts,
        ),
        runs=StoredRuns(running.store, now=engine.now),
        lessons=StoredLessons(running.store),
        sessions=Sessions(
            server_key(settings.state),
            GateDoors(gate),
            now=engine.now,
            secure=chosen.public_url.startswith("https:"),
        ),
        instruments=running.instruments,
        now=engine.now,
    )
    try:
        yield console
    finally:
        console.streams.close()
