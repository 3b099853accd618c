"""How whoever sits at this machine finds the incident of the run that is going on.

A run leaves a small file with its address and its on-call's token in the state folder, readable by
its owner only. It goes when the run ends; one of a process that died is passed over.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gameday import private
from gameday.drivers.desk import HttpDesk, open_incidents
from gameday.errors import StoreError, UsageError
from gameday.process import ProcessId
from gameday.settings import Settings

FOLDER = "incidents"


@contextmanager
def announced(settings: Settings, run: str, url: str, *, token: str) -> Iterator[None]:
    """Let `open_desk` find this run's incident for as long as the context lasts.

    Args:
        url: of the run's server; token: its on-call's.

    Raises:
        StoreError: the state folder cannot be written.
    """
    path = settings.state / FOLDER / f"{run}.json"
    for note in _notes(settings):
        if _alive(note) is None:  # of a run that was killed
            note.unlink(missing_ok=True)
    said = {"run": run, "url": url, "token": token} | ProcessId.own().to_json()
    try:
        private.folder(settings.state)
        private.folder(path.parent)
        with private.open_file(path, "w") as file:
            json.dump(said, file)
    except OSError as error:
        raise StoreError(f"the incident's note {str(path)!r} cannot be written: {error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


async def open_desk(settings: Settings, run: str | None = None) -> HttpDesk:
    """Return the desk of the incident that is open here.

    Args:
        run: beginning of a run's id, where several runs go on at once.

    Raises:
        UsageError: there is none, there are several, or its page has not come yet.
        TemporaryDriverError: the run does not answer.
    """
    note = _one(settings, run)
    incidents = await open_incidents(note.url, token=note.token, run=note.run)
    if not incidents:
        raise NoPageYet("no page yet: the incident opens with it")
    return HttpDesk(incidents[0], token=note.token)


async def open_mitigations(settings: Settings, run: str | None = None) -> HttpDesk:
    """Return what mitigates for the run that goes on here, also before its page has come.

    Raises:
        UsageError: there is none, or there are several.
        TemporaryDriverError: the run does not answer.
    """
    try:
        return await open_desk(settings, run)
    except NoPageYet:
        note = _one(settings, run)
        return HttpDesk(f"{note.url}/api", token=note.token)


def _one(settings: Settings, run: str | None) -> _Note:
    notes = [note for path in _notes(settings) if (note := _alive(path))]
    found = [note for note in notes if note.run.startswith(run or "")]
    if not found:
        raise UsageError(
            f"run {run!r} has no open incident; `gameday runs` lists them"
            if run and notes
            else "no incident is open here; one is while a run is going on"
        )
    if len(found) > 1:
        names = ", ".join(note.run for note in found)
        raise UsageError(f"several incidents are open: {names}; choose with --run")
    return found[0]


class NoPageYet(UsageError):
    """A run goes on, and has paged nobody so far."""


def going_on(settings: Settings) -> list[str]:
    """Return the ids of the runs whose processes live on this machine, oldest first."""
    return [note.run for path in _notes(settings) if (note := _alive(path))]


def left_behind(settings: Settings) -> list[str]:
    """Return the ids of the runs whose processes on this machine are gone, oldest first.

    A run that ends, however it does, takes its note away; these were killed.
    """
    found = [note for path in _notes(settings) if (note := _read(path)) is not None]
    return [note.run for note in found if note.process.is_gone]


def _notes(settings: Settings) -> list[Path]:
    return sorted((settings.state / FOLDER).glob("*.json"))


@dataclass(frozen=True, slots=True)
class _Note:
    run: str
    url: str
    token: str
    process: ProcessId


def _read(path: Path) -> _Note | None:
    """Return what a note says; None where it cannot be read, or says not all of it."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        process = ProcessId.from_json(said)
        return _Note(str(said["run"]), str(said["url"]), str(said.get("token", "")), process)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _alive(path: Path) -> _Note | None:
    """Return a note; None where its process is gone or it cannot be read."""
    note = _read(path)
    return None if note is None or note.process.is_gone else note
