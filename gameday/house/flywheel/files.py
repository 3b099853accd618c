"""Histories in files, and the chronicle that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gameday.errors import UsageError
from gameday.imports.files import SUFFIXES, read_histories
from gameday.imports.imported import Histories, Imported
from gameday.learning.flywheel.themes import tally_of, themes_of
from gameday.model.past_incident import Chronicle, PastIncident
from gameday.spec.document import read_text
from gameday.spec.tree import quoted

__all__ = ["chronicle_of", "read_files"]

_NO_REPORT = frozenset({"readme.md", "index.md", "license.md", "template.md", "contributing.md"})
"""Files of a folder of postmortems that tell of the folder."""

_RECENT = timedelta(days=92)


def read_files(paths: Sequence[Path], mapping: Mapping[str, str]) -> Histories:
    """Return the incidents of files, and of everything under folders.

    Raises:
        UsageError: a path is not there, or is of no kind that can be read.
        SpecError: a file holds nothing that could be an incident.
    """
    return read_histories(((str(path), read_text(path)) for path in _files(paths)), mapping)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (
                found
                for found in sorted(path.rglob("*"))
                if found.suffix.lower() in SUFFIXES and found.name.lower() not in _NO_REPORT
            )
        elif not path.exists():
            raise UsageError(
                f"there is no file or folder {quoted(str(path))}: give incidents as CSV, JSON or"
                " Markdown, or a folder of postmortems"
            )
        elif path.suffix.lower() in SUFFIXES:
            yield path
        else:
            raise UsageError(
                f"{quoted(str(path))} is of no kind that is read: {', '.join(SUFFIXES)}"
            )


def chronicle_of(reading: Histories, *, now: datetime) -> Chronicle:
    """Return what was read as a chronicle.

    It tells until now; a history that ended a quarter ago or longer tells until its last incident,
    for nobody knows what happened after it.
    """
    incidents = [one.incident for one in reading.incidents]
    last = max((one.began_at for one in incidents), default=now)
    as_of = now if last > now - _RECENT else last
    return Chronicle(
        [_tallied(one, as_of) for one in reading.incidents],
        as_of,
        themes_of(incidents, {one.incident.id: one.items for one in reading.incidents}),
        reading.exposures,
        [said for one in reading.incidents for said in one.contradictions],
    )


def _tallied(one: Imported, as_of: datetime) -> PastIncident:
    return replace(one.incident, tally=tally_of(one.items, as_of=as_of))
