"""Folders and files that nobody but their owner enters or reads.

Everything gameday keeps on this machine is made here: what a drill is about to inject, whose token
opens what, and the shop's own data are nobody else's business, and another user of this machine
can be an adversary like any other.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["NOBODY_ELSE", "folder", "open_file", "tighten_file", "write_text"]

NOBODY_ELSE = 0o077
"""Mask of the processes that keep things: what they make is their owner's alone."""

_FOLDER, _FILE = 0o700, 0o600

_log = logging.getLogger(__name__)


def folder(path: Path) -> Path:
    """Return this folder, made where it is missing, with nobody else let in.

    One of ours that others may enter is closed to them, with all that is in it, and the log says
    so. One that is somebody else's, or everybody's (``/tmp``), stays as it is; the log says that
    too, for gameday's own files in it are still closed one by one.

    Raises:
        OSError: it cannot be made.
    """
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for each in reversed(missing):
        # Not by `parents=True`, which gives only the last one the mode.
        each.mkdir(mode=_FOLDER, exist_ok=True)
    if not missing:
        _close(path)
    return path


def open_file(path: Path, mode: str) -> IO[str]:
    """Open a text file that only its owner reads and writes, an older one of ours as well.

    Args:
        mode: ``w``, ``a`` or ``x``.

    Raises:
        OSError: it cannot be opened.
    """
    file = open(path, mode, encoding="utf-8", opener=_opener)  # noqa: SIM115  whoever asks closes it
    with suppress(OSError):  # somebody else's
        os.fchmod(file.fileno(), _FILE)
    return file


def write_text(path: Path, text: str) -> None:
    """Write a text file that only its owner reads; see `open_file`."""
    with open_file(path, "w") as file:
        file.write(text)


def tighten_file(path: Path) -> None:
    """Make a file only its owner's, before whoever writes to it opens it; made where missing.

    For files that a library opens: SQLite gives the files beside its database the same mode.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.close(_opener(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        with suppress(OSError):  # somebody else's
            if stat.S_IMODE(path.stat().st_mode) & NOBODY_ELSE:
                path.chmod(_FILE)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, _FILE)


def _close(path: Path) -> None:
    found = path.stat()
    if not stat.S_IMODE(found.st_mode) & NOBODY_ELSE or not stat.S_ISDIR(found.st_mode):
        return
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
        _log.warning(
            "%s is not a folder of yours alone: set GAMEDAY_STATE to one that is", str(path)
        )
        return
    path.chmod(_FOLDER)
    for parent, folders, files in os.walk(path):
        for name in (*folders, *files):
            inner = Path(parent) / name
            with suppress(OSError):  # it went meanwhile
                mode = inner.lstat().st_mode
                if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & NOBODY_ELSE:
                    inner.chmod(stat.S_IMODE(mode) & ~NOBODY_ELSE)
    _log.warning("%s could be entered by others: it is its owner's alone now", str(path))
