"""Opening a database, and bringing what is in it up to date.

The schema has one history, as Alembic's migrations beside this file. A database
that is up to date costs one look; a new one, and one of an older gameday, is migrated in one
transaction, by one process at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0004"
"""The newest revision; a test holds it against the migrations."""

TABLE = "gameday_schema"
"""Where the revision stands; not Alembic's usual name, since the database may hold more than us."""

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x67616D65
"""Of PostgreSQL's advisory locks; any number would do that nobody else takes."""


def open_database(url: str, *, what: str) -> Engine:
    """Return an engine on a database whose schema is up to date.

    Args:
        what: the store that is opened, for the sentence that says why it cannot be.

    Raises:
        StoreError: it cannot be opened or brought up to date, or was written by a newer gameday.
    """
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(
            "GAMEDAY_DATABASE_URL is no database URL: write for example"
            " postgresql+psycopg://user:password@host/gameday"
        ) from error
    # Without the password: the sentence ends in logs.
    where = parsed.render_as_string(hide_password=True)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    try:
        if is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        # A connection that broke while nobody looked is found out before it is used.
        engine: Engine = sa.create_engine(url, pool_pre_ping=not is_sqlite)
        if is_sqlite:
            sa.event.listen(engine, "connect", _make_durable)
        with engine.connect() as connection:
            found = _revision(connection)
        if found != HEAD:
            _upgrade(engine, where)
    except (sa.exc.SQLAlchemyError, OSError, ImportError) as error:
        next_step = (
            "set GAMEDAY_STATE to a folder that can be written"
            if is_sqlite
            else "look at GAMEDAY_DATABASE_URL, and whether the database is up"
        )
        raise StoreError(
            f"{what} {where!r} cannot be opened: {first_line(error)}; {next_step}"
        ) from (error)
    return engine


def _upgrade(engine: Engine, where: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with writing_alone(engine) as connection:
        # Again, now that nobody else can be at it.
        found = _revision(connection)
        if found is not None and found not in known:
            raise StoreError(
                f"the store {where!r} was written by a newer gameday (schema {found}, this one "
                f"knows {HEAD}): upgrade gameday, or set GAMEDAY_STATE to another folder"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table(TABLE):
        return None
    found = connection.scalar(sa.text(f"select version_num from {TABLE}"))
    return None if found is None else str(found)


@contextmanager
def writing_alone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other such one overlaps, in any process."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection
        connection.commit()


def _make_durable(connection: Any, _record: object) -> None:
    # WAL lets `gameday show` read while a run writes; FULL makes a commit survive the loss of
    # power, which is what "durable before acknowledged" means. A run waits for a locked file less
    # long than its heartbeat may be late.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=3000")


def first_line(error: Exception) -> str:
    """Return the first line of what the database says is wrong."""
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return lines[0] if lines else type(error).__name__
