"""Opening what outlives a command: the store of runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gameday.drivers.database import Database
from gameday.settings import Settings


@contextmanager
def open_store(settings: Settings | None = None) -> Iterator[Database]:
    """Open the store of runs, create it at first use, close it at the end."""
    chosen = settings or Settings.from_environment()
    database = Database(chosen.database_url)
    try:
        yield database
    finally:
        database.close()
