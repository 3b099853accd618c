"""Which runs go on, also where the record of one of them cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gameday.errors import StoreError
from gameday.house.run.drills import LONGEST_FAULT, LONGEST_RESET, drills_of
from gameday.house.service.serve import DrillWatch
from gameday.testing.memory import MemoryStore
from gameday.testing.virtual import VirtualClock
from scoring.paging import DELIVERY
from scoring.timeline import Fact, Kind

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCENARIO = """
metadata: {severity: SEV-2}
spec: {slo: checkout-latency, faults: [{at: 10s, duration: 5m}], expect: {collateral: [search]}}
"""
SLO = "metadata: {name: checkout-latency}\nspec: {service: storefront}"


def a_run(scenario: str = SCENARIO, *, target: str = "eu") -> MemoryStore:
    """Return a store with a run whose plan says nothing that this gameday understands."""
    runs = MemoryStore()
    documents = {"scenario": scenario, "slo": SLO}
    runs.open_run("r", scenario="s", target=target, started_at=NOON, documents=documents)
    add(runs, Kind.PLAN_MADE, faults="of a later gameday")
    return runs


def add(runs: MemoryStore, kind: Kind, **data: object) -> None:
    runs.append("r", Fact(f"{kind}", kind, NOON, NOON, "conductor", "", data))


def test_a_run_whose_plan_cannot_be_read_goes_on_as_long_as_its_faults_and_a_reset_may() -> None:
    runs = a_run()
    assert () == drills_of(runs, now=NOON)

    add(runs, Kind.FAULT_INJECTED)

    lasts = timedelta(minutes=5, seconds=10) + LONGEST_RESET + DELIVERY
    (drill,) = drills_of(runs, now=NOON + lasts)
    assert ("r", "storefront", "checkout-latency") == (drill.run, drill.service, drill.slo)
    assert ({"search"}, NOON + lasts) == (drill.collateral, drill.until)
    assert () == drills_of(runs, now=NOON + lasts + timedelta(seconds=1))


@pytest.mark.parametrize("scenario", ["", "{", "[]", "spec: 7", "spec: {faults: x, expect: 1}"])
def test_nor_does_it_end_where_its_scenario_cannot_be_read(scenario: str) -> None:
    runs = a_run(scenario)
    add(runs, Kind.FAULT_INJECTED)

    (drill,) = drills_of(runs, now=NOON + LONGEST_FAULT)

    assert ("r", frozenset()) == (drill.run, drill.collateral)


def test_what_was_recorded_as_ended_has_ended_whatever_its_plan_says() -> None:
    runs = a_run()
    add(runs, Kind.FAULT_INJECTED)
    add(runs, Kind.RUN_ENDED)

    assert () == drills_of(runs, now=NOON)


def test_a_drill_has_not_ended_because_nobody_can_look() -> None:
    class Locked(MemoryStore):
        is_locked = False

        def runs(self, *, limit: int = 50):  # type: ignore[no-untyped-def]
            if self.is_locked:
                raise StoreError("the store is locked")
            return super().runs(limit=limit)

    runs = Locked()
    runs.open_run("r", scenario="s", target="eu", started_at=NOON, documents={"scenario": SCENARIO})
    add(runs, Kind.PLAN_MADE, faults="of a later gameday")
    add(runs, Kind.FAULT_INJECTED)
    watch = DrillWatch(runs, VirtualClock(NOON))
    watch.look()
    runs.is_locked = True

    watch.look()

    assert ["r"] == [d.run for d in watch.now()]
