"""The child process, seen from the parent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Literal

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import DriverError
from gameday.http import credentials, keys, masking

Mode = Literal["inject", "act", "recover", "check"]
Event = Mapping[str, Any]

GRACE = timedelta(seconds=1)
"""Between asking a child to end and ending it: chaoslib needs milliseconds for its own clean-up."""

AFTERWORDS = timedelta(seconds=0.5)
"""What a child that has ended said last is waited for; it is in the pipe, or never comes."""

LAST = ("finished", "refused")
"""The events that are a child's last."""

_LOOK_EVERY = timedelta(milliseconds=10)
_LONGEST_LINE = 1 << 24


async def play(
    mode: Mode,
    experiment: Mapping[str, Any],
    configuration: Mapping[str, Any],
    *,
    within: timedelta,
    environment: Mapping[str, str],
    folder: Path | None = None,
) -> Sequence[Event]:
    """Play an experiment in a child and return its events, once it has ended.

    Args:
        environment: what the child gets beside our own: the settings of the run.
        folder: it works in; by default the one that we do.

    However this is left, no child is left running: not after a timeout, not after a cancellation.
    What an activity started and left behind is another matter: it belongs to the fault, as it does
    where Chaos Toolkit runs alone. It is not waited for, and the event ``left`` names it.

    Raises:
        DriverError: it did not end in time, or ended without having finished.
    """
    # A pipe of our own and a file, for both may outlive the child in the hands of what it started:
    # only the child's own end, and its last event, are waited for.
    ours, its = os.pipe()
    with tempfile.TemporaryFile() as errors, os.fdopen(ours, "rb", buffering=0) as pipe:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gameday.drivers.chaostoolkit.child", mode),
                stdin=asyncio.subprocess.PIPE,
                stdout=its,
                stderr=errors,
                cwd=folder,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C in the terminal is for gameday, which then decides
            )
        finally:
            os.close(its)
        request = {
            **experiments.carried(experiment),
            "configuration": configuration,
            "keys": dict(keys.known()),
            "credentials": {url: asdict(shown) for url, shown in credentials.learned().items()},
            "covers": masking.remembered(),
        }
        has_ended = False
        try:
            async with asyncio.timeout(within.total_seconds()):
                events = await _converse(process, pipe, request)
            has_ended = True
        except TimeoutError as problem:
            raise DriverError(
                f"Chaos Toolkit did not {mode} within {within.total_seconds():.0f} s"
            ) from problem
        finally:
            await _end(process, spares_its_group=has_ended)
        if not events or events[-1]["event"] not in LAST:
            errors.seek(0)
            last_words = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise DriverError(
                f"Chaos Toolkit ended ({_how(process.returncode)}) before it could {mode}"
                + (f": {''.join(last_words)[:500]}" if last_words else "")
            )
    left = left_behind(process.pid)
    return [{"event": "left", "processes": left}, *events] if left else events


def left_behind(group: int) -> Sequence[str]:
    """Return what goes on in the process group of a child that has ended, each with its number."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    except PermissionError:
        pass
    import psutil  # late: seldom needed

    found = []
    for number in psutil.pids():
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getpgid(number) == group:
                process = psutil.Process(number)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.name()} ({number})")
    return found


async def _converse(
    process: asyncio.subprocess.Process, pipe: IO[bytes], request: Mapping[str, Any]
) -> list[Event]:
    """Return the events of a child, up to its last one or its end."""
    assert process.stdin
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    end = asyncio.create_task(_ended(process))
    line = asyncio.create_task(reader.readline())
    events: list[Event] = []
    try:
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
        except ConnectionError:
            pass  # it ended already; what it said comes next
        # Standard input stays open: its end tells the child that its parent is gone.
        while not events or events[-1]["event"] not in LAST:
            await asyncio.wait({line, end}, return_when=asyncio.FIRST_COMPLETED)
            if not line.done():  # ended; what it said before is on its way
                await asyncio.wait({line}, timeout=AFTERWORDS.total_seconds())
            if not line.done() or not line.result():
                break
            events.append(json.loads(line.result()))
            line = asyncio.create_task(reader.readline())
        # It has said all; what it takes to end is not the fault's.
        await asyncio.wait({end}, timeout=GRACE.total_seconds())
    finally:
        for task in (line, end):
            task.cancel()
        await asyncio.wait({line, end})
        transport.close()
    return events


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Return when a process has ended, whoever else holds its pipes.

    Not `Process.wait`: that waits for the pipes as well, in the versions of Python before 3.12.4.
    """
    while process.returncode is None:
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


async def _end(process: asyncio.subprocess.Process, *, spares_its_group: bool) -> None:
    """End a child that has not ended, with what it started unless that is spared."""
    assert process.stdin is not None
    try:
        if process.returncode is None:
            _signal(process, signal.SIGTERM, spares_its_group)
            async with asyncio.timeout(GRACE.total_seconds()):
                await _ended(process)
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            _signal(process, signal.SIGKILL, spares_its_group)
    await _ended(process)
    process.stdin.close()


def _signal(
    process: asyncio.subprocess.Process, number: signal.Signals, spares_its_group: bool
) -> None:
    try:
        if spares_its_group:
            os.kill(process.pid, number)
        else:
            os.killpg(process.pid, number)  # it leads a session of its own
    except ProcessLookupError:
        pass


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
