"""Histories in the store: themes are found once, and what is ours is brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.database import Database
from gameday.house.flywheel.keeping import drills_of, keep, refresh
from gameday.imports.files import read_histories
from gameday.incidents.alerts import Alert, alerts_of
from gameday.model.action_item import (
    ActionChange,
    ActionKind,
    ActionWord,
    Filing,
    action_id,
)
from gameday.model.record import GroupFact, IncidentRow
from gameday.model.severity import IncidentSeverity
from gameday.testing.results import run_result
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GROUP = "cart/latency"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    yield opened
    opened.close()


def log(number: int, wording: str) -> str:
    return f"id,started,items,service\nOPS-{number},2026-03-0{number} 12:00,{wording},ledger\n"


def told_of(*, ends: datetime | None) -> Alert:
    """Return an alert that fires at noon, as it is heard a minute later, or when it clears."""
    labels = {"alertname": "Burn", "service": "cart", "slo": "latency", "severity": "page"}
    said = {
        "status": "resolved" if ends else "firing",
        "labels": {**labels, "team": "books"},
        "startsAt": NOON.isoformat(),
        "endsAt": ends.isoformat() if ends else "",
        "fingerprint": "f1",
    }
    (found,) = alerts_of({"alerts": [said]}, received_at=ends or NOON + MINUTE)
    return found


def test_what_is_imported_later_finds_the_theme_of_what_was_there(store: Database) -> None:
    for number, wording in enumerate(
        ("Set a timeout on calls", "Calls need a timeout", "Add timeouts to every call"), 1
    ):
        keep(store, read_histories([("log.csv", log(number, wording))], {}))

    (theme,) = store.chronicle(as_of=NOON + timedelta(days=30)).themes
    assert {"OPS-1", "OPS-2", "OPS-3"} == set(theme.incidents)


def test_the_same_file_twice_changes_nothing(store: Database) -> None:
    histories = read_histories([("log.csv", log(1, "Set a timeout; Rotate the keys"))], {})
    keep(store, histories)
    before = store.chronicle(as_of=NOON)

    keep(store, histories)

    assert before == store.chronicle(as_of=NOON)
    assert 2 == before.incidents[0].tally.filed


def test_lines_that_an_older_gameday_wrote_get_their_times_from_the_facts(
    store: Database,
) -> None:
    fired, cleared = (told_of(ends=None), told_of(ends=NOON + 20 * MINUTE))
    opened = Fact.noted(
        "I1/opened",
        Kind.INCIDENT_OPENED,
        NOON + MINUTE,
        source="engine",
        subject="latency",
        data={"incident": "I1", "anchor": fired.firing_id},
    )
    acked = Fact.noted(
        "I1/acked",
        Kind.ACKNOWLEDGED,
        NOON + 3 * MINUTE,
        source="console",
        data={"incident": "I1", "by": "on-call"},
    )
    old = IncidentRow(
        "I1", GROUP, "cart", "latency", IncidentSeverity.SEV_2, NOON + MINUTE, "resolved"
    )
    store.commit(
        [GroupFact(GROUP, fact) for fact in (fired.to_fact(), opened, acked, cleared.to_fact())],
        rows=[old],
    )

    refresh(store, now=NOON + timedelta(days=1))

    (found,) = store.chronicle(as_of=NOON + timedelta(days=1)).incidents
    assert [MINUTE, 2 * MINUTE, 20 * MINUTE] == [
        found.to_detect,
        found.to_ack,
        found.to_recover,
    ]
    assert "books" == found.team
    assert [] == list(store.groups_without_times())


def test_our_action_items_are_filed_with_the_incidents_that_found_them(store: Database) -> None:
    incident = IncidentRow(
        "I1", GROUP, "cart", "latency", IncidentSeverity.SEV_2, NOON, "resolved", began_at=NOON
    )
    drill = IncidentRow(
        "D1",
        GROUP,
        "cart",
        "latency",
        IncidentSeverity.SEV_2,
        NOON,
        "resolved",
        drill="r1",
        began_at=NOON,
    )
    store.commit((), rows=[incident, drill])
    id = action_id("a page came late", ActionKind.DETECT)
    filing = Filing(
        cause="a page came late", kind=ActionKind.DETECT, title="Page sooner", service="cart"
    )

    def said(name: str, word: ActionWord, *evidence: str, at: datetime = NOON) -> ActionChange:
        found = filing if word is ActionWord.FOUND else None
        return ActionChange(
            id=name, item=id, word=word, at=at, by="gameday", evidence=evidence, filing=found
        )

    store.change_actions([said("1", ActionWord.FOUND, "incident I1")])
    refresh(store, now=NOON)
    store.change_actions([said("2", ActionWord.FOUND, "run r1", at=NOON + MINUTE)])
    store.change_actions([said("3", ActionWord.CLOSED, at=NOON + timedelta(days=3))])
    refresh(store, now=NOON)

    (found,) = store.chronicle(as_of=NOON + timedelta(days=60)).incidents
    assert (1, 1, 1) == (found.tally.filed, found.tally.due, found.tally.in_time)
    assert (3, []) == store.actions_to_file()
    assert {"r1": ("D1", "")} == store.incidents_of_drills()


def test_game_days_that_were_played_to_their_end_count(store: Database) -> None:
    store.open_run("r1", scenario="slow-db", target="sandbox", started_at=NOON, documents={})
    store.close_run("r1", ended_at=NOON + 5 * MINUTE, result=run_result(RunVerdict.PASSED))
    store.open_run("r2", scenario="slow-db", target="sandbox", started_at=NOON, documents={})

    (drill,) = drills_of(store, now=NOON + timedelta(days=1))

    assert ("slow-db", "sandbox", NOON) == (drill.scenario, drill.place, drill.at)
