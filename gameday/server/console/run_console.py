"""The console of one run: made before its server, told the addresses after."""

from __future__ import annotations

import secrets

from gameday.diagnosis.instruments import Instruments
from gameday.incidents import Incident
from gameday.ports import Role, Store
from gameday.server.console.app import Console
from gameday.server.console.drill import DrillIncidents
from gameday.server.console.runs import StoredRuns
from gameday.server.sessions import RunDoors, Sessions


def run_console(
    incident: Incident, *, store: Store, run: str, instruments: Instruments
) -> tuple[Console, RunDoors]:
    """Return the console of a run, and the doors whose secrets sign people in."""
    doors = RunDoors()
    console = Console(
        incidents=DrillIncidents(incident),
        runs=StoredRuns(store, now=incident.now, only=run),
        sessions=Sessions(secrets.token_bytes(32), doors, now=incident.now),
        instruments=instruments,
        now=incident.now,
        by_link=True,
    )
    return console, doors


def sign_in_links(doors: RunDoors, base_url: str) -> dict[Role, str]:
    """Return the link that signs each role in; whoever has it may come in until the run ends."""
    return {role: f"{base_url}/console/enter/{s}" for role, s in doors.secrets.items()}
