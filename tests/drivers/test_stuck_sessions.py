"""A session of PostgreSQL that is stuck: nobody else waits for it for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gameday.drivers.database import Database
from gameday.drivers.database import schema as database_schema
from gameday.drivers.database.schema import writing_alone
from gameday.errors import StoreError
from gameday.ports import GroupFact
from scoring.timeline import Fact

pytestmark = pytest.mark.served

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOON = timedelta(milliseconds=300)


@pytest.fixture
def store(
    postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch, url: str
) -> Iterator[Database]:
    monkeypatch.setitem(database_schema.BORNE, "lock_timeout", SOON)
    found = Database(url)
    yield found
    found.close()


@pytest.fixture
def url(postgres: Callable[[], str]) -> str:
    return postgres()


def fact(id: str) -> GroupFact:
    return GroupFact("g", Fact(id, "incident.noted", NOON, NOON, "engine", "g", {"text": "x"}))


def test_who_waits_for_a_stuck_one_is_told_no_and_goes_on_once_it_has_gone(
    store: Database, url: str
) -> None:
    other = sa.create_engine(url)
    with writing_alone(other), pytest.raises(StoreError, match="lock timeout"):
        store.commit([fact("one")])

    assert store.commit([fact("one")])
    other.dispose()


def test_a_session_of_ours_that_stops_in_the_middle_is_ended_by_the_server(
    store: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_schema.BORNE, "idle_in_transaction_session_timeout", SOON)
    stuck = Database(url)
    with pytest.raises(StoreError), stuck._writing() as connection:
        time.sleep(3 * SOON.total_seconds())
        store.commit([fact("two")])  # it has been let go of
        connection.execute(sa.text("select 1"))
    stuck.close()


def test_a_migration_may_take_longer_than_a_statement(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_schema.BORNE, "statement_timeout", SOON)
    with writing_alone(store._engine, migrates=True) as connection:
        connection.execute(sa.text("select pg_sleep(0.6)"))
        allowed = connection.scalar(sa.text("show statement_timeout"))

    assert "0" == allowed
