"""What a responder has done to a target: held before it is done, none after the run's end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_conductor import Run

from gameday.errors import PermanentDriverError, TemporaryDriverError


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
