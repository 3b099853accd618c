"""The schema's history: old stores are brought up to date, newer ones are refused."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from gameday.drivers.database import Database
from gameday.drivers.database.schema import HEAD, MIGRATIONS, TABLE, open_database
from gameday.errors import StoreError, UsageError

RUNS_1 = """
CREATE TABLE runs (id VARCHAR NOT NULL, scenario VARCHAR NOT NULL, target VARCHAR NOT NULL,
    started_at VARCHAR NOT NULL, ended_at VARCHAR, verdict VARCHAR, percent FLOAT,
    documents TEXT NOT NULL, result TEXT, PRIMARY KEY (id));
CREATE INDEX ix_runs_started_at ON runs (started_at);
CREATE TABLE facts (run VARCHAR NOT NULL, number INTEGER NOT NULL, kind VARCHAR NOT NULL,
    fact TEXT NOT NULL, PRIMARY KEY (run, number));
CREATE TABLE undos (id VARCHAR NOT NULL, run VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    description VARCHAR NOT NULL, command VARCHAR NOT NULL, data TEXT NOT NULL,
    stored_at VARCHAR NOT NULL, proven_at VARCHAR, PRIMARY KEY (id));
CREATE INDEX ix_undos_run ON undos (run);
CREATE TABLE orders (number INTEGER NOT NULL, kind VARCHAR NOT NULL, run VARCHAR,
    reason VARCHAR NOT NULL, "by" VARCHAR NOT NULL, given_at VARCHAR NOT NULL,
    lifted_at VARCHAR, PRIMARY KEY (number));
CREATE INDEX ix_orders_run ON orders (run);
INSERT INTO runs VALUES ('r1', 's', 't', '2026-01-05T09:00:00+00:00', NULL, NULL, NULL, '{}', NULL);
PRAGMA user_version=1;
"""
"""What the first gameday wrote, with a run in it."""

INCIDENTS_1 = """
CREATE TABLE incident_schema (version INTEGER NOT NULL, PRIMARY KEY (version));
INSERT INTO incident_schema VALUES (1);
CREATE TABLE incidents (id VARCHAR NOT NULL, line VARCHAR NOT NULL, service VARCHAR NOT NULL,
    slo VARCHAR NOT NULL, severity VARCHAR NOT NULL, opened_at VARCHAR NOT NULL,
    state VARCHAR NOT NULL, drill VARCHAR, merged_into VARCHAR, PRIMARY KEY (id));
CREATE TABLE incident_facts (number INTEGER NOT NULL, id VARCHAR NOT NULL, line VARCHAR NOT NULL,
    kind VARCHAR NOT NULL, fact TEXT NOT NULL, PRIMARY KEY (number), UNIQUE (id));
CREATE TABLE tokens (id VARCHAR NOT NULL, hash VARCHAR NOT NULL, role VARCHAR NOT NULL,
    name VARCHAR NOT NULL, created_at VARCHAR NOT NULL, revoked_at VARCHAR,
    PRIMARY KEY (id), UNIQUE (hash));
CREATE TABLE audit (number INTEGER NOT NULL, at VARCHAR NOT NULL, who VARCHAR NOT NULL,
    what VARCHAR NOT NULL, about VARCHAR NOT NULL, PRIMARY KEY (number));
INSERT INTO incidents VALUES
    ('I', 'a/b', 'a', 'b', 'SEV-2', '2026-01-05T09:00:00+00:00', 'triggered', NULL, NULL);
