"""What every lease promises: a recording one, a simulated sentinel, and a sentinel's process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest

from gameday.errors import DriverError
from gameday.house.processes.sentinel_process import sentinel
from gameday.ports import Lease, Undo
from gameday.testing.failures import Calls
from gameday.testing.lease import RecordingLease
from gameday.testing.machine import Machine
from gameday.testing.memory import MemoryStore
from gameday.testing.sentinel import SentinelPost
from gameday.testing.world import SimulatedUndoer, World

pytestmark = pytest.mark.sandbox  # real stores, servers or processes: not quick

MINUTE = timedelta(minutes=1)


def undo(number: int = 1) -> Undo:
    data = {"experiment": {"method": []}, "configuration": {}, "toxiproxy_url": None}
    return Undo(f"gd-r1-{number}", "experiment", "r1", "slow → db", "gameday recover r1", data)


@dataclass(frozen=True)
class Subject:
    """A lease, and what ends its sentinel as SIGKILL does."""

    lease: Lease
    kill: Callable[[], Awaitable[None]]


Promise = Callable[[Subject], Awaitable[None]]


def recording(promise: Promise) -> None:
    lease = RecordingLease()

    async def kill() -> None:
        lease.dead = True

    asyncio.run(_kept(promise, Subject(lease, kill)))


def simulated(promise: Promise) -> None:
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

    async def play() -> None:
        async with post("r1", lease=timedelta(seconds=5)) as lease:
            await promise(Subject(lease, kill))

    machine.run(run.start(play()), within=10 * MINUTE)
    machine.close()
    assert [] == machine.complaints


def process(promise: Promise) -> None:
    async def play() -> None:
        async with AsyncExitStack() as stack:
            lease = await stack.enter_async_context(sentinel("r1", lease=timedelta(seconds=5)))

            async def kill() -> None:
                os.kill(lease.pid, signal.SIGKILL)
                await asyncio.sleep(0.3)

            await promise(Subject(lease, kill))

    asyncio.run(play())


async def _kept(promise: Promise, subject: Subject) -> None:
    await promise(subject)


@pytest.fixture(
    params=[recording, simulated, pytest.param(process, marks=pytest.mark.sandbox)],
    ids=lambda subject: subject.__name__,
)
def check(request: pytest.FixtureRequest) -> Callable[[Promise], None]:
    return request.param  # type: ignore[no-any-return]


def test_what_is_held_may_be_held_anew_and_is_released(
    check: Callable[[Promise], None],
) -> None:
    async def promise(subject: Subject) -> None:
        for number in (1, 2, 1):
            await subject.lease.hold(undo(number), at_most=MINUTE)
        for number in (1, 2):
            await subject.lease.release(undo(number).id)

    check(promise)


def test_several_may_be_held_at_once(check: Callable[[Promise], None]) -> None:
    async def promise(subject: Subject) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(subject.lease.hold(undo(number), at_most=MINUTE))
        for number in range(5):
            await subject.lease.release(undo(number).id)

    check(promise)


def test_releasing_what_is_not_held_is_harmless(check: Callable[[Promise], None]) -> None:
    async def promise(subject: Subject) -> None:
        await subject.lease.release("none")
        await subject.lease.release("none")

    check(promise)


def test_where_the_sentinel_is_gone_nothing_is_held_and_releasing_never_raises(
    check: Callable[[Promise], None],
) -> None:
    async def promise(subject: Subject) -> None:
        await subject.lease.hold(undo(), at_most=MINUTE)
        await subject.kill()

        with pytest.raises(DriverError):
            await subject.lease.hold(undo(2), at_most=MINUTE)
        await subject.lease.release(undo().id)

    check(promise)
