"""A YAML or JSON file as data that remembers its lines, read without trusting it.

Files come from people and from strangers. Everything that would surprise either is a `Problem`
with its line: tabs as indentation, a key given twice, tags, merge keys, aliases that multiply,
nesting without end, bytes that are no text.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gameday.errors import Problem, SpecError
from gameday.spec import json_text
from gameday.spec.tree import MAX_PROBLEMS, TOO_DEEP, FieldPath, Tree, dotted, quoted, unfolded

MAX_BYTES = 1024 * 1024
"""Largest file read. A scenario is some kilobytes; a megabyte is already a mistake."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML or JSON document: its data, and the line of each of its values.

    Attributes:
        file: the path as the user gave it.
        data: mappings, lists, text, numbers, booleans, None; keys are always text.
        lines: line (1-based) of each value by its path; the empty path is the document's start.
        problems: what was wrong with the text although it could be read (a key given twice …).
            A reader adds its own and raises them together.
    """

    file: str
    data: Any
    lines: Mapping[FieldPath, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line(self, path: FieldPath) -> int:
        """Return the line of this value, or of the nearest value around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 0)

    def problem(self, path: FieldPath, message: str, hint: str = "") -> Problem:
        """Return a problem that belongs to this value."""
        return Problem(self.file, self.line(path), dotted(path), message, hint)


