"""What a responder has done to a target: held before it is done, none after the run's end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_conductor import Run

from gameday.errors import DriverError, NothingDone, PermanentDriverError, TemporaryDriverError
from scoring.timeline import TAKE_BACK


async def test_nothing_is_mitigated_once_the_run_is_taken_back(tmp_path: Path) -> None:
    run = Run(tmp_path)
    await run.play()
    assert run.mitigations is not None

    with pytest.raises(PermanentDriverError, match="the game day is over"):
        await run.mitigations.mitigate("failover-db", {})

    assert run.responder is not None and run.responder.left
    assert run.store.open_undos() == ()


async def test_a_mitigation_that_no_sentinel_holds_is_not_done(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.conductor()
    assert run.mitigations is not None
    await run.mitigations.mitigate("failover-db", {})
    done_at, run.lease.dead = run.world.mitigated_at, True

    with pytest.raises(TemporaryDriverError):
        await run.mitigations.mitigate("failover-db", {})

    assert done_at == run.world.mitigated_at


async def test_what_is_under_way_when_the_run_is_taken_back_is_cut_short(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.conductor()
    assert run.mitigations is not None
    begun, ended = asyncio.Event(), []

    async def takes_long(name: str, parameters: Mapping[str, str]) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)
        return "done"

    run.world.mitigate = takes_long  # type: ignore[method-assign]
    asked = asyncio.ensure_future(run.mitigations.mitigate("failover-db", {}))
    await begun.wait()

    await run.mitigations.close()

    assert ["failover-db"] == ended
    with pytest.raises(TemporaryDriverError, match="cut short"):
        await asked


@pytest.mark.parametrize(
    ("error", "left"), [(NothingDone, 0), (PermanentDriverError, 1), (TemporaryDriverError, 1)]
)
async def test_only_a_mitigation_that_provably_did_nothing_leaves_nothing_to_take_back(
    tmp_path: Path, error: type[DriverError], left: int
) -> None:
    run = Run(tmp_path)
    run.conductor()
    assert run.mitigations is not None

    async def refused(name: str, parameters: Mapping[str, str]) -> str:
        raise error("there is no program mend here")

    run.world.mitigate = refused  # type: ignore[method-assign]
    with pytest.raises(error):
        await run.mitigations.mitigate("failover-db", {})
    await run.mitigations.close()

    assert left == len(run.store.open_undos())


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
async def test_an_undo_that_something_else_rests_on_stays_open(tmp_path: Path, first: bool) -> None:
    run = Run(tmp_path)
    run.conductor()
    assert run.mitigations is not None
    works = run.world.mitigate
    if first:
        await run.mitigations.mitigate("failover-db", {})

    async def refused(name: str, parameters: Mapping[str, str]) -> str:
        raise NothingDone("there is no program mend here")

    run.world.mitigate = refused  # type: ignore[method-assign]
    with pytest.raises(NothingDone):
        await run.mitigations.mitigate("failover-db", {})
    if not first:
        run.world.mitigate = works  # type: ignore[method-assign]
        await run.mitigations.mitigate("failover-db", {})
    await run.mitigations.close()

    assert ["m1"] == [undo.id for undo in run.store.open_undos()]


async def test_what_was_applied_is_taken_back_while_the_run_goes_on_and_again_at_its_end(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    run.conductor()
    assert run.mitigations is not None
    await run.mitigations.mitigate("failover-db", {})

    said = await run.mitigations.mitigate(TAKE_BACK, {})

    assert "taken back: mitigations" == said
    assert 1 == run.world.restored
    assert ["m1"] == [undo.id for undo in run.store.open_undos()]


async def test_before_anything_was_applied_there_is_nothing_to_take_back(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.conductor()
    assert run.mitigations is not None

    with pytest.raises(NothingDone, match="nothing was applied"):
        await run.mitigations.mitigate(TAKE_BACK, {})

    assert 0 == run.world.restored


async def test_what_reading_the_target_still_shows_was_not_taken_back(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.conductor()
    assert run.mitigations is not None
    await run.mitigations.mitigate("failover-db", {})
    run.world.present.add("m1")

    with pytest.raises(TemporaryDriverError, match="still shows it"):
        await run.mitigations.mitigate(TAKE_BACK, {})
