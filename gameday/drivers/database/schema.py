"""Opening a database, and bringing what is in it up to date.

The schema has one history, as Alembic's migrations beside this file. A database that is up to date
costs one look; a new one, and one of an older gameday, is migrated in one transaction, by one
process at a time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday import private
from gameday.errors import StoreError, UsageError
from gameday.extras import Extra, require
from gameday.settings.values import covered

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0009"
"""The newest revision; a test holds it against the migrations."""

TABLE = "gameday_schema"
"""Where the revision stands; not Alembic's usual name, since the database may hold more than us."""

MIGRATIONS = Path(__file__).parent / "migrations"

OPENING = timedelta(seconds=15)
"""How long a database that another process holds is tried again when it is opened.

No heartbeat waits for it yet, so it may take longer than a write; a migration by another process,
on a machine that is busy with other things, has taken two seconds."""

_BUSY_MS = 3000
"""How long SQLite itself waits for a locked file: less long than a run's heartbeat may be late."""

_LOG_BYTES = 16 * 1024 * 1024
"""Of a SQLite file's log, when nothing is left in it to write: a storm's is four."""

BORNE = {
    "lock_timeout": timedelta(seconds=4),
    "statement_timeout": timedelta(seconds=8),
    "idle_in_transaction_session_timeout": timedelta(seconds=8),
}
"""What PostgreSQL bears from a session of ours, by its settings' names.

A session that is stuck would else hold what all others write with for as long as it lives: one that
waits is told no and tries again, and one that stopped in the middle is ended by the server.
"""

_LOCK = 0x67616D65
"""Of PostgreSQL's advisory locks; any number would do that nobody else takes."""


def open_database(
    url: str,
    *,
    patience: timedelta = OPENING,
    wait: Callable[[float], None] = time.sleep,
) -> Engine:
    """Return an engine on a database whose schema is up to date; whoever asks disposes of it.

    Args:
        patience: how long it is tried again while another process holds it.
        wait: waits so many seconds between two tries.

    Raises:
        UsageError: the URL is none.
        NotInstalled: the driver of PostgreSQL is not.
        StoreError: it cannot be opened or brought up to date, or was written by a newer gameday.
    """
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:  # the latter of a port that is no number
        raise UsageError(
            "GAMEDAY_DATABASE_URL is no database URL: write for example"
            " postgresql+psycopg://user:password@host/gameday"
        ) from error
    # Without the passwords, also those of the query: the sentence ends in logs.
    where = covered(parsed.render_as_string(hide_password=False))
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        require(Extra.POSTGRES)
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            if is_sqlite and parsed.database:
                _make_file(Path(parsed.database))
            return _opened(url, where, is_sqlite=is_sqlite)
        except (sa.exc.SQLAlchemyError, OSError, ImportError) as error:
            if not _is_held_by_another(error) or time.monotonic() >= deadline:
                raise StoreError(
                    f"the store {where!r} cannot be opened: {_first_line(error)}; "
                    f"{_next_step(error, is_sqlite=is_sqlite)}"
                ) from error
        # Not in step with whoever else tries.
        wait(random.uniform(0.02, 0.1))


def _make_file(path: Path) -> None:
    """Have the database's file be its owner's alone before SQLite opens it."""
    if not path.parent.exists():
        private.folder(path.parent)
    if not path.name.startswith((":", "file:")):  # neither memory nor a URI
        private.tighten_file(path)