def read_text(path: Path | str) -> str:
    """Return the text of a file, read up to a limit.

    Raises:
        SpecError: it is missing, no regular file, larger than `MAX_BYTES`, or not UTF-8 text.
    """
    name = str(path)
    try:
        target = Path(path)
        if not stat.S_ISREG(target.stat().st_mode):
            raise _refusal(name, "is not a regular file", "give the path of a file")
        with target.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _refusal(name, "there is no such file", "check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise _refusal(quoted(name)[1:-1], f"cannot be read: {error}") from error
    if len(raw) > MAX_BYTES:
        raise _refusal(
            name,
            f"is larger than {MAX_BYTES // 1024} KiB and was not read",
            "this is no scenario, SLO or runbook; check the path",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError(
            [Problem(name, line, "", "is not UTF-8 text", "save the file as UTF-8")]
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SpecError([Problem(name, line, "", "holds a NUL byte: this is no text file")])
    return text


def read_documents(path: Path | str) -> tuple[Document, ...]:
    """Return the documents of a file, in order; at least one, and of a JSON file just one.

    Raises:
        SpecError: the file cannot be read, or is no JSON or YAML as its name says; every line that
            shows why is listed.
    """
    return parse_documents(read_text(path), str(path))


def parse_documents(text: str, file: str, *, first_line: int = 1) -> tuple[Document, ...]:
    """Return the documents in a text, in order; at least one.

    Args:
        file: its name; one that ends in ``.json`` is read as JSON, any other as YAML.
        first_line: line of the file at which the text starts (front matter starts at 2).

    Raises:
        SpecError: the text is no JSON, or no YAML.
    """
    if file.endswith(json_text.ENDING):
        return (Document(file, *json_text.read_json(text, file, first_line=first_line)),)
    tree = Tree(file, first_line)
    try:
        roots = tree.roots(text)
    except yaml.YAMLError as error:
        tabs = _tab_problems(text, file, first_line, skip=frozenset())
        if not tabs:
            raise SpecError([_syntax_problem(error, file, first_line)]) from error
        # With the tabs out of the way the rest may well be readable; then its problems show too.
        # The tab problems come first and stand in the result: it can never pass.
        untabbed = "\n".join(_untabbed(line) for line in text.split("\n"))
        tree = Tree(file, first_line)
        try:
            roots = tree.roots(untabbed)
        except yaml.YAMLError:
            raise SpecError(tabs) from error
        tree.problems[:0] = tabs
    else:
        tree.problems += _tab_problems(text, file, first_line, skip=tree.scalar_lines)
    if not roots:
        raise SpecError([*tree.problems, Problem(file, 0, "", "the file is empty")])
    problems = tuple(tree.problems[:MAX_PROBLEMS])
    return tuple(
        Document(file, *unfolded(root), problems=problems if number == 0 else ())
        for number, root in enumerate(roots)
    )


def separated(documents: tuple[Document, ...]) -> tuple[Document, ...]:
    """Return the documents with each one that is a list of mappings replaced by its entries.

    OpenSLO's own tools write several documents as one list.
    """
    result: list[Document] = []
    for document in documents:
        data = document.data
        if not (isinstance(data, list) and data and all(isinstance(e, dict) for e in data)):
            result.append(document)
            continue
        lines: list[dict[FieldPath, int]] = [{} for _ in data]
        for path, line in document.lines.items():
            if path and isinstance(path[0], int):
                lines[path[0]][path[1:]] = line
        result += [
            Document(document.file, entry, lines[n], document.problems if n == 0 else ())
            for n, entry in enumerate(data)
        ]
    return tuple(result)


def only(documents: tuple[Document, ...]) -> Document:
    """Return the single document, checked to be a mapping; `SpecError` otherwise."""
    document = documents[0]
    problems = list(document.problems)
    if len(documents) > 1:
        problems.append(
            Problem(
                document.file,
                documents[1].line(()),
                "",
                "a second document starts here",
                "one document per file: remove what follows '---', or make it a file of its own",
            )
        )
    elif not isinstance(document.data, dict):
        problems.append(not_a_mapping(document))
    else:
        return document
    raise SpecError(problems)


def not_a_mapping(document: Document) -> Problem:
    """Return the problem of a document that is a list or a bare value."""
    shape = "a list" if isinstance(document.data, list) else f"just {quoted(document.data)}"
    return document.problem(
        (), f"the document is {shape}, not a mapping of fields", "start with 'apiVersion: …'"
    )


# --- sentences ----------------------------------------------------------------------------------


def _refusal(file: str, message: str, hint: str = "") -> SpecError:
    return SpecError([Problem(file, 0, "", message, hint)])


def yaml_problems(error: yaml.YAMLError, text: str, file: str) -> list[Problem]:
    """Return what a YAML parser stumbled over, with the lines and what to do about them."""
    tabs = _tab_problems(text, file, 1, skip=frozenset())
    return tabs or [_syntax_problem(error, file, 1)]


def _syntax_problem(error: yaml.YAMLError, file: str, first_line: int) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None)
    context = getattr(error, "context", None)
    if said is None:  # a character YAML does not allow
        return Problem(file, 0, "", "holds characters that YAML does not allow: no text file?")
    line = mark.line + first_line if mark else 0
    if "nesting depth" in said:  # libyaml has a limit of its own, and looks ahead of ours
        return Problem(file, line, "", TOO_DEEP, "nothing here needs that")
    sentence = f"is no valid YAML: {said}" + (f" ({context})" if context else "")
    hint = "check indentation, colons and quotes here and in the line above"
    return Problem(file, line, "", sentence, hint)


def _untabbed(line: str) -> str:
    body = line.lstrip(" \t")
    return line[: len(line) - len(body)].replace("\t", "  ") + body


def _tab_problems(
    text: str, file: str, first_line: int, *, skip: frozenset[int] | set[int]
) -> list[Problem]:
    problems = []
    for number, line in enumerate(text.split("\n"), start=first_line):
        body = line.lstrip(" \t")
        indentation = line[: len(line) - len(body)]
        if "\t" not in indentation or not body.strip() or body[0] == "#" or number in skip:
            continue
        problems.append(
            Problem(
                file,
                number,
                "",
                "a tab is used for indentation; YAML allows only spaces",
                "replace the tab by two spaces",
            )
        )
        if len(problems) == MAX_PROBLEMS:
            break
    return problems
