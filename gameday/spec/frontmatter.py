"""The YAML at the head of a runbook: which alert, whose, when last reviewed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from gameday.errors import Problem, SpecError
from gameday.model.runbook import Owner
from gameday.names import did_you_mean, nearest
from gameday.quantity import QuantityError, duration
from gameday.spec.document import Document, parse_documents
from gameday.spec.tree import FieldPath, quoted

FIELDS = ("alert", "service", "owner", "reviewed", "reviewed_by", "review_every")
"""The fields gameday reads. Others are left to other tools."""
OWNER_FIELDS = ("name", "team", "contact")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What the head of a runbook says; fields it does not give are empty or None.

    Attributes:
        title: as site generators write it; used where the body has no title.
        body_start: index of the first line after it.
        problems: what makes it unreadable; doubts: what its author should look at.
    """

    alert: str = ""
    service: str = ""
    title: str = ""
    owner: Owner | None = None
    reviewed: date | None = None
    reviewed_by: str = ""
    review_every: timedelta | None = None
    body_start: int = 0
    problems: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()


def front_matter(lines: list[str], file: str) -> FrontMatter:
    """Return the front matter of a file's lines; without one, all is empty."""
    return _Head(file).read(lines)


class _Head:
    """Reads one front matter, collecting problems on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.doubts: list[Problem] = []

    def read(self, lines: list[str]) -> FrontMatter:
        front, body_start = self._document(lines)
        title = front.data.get("title")
        return FrontMatter(
            alert=self._text(front, "alert"),
            service=self._text(front, "service"),
            title=title if isinstance(title, str) else "",
            owner=self._owner(front),
            reviewed=self._reviewed(front),
            reviewed_by=self._text(front, "reviewed_by"),
            review_every=self._every(front),
            body_start=body_start,
            problems=tuple(self.problems),
            doubts=tuple(self.doubts),
        )

    def _document(self, lines: list[str]) -> tuple[Document, int]:
        """Return the front matter (an empty mapping where there is none) and the body's start."""
        nothing = Document(self.file, {}, {(): 1})
        if not lines or lines[0].rstrip() != "---":
            return nothing, 0
        for end in range(1, len(lines)):
            if lines[end].rstrip() == "---":
                break
        else:
            self.problems.append(
                Problem(self.file, 1, "", "the front matter does not end", "close it with '---'")
            )
            return nothing, 0
        yaml_text = "\n".join(lines[1:end])
        if not yaml_text.strip():
            return nothing, end + 1
        try:
            document = parse_documents(yaml_text + "\n", self.file, first_line=2)[0]
        except SpecError as error:
            self.problems += error.problems
            return nothing, end + 1
        self.problems += document.problems
        if not isinstance(document.data, dict):
            self.problems.append(
                document.problem((), "the front matter is no mapping of fields", "alert: …")
            )
            return nothing, end + 1
        for key in document.data:
            meant = None if key in FIELDS else nearest(key, FIELDS, cutoff=0.8)
            if meant is not None and meant not in document.data:
                self.doubts.append(
                    document.problem(
                        (key,), f"unknown field {quoted(key)}", f"did you mean '{meant}'?"
                    )
                )
        return document, end + 1

    def _text(self, front: Document, name: str) -> str:
        value = front.data.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        self.problems.append(front.problem((name,), f"must be text, not {_shape(value)}"))
        return ""

    def _owner(self, front: Document) -> Owner | None:
        value = front.data.get("owner")
        if value is None:
            return None
        if isinstance(value, str):
            return Owner(name=value)
        if not isinstance(value, dict):
            self.problems.append(
                front.problem(
                    ("owner",),
                    f"must be a mapping, not {_shape(value)}",
                    "owner: {name: …, team: …, contact: …}",
                )
            )
            return None
        values = {}
        for key, text in value.items():
            at: FieldPath = ("owner", key)
            if key not in OWNER_FIELDS:
                self.doubts.append(
                    front.problem(
                        at,
                        f"unknown field {quoted(key)}",
                        did_you_mean(key, OWNER_FIELDS, what="valid fields"),
                    )
                )
            elif not isinstance(text, str):
                self.problems.append(
                    front.problem(at, f"must be text, not {_shape(text)}", "put it in quotes")
                )
            else:
                values[key] = text
        return Owner(**values)

    def _reviewed(self, front: Document) -> date | None:
        value = front.data.get("reviewed")
        if value is None:
            return None
        text = value if isinstance(value, str) else ""
        try:
            if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", text):
                return date.fromisoformat(text)
        except ValueError:
            pass  # the 31st of February; said below
        self.problems.append(
            front.problem(("reviewed",), f"{quoted(value)} is no date", "write YYYY-MM-DD")
        )
        return None

    def _every(self, front: Document) -> timedelta | None:
        value = front.data.get("review_every")
        if value is None:
            return None
        try:
            return duration(value)
        except QuantityError as error:
            self.problems.append(front.problem(("review_every",), error.message, error.hint))
            return None


def _shape(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else quoted(value)
