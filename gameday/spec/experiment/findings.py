"""What is wrong with an experiment, collected while it is read."""

from __future__ import annotations

import math
import re
from numbers import Number
from typing import Any

from gameday.errors import Problem
from gameday.spec.document import Document
from gameday.spec.tree import FieldPath, quoted

_VARIABLE = re.compile(r"\$\{(.*)\}\Z", re.DOTALL)


class Findings:
    """The problems of one document, in the order they were met."""

    def __init__(self, document: Document) -> None:
        self.problems: list[Problem] = []
        self._document = document

    def add(self, path: FieldPath, message: str, hint: str = "") -> None:
        """Note what is wrong with the value at a path, and what to do about it."""
        self.problems.append(self._document.problem(path, message, hint))


def is_number(value: object) -> bool:
    """Return whether Chaos Toolkit takes this for a number; it takes true and false for one."""
    return isinstance(value, Number)


def is_seconds(value: object) -> bool:
    """Return whether this is a time to wait."""
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def variable(value: object) -> str | None:
    """Return the name in a value that is ``${name}`` and nothing else; None for any other."""
    found = _VARIABLE.match(value) if isinstance(value, str) else None
    return found.group(1) if found else None


def shown(value: Any) -> str:
    """Return a value as its author would recognise it."""
    return "null" if value is None else quoted(value)
