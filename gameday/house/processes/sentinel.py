"""The sentinel's process: ``python -m gameday.cli.sentinel``, one per run.

It is told everything over its standard input, a line of JSON each; standard input that ends without
a farewell means that the run is gone. It answers every undo it holds with the undo's id. Nothing of
the run's memory is shared, and it leads a session of its own: what ends the run does not end it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.conductor import Outcome, Sentinel
from gameday.drivers.clock import SteadyClock
from gameday.errors import GamedayError
from gameday.house.processes.undoers import Undoers
from gameday.ports import Undo, WholeStore
from gameday.process import ProcessId
from gameday.settings import Settings

LONGEST_LINE = 1 << 24
ALIVE = "alive"
"""What every beat is answered with, so that the run hears its sentinel, too."""

GONE_WITHIN = 1.0
"""Seconds a killed process is waited for at a time."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What gives a run an end; it belongs to the room of runs, which stands above this one.

    Attributes:
        open_store: opens the store of runs.
        prepare: loads what `end` needs, while nothing is urgent.
        end: gives a run its end, judged by what it recorded.
    """

    open_store: Callable[[Settings], AbstractContextManager[WholeStore]]
    prepare: Callable[[], None]
    end: Callable[[WholeStore, Settings, str], None]


def main(ends: Ends) -> int:
    """Watch over one run; 0: nothing is left in place, 1: something is.

    Args:
        ends: what gives the run its end where its own process cannot.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever ends the run this way lets the run recover; if it cannot, this one must be there.
        signal.signal(number, signal.SIG_IGN)
    try:
        return asyncio.run(_watch(ends))
    except GamedayError as error:
        print(str(error), file=sys.stderr)
        return 1


async def _watch(ends: Ends) -> int:
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    orders = json.loads(await reader.readline() or b"{}")
    if not orders:
        return 0
    settings = Settings.from_environment()
    run = str(orders["run"])
    process = _RunProcess(ProcessId.from_json(orders["process"]))
    with ends.open_store(settings) as store:
        sentinel = Sentinel(
            run,
            undoer=Undoers(),
            store=store,
            clock=SteadyClock(),
            lease=timedelta(seconds=float(orders["lease_seconds"])),
            budget=settings.recovery_budget,
            end_run=process.end,
        )
        hearing = asyncio.create_task(_hear(reader, sentinel))
        _say("ready")
        warming = asyncio.create_task(asyncio.to_thread(_warm_up, ends))
        outcome = await sentinel.watch()
        hearing.cancel()
        await warming
        if outcome is not Outcome.RELIEVED:
            await asyncio.to_thread(ends.end, store, settings, run)
    return int(outcome is Outcome.STUCK)


async def _hear(reader: asyncio.StreamReader, sentinel: Sentinel) -> None:
    """Pass on what the run says, until it says no more."""
    while True:
        try:
            line = await reader.readline()
        except (ValueError, OSError):
            line = b""
        if not line.endswith(b"\n"):
            sentinel.lose("its process is gone")
            return
        said: Mapping[str, Any] = json.loads(line)
        match said.get("say"):
            case "hold":
                undo = Undo(**said["undo"])
                if sentinel.hold(undo, at_most=timedelta(seconds=float(said["at_most"]))):
                    _say(undo.id)
            case "release":
                sentinel.release(str(said["undo"]))
            case "farewell":
                sentinel.farewell()
            case _:
                sentinel.beat()
                _say(ALIVE)


def _say(word: str) -> None:
    # Whoever listened may be gone; that is noticed elsewhere.
    with suppress(OSError, ValueError):
        print(word, flush=True)


def _warm_up(ends: Ends) -> None:
    """Load what a recovery needs, while nothing is urgent."""
    import httpx

    ends.prepare()
    httpx.Client(trust_env=False).close()


class _RunProcess:
    """The process of the run."""

    def __init__(self, process: ProcessId) -> None:
        self._process = process

    async def end(self) -> bool:
        """Kill it; return whether it is gone. One that is stopped or hangs is killed as well."""
        if self._process.is_gone:
            return True
        try:
            os.kill(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        deadline = asyncio.get_running_loop().time() + GONE_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            if self._process.is_gone:
                return True
            await asyncio.sleep(0.01)
        return False
