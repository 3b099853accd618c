"""The console of `gameday serve`, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from gameday.house.service.documents import IncidentDocuments
from gameday.house.service.serve import Service, server_key
from gameday.house.targets.instruments import instruments_of_settings
from gameday.server.console.app import Console
from gameday.server.console.runs import StoredRuns
from gameday.server.console.served import GateDoors, Lookup, ServedIncidents
from gameday.server.gate import Gate
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
    instruments, documents = instruments_of_settings(settings.tools), IncidentDocuments()
    for problem in documents.problems:
        say(problem)
    lookup = Lookup(
        documents.runbook, documents.slower, partial(documents.time_scale, instruments.alerts)
    )
    console = Console(
        incidents=ServedIncidents(
            engine, link_of=running.link_of, templates=chosen.templates, lookup=lookup
        ),
        runs=StoredRuns(running.store, now=engine.now),
        sessions=Sessions(
            server_key(settings.state),
            GateDoors(gate),
            now=engine.now,
            secure=chosen.public_url.startswith("https:"),
        ),
        instruments=instruments,
        now=engine.now,
    )
    try:
        yield console
    finally:
        console.streams.close()
