"""The store whole."""

from __future__ import annotations

from gameday.drivers.database.incidents import IncidentTables
from gameday.drivers.database.runs import RunTables
from gameday.drivers.database.tokens import TokenTables


class Database(RunTables, IncidentTables, TokenTables):
    """The store behind one SQLAlchemy URL: a `gameday.ports.Store`, and an `IncidentStore`.

    Any number of processes may open it at the same time, and any number of threads of one share its
    connections.
    """
