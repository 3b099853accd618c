"""The real sentinel in a simulated process, and the pipe between it and its run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from gameday.conductor import Outcome, Sentinel
from gameday.errors import TemporaryDriverError
from gameday.house.run.endings import conclude
from gameday.ports import Clock, Lease, Store, Undo, Undoer
from gameday.testing.failures import Calls
from gameday.testing.machine import Machine, Process

__all__ = ["SentinelPost"]

# As `gameday.house.processes.sentinel_process` has them.
BEATS_PER_LEASE = 5
SILENT_LEASES = 2
OVERSLEPT = timedelta(seconds=1)
READY_WITHIN = 20.0
HELD_WITHIN = 5.0
GOODBYE = timedelta(seconds=2)


@dataclass(slots=True)
class SentinelPost:
    """Starts the sentinel of a run, and keeps how it ended.

    Attributes:
        run_process: the run's process, which the sentinel may have to end.
        process: the sentinel's own.
        run_calls: the calls of the run, of which those to its sentinel are some.
        kills_in_vain: how often ending the run's process is tried in vain, as where it belongs to
            somebody else.
        tried: how often it was.
        clock: of the machine on which both run; None: the world's.
        outcome: how the watch ended; None: it never did.
    """

    machine: Machine
    run_process: Process
    process: Process
    run_calls: Calls
    undoer: Undoer
    store: Store
    budget: timedelta
    run_is_over: Callable[[], bool]
    kills_in_vain: int = 0
    clock: Clock | None = None
    outcome: Outcome | None = None
    watching: asyncio.Task[None] | None = field(default=None)
    tried: int = 0

    @asynccontextmanager
    async def __call__(self, run: str, *, lease: timedelta) -> AsyncIterator[Lease]:
        """Start the sentinel, beat for as long as the context lasts, and say goodbye."""

        async def started() -> None:
            await self.machine.clock.sleep(timedelta(milliseconds=300))

        sentinel = Sentinel(
            run,
            undoer=self.undoer,
            store=self.store,
            clock=self.clock or self.machine.clock,
            lease=lease,
            budget=self.budget,
            end_run=self._end_run,
        )
        pipe = _Pipe(self.machine, self.run_process, self.process, sentinel)
        pipe.silence = SILENT_LEASES * lease
        self.watching = self.process.start(self._watch(sentinel, run))
        beats = asyncio.create_task(pipe.beat(lease / BEATS_PER_LEASE))
        try:
            await _within(READY_WITHIN, self.run_calls.asked("lease.start", started))
            yield _Lease(pipe, self.run_calls)
        finally:
            pipe.tell(sentinel.farewell)
            waited = timedelta(0)
            while not self.watching.done() and waited < GOODBYE and self.process.is_alive:
                await self.machine.clock.sleep(GOODBYE / 20)
                waited += GOODBYE / 20
            beats.cancel()
            pipe.close()

    async def _watch(self, sentinel: Sentinel, run: str) -> None:
        self.outcome = await sentinel.watch()
        if self.outcome is not Outcome.RELIEVED:
            now = self.machine.clock.now()
            conclude(self.store, run, timeline=Path(f"{run}.jsonl"), ended_at=now)

    async def _end_run(self) -> bool:
        self.process.check()
        await self.machine.clock.sleep(timedelta(milliseconds=10))
        if self.run_is_over() or not self.run_process.is_alive:
            return True
        if self.tried < self.kills_in_vain:
            self.tried += 1
            return False
        self.run_process.kill()
        return True


@dataclass(slots=True)
class _Lease:
    """What the run holds of its sentinel."""

    pipe: _Pipe
    calls: Calls

    async def hold(self, undo: Undo, *, at_most: timedelta) -> None:
        """Return once the sentinel holds the undo, or say after a while that it does not."""
        holding = partial(self.pipe.hold, undo, at_most=at_most)
        await _within(HELD_WITHIN, self.calls.asked("lease.hold", holding))

    async def release(self, undo: str) -> None:
        """Tell the sentinel that this undo is proven done."""
        await self.calls.asked("lease.release", partial(self.pipe.release, undo))

    def lost(self) -> str:
        """Return why nobody watches over the run any more; empty while somebody does."""
        return self.pipe.lost()


class _Pipe:
    """What the run says arrives in order; what is said to a frozen sentinel waits."""

    def __init__(
        self, machine: Machine, run: Process, process: Process, sentinel: Sentinel
    ) -> None:
        self._machine = machine
        self._process = process
        self._sentinel = sentinel
        self._is_open = True
        self._waiting: list[asyncio.Future[None]] = []
        self._heard_at = machine.elapsed
        self.silence = timedelta(0)
        run.on_death.append(self.close)
        process.on_death.append(self._broken)

    def tell(self, said: Callable[..., None], *words: object, **named: object) -> None:
        """Say something to the sentinel; nobody hears it where it is gone."""

        async def heard() -> None:
            said(*words, **named)

        if self._is_open and self._process.is_alive:
            self._process.start(heard())

    async def hold(self, undo: Undo, *, at_most: timedelta) -> None:
        """Return once the sentinel holds the undo."""
        if not self._process.is_alive:
            raise _gone()
        held: asyncio.Future[None] = self._machine.create_future()

        def hear() -> None:
            if self._sentinel.hold(undo, at_most=at_most) and not held.done():
                held.set_result(None)

        self._waiting.append(held)
        self.tell(hear)
        await held

    async def release(self, undo: str) -> None:
        """Tell the sentinel that this undo is proven done."""
        self.tell(self._sentinel.release, undo)

    async def beat(self, every: timedelta) -> None:
        """Beat for ever."""
        while True:
            asleep_at = self._machine.elapsed
            await self._machine.clock.sleep(every)
            if self._machine.elapsed - asleep_at > every + OVERSLEPT:
                self._heard_at = self._machine.elapsed
            self.tell(self._answered_beat)

    def _answered_beat(self) -> None:
        self._sentinel.beat()
        self._heard_at = self._machine.elapsed

    def lost(self) -> str:
        """Return why the sentinel does not hear the run any more; empty while it does."""
        if not self._process.is_alive:
            return "the run's sentinel has ended"
        is_silent = self._machine.elapsed - self._heard_at > self.silence
        return "the run's sentinel has not answered" if is_silent else ""

    def close(self) -> None:
        """Close the run's end, as its death does: the sentinel reads the end."""
        self.tell(self._sentinel.lose, "its process is gone")
        self._is_open = False

    def _broken(self) -> None:
        for held in self._waiting:
            if not held.done():
                held.set_exception(_gone())
                held.exception()  # heard, also where nobody waits any more


async def _within(seconds: float, answer: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await answer
    except TimeoutError as error:
        raise TemporaryDriverError("the run's sentinel does not answer") from error


def _gone() -> TemporaryDriverError:
    return TemporaryDriverError("the run's sentinel has ended; without it no fault is injected")
