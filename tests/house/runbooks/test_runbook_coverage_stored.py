"""Which of the stored runs count as having exercised an alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gameday.house.runbooks.coverage import covered
from gameday.house.runbooks.shelf import Shelf
from gameday.model.alerting_rule import AlertingRule
from gameday.testing.memory import MemoryStore
from gameday.testing.results import run_result
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
RULES = [AlertingRule(name, "rules.yaml") for name in ("Burns", "Collateral", "Quiet")]


def played(store: MemoryStore, run: str, day: int, verdict: RunVerdict, *facts: Fact) -> None:
    at = NOON + timedelta(days=day)
    store.open_run(run, scenario="slow-db", target="sandbox", started_at=at, documents={})
    for fact in facts:
        store.append(run, fact)
    store.close_run(run, ended_at=at, result=run_result(verdict, run=run))


def said(kind: Kind, alert: str) -> Fact:
    return Fact.noted(f"{kind}-{alert}", kind, NOON, source="prometheus", data={"alert": alert})


def test_a_run_that_ended_by_itself_exercised_what_fired_or_paged_in_it() -> None:
    store = MemoryStore()
    fired = said(Kind.ALERT_FIRED, "Burns")
    played(store, "one", 1, RunVerdict.MISSED, fired, said(Kind.PAGE_RECEIVED, "Collateral"))
    played(store, "two", 2, RunVerdict.ABORTED, fired)
    played(store, "three", 3, RunVerdict.PASSED, said(Kind.PAGE_DELIVERED, "Quiet"))

    found = covered(Shelf((), RULES, ()), (), store)

    assert [("Burns", "one"), ("Collateral", "one"), ("Quiet", None)] == [
        (a.alert, a.exercised and a.exercised.run) for a in found.alerts
    ]
