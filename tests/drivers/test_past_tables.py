"""The chronicle in the store: kept, replaced, counted, and read without decoding a fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.database import Database
from gameday.model.past_incident import (
    Contradiction,
    Dimension,
    FiledItem,
    ItemState,
    ItemTally,
    PastIncident,
    PastItem,
)
from gameday.model.record import IncidentRow
from gameday.model.severity import IncidentSeverity

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LATER = NOON + 100 * DAY

THEIRS = PastIncident(
    id="OPS-1",
    began_at=NOON,
    title="Nobody could log in",
    source="log.csv",
    severity=IncidentSeverity.SEV_1,
    detected_at=NOON + MINUTE,
    acked_at=NOON + 2 * MINUTE,
    mitigated_at=NOON + 20 * MINUTE,
    cleared_at=NOON + 30 * MINUTE,
    closed_at=NOON + 60 * MINUTE,
    detected_in=90 * timedelta(seconds=1),
    recovered_in=31 * MINUTE,
    team="books",
    service="login",
    cause="expiry",
    trigger="calendar",
    pipeline="web",
    region="eu",
    is_by_day=True,
    postmortem_at=NOON + DAY,
    spoiled=frozenset({"ack", "recover"}),
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.served)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'gameday.db'}"
    else:
        empty: Callable[[], str] = request.getfixturevalue("postgres")
        url = empty()
    opened = Database(url)
    yield opened
    opened.close()


def ours(id: str, **said: object) -> IncidentRow:
    row = IncidentRow(
        id=id,
        group="cart/latency",
        service="cart",
        slo="latency",
        severity=IncidentSeverity.SEV_2,
        opened_at=NOON + MINUTE,
        state="resolved",
        began_at=NOON,
        acked_at=NOON + 2 * MINUTE,
        cleared_at=NOON + 9 * MINUTE,
        closed_at=NOON + 40 * MINUTE,
        team="books",
        region="eu",
    )
    return replace(row, **said)  # type: ignore[arg-type]


def item(id: str, incident: str = "OPS-1", *, theme: int | None = 1, **said: object) -> FiledItem:
    what = replace(PastItem("Add alerts", "login", ItemState.OPEN, NOON), **said)  # type: ignore[arg-type]
    return FiledItem(id, incident, what, "alert", theme)


def kept(store: Database, *items: FiledItem, of: Sequence[PastIncident] = (THEIRS,)) -> None:
    store.keep_past(of, (), items, {})


def test_what_was_kept_is_read_back_whole(store: Database) -> None:
    said = Contradiction("OPS-1", "it states 1 h, and …", frozenset({"recover"}))
    exposures = {Dimension.TEAM: {"books": 40.0, "music": 20.0}}

    store.keep_past([THEIRS], [said], [], exposures)
    found = store.chronicle(as_of=LATER)

    assert [THEIRS] == list(found.incidents)
    assert [said] == list(found.contradictions)
    assert exposures == found.exposures


def test_kept_again_an_incident_is_as_its_file_has_it_now(store: Database) -> None:
    kept(store, item("a"), item("b"))

    kept(store, item("a"), of=[replace(THEIRS, team="music")])

    (found,) = store.chronicle(as_of=LATER).incidents
    assert ("music", 1) == (found.team, found.tally.filed)


def test_ours_come_from_their_lines_without_drills_and_mistakes(store: Database) -> None:
    store.commit(
        (),
        rows=[
            ours("I1"),
            ours("D1", drill="r1"),
            ours("M1", merged_into="I1"),
            ours("F1", state="false alarm"),
            ours("P1", began_at=NOON + DAY, cleared_at=None),
        ],
    )

    first, second = store.chronicle(as_of=LATER).incidents

    assert ("I1", "P1") == (first.id, second.id)
    assert [MINUTE, MINUTE, 9 * MINUTE] == [first.to_detect, first.to_ack, first.to_recover]
    assert ("books", "cart", "eu", IncidentSeverity.SEV_2) == (
        first.team,
        first.service,
        first.region,
        first.severity,
    )
    assert second.to_recover is None


def test_a_line_follows_its_incident(store: Database) -> None:
    store.commit((), rows=[ours("I1", cleared_at=None, acked_at=None)])

    store.commit((), rows=[ours("I1", postmortem_at=NOON + DAY)])

    (found,) = store.chronicle(as_of=LATER).incidents
    assert (9 * MINUTE, NOON + DAY) == (found.to_recover, found.postmortem_at)
    assert ours("I1", postmortem_at=NOON + DAY) == store.incident("I1")


def test_lines_of_an_older_gameday_are_found(store: Database) -> None:
    store.commit((), rows=[ours("I1"), ours("I2", began_at=None, group="old/latency")])

    assert ["old/latency"] == list(store.groups_without_times())


def test_items_are_counted_for_each_incident(store: Database) -> None:
    done = {"state": ItemState.DONE}
    kept(
        store,
        item("quick", closed_at=NOON + 10 * DAY, **done),
        item("slow", closed_at=NOON + 40 * DAY, **done),
        item("open"),
        item("young", filed_at=LATER - DAY),
        item("undated", filed_at=None),
        item("unknown", state=ItemState.UNKNOWN),
    )

    (found,) = store.chronicle(as_of=LATER).incidents

    assert (
        ItemTally(filed=6, open=3, done=2, due=3, in_time=1, last_closed_at=NOON + 40 * DAY)
        == found.tally
    )


def test_a_theme_is_told_of_from_three_incidents_on(store: Database) -> None:
    of = [replace(THEIRS, id=f"OPS-{n}") for n in range(4)]
    often = [
        item(f"often {n}", f"OPS-{n}", wording=("Add alerts" if n else "Please alert us on it"))
        for n in range(3)
    ]
    # Twice by one incident is twice the same.
    seldom = [item(f"seldom {n}", f"OPS-{n % 2}", theme=2) for n in range(4)]
    nothing = [item(f"none {n}", f"OPS-{n}", theme=None) for n in range(4)]

    kept(store, *often, *seldom, *nothing, of=of)
    (theme,) = store.chronicle(as_of=LATER).themes

    assert ("Add alerts", "login", 3) == (theme.title, theme.component, theme.open)
    assert {"Add alerts", "Please alert us on it"} == set(theme.wordings)
    assert {"OPS-0", "OPS-1", "OPS-2"} == set(theme.incidents)


def test_wordings_are_known_by_their_component(store: Database) -> None:
    kept(store, item("a"), item("b", theme=4, component="cart"))

    assert [(4, "cart", "alert")] == list(store.known_wordings(["cart"]))
    assert 4 == store.last_theme()
