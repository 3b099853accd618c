"""A program that is run to its end, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any

__all__ = ["Ended", "ran"]


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ended: its exit code, and what it wrote on standard output and error."""

    code: int
    out: bytes
    err: bytes


async def ran(
    *argv: str | os.PathLike[str], within: timedelta, most: int | None = None, **options: Any
) -> Ended:
    """Return a program run to its end; however this is left, it and its group are gone by then.

    What it prints goes into a file: a pipe would last as long as anybody it started holds it. Who
    asks for it in a task of its own waits for that task: a loop that ends in the very turn in which
    a program is started waits for ever for what it killed (Python 3.11: the calls that
    `BaseSubprocessTransport` keeps until its pipes are connected).

    Args:
        most: bytes that are read of either output, at most.
        options: those of `asyncio.create_subprocess_exec` beside the standard streams.

    Raises:
        OSError, ValueError: it cannot be started.
        TimeoutError: it did not end in time and was killed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # what ends it ends all that it started
            **options,
        )
        try:
            async with asyncio.timeout(within.total_seconds()):
                code = await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return Ended(code, _written(out, most), _written(err, most))


def _written(file: IO[bytes], most: int | None) -> bytes:
    file.seek(0)
    return file.read(-1 if most is None else most)
