"""What a run that died leaves in the list of incidents is closed when the run is ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gameday.house.run.closing import close_incidents
from gameday.incidents.alerts import Alert
from gameday.model.record import IncidentRow
from gameday.model.severity import IncidentSeverity
from gameday.ports import GroupFact
from gameday.testing.memory import MemoryStore
from scoring.timeline import Fact, Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_run_that_died(*, clears: bool, target: str, drill: str | None = "r") -> MemoryStore:
    """Return a store with the incident that a run had when it died."""
    store = MemoryStore()
    store.open_run("r", scenario="s", target=target, started_at=NOON, documents={})
    labels = {"service": "storefront", "slo": "checkout", "severity": "page"}
    fired = Alert("a", NOON, None, NOON, labels, {}, drill=drill)
    over_at = NOON + timedelta(minutes=1)
    cleared = Alert("a", NOON, over_at, over_at, labels, {}, drill=drill)
    opened = Fact.noted(
        "I/opened",
        Kind.INCIDENT_OPENED,
        NOON,
        source="engine",
        data={"incident": "I", "anchor": fired.firing_id},
    )
    told = [fired.to_fact(), opened, *([cleared.to_fact()] if clears else [])]
    row = IncidentRow(
        id="I",
        group=fired.group,
        service="storefront",
        slo="checkout",
        severity=IncidentSeverity.SEV_2,
        opened_at=NOON,
        state="triggered",
        drill=drill,
        merged_into=None,
    )
    store.commit([GroupFact(fired.group, fact, drill) for fact in told], rows=[row])
    return store


@pytest.mark.parametrize(
    ("clears", "target", "later", "is_open"),
    [
        pytest.param(True, "eu", timedelta(minutes=2), False, id="cleared"),
        pytest.param(False, "sandbox", timedelta(minutes=2), False, id="nobody is on call"),
        pytest.param(False, "eu", timedelta(minutes=2), True, id="it burns on"),
        pytest.param(True, "eu", timedelta(hours=2), False, id="over by itself"),
    ],
)
def test_an_incident_of_a_run_that_was_ended_is_closed_as_the_run_would_have(
    clears: bool, target: str, later: timedelta, is_open: bool
) -> None:
    store = a_run_that_died(clears=clears, target=target)

    close_incidents(store, "r", target=target, now=NOON + later)

    assert is_open == bool(store.incidents(only_open=True))


def test_what_is_not_proven_gone_keeps_its_incident_open() -> None:
    store = a_run_that_died(clears=True, target="sandbox")
    store.append("r", Fact.noted("u", Kind.UNDO_STORED, NOON, source="c", data={"undo": "u1"}))

    close_incidents(store, "r", target="sandbox", now=NOON + timedelta(minutes=2))

    assert ["I"] == [row.id for row in store.incidents(only_open=True)]


def test_a_real_incident_is_none_of_the_runs() -> None:
    store = a_run_that_died(clears=True, target="sandbox", drill=None)

    close_incidents(store, "r", target="sandbox", now=NOON + timedelta(minutes=2))

    assert ["I"] == [row.id for row in store.incidents(only_open=True)]
