"""Logs of others, as CSV, JSON and tables in Markdown, become incidents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import SpecError
from gameday.imports.columns import columns_of
from gameday.imports.files import mapping_of, read_histories
from gameday.imports.imported import Histories
from gameday.imports.instants import read_instant
from gameday.imports.severities import severity_named
from gameday.imports.spans import in_words, read_span, spans_in
from gameday.model.past_incident import Dimension, ItemState
from gameday.model.severity import IncidentSeverity


def reading(text: str, name: str = "log.csv", **mapping: str) -> Histories:
    return read_histories([(name, text)], mapping)


def test_columns_are_known_by_what_trackers_call_them() -> None:
    found = reading(
        "Key,Priority,Created,Acknowledged At,Resolved,Owning Team,Root Cause\n"
        "OPS-1,P1,2026-01-31T14:00Z,2026-01-31T14:02Z,2026-01-31T15:10Z,books,expiry\n"
    )

    (incident,) = [one.incident for one in found.incidents]
    assert ("OPS-1", IncidentSeverity.SEV_1, "books", "expiry") == (
        incident.id,
        incident.severity,
        incident.team,
        incident.cause,
    )
    assert timedelta(minutes=70) == incident.to_recover
    assert incident.to_ack is None  # nobody said when it was noticed


def test_a_mapping_goes_before_what_a_column_is_called() -> None:
    found = reading(
        "created,impact,over\n2026-01-31T14:00Z,2026-01-31T13:00Z,2026-01-31T15:00Z\n",
        began="impact",
        cleared="over",
    )

    assert timedelta(hours=2) == found.incidents[0].incident.to_recover


def test_stated_durations_that_their_own_instants_contradict_are_shown_and_not_counted() -> None:
    found = reading(
        "id,started,resolved,duration_minutes\n"
        "right,2026-01-31 14:00,2026-01-31 15:00,60\n"
        "rounded,2026-01-31 14:00,2026-01-31 14:58,60\n"
        "wrong,2026-01-31 14:00,2026-01-31 15:00,160\n"
        "alone,2026-01-31 14:00,,90\n"
    )

    by_id = {one.incident.id: one for one in found.incidents}
    assert ["it states 2 h 40 min, and between its own instants lie 1 h"] == [
        c.sentence for one in found.incidents for c in one.contradictions
    ]
    assert by_id["wrong"].incident.to_recover is None
    assert [timedelta(minutes=m) for m in (60, 58, 90)] == [
        by_id[id].incident.to_recover for id in ("right", "rounded", "alone")
    ]


def test_instants_out_of_order_are_shown() -> None:
    (found,) = reading(
        "id,began,detected,resolved\nI,2026-01-31 14:00,2026-01-31 13:00,2026-01-31 15:00\n"
    ).incidents

    assert ["it was detected at 2026-01-31 13:00, before it began at 2026-01-31 14:00"] == [
        c.sentence for c in found.contradictions
    ]
    assert (None, timedelta(hours=1)) == (found.incident.to_detect, found.incident.to_recover)


def test_what_is_known_to_the_day_has_no_duration_by_its_instants() -> None:
    (found,) = reading("id,date,resolved\nI,2026-01-31,2026-02-01 03:00\n").incidents

    assert found.incident.is_by_day
    assert found.incident.to_recover is None


def test_a_day_that_may_be_another_is_not_guessed() -> None:
    found = reading("id,started\nA,03/04/2026 10:00\nB,2026-04-03 10:00\n")

    assert ["B"] == [one.incident.id for one in found.incidents]
    (unread,) = found.unread
    assert unread.startswith("log.csv:2: started '03/04/2026 10:00' is no instant")


def test_a_file_without_a_beginning_says_how_to_name_its_column() -> None:
    with pytest.raises(SpecError, match="--map began=COLUMN"):
        reading("what,when\nx,2026-01-31\n")


def test_a_mapping_to_no_field_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'severity'"):
        mapping_of(["severty=Prio"])


def test_json_holds_incidents_with_their_items_and_exposures() -> None:
    said = {
        "incidents": [
            {
                "id": 7,
                "started_at": 1769868000,
                "resolved_at": 1769871600,
                "action_items": [
                    "Rotate the keys",
                    {"title": "Add alerts", "status": "done", "closed_at": "2026-02-03"},
                ],
            }
        ],
        "exposures": [{"dimension": "team", "value": "books", "amount": 40}],
    }

    found = reading(json.dumps(said), "history.json")

    (one,) = found.incidents
    assert (datetime(2026, 1, 31, 14, tzinfo=UTC), timedelta(hours=1)) == (
        one.incident.began_at,
        one.incident.to_recover,
    )
    assert [("Rotate the keys", ItemState.UNKNOWN), ("Add alerts", ItemState.DONE)] == [
        (item.wording, item.state) for item in one.items
    ]
    assert {Dimension.TEAM: {"books": 40.0}} == found.exposures


def test_items_of_a_file_of_their_own_find_their_incidents() -> None:
    found = read_histories(
        [
            ("items.csv", "incident,action item,status\nI,Add alerts,open\nX,Lost,open\n"),
            ("log.csv", "id,started\nI,2026-01-31 14:00\n"),
        ],
        {},
    )

    assert ["Add alerts"] == [item.wording for item in found.incidents[0].items]
    assert ["an action item is of the incident 'X', which is in no file"] == found.unread


def test_a_log_in_markdown_is_its_table() -> None:
    found = reading(
        "# Incidents of 2026\n\n| Id | Started | Resolved | Sev |\n|---|---|---|---|\n"
        "| 1 | 2026-01-31 14:00 | 2026-01-31 14:30 | 2 |\n"
        "| 2 | 2026-02-01 14:00 | 2026-02-01 14:10 | 3 |\n",
        "log.md",
    )

    assert [timedelta(minutes=30), timedelta(minutes=10)] == [
        one.incident.to_recover for one in found.incidents
    ]


def test_a_log_in_markdown_is_a_heading_for_each() -> None:
    found = reading(
        "# Our incidents\n\n## 2026-01-31 Search down\n\nSearch was down for 2 hours.\n\n"
        "### Action items\n\n- Add alerts\n\n## 2026-02-14 Cart slow\n\nIt lasted 20 minutes.\n",
        "log.md",
    )

    assert [("Search down", timedelta(hours=2)), ("Cart slow", timedelta(minutes=20))] == [
        (one.incident.title, one.incident.to_recover) for one in found.incidents
    ]
    assert ["Add alerts"] == [item.wording for item in found.incidents[0].items]


def test_json_that_is_none_says_where() -> None:
    with pytest.raises(SpecError, match=r"history\.json:2"):
        reading('{"incidents":\n oops}', "history.json")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("unusable for about 1h50m", [110]),
        ("a 30min outage", [30]),
        ("approximately nine hours before", [540]),
        ("took close to half an hour", [30]),
        ("for 2 hours and 5 minutes", [125]),
        ("between 10-30 minutes", []),
        ("a day like any other", []),
        ("v1.5m of rope", []),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, minutes: list[int]) -> None:
    assert [timedelta(minutes=m) for m in minutes] == spans_in(text)


@pytest.mark.parametrize(
    ("cell", "span"),
    [
        ("01:30:00", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("95", timedelta(minutes=95)),
        ("soon", None),
    ],
)
def test_a_cell_holds_a_span_or_nothing(cell: str, span: timedelta | None) -> None:
    assert span == read_span(cell, unit=timedelta(minutes=1))


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-01-31T15:00:00+01:00", "2026-01-31T14:00"),
        ("Jan 31, 2026 9:00 am EST", "2026-01-31T14:00"),
        ("31 January 2026 15:00 UTC+1", "2026-01-31T14:00"),
        (1769868000, "2026-01-31T14:00"),
        (1769868000000, "2026-01-31T14:00"),
        ("2026/01/31 14:00", "2026-01-31T14:00"),
    ],
)
def test_instants_are_read_with_their_zones(said: object, at: str) -> None:
    assert (datetime.fromisoformat(at).replace(tzinfo=UTC), False) == read_instant(said)


@pytest.mark.parametrize("said", ["", "soon", "14:00", "2026-13-45", True, "31/01/2026"])
def test_what_is_no_instant_is_none(said: object) -> None:
    assert read_instant(said) is None


@pytest.mark.parametrize(
    ("said", "number"),
    [("SEV-1", 1), ("sev2", 2), ("P3", 3), ("S0", 1), (4, 4), ("Critical", 1), ("blue", None)],
)
def test_severities_are_those_of_many_scales(said: object, number: int | None) -> None:
    found = severity_named(said)

    assert (None if number is None else f"SEV-{number}") == found


@given(st.text(), st.text())
def test_whatever_a_file_holds_is_read_or_refused_in_words(text: str, kind: str) -> None:
    for suffix in (".csv", ".json", ".md"):
        try:
            read_histories([(f"x{suffix}", text + kind)], {})
        except SpecError as error:
            assert error.problems


@given(st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=9)))
def test_what_is_said_of_a_span_is_read_back_as_it(span: timedelta) -> None:
    whole = timedelta(minutes=round(span / timedelta(minutes=1)))
    if whole >= timedelta(days=1):  # of days the minutes are not said
        whole -= whole % timedelta(hours=1)

    assert whole == sum(spans_in(in_words(whole)), timedelta())


def test_a_table_of_something_else_is_none_of_ours() -> None:
    assert columns_of(["name", "colour"], {}) is None
