"""Seeing in microseconds up to which number facts were written, by whatever process.

Whoever follows a store looks several times a second and before everything that is shown, and nearly
always nothing has happened. In a SQLite file that can be seen without waiting for anybody: its
readers wait for no writer, and the end of the table lies in memory.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Glance:
    """A connection that only looks; opened at the first look."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._one_at_a_time = Lock()

    def newest(self) -> int | None:
        """Return the number of the newest fact; None where that cannot be seen at once."""
        from sqlalchemy.exc import SQLAlchemyError

        if self._engine.dialect.name != "sqlite":
            return None
        # Whoever asks properly is told what is wrong.
        with suppress(SQLAlchemyError), self._one_at_a_time:
            if self._connection is None:
                self._connection = self._engine.connect()
                self._connection.exec_driver_sql("PRAGMA busy_timeout=0")
            found = self._connection.exec_driver_sql("SELECT max(number) FROM facts")
            return found.scalar_one() or 0
        return None

    def close(self) -> None:
        """Release the connection; the next look opens another."""
        with self._one_at_a_time:
            if self._connection is not None:
                # It is not like the others any more, which wait.
                self._connection.invalidate()
                self._connection.close()
                self._connection = None
