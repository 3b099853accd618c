"""How far a run is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gameday.report.progress import reached, sentence
from scoring.timeline import Fact, Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def fact(kind: str, second: int, **data: Any) -> Fact:
    at = NOON + timedelta(seconds=second)
    return Fact(f"{kind}@{second}", kind, at, at, "test", data=data)


def test_a_phase_is_reached_by_the_first_fact_of_its_kind_that_pages() -> None:
    ticket = fact(Kind.ALERT_FIRED, 1, severity="ticket")
    page, later = fact(Kind.ALERT_FIRED, 2, severity="page"), fact(Kind.ALERT_FIRED, 3)

    assert page == reached([ticket, page, later], Kind.ALERT_FIRED)


def test_the_alert_has_cleared_once_every_branch_has() -> None:
    facts = [fact(Kind.ALERT_FIRED, 1), fact(Kind.ALERT_FIRED, 2), fact(Kind.ALERT_RESOLVED, 5)]
    last = fact(Kind.ALERT_RESOLVED, 9)

    assert reached(facts, Kind.ALERT_RESOLVED) is None
    assert last == reached([*facts, last], Kind.ALERT_RESOLVED)


def test_a_step_is_reached_by_its_finding() -> None:
    found = fact(Kind.FINDING, 4, step="trace")

    assert found == reached([fact(Kind.FINDING, 1, step="red"), found], "trace")


def test_what_nobody_waits_for_has_no_words() -> None:
    assert sentence(fact(Kind.PIPELINE_BEAT, 1)) == ""
    assert sentence(fact(Kind.FAULT_INJECTED, 1, fault="slow-db")) == "fault injected: slow-db"
