"""A pass of the retention over a whole store: what goes, what stays, and what is said of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.database import Database
from gameday.errors import Pruned, StoreError
from gameday.house.run.endings import timeline_path
from gameday.house.service.dry_run import DryRun
from gameday.house.service.pruning import (
    EVERY,
    Kept,
    Pruning,
    PruningOutcome,
    prune_for_ever,
    whole,
)
from gameday.incidents.alert_group import AlertGroup
from gameday.incidents.alerts import Alert
from gameday.incidents.openings import row_of
from gameday.incidents.state import state_of
from gameday.ports import AuditEntry, GroupFact, Order, OrderKind, Undo
from gameday.settings import Settings
from gameday.settings.page import RetentionSettings, StoreSettings
from gameday.testing.results import run_result
from gameday.testing.virtual import VirtualClock
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = NOW - 500 * DAY


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.served)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    else:
        postgres: Callable[[], str] = request.getfixturevalue("postgres")
        database = Database(postgres())
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=StoreSettings(state=tmp_path))


def played(store: Database, run: str, *, at: datetime = OLD, ends: bool = True) -> None:
    """Put a run in the store, with facts, an undo that is proven, an order, and a result."""
    store.open_run(
        run, scenario="slow-db", target="sandbox", started_at=at, documents={"scenario": "x" * 999}
    )
    store.save_undo(Undo(f"u-{run}", "proxy", run, "a toxic", "gameday recover", {}))
    store.close_undo(f"u-{run}", proven_at=at)
    for number in range(3):
        store.append(run, Fact(f"f{number}", Kind.MEASUREMENT, at, at, "prometheus"))
    store.give(Order(OrderKind.ABORT, run, "enough", "ann", at))
    if ends:
        store.close_run(
            run, ended_at=at + timedelta(minutes=5), result=run_result(RunVerdict.PASSED)
        )


def happened(store: Database, id: str, *, at: datetime = OLD, run: str | None = None) -> None:
    """Put a closed incident of a service of its own in the store."""
    told = Alert(
        fingerprint=id,
        starts_at=at,
        ends_at=None,
        received_at=at,
        labels={"service": id, "slo": "latency", "severity": "page"},
        annotations={},
        drill=run,
    )
    opened = Fact(
        f"{id}/opened",
        Kind.INCIDENT_OPENED,
        at,
        at,
        "engine",
        data={"incident": id, "anchor": told.firing_id},
    )
    over = replace(told, ends_at=at + timedelta(minutes=4), received_at=at + timedelta(minutes=4))
    facts = [told.to_fact(), opened, over.to_fact()]
    (found,) = AlertGroup(told.group, facts).incidents()
    row = row_of(state_of(found, group=told.group, now=at + DAY))
    store.commit(
        [GroupFact(told.group, fact, run) for fact in facts],
        rows=[row],
        audit=[AuditEntry(at, "ann", "incident.acked", id)],
    )


def passed(store: Database, settings: Settings, **keeps: timedelta | None) -> PruningOutcome:
    chosen = replace(settings, retention=RetentionSettings(**keeps))
    return whole(Pruning(store, chosen, now=NOW))


def test_an_old_run_goes_with_the_incident_of_its_drill_and_leaves_its_line(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    happened(store, "drilled", run="r1")
    played(store, "r2", at=NOW - DAY)
    path = timeline_path(settings, "r1")
    path.parent.mkdir()
    path.write_text("{}\n")

    outcome = passed(store, settings)

    assert (1, 1) == (outcome.runs.count, outcome.incidents.count)
    assert outcome.runs.bytes > 999
    by_id = {r.id: r for r in store.runs()}
    assert (NOW, RunVerdict.PASSED, None) == (
        by_id["r1"].pruned_at,
        by_id["r1"].verdict,
        by_id["r2"].pruned_at,
    )
    assert ((), 3) == (store.facts("r1"), len(store.facts("r2")))
    assert () == store.orders("r1")
    assert not path.exists()
    sentence = "run r1 was pruned on 2026-11-23 by the retention of 400 days"
    for ask in (store.result, store.documents):
        with pytest.raises(Pruned, match=sentence):
            ask("r1")


def test_the_incident_of_a_drill_stays_as_long_as_its_run(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    happened(store, "drilled", run="r1")
    happened(store, "real")
    happened(store, "strange", run="played on another store")

    passed(store, settings, runs=None)

    pruned = {r.id for r in store.incidents() if r.pruned_at}
    assert {"real", "strange"} == pruned
    assert 6 == len(store.facts("r1"))


def test_what_a_real_group_was_told_during_a_run_does_not_go_with_the_run(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    happened(store, "real")
    (group,) = {told.group for told in store.facts_after(0, limit=99) if told.group}
    told = Fact("real/undated", Kind.ALERT_RESOLVED, OLD, OLD, "alertmanager")
    store.commit([GroupFact(group, told, "r1")], rows=[], audit=[])

    passed(store, settings, incidents=None)

    assert (told,) == store.facts("r1")
    assert told in store.group_facts(group)
    assert [] == store.runs_half_pruned()


def test_a_run_that_never_ended_or_whose_fault_is_not_proven_gone_stays_and_is_named(
    store: Database, settings: Settings
) -> None:
    played(store, "r1", ends=False)
    played(store, "r2")
    store.save_undo(Undo("open", "proxy", "r2", "a toxic", "gameday recover", {}))

    outcome = passed(store, settings)

    assert [] == [r.id for r in store.runs() if r.pruned_at]
    assert {
        Kept("run r1", "it never ended; `gameday recover r1`"),
        Kept("run r2", "a fault is not proven gone; `gameday recover r2`"),
    } == set(outcome.kept)


def writes_of(store: Database, run: str) -> list[str]:
    """Return what a process of a run is told that goes on as if nothing had been."""
    fact = Fact("late", Kind.MEASUREMENT, NOW, NOW, "prometheus")
    undo = Undo("late", "proxy", run, "a toxic", "gameday recover", {})
    told = []
    for write in (
        lambda: store.append(run, fact),
        lambda: store.save_undo(undo),
        lambda: store.close_run(run, ended_at=NOW, result=run_result(RunVerdict.PASSED)),
        lambda: store.of_run(run).commit([GroupFact("a/b", fact, run)]),
    ):
        with pytest.raises(StoreError) as refused:
            write()
        told.append(str(refused.value))
    return told


def test_a_process_that_wakes_up_after_its_run_was_pruned_may_not_act(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    played(store, "r2")
    store.give(Order(OrderKind.FENCE, "r1", "its heartbeat was silent", "sentinel", OLD))

    passed(store, settings)

    assert ["r1", "r2"] == sorted(r.id for r in store.runs() if r.pruned_at)
    assert all("was taken over by its sentinel" in said for said in writes_of(store, "r1"))
    assert all("was pruned by the retention" in said for said in writes_of(store, "r2"))
    assert () == store.open_undos()


def test_a_fence_outlives_the_line_of_its_run(store: Database, settings: Settings) -> None:
    played(store, "r1")
    store.give(Order(OrderKind.FENCE, "r1", "its heartbeat was silent", "sentinel", OLD))

    passed(store, settings, incidents=DAY, runs=DAY, lines=2 * DAY)

    assert 0 == len(store.runs())
    assert all("was taken over by its sentinel" in said for said in writes_of(store, "r1"))


def test_a_run_that_came_back_to_life_since_it_was_looked_at_is_not_pruned(
    store: Database,
) -> None:
    played(store, "r1", ends=False)
    played(store, "r2")
    store.save_undo(Undo("open", "proxy", "r2", "a toxic", "gameday recover", {}))

    deleted = [store.prune_run(run, at=NOW, after=DAY) for run in ("r1", "r2")]

    assert [False, False] == [d.is_done for d in deleted]
    assert ["abort", "abort"] == [str(o.kind) for r in ("r1", "r2") for o in store.orders(r)]


def test_without_a_duration_everything_is_kept_for_ever(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    happened(store, "real")

    passed(store, settings, incidents=None, runs=None)

    assert [None] == [r.pruned_at for r in store.runs()]
    assert [None] == [r.pruned_at for r in store.incidents()]
    assert 3 == len(store.facts("r1"))


def test_a_run_that_was_left_half_pruned_is_pruned_to_its_end(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    steps = Pruning(store, settings, now=NOW).steps()
    while not store.runs()[0].pruned_at:
        next(steps)
    steps.close()
    assert store.facts("r1")

    passed(store, settings)

    assert () == store.facts("r1")


def test_lines_go_when_they_are_old_enough_and_not_before_what_they_are_of(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    happened(store, "real")

    assert 0 == passed(store, settings, lines=600 * DAY).lines
    assert 2 == passed(store, settings, lines=DAY).lines
    assert ((), ()) == (store.runs(), store.incidents())


def test_who_did_what_stays_in_the_audit_as_long_as_the_line(
    store: Database, settings: Settings
) -> None:
    happened(store, "real")
    counts = []

    for lines in (timedelta(days=600), None, DAY):
        passed(store, settings, lines=lines)
        counts.append(len(store.audit()))

    assert [1, 1, 0] == counts


def test_a_dry_run_says_what_a_real_one_does_and_changes_nothing(
    store: Database, settings: Settings
) -> None:
    played(store, "r1")
    happened(store, "drilled", run="r1")
    happened(store, "real")
    before = (store.last_number(), store.runs(), store.incidents(), store.facts("r1"))

    dry = whole(Pruning(DryRun(store), settings, now=NOW, forget_file=lambda _: None))

    assert before == (store.last_number(), store.runs(), store.incidents(), store.facts("r1"))
    real = passed(store, settings)
    counts = [[(t.what, t.count, t.facts) for t in one.tallies] for one in (dry, real)]
    assert counts[0] == counts[1]
    assert json.dumps(real.to_json())


def test_a_file_gives_back_what_was_deleted(tmp_path: Path, settings: Settings) -> None:
    store = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    store.open_run("r1", scenario="s", target="t", started_at=OLD, documents={"a": "x" * 5_000_000})
    store.close_run("r1", ended_at=OLD, result=run_result(RunVerdict.PASSED))

    outcome = passed(store, settings)

    assert outcome.after is not None
    assert (0, True) == (outcome.after.free, outcome.after.shrinks)
    store.close()
    assert (tmp_path / "gameday.db").stat().st_size < 1_000_000


async def test_the_service_prunes_by_and_by_and_not_by_a_clock_that_was_set(
    tmp_path: Path, settings: Settings
) -> None:
    store = Database(f"sqlite:///{tmp_path / 'gameday.db'}")
    happened(store, "real", at=NOW)
    clock = VirtualClock(NOW)
    going = asyncio.create_task(prune_for_ever(store, settings, clock=clock, holder="me"))

    async def hour() -> None:
        while not clock._sleepers:
            await asyncio.sleep(0.001)
        clock.advance(EVERY)

    async def looked() -> bool:
        while not clock._sleepers:
            await asyncio.sleep(0.001)
        return store.incidents()[0].pruned_at is not None

    await hour()
    assert not await looked()
    clock.step(500 * DAY)
    await hour()
    assert not await looked()
    await hour()
    assert await looked()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    store.close()
