"""The list of processes a sandbox started, so that `down` finds them after any crash.

A file beside the state: one line per process, written right after its start. Number
and birth together tell a process from a later one with the same number. Besides, every process of
a sandbox carries the sandbox's folder in its environment, for one that died between the two.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import psutil

from gameday.process import ProcessId

FILE_NAME = "processes.jsonl"
MARK = "GAMEDAY_SANDBOX_FOLDER"

LARGEST = 250_000
"""Bytes of the list: what died is struck from it then. A component that cannot start is started
every few seconds for as long as the sandbox is up."""


def record(folder: Path, name: str, pid: int) -> ProcessId | None:
    """Append a process and return which it is; None where it is gone already."""
    process = ProcessId.of(pid)
    if process is not None:
        with (folder / FILE_NAME).open("a", encoding="utf-8") as ledger:
            ledger.write(json.dumps({"name": name} | process.to_json()) + "\n")
            size = ledger.tell()
        if size > LARGEST:
            _strike(folder / FILE_NAME)
    return process


def _strike(path: Path) -> None:
    """Strike from the list what is gone; of each component the last stays."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    last: dict[str, str] = {}
    running = set()
    for line in lines:
        with contextlib.suppress(ValueError, KeyError):
            entry = json.loads(line)
            last[entry["name"]] = line
            if not ProcessId.from_json(entry).is_gone:
                running.add(line)
    wanted = running | set(last.values())
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text("".join(line for line in lines if line in wanted), encoding="utf-8")
    fresh.replace(path)


def latest(folder: Path, name: str) -> ProcessId | None:
    """Return the process that a component was started as last; None where it never was."""
    found = None
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / FILE_NAME).read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, KeyError):
                entry = json.loads(line)
                if entry["name"] == name:
                    found = ProcessId.from_json(entry)
    return found


def survivors(folder: Path) -> list[psutil.Process]:
    """Return every process of this sandbox that still runs, with their children."""
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / FILE_NAME).read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, KeyError, psutil.NoSuchProcess):
                known = ProcessId.from_json(json.loads(line))
                if known.runs:
                    found[known.pid] = psutil.Process(known.pid)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(folder):
                found[process.pid] = process
    for process in list(found.values()):
        with contextlib.suppress(psutil.Error):
            found.update({child.pid: child for child in process.children(recursive=True)})
    alive = {}
    for pid, process in found.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                alive[pid] = process
    return list(alive.values())


def end_all(folder: Path, *, patience_seconds: float = 2.0) -> list[int]:
    """End every process of this sandbox, politely first; return those that would not end."""
    deadline = time.monotonic() + 10
    polite = True
    while (left := survivors(folder)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.terminate() if polite else process.kill()
        psutil.wait_procs(left, timeout=patience_seconds)
        polite = False
    return [process.pid for process in survivors(folder)]