"""
"""What the first `gameday serve` added, with an incident in it."""


def made(path: Path, *scripts: str) -> str:
    with sqlite3.connect(path) as connection:
        for script in scripts:
            connection.executescript(script)
    connection.close()
    return f"sqlite:///{path}"


@contextmanager
def holding(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield another process's connection, as it were, that is about to write a first time."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    finally:
        connection.close()


def open_files(folder: Path) -> list[str]:
    """Return what this process holds open below a folder."""
    return [f.path for f in psutil.Process().open_files() if Path(f.path).is_relative_to(folder)]


def held(url: str) -> tuple[list[str], list[str]]:
    store = Database(url)
    found = [r.id for r in store.runs()], [r.id for r in store.incidents()]
    store.close()
    return found


def shape(url: str) -> dict[str, set[tuple[str, bool]]]:
    """Return the tables of a database with their columns and whether each may be empty."""
    engine = sa.create_engine(url)
    look = sa.inspect(engine)
    found = {
        t: {(c["name"], bool(c["nullable"])) for c in look.get_columns(t)}
        for t in look.get_table_names()
    }
    engine.dispose()
    return found


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ((), ([], [])),
        ((RUNS_1,), (["r1"], [])),
        ((INCIDENTS_1,), ([], ["I"])),
        ((RUNS_1, INCIDENTS_1), (["r1"], ["I"])),
    ],
    ids=["nothing", "runs", "incidents", "both"],
)
def test_a_store_of_the_first_gameday_opens_with_all_that_is_in_it(
    tmp_path: Path, scripts: tuple[str, ...], expected: object
) -> None:
    old = made(tmp_path / "old.db", *scripts)
    new = made(tmp_path / "new.db")

    assert expected == held(old) == held(old)
    held(new)
    assert shape(new) == shape(old)


def test_a_gameday_that_knows_only_the_first_schema_is_told_to_stay_away(tmp_path: Path) -> None:
    held(url := made(tmp_path / "old.db", RUNS_1, INCIDENTS_1))

    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        numbers = [
            connection.execute(ask).fetchone()[0]
            for ask in ("PRAGMA user_version", "SELECT version FROM incident_schema")
        ]
    connection.close()
    assert [2, 2] == numbers


def test_a_store_of_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    held(url := made(tmp_path / "x.db"))
    made(tmp_path / "x.db", f"UPDATE {TABLE} SET version_num = '9999'")

    with pytest.raises(StoreError, match=r"newer gameday .schema 9999, this one knows") as refused:
        Database(url)

    assert [] == open_files(tmp_path), refused


def test_the_newest_migration_is_the_one_that_is_asked_for() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert [HEAD] == ScriptDirectory.from_config(config).get_heads()


def test_two_processes_that_make_the_store_at_once_both_have_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    gate = threading.Barrier(2)
    errors: list[Exception] = []

    def make() -> None:
        gate.wait()
        try:
            Database(url).close()
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == errors


def test_a_database_that_another_holds_is_opened_when_that_one_lets_go(tmp_path: Path) -> None:
    url = made(tmp_path / "x.db", "CREATE TABLE of_another (x)")
    with holding(tmp_path / "x.db") as holder:
        waits = 0

        def wait(_seconds: float) -> None:
            nonlocal waits
            waits += 1
            holder.execute("ROLLBACK")

        open_database(url, wait=wait).dispose()

    assert 1 == waits


def test_a_database_that_another_holds_for_long_is_no_matter_of_the_folder(tmp_path: Path) -> None:
    url = made(tmp_path / "x.db", "CREATE TABLE of_another (x)")

    with (
        holding(tmp_path / "x.db"),
        pytest.raises(StoreError, match="database is locked; another process holds") as caught,
    ):
        open_database(url, patience=timedelta(0))

    assert "GAMEDAY_STATE" not in str(caught.value)
    assert [] == open_files(tmp_path)


def test_a_database_that_cannot_be_opened_is_left_closed(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database at all" * 100)

    with pytest.raises(StoreError, match="put a backup in its place") as refused:
        Database(f"sqlite:///{tmp_path / 'x.db'}")

    assert [] == open_files(tmp_path), refused  # whose traceback would keep a connection alive


def test_a_folder_that_cannot_be_written_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="set GAMEDAY_STATE to a folder that can be written"):
        Database(f"sqlite:///{tmp_path / 'file' / 'x.db'}")


def test_a_store_that_cannot_be_reached_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="GAMEDAY_DATABASE_URL") as caught:
        Database(
            "postgresql+psycopg://gameday:hunter2@127.0.0.1:1/gameday"
            "?connect_timeout=1&password=hunter2"
        )

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "postgresql://me:hunter2@host:port/x"])
def test_what_is_no_database_url_is_said_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError, match="is no database URL") as caught:
        Database(url)

    assert url not in str(caught.value)


@pytest.mark.served
def test_postgresql_gets_the_same_tables(tmp_path: Path, postgres: Callable[[], str]) -> None:
    held(lite := made(tmp_path / "x.db"))
    held(real := postgres())

    assert shape(lite) == shape(real)
