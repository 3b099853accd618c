"""Files of any kind as incidents: which reader a text is for, and what all of them say together."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from gameday.errors import Problem, SpecError
from gameday.imports.columns import FIELDS, Row, Rows, columns_of
from gameday.imports.imported import Histories, Imported
from gameday.imports.instants import day_in
from gameday.imports.outline import parts_of
from gameday.imports.postmortems import read_postmortem
from gameday.model.past_incident import PastItem
from gameday.names import did_you_mean

__all__ = ["SUFFIXES", "mapping_of", "read_histories"]

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".md", ".markdown")


def mapping_of(said: Iterable[str]) -> Mapping[str, str]:
    """Return which of their columns hold what, of ``began=Created at``.

    Raises:
        SpecError: there is no such field of ours.
    """
    found = {}
    for text in said:
        ours, equals, theirs = (part.strip() for part in text.partition("="))
        if not equals or not theirs or ours not in FIELDS:
            hint = did_you_mean(ours, FIELDS, what="a field is one of")
            raise SpecError([Problem("--map", 0, "", f"{text!r} is not FIELD=COLUMN", hint)])
        found[ours] = theirs
    return found


def read_histories(texts: Iterable[tuple[str, str]], mapping: Mapping[str, str]) -> Histories:
    """Return what is in texts, each with the path it was read from.

    Of two incidents with one id the later one stands, so that what is imported again is the same.

    Raises:
        SpecError: a file holds nothing that could be an incident.
    """
    rows = Rows()
    problems: list[Problem] = []
    reports: list[Imported] = []
    for path, text in texts:
        try:
            match PurePath(path).suffix.lower():
                case ".csv" | ".tsv":
                    _read_csv(rows, text, path, mapping)
                case ".json" | ".jsonl":
                    _read_json(rows, text, path, mapping)
                case _:
                    reports += _read_markdown(rows, text, path, mapping)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    found = {one.incident.id: one for one in [*rows.incidents, *reports]}
    unread = list(rows.unread)
    for id, items in rows.items.items():
        if id in found:
            found[id] = replace(found[id], items=(*found[id].items, *items))
        else:
            unread.append(f"{_counted(items)} of the incident {id!r}, which is in no file")
    ordered = sorted(found.values(), key=lambda one: (one.incident.began_at, one.incident.id))
    return Histories(ordered, rows.exposures, unread)


def _counted(items: Sequence[PastItem]) -> str:
    return "an action item is" if len(items) == 1 else f"{len(items)} action items are"


def _read_csv(rows: Rows, text: str, path: str, mapping: Mapping[str, str]) -> None:
    lines = text.splitlines()
    head = lines[0] if lines else ""
    delimiter = max(",;\t|", key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
        names = [name for name in reader.fieldnames or () if name]
        placed = [
            (f"{path}:{reader.line_num}", {k: v for k, v in row.items() if k}) for row in reader
        ]
    except csv.Error as error:
        raise SpecError([Problem(path, 0, "", f"it cannot be read as CSV: {error}")]) from error
    _read_rows(rows, placed, names, path, mapping)


def _read_json(rows: Rows, text: str, path: str, mapping: Mapping[str, str]) -> None:
    try:
        if path.lower().endswith(".jsonl"):
            said: object = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            said = json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(path, error.lineno, "", f"it is no JSON: {error.msg}")
        raise SpecError([problem]) from error
    lists = [said] if isinstance(said, list) else []
    if isinstance(said, Mapping):
        lists = [value for value in said.values() if isinstance(value, list)]
    objects = [[one for one in found if isinstance(one, Mapping)] for found in lists]
    if not any(objects):
        message = "it holds no list of objects"
        raise SpecError([Problem(path, 0, "", message, "write one object for each incident")])
    for found in objects:
        names = list(dict.fromkeys(str(name) for one in found for name in one))
        placed = [(f"{path}: object {n}", one) for n, one in enumerate(found, 1)]
        if placed:
            _read_rows(rows, placed, names, path, mapping)


def _read_rows(
    rows: Rows,
    placed: Sequence[tuple[str, Row]],
    names: Sequence[str],
    path: str,
    mapping: Mapping[str, str],
) -> None:
    columns = columns_of(names, mapping)
    if columns is None:
        has = ", ".join(names) if names else "none"
        message = f"no column says when incidents began; its columns are {has}"
        hint = "say which does: --map began=COLUMN"
        raise SpecError([Problem(path, 1, "", message, hint)])
    rows.read(placed, columns, path)


def _read_markdown(
    rows: Rows, text: str, path: str, mapping: Mapping[str, str]
) -> Iterator[Imported]:
    """Yield the incidents of a text: of a log, each with a heading of its own, or of a report."""
    is_log = False
    for part in parts_of(text):
        for table in part.tables:
            names = table[0] if table else []
            columns = columns_of(names, mapping)
            # A report may have a table whose first column is a time; a log names more.
            if columns is None or (columns.kind == "incidents" and len(columns.of) < 3):
                continue
            is_log = True
            placed = [
                (f"{path}:{part.line}", dict(zip(names, cells, strict=False)))
                for cells in table[1:]
            ]
            rows.read(placed, columns, path)
    if is_log:
        return
    name = PurePath(path).stem
    sections = _dated_sections(text)
    for title, section in sections or [(name, text)]:
        found = read_postmortem(section, title)
        if found is None:
            rows.unread.append(f"{path}: nothing says when it was: begin its title with the day")
        else:
            yield replace(found, incident=replace(found.incident, source=path))


def _dated_sections(text: str) -> Sequence[tuple[str, str]]:
    """Return (id, text) of each section of a log whose headings begin with a day; else nothing."""
    parts = parts_of(text)
    for level in (1, 2, 3):
        dated = [p for p in parts if p.level == level and day_in(p.heading[:24])]
        is_report = any(re.search("timeline", p.heading, re.IGNORECASE) for p in parts)
        # The entries of a report's timeline begin with a day as well.
        if len(dated) < 2 or (is_report and level > 1):
            continue
        lines = text.replace("\r\n", "\n").split("\n")
        ends = [p.line - 1 for p in dated[1:]] + [len(lines)]
        return [
            (p.heading, "\n".join([f"# {p.heading}", *lines[p.line : end]]))
            for p, end in zip(dated, ends, strict=True)
        ]
    return ()
