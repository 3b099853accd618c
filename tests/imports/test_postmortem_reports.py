"""The reports of mybinder.org become incidents, and what they contradict themselves in is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from given import GIVEN

from gameday.imports.files import read_histories
from gameday.imports.imported import Histories, Imported
from gameday.imports.postmortems import read_postmortem
from gameday.model.past_incident import ItemState
from gameday.model.severity import IncidentSeverity

REPORTS = GIVEN.corpora / "postmortems/mybinder"


@pytest.fixture(scope="module")
def reports() -> Histories:
    if not REPORTS.is_dir():
        pytest.skip(f"the published reports are not in {REPORTS}: set GAMEDAY_TEST_CORPORA")
    return read_histories(
        ((str(path), path.read_text(encoding="utf-8")) for path in REPORTS.glob("*.md")), {}
    )


def one(reports: Histories, begins: str) -> Imported:
    (found,) = [r for r in reports.incidents if r.incident.id.startswith(begins)]
    return found


def test_23_reports_are_23_incidents_with_their_days_and_action_items(reports: Histories) -> None:
    assert 23 == len(reports.incidents)
    assert () == tuple(reports.unread)
    for report in reports.incidents:
        day = datetime.fromisoformat(report.incident.id[:10]).replace(tzinfo=UTC)
        # One is named after the day on which it was found out that there was nothing.
        assert abs(report.incident.began_at - day) < timedelta(days=8)
        assert report.items, report.incident.id
        assert report.incident.title
    assert 124 == sum(len(report.items) for report in reports.incidents)


@pytest.mark.parametrize(
    ("begins", "minutes"),
    [
        ("2017-09-27", 110),  # "unusable for about 1h50m"
        ("2018-02-22", 5),  # 16:30 to 16:35
        ("2018-03-26", 21),  # 10:34 to 10:55; "recover itself in 20 minutes"
        ("2018-07-08", 295),  # 18:30 to 23:25; "approximately five hours"
        ("2020-07-09", 12),  # 07:30 to 07:42
    ],
)
def test_a_duration_is_what_the_text_states_and_its_timeline_bears_out(
    reports: Histories, begins: str, minutes: int
) -> None:
    took = one(reports, begins).incident.to_recover

    assert timedelta(minutes=minutes) == took


def test_how_long_nobody_noticed_is_read_too(reports: Histories) -> None:
    # "The outage was present for nearly an hour before we noticed it."
    assert timedelta(hours=1) == one(reports, "2018-02-12").incident.to_detect
    # 10:00 to 21:00; "It was 11 hours before we realized"
    assert timedelta(hours=11) == one(reports, "2022-06-02").incident.to_detect


@pytest.mark.parametrize(
    ("begins", "sentence"),
    [
        ("2018-01-18-ssl", "its title says 2018-01-11, its file's name 2018-01-18"),
        ("2018-02-20", "it says 1 h 50 min, and elsewhere 1 h"),
        ("2018-04-18", "its timeline goes back from 14:49 to 14:43"),
        ("2019-04-03", "it says 30 min, and elsewhere 40 min"),
        (
            "2022-01-27",
            "it says 9 h, and its timeline shows 7 h (10:00 to 17:00 UTC)",
        ),
        (
            "2022-06-02",
            "it says 9 h, and its timeline shows 11 h 24 min (09:00 to 20:24 UTC)",
        ),
        ("2022-06-02", "its title says 2022-01-27, its file's name 2022-06-02"),
    ],
)
def test_what_cannot_all_be_true_is_said(reports: Histories, begins: str, sentence: str) -> None:
    assert sentence in [c.sentence for c in one(reports, begins).contradictions]


def test_a_span_that_is_contradicted_is_not_counted(reports: Histories) -> None:
    for begins in ("2018-02-20", "2019-04-03", "2022-01-27", "2022-06-02"):
        assert one(reports, begins).incident.to_recover is None
    contradicted = [r for r in reports.incidents if r.contradictions]
    assert 6 == len(contradicted)


def test_boxes_and_words_say_what_is_done(reports: Histories) -> None:
    boxes = one(reports, "2018-03-26").items

    assert [ItemState.DONE] * 3 + [ItemState.OPEN] * 3 == [item.state for item in boxes]
    (done, unknown) = one(reports, "2018-02-22").items
    assert ("Make sure that everybody gets emailed when the site goes down", ItemState.DONE) == (
        done.wording,
        done.state,
    )
    assert ItemState.UNKNOWN is unknown.state


# --- other reports ------------------------------------------------------------------------------

REPORT = """\
---
severity: sev1
team: books
cause: expired certificate
---
# Postmortem: nobody could log in

## Summary

Login was down for 40 minutes.

## Timeline

| Time | What happened |
| --- | --- |
| 2026-03-01 23:50 UTC | The certificate expires |
| 00:05 | A user reports it |
| 00:30 | A new one is in place, and everything is back to normal |

## Action items

| Action | Kind |
| --- | --- |
| Renew certificates automatically | prevent |
| Alert three weeks before expiry | detect |
"""


def test_a_report_with_tables_and_a_head_is_read_over_midnight() -> None:
    found = read_postmortem(REPORT, "login")

    assert found is not None
    incident = found.incident
    assert (datetime(2026, 3, 1, 23, 50, tzinfo=UTC), timedelta(minutes=40)) == (
        incident.began_at,
        incident.to_recover,
    )
    assert timedelta(minutes=15) == incident.to_detect
    assert (IncidentSeverity.SEV_1, "books", "expired certificate") == (
        incident.severity,
        incident.team,
        incident.cause,
    )
    assert ["Renew certificates automatically", "Alert three weeks before expiry"] == [
        item.wording for item in found.items
    ]
    assert () == found.contradictions


def test_a_timeline_of_items_is_read() -> None:
    found = read_postmortem(
        "# 2026-03-01 Slow search\n\n## Timeline\n\nAll times in CET\n\n"
        "- 10:00 the queue grows\n- 10:20 on-call is paged\n- 10:45 search is restored\n",
        "slow-search",
    )

    assert found is not None
    assert datetime(2026, 3, 1, 9, tzinfo=UTC) == found.incident.began_at


def test_that_it_does_not_work_yet_is_no_recovery() -> None:
    found = read_postmortem(
        "# 2026-03-01 Slow\n\n## Timeline\n\n### 10:00\n\nIt is slow.\n\n"
        "### 10:30\n\nThe problem is not resolved.\n",
        "slow",
    )

    assert found is not None
    assert found.incident.cleared_at is None


def test_a_text_that_names_no_day_is_no_incident() -> None:
    assert read_postmortem("# How we write postmortems\n\nBlamelessly.\n", "how") is None
