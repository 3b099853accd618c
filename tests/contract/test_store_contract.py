"""The stores: in memory, in SQLite, and in a real PostgreSQL.

With GAMEDAY_TEST_POSTGRES_URL (``postgresql+psycopg://…``) the last is a server of your own, in
which databases are made and dropped; otherwise one is started for the occasion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.drivers.database import Database
from gameday.ports import GroupFact
from gameday.testing.contracts import (
    ActionStoreContract,
    IncidentStoreContract,
    OpensSharedStore,
    PostmortemStoreContract,
    StoreContract,
)
from gameday.testing.memory import MemoryStore
from scoring.timeline import Fact

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@contextmanager
def opening(url: str) -> Iterator[OpensSharedStore]:
    opened: list[Database] = []

    def another() -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield another
    for database in opened:
        database.close()


class TestStoreInMemory(
    StoreContract, IncidentStoreContract, ActionStoreContract, PostmortemStoreContract
):
    @pytest.fixture
    def subject(self) -> OpensSharedStore:
        memory = MemoryStore()
        return lambda: memory


class TestStoreInSqlite(
    StoreContract, IncidentStoreContract, ActionStoreContract, PostmortemStoreContract
):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Iterator[OpensSharedStore]:
        with opening(f"sqlite:///{tmp_path / 'gameday.db'}") as another:
            yield another


@pytest.mark.served
class TestStoreInPostgresql(
    StoreContract, IncidentStoreContract, ActionStoreContract, PostmortemStoreContract
):
    @pytest.fixture
    def subject(self, postgres: Callable[[], str]) -> Iterator[OpensSharedStore]:
        with opening(postgres()) as another:
            yield another


# --- what stores do differently -------------------------------------------------------------------


def said(number: int) -> GroupFact:
    return GroupFact("a/b", Fact(f"f{number}", "page.received", NOON, NOON, "alertmanager"))


def test_a_file_and_a_memory_tell_at_a_glance(tmp_path: Path) -> None:
    file = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    for store in (file, MemoryStore()):
        before = store.glance()

        store.commit([said(1)])

        assert (0, 1) == (before, store.glance())
    file.close()


@pytest.mark.served
def test_a_store_whose_connections_were_cut_goes_on(postgres: Callable[[], str]) -> None:
    import sqlalchemy as sa

    url = postgres()
    store = Database(url)
    store.commit([said(1)])
    engine = sa.create_engine(url)

    with engine.connect() as connection:
        cut = connection.scalars(
            sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        ).all()
    store.commit([said(2)])

    assert any(cut)
    assert ["f1", "f2"] == [f.id for f in store.group_facts("a/b")]
    store.close()
    engine.dispose()
