"""The leases: a recording one, a simulated sentinel, and a sentinel's process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from gameday.house.processes.sentinel_process import sentinel
from gameday.testing.contracts import HeldLease, LeaseContract, PlaysLease
from gameday.testing.failures import Calls
from gameday.testing.lease import RecordingLease
from gameday.testing.machine import Machine
from gameday.testing.memory import MemoryStore
from gameday.testing.sentinel import SentinelPost
from gameday.testing.world import SimulatedUndoer, World

MINUTE = timedelta(minutes=1)

Play = Callable[[HeldLease], Awaitable[None]]


async def played(play: Play, held: HeldLease) -> None:
    await play(held)


def recorded(play: Play) -> None:
    lease = RecordingLease()

    async def kill() -> None:
        lease.dead = True

    asyncio.run(played(play, HeldLease(lease, kill)))


def simulated(play: Play) -> None:
    machine = Machine()
    run, process, store = machine.process("run"), machine.process("sentinel"), MemoryStore()
    post = SentinelPost(
        machine=machine,
        run_process=run,
        process=process,
        run_calls=Calls(machine, run, (), {}),
        undoer=SimulatedUndoer(World(machine)),
        store=store,
        budget=MINUTE,
        run_is_over=lambda: False,
    )

    async def kill() -> None:
        process.kill()

    async def opened() -> None:
        async with post("r1", lease=timedelta(seconds=5)) as lease:
            await play(HeldLease(lease, kill))

    machine.run(run.start(opened()), within=10 * MINUTE)
    machine.close()
    assert [] == machine.complaints


def in_a_process(play: Play) -> None:
    async def opened() -> None:
        async with AsyncExitStack() as stack:
            lease = await stack.enter_async_context(sentinel("r1", lease=timedelta(seconds=5)))

            async def kill() -> None:
                os.kill(lease.pid, signal.SIGKILL)
                await asyncio.sleep(0.3)

            await play(HeldLease(lease, kill))

    asyncio.run(opened())


class TestRecordingLease(LeaseContract):
    @pytest.fixture
    def subject(self) -> PlaysLease:
        return recorded


class TestSimulatedSentinel(LeaseContract):
    @pytest.fixture
    def subject(self) -> PlaysLease:
        return simulated


@pytest.mark.served
class TestSentinelProcess(LeaseContract):
    @pytest.fixture
    def subject(self) -> PlaysLease:
        return in_a_process
