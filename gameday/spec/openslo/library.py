"""The documents an OpenSLO file may refer to: its own, then those of the files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gameday.errors import SpecError
from gameday.names import did_you_mean
from gameday.spec.document import Document, parse_documents, read_text, separated
from gameday.spec.openslo.fields import API_VERSION, Fields
from gameday.spec.tree import FieldPath, quoted

REFERABLE = ("SLI", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget")
"""Kinds that a reference may name; `Service` and `SLO` are named by nothing gameday reads."""

_YAML = (".yaml", ".yml")
_MAY_HOLD_ONE = re.compile(rf"""kind["']?\s*:\s*["']?({"|".join(REFERABLE)})\b""")


class Referable:
    """The referable documents of a folder's files, read when the first one is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._documents: dict[tuple[str, str], list[Document]] | None = None
        self.unreadable: list[Path] = []

    def find(self, kind: str, name: str) -> list[Document]:
        """Return the documents of this kind and name, ordered by file; usually one or none."""
        return self._read().get((kind, name), [])

    def names(self, kind: str) -> list[str]:
        """Return the names of every document of this kind."""
        return [n for k, n in self._read() if k == kind]

    def _read(self) -> dict[tuple[str, str], list[Document]]:
        if self._documents is None:
            self._documents = {}
            for path in self._files():
                for document in self._referable(path):
                    self._documents.setdefault(identity(document), []).append(document)
        return self._documents

    def _files(self) -> list[Path]:
        try:
            return sorted(p for p in self._folder.iterdir() if p.suffix in _YAML)
        except (OSError, ValueError):
            return []

    def _referable(self, path: Path) -> Iterator[Document]:
        try:
            text = read_text(path)
            if not _MAY_HOLD_ONE.search(text):
                return
            documents = separated(parse_documents(text, str(path)))
        except SpecError:
            self.unreadable.append(path)
            return
        yield from (d for d in documents if is_referable(d))


class Library:
    """What the references of one file lead to.

    Attributes:
        used: the documents of other files that were asked for, by kind and name.
    """

    def __init__(
        self, documents: tuple[Document, ...], path: Path, shelf: Referable | None
    ) -> None:
        self._path = str(path)
        self._shelf = shelf if shelf is not None else Referable(path.parent)
        self._own = {identity(d): d for d in reversed(documents) if is_referable(d)}
        self.used: dict[tuple[str, str], Document] = {}

    def find(self, fields: Fields, at: FieldPath, kind: str, name: str) -> Document | None:
        """Return the document a reference names; None after complaining at the reference."""
        own = self._own.get((kind, name))
        if own is not None:
            return own
        found = [d for d in self._shelf.find(kind, name) if d.file != self._path]
        if len(found) == 1:
            self.used[(kind, name)] = found[0]
            return found[0]
        if found:
            places = " and ".join(f"{d.file}:{d.line(('metadata', 'name'))}" for d in found)
            fields.complain(at, f"there are several of {kind} {quoted(name)}", f"see {places}")
            return None
        known = [n for k, n in self._own if k == kind] + self._shelf.names(kind)
        # What is no name is complained about where it stands; in a hint it could break the line.
        names = [n for n in known if n.isprintable()]
        hint = did_you_mean(name, names, what=f"known here: {kind}")
        if self._shelf.unreadable:
            hint += f"; {self._shelf.unreadable[0]} cannot be read"
        fields.complain(
            at, f"there is no {kind} {quoted(name)} in this file or in one beside it", hint
        )
        return None


def is_referable(document: Document) -> bool:
    """Return whether a reference may name this document."""
    data = document.data
    return (
        isinstance(data, dict)
        and data.get("apiVersion") == API_VERSION
        and data.get("kind") in REFERABLE
        and bool(identity(document)[1])
    )


def identity(document: Document) -> tuple[str, str]:
    """Return kind and name of a document; empty where it has none."""
    data = document.data if isinstance(document.data, dict) else {}
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = data.get("kind")
    return (kind if isinstance(kind, str) else "", name if isinstance(name, str) else "")


def written(document: Document) -> str:
    """Return a document as YAML of its own."""
    data: Any = document.data
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
