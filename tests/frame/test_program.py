"""A program that is run to its end is never left behind, whenever it is left."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from gameday.process import ProcessId
from gameday.program import Ended, ran

SOON = timedelta(seconds=30)


@pytest.mark.parametrize("turns", range(6))
def test_one_that_is_left_at_any_turn_of_the_loop_is_gone(turns: int, tmp_path: Path) -> None:
    there = tmp_path / "there"

    async def left() -> None:
        running = asyncio.ensure_future(
            ran("sh", "-c", f"echo $$ > {there}; exec sleep 60", within=SOON)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    began = time.monotonic()
    asyncio.run(left())

    assert time.monotonic() - began < SOON.total_seconds()
    number = int(there.read_text() or 0) if there.exists() else 0
    found = ProcessId.of(number) if number else None
    assert found is None or is_gone(found)


def is_gone(process: ProcessId) -> bool:
    for _ in range(100):
        if process.is_gone:
            return True
        time.sleep(0.05)
    return False


async def test_what_it_printed_and_how_it_ended_is_told() -> None:
    ended = await ran("sh", "-c", "echo out; echo err >&2; exit 3", within=SOON)

    assert Ended(3, b"out\n", b"err\n") == ended


async def test_more_than_is_wanted_is_not_read() -> None:
    ended = await ran(sys.executable, "-c", "print('x' * 100)", within=SOON, most=10)

    assert b"x" * 10 == ended.out


async def test_one_that_leaves_something_behind_is_not_waited_for(tmp_path: Path) -> None:
    """It has left the group and holds the outputs: only what was started is waited for."""
    left = tmp_path / "left"
    script = f"setsid sh -c 'echo $$ > {left}; exec sleep 60' & sleep 60"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(20):
            await ran("sh", "-c", script, within=timedelta(seconds=1))
    os.kill(int(left.read_text()), 9)


async def test_one_that_is_not_there_is_an_error_of_the_machine() -> None:
    with pytest.raises(FileNotFoundError):
        await ran("/nowhere/at-all", within=SOON)
