"""A store of two tables of facts becomes one of one table, and everything reads back the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from gameday.drivers.database import Database
from gameday.drivers.database.schema import MIGRATIONS, writing_alone
from gameday.model.result import RunResult
from gameday.ports import GroupFact
from scoring.timeline import Fact, Timeline

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
GOLDEN = Path(__file__).parents[1] / "scoring" / "golden"
OLD_RESULT = (Path(__file__).parents[1] / "model" / "golden" / "result-v1.json").read_text("utf-8")
GROUP = "checkout/checkout-latency"


def golden(version: int) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(
        (GOLDEN / f"slow-db-v{version}.json").read_text(encoding="utf-8")
    )
    return found["facts"]


def alert(number: int, **more: object) -> dict[str, Any]:
    at = NOON + number * timedelta(seconds=1)
    data = {"fingerprint": f"{number:016x}", "starts_at": NOON.isoformat(), "labels": {}, **more}
    id = f"{GROUP}/{number:016x}@{NOON.isoformat()}"
    return Fact(id, "page.received", at, at, "alertmanager", "checkout-latency", data).to_json()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.served)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
    else:
        yield request.getfixturevalue("postgres")()


def fill(url: str, statements: Callable[[sa.Connection], None]) -> None:
    """Make a store as the gameday before this schema did, and put something in."""
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing_alone(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        statements(connection)
    engine.dispose()


def insert(connection: sa.Connection, table: str, **values: object) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def begin(connection: sa.Connection, run: str, minute: int) -> None:
    insert(
        connection,
        "runs",
        id=run,
        scenario="slow-db",
        target="sandbox",
        started_at=(NOON + timedelta(minutes=minute)).isoformat(),
        ended_at=NOON.isoformat(),
        verdict="passed",
        percent=90.0,
        documents=json.dumps({"scenario": "ü"}),
        result=OLD_RESULT,
    )


def record(connection: sa.Connection, run: str, facts: list[dict[str, Any]]) -> None:
    for number, fact in enumerate(facts, 1):
        insert(
            connection, "facts", run=run, number=number, kind=fact["kind"], fact=json.dumps(fact)
        )


def hear(connection: sa.Connection, number: int, fact: dict[str, Any]) -> None:
    insert(
        connection,
        "incident_facts",
        number=number,
        id=fact["id"],
        line=GROUP,
        kind=fact["kind"],
        fact=json.dumps(fact),
    )


def test_runs_and_incidents_read_back_the_same(url: str) -> None:
    def statements(connection: sa.Connection) -> None:
        # The younger run first: its rows come first in the table.
        begin(connection, "young", 5)
        begin(connection, "old", 0)
        record(connection, "young", golden(2))
        record(connection, "old", golden(1))
        for number in (3, 4, 9):
            hear(connection, number, alert(number, drill="young"))
        insert(
            connection,
            "incidents",
            id="I",
            line=GROUP,
            service="checkout",
            slo="checkout-latency",
            severity="SEV-2",
            opened_at=NOON.isoformat(),
            state="triggered",
        )

    fill(url, statements)
    store = Database(url)

    def loaded(facts: list[dict[str, Any]]) -> list[Fact]:
        return [Fact.from_json(f) for f in facts]

    assert loaded(golden(1)) == list(store.facts("old"))
    assert loaded(golden(2)) == list(store.facts("young"))
    heard = [alert(n, drill="young") for n in (3, 4, 9)]
    assert loaded(heard) == list(store.group_facts(GROUP))
    assert [("I", GROUP)] == [(r.id, r.group) for r in store.incidents()]
    assert [GROUP] == list(store.open_groups(since=NOON))
    assert ["young", "old"] == [r.id for r in store.runs()]
    assert RunResult.from_json(json.loads(OLD_RESULT)) == store.result("old")
    store.close()


def test_all_facts_stand_in_one_order_and_new_ones_come_after(url: str) -> None:
    def statements(connection: sa.Connection) -> None:
        begin(connection, "r", 0)
        record(connection, "r", golden(2))
        hear(connection, 7, alert(7))

    fill(url, statements)
    store = Database(url)
    before = store.facts_after(0, limit=1000)

    again = store.commit([GroupFact(GROUP, Fact.from_json(alert(7)))])
    new = store.commit([GroupFact(GROUP, Fact.from_json(alert(8)), run="r")])

    assert list(range(1, len(golden(2)) + 2)) == [one.number for one in before]
    # What was heard before the migration is still known by its id.
    assert before[-1].number == again.before == again.after == new.before < new.after
    assert [alert(8)["id"]] == [f.id for f in Timeline.of(store.facts("r")).facts[-1:]]
    store.close()


def test_two_facts_of_one_id_are_both_kept(url: str) -> None:
    # A run whose store did not answer used to write its next fact under the same id.
    twins = [
        Fact("f0001", "k", NOON, NOON, "conductor", data={"n": n, "nul": "\0"}).to_json()
        for n in range(3)
    ]

    def statements(connection: sa.Connection) -> None:
        begin(connection, "r", 0)
        record(connection, "r", twins)

    fill(url, statements)
    store = Database(url)

    assert twins == [f.to_json() for f in store.facts("r")]
    store.close()


def test_an_empty_store_begins_with_the_first_number(url: str) -> None:
    fill(url, lambda _: None)
    store = Database(url)

    written = store.commit([GroupFact(GROUP, Fact.from_json(alert(1)))])

    assert (0, 1) == (written.before, written.after)
    store.close()


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    store = Database(url)
    first = store.commit([GroupFact(GROUP, Fact.from_json(alert(1)))])
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM facts"))
    engine.dispose()

    second = store.commit([GroupFact(GROUP, Fact.from_json(alert(2)))])

    assert first.after < second.after
    store.close()
