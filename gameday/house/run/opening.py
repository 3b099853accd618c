"""Opening what outlives a command: the store of runs, and the right to play on a target."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import IO
from urllib.parse import quote

from gameday import private
from gameday.drivers.database import Database
from gameday.errors import PlanRefused, StoreError
from gameday.settings import Settings

TRIES, PAUSE = 3, timedelta(milliseconds=20)


@contextmanager
def open_store(settings: Settings | None = None) -> Iterator[Database]:
    """Open the store of runs, create it at first use, close it at the end."""
    chosen = settings or Settings.from_environment()
    if not chosen.store.database_url:
        with suppress(OSError):  # the store says what is wrong, and what helps
            private.folder(chosen.state)
    database = Database(chosen.database_url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def only_run(settings: Settings, target: str) -> Iterator[None]:
    """Hold the right to play on a target; two drills at once would measure each other.

    The kernel gives the lock back when the process ends, however it ends.

    Raises:
        PlanRefused: another run plays there.
        StoreError: the state folder cannot be written.
    """
    # A context's name may hold anything, also what leads to another folder.
    path = settings.state / f"run-{quote(target, safe='')}.lock"
    try:
        private.folder(path.parent)
        file = private.open_file(path, "w")
    except OSError as error:
        raise StoreError(f"the lock {str(path)!r} cannot be opened: {error}") from error
    with file:
        if not _locked(file):
            raise PlanRefused(
                f"another run is being played on {target}; wait for it to end (`gameday runs`)"
            )
        yield


def _locked(file: IO[str]) -> bool:
    """Return whether the lock is ours now; tried for longer than a plan holds it, who only asks."""
    for _ in range(TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(PAUSE.total_seconds())
    return False
