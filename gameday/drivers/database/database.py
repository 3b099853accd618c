"""The store whole."""

from __future__ import annotations

from gameday.drivers.database.actions import ActionTables
from gameday.drivers.database.incidents import IncidentTables
from gameday.drivers.database.past import PastTables
from gameday.drivers.database.postmortems import PostmortemTables
from gameday.drivers.database.retention import RetentionTables
from gameday.drivers.database.tokens import TokenTables


class Database(
    RetentionTables, IncidentTables, ActionTables, PastTables, PostmortemTables, TokenTables
):
    """The store behind one SQLAlchemy URL: a `gameday.ports.Store`, an `IncidentStore`, an
    `ActionStore`, a `PastStore`, a `PostmortemStore` and a `RetentionStore`.

    Any number of processes may open it at the same time, and any number of threads of one share its
    connections.
    """