def _opened(url: str, where: str, *, is_sqlite: bool) -> Engine:
    import sqlalchemy as sa

    # A connection that broke while nobody looked is found out before it is used.
    engine: Engine = sa.create_engine(url, pool_pre_ping=not is_sqlite)
    try:
        if is_sqlite:
            sa.event.listen(engine, "connect", _make_durable)
        elif engine.dialect.name == "postgresql":
            sa.event.listen(engine, "connect", _make_bounded)
        with engine.connect() as connection:
            found = _revision(connection)
        if found != HEAD:
            _upgrade(engine, where)
            if is_sqlite and found is not None:
                _make_shrinking(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _upgrade(engine: Engine, where: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with writing_alone(engine, migrates=True) as connection:
        # Again, now that nobody else can be at it.
        found = _revision(connection)
        if found is not None and found not in known:
            raise StoreError(
                f"the store {where!r} was written by a newer gameday (schema {found}, this one "
                f"knows {HEAD}): upgrade gameday, or set GAMEDAY_STATE to another folder"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _make_shrinking(engine: Engine) -> None:
    """Have the file of an older gameday give back what is deleted, where nobody else holds it now.

    It is written anew for that, once. Where it cannot be, what is deleted is filled again instead.
    """
    import sqlalchemy as sa

    with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
        if not connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one():
            # As autocommit, for it may be in no transaction.
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM")


def _revision(connection: Connection) -> str | None:
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table(TABLE):
        return None
    found = connection.scalar(sa.text(f"select version_num from {TABLE}"))
    return None if found is None else str(found)


@contextmanager
def writing_alone(engine: Engine, *, migrates: bool = False) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other such one overlaps, in any process.

    Args:
        migrates: whether it may take as long as a table is large, and wait for another that does.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            if migrates:
                waits = _milliseconds(OPENING)
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {waits}")
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection
        connection.commit()


def _make_durable(connection: Any, _record: object) -> None:
    try:
        # First, so that what follows waits for others too.
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        # What is deleted is given back to the disk; of a file that has tables already this changes
        # nothing, see `_make_shrinking`. Before WAL, which writes the file's first page.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        # WAL lets `gameday show` read while a run writes; FULL makes a commit survive the loss of
        # power, which is what "durable before acknowledged" means. The switch to WAL takes the
        # whole file, and SQLite does not wait for that whatever the timeout: `open_database` does.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        # The log of a large transaction is cut again once it is in the file.
        connection.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
    except BaseException:
        # The pool of SQLAlchemy 2.0 leaves a connection open whose listener failed.
        connection.close()
        raise


def _make_bounded(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        for name, at_most in BORNE.items():
            # Of the session: startup options do not come through every pooler.
            cursor.execute(f"SET {name} = {_milliseconds(at_most)}")
    connection.commit()


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


_SQLITE_BUSY, _SQLITE_LOCKED = 5, 6
_SQLITE_FULL, _SQLITE_CORRUPT, _SQLITE_NOT_A_DATABASE = 13, 11, 26
# Source: https://sqlite.org/rescode.html, primary result codes.


def _is_held_by_another(error: Exception) -> bool:
    """Return whether nothing is wrong but that another holds the database now."""
    return _sqlite_code(error) in (_SQLITE_BUSY, _SQLITE_LOCKED)


def in_words(error: Exception, engine: Engine) -> str:
    """Return what went wrong in an open database, and what to do next."""
    is_sqlite = engine.dialect.name == "sqlite"
    return f"{_first_line(error)}; {_next_step(error, is_sqlite=is_sqlite)}"


def _next_step(error: Exception, *, is_sqlite: bool) -> str:
    """Return what to do about an error of the database, as the end of a sentence."""
    if isinstance(error, ImportError):
        return "install the driver that GAMEDAY_DATABASE_URL asks for, or name another database"
    if not is_sqlite:
        return "look at GAMEDAY_DATABASE_URL, and whether the database is up"
    code = _sqlite_code(error)
    if code in (_SQLITE_BUSY, _SQLITE_LOCKED):
        return (
            "another process holds the file: try again, and where that does not help end the one "
            "that holds it (`fuser -v FILE` names it)"
        )
    if code == _SQLITE_FULL:
        return "make room on its disk"
    if code in (_SQLITE_CORRUPT, _SQLITE_NOT_A_DATABASE):
        return "put a backup in its place, or set GAMEDAY_STATE to another folder"
    return "set GAMEDAY_STATE to a folder that can be written"


def _sqlite_code(error: Exception) -> int | None:
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    # The low byte is the primary code; the rest says more exactly what happened.
    return None if code is None else int(code) & 0xFF


def _first_line(error: Exception) -> str:
    """Return the first line of what the database says is wrong."""
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return lines[0] if lines else type(error).__name__
