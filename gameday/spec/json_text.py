"""JSON as data that remembers its lines, read by Python's JSON parser and by no other.

The parser says what is valid and what it means; a walk over the same text then finds the lines.
Limits are those of a YAML file, and hold before anything is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gameday.errors import Problem, SpecError
from gameday.spec.tree import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_PROBLEMS,
    TOO_DEEP,
    FieldPath,
    dotted,
    quoted,
)

ENDING = ".json"

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
_LONE_HALF = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class _Open:
    """A list or mapping that is not closed yet."""

    is_list: bool
    items: int = 0
    key: str | None = None
    keys: dict[str, int] = field(default_factory=dict)


def read_json(
    text: str, file: str, *, first_line: int = 1
) -> tuple[Any, dict[FieldPath, int], tuple[Problem, ...]]:
    """Return the data of a JSON text, the line of each value, and what is wrong with it.

    A key given twice is a problem, for the parser would silently keep the last; so are the three
    words that Python takes for numbers and JSON does not know.

    Raises:
        SpecError: the text is no JSON, or past a limit.
    """
    tokens = list(_tokens(text, first_line))
    _check_limits(tokens, file)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError([_syntax_problem(error, text, file, first_line)]) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise SpecError(
            [Problem(file, 0, "", f"cannot be read as JSON: {error}", "write less of it")]
        ) from error
    lines, problems = _walk(tokens, file, first_line)
    return data, lines, tuple(problems[:MAX_PROBLEMS])


def _tokens(text: str, first_line: int) -> Iterator[tuple[str, int]]:
    line, at = first_line, 0
    for found in _TOKEN.finditer(text):
        line += text.count("\n", at, found.start())
        at = found.start()
        yield found.group(), line


def _check_limits(tokens: list[tuple[str, int]], file: str) -> None:
    depth = nodes = 0
    for token, line in tokens:
        if token in "{[":
            depth += 1
        elif token in "}]":
            depth -= 1
        nodes += token not in "}]:,"
        if depth > MAX_DEPTH:
            raise SpecError([Problem(file, line, "", TOO_DEEP, "nothing here needs that")])
        if nodes > MAX_NODES:
            message = f"holds more than {MAX_NODES} values"
            raise SpecError(
                [Problem(file, line, "", message, "nothing gameday reads is that large")]
            )


def _walk(
    tokens: list[tuple[str, int]], file: str, first_line: int
) -> tuple[dict[FieldPath, int], list[Problem]]:
    """Return the lines of a text that is known to be JSON, and what the parser let pass."""
    lines: dict[FieldPath, int] = {}
    problems: list[Problem] = []
    stack: list[_Open] = []

    def here() -> FieldPath:
        return tuple(o.items if o.is_list else str(o.key) for o in stack)

    def complain(line: int, message: str, hint: str) -> None:
        problems.append(Problem(file, line, dotted(here()), message, hint))

    for token, line in tokens:
        inside = stack[-1] if stack else None
        if token in "}]":
            stack.pop()
        elif token == ",":
            assert inside is not None  # it is JSON
            inside.items += 1
            inside.key = None
        elif token == ":":
            continue
        elif inside is not None and not inside.is_list and inside.key is None:
            key = json.loads(token)
            if key in inside.keys:
                first = inside.keys[key]
                complain(
                    line,
                    f"{quoted(key)} is given twice",
                    f"it already stands in line {first}; keep one of them",
                )
            inside.keys.setdefault(key, line)
            inside.key = key
            lines[here()] = line
        else:
            lines.setdefault(here(), line)
            if token in _NO_NUMBERS:
                complain(line, f"{token} is no number that JSON knows", "write a number, or null")
            elif token[0] == '"' and _LONE_HALF.search(json.loads(token)):
                complain(
                    line,
                    "holds one half of a character that JSON writes in two",
                    r"write both halves, as in \ud83d\udca5, or the character itself",
                )
            if token in "{[":
                stack.append(_Open(is_list=token == "["))
    lines.setdefault((), first_line)
    return lines, problems


def _syntax_problem(error: json.JSONDecodeError, text: str, file: str, first_line: int) -> Problem:
    said = error.msg[:1].lower() + error.msg[1:]
    if not text.strip():
        return Problem(file, 0, "", "the file is empty")
    return Problem(
        file,
        error.lineno + first_line - 1,
        "",
        f"is no valid JSON: {said} (column {error.colno})",
        "check commas, quotes and brackets here and in the line above;"
        " JSON knows no comments and no comma after the last entry",
    )
