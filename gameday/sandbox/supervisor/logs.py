"""The bound of what the components write: a log that is too large begins anew, its newest is kept.

The components hold their output open to append, so none of them has to know: what was written is
copied beside the log (``NAME.out.1``, in place of what lay there), and the log is cut to nothing.
What a service of the shop logs besides (``NAME.log``) it bounds itself.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

LARGEST = 2_000_000
"""Bytes of one log, and of what was kept of it before: a day of a component that is quiet, and the
last minutes of one that says something with every request."""

LOOK_EVERY = timedelta(seconds=10)
"""By what is written in between a log is larger than that at most."""


async def bound_for_ever(folder: Path) -> None:
    """Keep the logs in a folder within their bound until cancelled."""
    while True:
        await asyncio.to_thread(bound, folder)
        await asyncio.sleep(LOOK_EVERY.total_seconds())


def bound(folder: Path, *, largest: int = LARGEST) -> None:
    """Cut every log in a folder that is larger than this; its newest whole lines are kept beside.

    One that cannot be cut (a full disk) stays as it is until the next time.
    """
    for log in sorted(folder.glob("*.out")):
        with suppress(OSError):
            if log.stat().st_size > largest:
                _cut(log, largest)


def _cut(log: Path, largest: int) -> None:
    beside = log.with_name(f"{log.name}.new")
    with log.open("r+b") as written, open(beside, "wb", opener=_private) as copy:
        end = written.seek(0, os.SEEK_END)
        if end > largest:
            written.seek(end - largest - 1)
            written.readline()  # the rest of one that is cut off
        copy.write(written.read())
        # What was said while that was copied; between this and the cut it would be lost.
        copy.write(written.read())
        written.truncate(0)
    beside.replace(log.with_name(f"{log.name}.1"))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
