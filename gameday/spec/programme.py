"""``programme.yaml`` → `gameday.model.programme.Programme`, or every reason why not."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gameday.errors import Problem, SpecError
from gameday.model.programme import Blackout, Programme
from gameday.spec.document import Document, only, read_documents
from gameday.spec.fields import noun_of
from gameday.spec.tree import quoted

_EXAMPLES = {
    "blackouts": "write '- {name: …, from: …, until: …}' below it",
    "targets": "write 'sandbox: {disposable: true}' below it",
}


def read_programme(path: Path | str) -> Programme:
    """Return the programme of a file.

    Raises:
        SpecError: every problem found, with file, line, field and what to write instead.
    """
    path = Path(path)
    document = only(read_documents(path))
    programme, problems = programme_of(document)
    if problems or programme is None:
        raise SpecError(sorted(problems, key=lambda p: p.line))
    return programme.model_copy(update={"path": path})


def programme_of(document: Document) -> tuple[Programme | None, list[Problem]]:
    """Return the programme a document declares, and every problem of it."""
    programme, problems = noun_of(document, Programme, examples=_EXAMPLES)
    problems += _contradictions(document)
    return (None if problems else programme), problems


def _contradictions(document: Document) -> list[Problem]:
    """Return where blackouts get in each other's way; works on those that can be read."""
    problems: list[Problem] = []
    named: dict[str, int] = {}
    readable: list[tuple[int, Blackout]] = []
    for number, data in enumerate(_listed(document.data)):
        name = data.get("name") if isinstance(data, dict) else None
        if isinstance(name, str) and name in named:
            line = document.line(("spec", "blackouts", named[name]))
            problems.append(
                document.problem(
                    ("spec", "blackouts", number, "name"),
                    f"{quoted(name)} is the name of another blackout",
                    f"it already stands in line {line}; a refusal must say which one it means",
                )
            )
        elif isinstance(name, str):
            named[name] = number
        try:
            readable.append((number, Blackout.model_validate(data)))
        except ValidationError:
            continue  # its own problems are listed with those of the whole file
    for (_, first), (number, second) in combinations(readable, 2):
        if first.repeats(second):
            problems.append(
                document.problem(
                    ("spec", "blackouts", number),
                    f"overlaps {quoted(first.name)}, which holds for the same targets and regions",
                    "make them one, or let one end where the other begins",
                )
            )
    return problems


def _listed(data: Any) -> list[Any]:
    spec = data.get("spec") if isinstance(data, dict) else None
    blackouts = spec.get("blackouts") if isinstance(spec, dict) else None
    return blackouts if isinstance(blackouts, list) else []
