"""What every part of the store stands on: one pool of connections, and one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gameday.drivers.database.schema import in_words, open_database, writing_alone
from gameday.drivers.database.tables import Tables
from gameday.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection


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

    def close(self) -> None:
        """Release the database."""
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
