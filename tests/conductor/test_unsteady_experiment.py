"""An experiment whose own steady state does not hold: never begun, so never rolled back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from test_conductor import Run, World

from gameday.errors import PlanRefused, SteadyStateNotMet, StoreError
from gameday.ports import Injection, PlannedFault
from gameday.testing.memory import MemoryStore
from scoring.timeline import Kind


class Forgetful(MemoryStore):
    """A store that cannot be told once that an undo is done."""

    refusals = 1

    def close_undo(self, undo: str, *, proven_at: datetime) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            raise StoreError("the disk is full")
        super().close_undo(undo, proven_at=proven_at)


async def test_the_run_is_refused_and_its_rollbacks_are_not_played(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.world.inject_error = SteadyStateNotMet("the hop is not clean")

    with pytest.raises(PlanRefused, match="the hop is not clean"):
        await run.play()

    assert "recover u1" not in run.world.calls
    assert () == run.store.open_undos()
    assert {} == run.lease.held
    assert [Kind.UNDO_STORED, Kind.RECOVERY_PROVEN, Kind.STEADY_STATE_CHECKED] == run.kinds()[-3:]


async def test_after_another_fault_it_is_a_failed_injection_and_the_other_is_recovered(
    tmp_path: Path,
) -> None:
    class SecondRefuses(World):
        async def inject(self, fault: PlannedFault) -> Injection:
            if fault.undo.id == "u2":
                raise SteadyStateNotMet("the hop is not clean")
            return await super().inject(fault)

    run = Run(tmp_path)
    run.world = SecondRefuses(run.clock)
    run.world.on_webhook = run.page
    (first,) = run.plan.faults
    second = replace(first, at=timedelta(seconds=5), undo=replace(first.undo, id="u2"))
    run.plan = replace(run.plan, faults=(first, second))

    with pytest.raises(SteadyStateNotMet):
        await run.play()

    assert ["recover u1"] == [c for c in run.world.calls if c.startswith("recover u")]
    assert Kind.INJECTION_FAILED in run.kinds()
    assert () == run.store.open_undos()


async def test_where_the_store_cannot_be_told_it_is_recovered_like_any_other(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    run.store = Forgetful()
    run.world.inject_error = SteadyStateNotMet("the hop is not clean")

    with pytest.raises(SteadyStateNotMet):
        await run.play()

    assert "recover u1" in run.world.calls
    assert () == run.store.open_undos()
