"""The run's side of its sentinel: starting it, beating, and handing undos over."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from gameday.drivers.clock import SystemClock
from gameday.errors import TemporaryDriverError
from gameday.ports import Undo
from gameday.process import ProcessId
from gameday.settings import Settings, handed_down

READY_WITHIN = 20.0
"""Seconds a sentinel may take to start; a busy machine needs several to load an interpreter."""

HELD_WITHIN = 5.0

SILENT_LEASES = 2
"""Leases without an answer to a beat after which a sentinel is taken for frozen, and the run ends.

More than one: a sentinel that recovers a fault whose time is over, on a busy machine, is late.
"""

OVERSLEPT = timedelta(seconds=1)
"""A run that beat this much too late stood still itself, and cannot tell who else did."""
BEATS_PER_LEASE = 5

GOODBYE = 2.0
"""Seconds the run waits for its sentinel to go, so that no process is left when it ends."""

MOMENT = 0.02


@asynccontextmanager
async def sentinel(run: str, *, lease: timedelta) -> AsyncIterator[SentinelProcess]:
    """Start the sentinel of a run; it watches until the context is left.

    Raises:
        TemporaryDriverError: it did not start.
    """
    # Not asyncio's own: that kills a child that outlives the loop, and this one may have to.
    process = subprocess.Popen(
        (sys.executable, "-P", "-m", "gameday.cli.sentinel"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **handed_down(Settings.from_environment())},
        start_new_session=True,  # what ends the run must not end it
    )
    held = SentinelProcess(process)
    try:
        await held.start(run, lease)
        yield held
    finally:
        await held.farewell()


class SentinelProcess:
    """A `gameday.ports.Lease` held by a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._stdin: asyncio.WriteTransport | None = None
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._clock = SystemClock()
        self._heard_at = self._clock.elapsed()
        self._silence = timedelta(0)
        self._held: set[str] = set()
        self.pid = process.pid

    async def start(self, run: str, lease: timedelta) -> None:
        """Say whose sentinel it is, and begin to beat."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._process.stdout
        )
        self._stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, self._process.stdin)
        self._tasks.append(asyncio.create_task(self._listen(reader)))
        ready = self._expect("ready")
        self._tell(
            run=run,
            process=ProcessId.own().to_json(),
            lease_seconds=lease.total_seconds(),
        )
        await self._answered(ready, READY_WITHIN, "did not start")
        self._silence = SILENT_LEASES * lease
        every = lease.total_seconds() / BEATS_PER_LEASE
        self._tasks.append(asyncio.create_task(self._beat(every)))

    async def hold(self, undo: Undo, *, at_most: timedelta) -> None:
        """Return once the sentinel holds the undo.

        Raises:
            TemporaryDriverError: it is gone or does not answer.
        """
        held = self._expect(undo.id)
        self._held.add(undo.id)
        self._tell(
            say="hold",
            undo={**asdict(undo), "data": dict(undo.data)},
            at_most=at_most.total_seconds(),
        )
        await self._answered(held, HELD_WITHIN, "does not answer")

    async def release(self, undo: str) -> None:
        """Tell it that this undo is proven done."""
        self._held.discard(undo)
        with suppress(TemporaryDriverError):
            self._tell(say="release", undo=undo)

    def lost(self) -> str:
        """Return why nobody watches over the run any more; empty while somebody does."""
        code = self._process.poll()
        if code is not None:
            return f"the run's sentinel (process {self.pid}) has ended with {code}"
        silent = self._clock.elapsed() - self._heard_at
        if self._silence and silent > self._silence:
            return (
                f"the run's sentinel (process {self.pid}) has not answered for "
                f"{silent.total_seconds():.0f} s"
            )
        return ""

    async def farewell(self) -> None:
        """Tell it that the run ends; it recovers what it still holds, and goes."""
        with suppress(TemporaryDriverError):
            self._tell(say="farewell")
        for _ in range(round(GOODBYE / MOMENT)):
            # One that still has something to recover outlives the run.
            if self._stdin is None or self._process.poll() is not None:
                break
            if self.lost() and not self._held:
                self._process.kill()  # frozen, and with nothing to wake up for
                self._process.wait()
                break
            await asyncio.sleep(MOMENT)
        for task in self._tasks:
            task.cancel()
        if self._stdin is not None:
            self._stdin.close()

    async def _beat(self, every: float) -> None:
        with suppress(TemporaryDriverError):
            while True:
                asleep_at = self._clock.elapsed()
                await asyncio.sleep(every)
                if self._clock.elapsed() - asleep_at > timedelta(seconds=every) + OVERSLEPT:
                    self._heard_at = self._clock.elapsed()
                self._tell(say="beat")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            self._heard_at = self._clock.elapsed()
            for future in self._waiting.pop(line.decode().strip(), []):
                if not future.done():
                    future.set_result(None)
        for waiting in self._waiting.values():
            for future in waiting:
                if not future.done():
                    future.set_exception(_gone())

    def _expect(self, word: str) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(word, []).append(future)
        return future

    async def _answered(self, future: asyncio.Future[None], within: float, what: str) -> None:
        try:
            await asyncio.wait_for(future, within)
        except TimeoutError as error:
            raise TemporaryDriverError(
                f"the run's sentinel {what} within {within:g} s; without it no fault is injected"
            ) from error

    def _tell(self, **said: Any) -> None:
        if self._stdin is None or self._stdin.is_closing() or self._process.poll() is not None:
            raise _gone()
        self._stdin.write(json.dumps(said).encode() + b"\n")


def _gone() -> TemporaryDriverError:
    return TemporaryDriverError("the run's sentinel has ended; without it no fault is injected")
