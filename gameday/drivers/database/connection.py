"""What every part of the store stands on: one pool of connections, and one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from gameday.drivers.database.schema import in_words, open_database, writing_alone
from gameday.drivers.database.tables import Tables
from gameday.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Connected:
    """A database whose schema is up to date.

    Raises:
        StoreError: it cannot be opened or was written by a newer gameday.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        self._sa = sa
        self._tables = Tables()
        self._engine = open_database(url)
        self._glance = Glance(self._engine)

    def close(self) -> None:
        """Release the database."""
        self._glance.close()
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the store cannot be used: {in_words(error, self._engine)}"
            ) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._explained(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Yield a transaction that no other writer's overlaps, in any process.

        Then a fact's number is taken in the order of the commits, what was looked at before a write
        still holds when it is committed, and a fence that was given holds from that instant on.
        """
        with self._explained(), writing_alone(self._engine) as connection:
            yield connection

    def _insert(self, table: Any) -> Any:
        """Return an insert that can say what to do about a row that is there already."""
        if self._engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
            # Two functions of one shape; each dialect has a class of its own.
        return insert(table)


class Glance:
    """Sees in microseconds whether anything was written, by whatever process.

    Who follows a store looks several times a second, and nearly always nothing has happened. Only
    SQLite has this; a query there is as quick as anywhere, and SQLAlchemy's part of it is not.

    Source: https://sqlite.org/pragma.html#pragma_data_version. The number differs from the last one
    the same connection was told if another connection has committed in between.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._one_at_a_time = Lock()

    def version(self) -> int | None:
        """Return a number that is another one after any commit; None: the database has none."""
        if self._engine.dialect.name != "sqlite":
            return None
        with self._one_at_a_time:
            if self._connection is None:
                self._connection = self._engine.connect()
            return int(self._connection.exec_driver_sql("PRAGMA data_version").scalar_one())

    def close(self) -> None:
        """Release the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
