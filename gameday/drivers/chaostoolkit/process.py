"""The child process, seen from the parent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from gameday.drivers.chaostoolkit import experiment as experiments
from gameday.errors import DriverError

Mode = Literal["inject", "recover", "check"]
Event = Mapping[str, Any]

GRACE = timedelta(seconds=1)
"""Between asking a child to end and ending it: chaoslib needs milliseconds for its own clean-up."""

_LONGEST_LINE = 1 << 24


async def play(
    mode: Mode,
    experiment: Mapping[str, Any],
    configuration: Mapping[str, Any],
    *,
    within: timedelta,
    environment: Mapping[str, str],
) -> Sequence[Event]:
    """Play an experiment in a child and return its events, once it has ended.

    Args:
        environment: what the child gets beside our own: the settings of the run.

    However this is left, no child is left running: not after a timeout, not after a cancellation.

    Raises:
        DriverError: it did not end in time, or ended without having finished.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gameday.drivers.chaostoolkit.child", mode),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        env={**os.environ, **environment},
        start_new_session=True,  # Ctrl-C in the terminal is for gameday, which then decides
    )
    try:
        async with asyncio.timeout(within.total_seconds()):
            events, last_words = await _converse(
                process, {**experiments.carried(experiment), "configuration": configuration}
            )
    except TimeoutError as problem:
        raise DriverError(
            f"Chaos Toolkit did not {mode} within {within.total_seconds():.0f} s"
        ) from problem
    finally:
        await _end(process)
    if not events or events[-1]["event"] not in ("finished", "refused"):
        raise DriverError(
            f"Chaos Toolkit ended ({_how(process.returncode)}) before it could {mode}"
            + (f": {last_words}" if last_words else "")
        )
    return events


async def _converse(
    process: asyncio.subprocess.Process, request: Mapping[str, Any]
) -> tuple[list[Event], str]:
    assert process.stdin and process.stdout and process.stderr  # all are pipes
    errors = asyncio.create_task(process.stderr.read())
    try:
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
        except ConnectionError:
            pass  # it ended already; what it said comes next
        # Standard input stays open: its end tells the child that its parent is gone.
        events: list[Event] = [json.loads(line) async for line in process.stdout]
        last_words = (await errors).decode(errors="replace").strip().splitlines()[-1:]
    finally:
        errors.cancel()
        await asyncio.wait([errors])
    process.stdin.close()
    await process.wait()
    return events, "".join(last_words)[:500]


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    try:
        if process.returncode is None:
            _signal(process, signal.SIGTERM)
            async with asyncio.timeout(GRACE.total_seconds()):
                await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            _signal(process, signal.SIGKILL)
        process.stdin.close()
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)  # it leads a session of its own
    except ProcessLookupError:
        pass


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
