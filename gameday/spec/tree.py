"""YAML as a tree that remembers its lines, built without trusting the text.

PyYAML's composer and constructor recurse and expand; its event stream does neither. So the tree
is built here from events, on a stack, with every limit in one place. What can be read on is a
`Problem` and reading goes on; past a limit it stops.

Scalars follow YAML 1.2's core schema, so ``no``, ``on``, ``1:30`` and ``2026-01-01`` stay the text
that was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gameday.errors import Problem, SpecError

MAX_NODES = 100_000
"""Most values one document may hold once its aliases are expanded."""
MAX_ALIASES = 100
"""Most aliases one document may use; files for people repeat little."""
MAX_DEPTH = 60
"""Deepest nesting. Ours needs eight; recursion further up must never run out of stack."""
TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels"
MAX_PROBLEMS = 50
"""Most problems listed for one file: enough to work on, not a flood."""

FieldPath = tuple[str | int, ...]
"""Where a value stands: ``("spec", "faults", 0, "duration")``."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?\Z")
_STANDARD_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
)


def dotted(path: FieldPath) -> str:
    """Return a path as people write it: ``spec.faults[0].duration``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{quoted(part)[1:-1]}" if text else quoted(part)[1:-1]
    return text


def quoted(value: object, limit: int = 60) -> str:
    """Return a value in quotes, on one line, cut where it is long."""
    text = value if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else "�" for c in text[: limit + 1])
    return f"'{text[:limit]}…'" if len(text) > limit else f"'{text}'"


@dataclass(slots=True)
class Node:
    """A value while it is read. ``size`` counts its nodes with every alias expanded."""

    line: int
    value: Any = None
    items: list[Node] | None = None
    fields: dict[str, tuple[int, Node]] | None = None
    size: int = 1
    height: int = 1
    is_open: bool = False
    key: tuple[str, int] | None = None
    """The key read last in a mapping that is still open, waiting for its value."""
    counts_twice: bool = False
    doomed: bool = False
    """The value belongs to a key that was refused; it is read and dropped."""


class Tree:
    """Builds trees from events and collects what is wrong with them."""

    def __init__(self, file: str, first_line: int, *, loader: Any = _Loader) -> None:
        """Begin with nothing.

        Args:
            loader: whose scanner and parser read the text. With any but our own the values are for
                the lines alone: tags and merge keys, which that loader resolves, are no problems.
        """
        self.file = file
        self.offset = first_line
        self.loader = loader
        self.resolves = loader is _Loader
        self.problems: list[Problem] = []
        self.scalar_lines: set[int] = set()
        """Lines inside multi-line scalars, where a leading tab is content."""
        self.root: Node | None = None
        self.stack: list[Node] = []
        self.anchors: dict[str, Node] = {}
        self.aliases = 0
        self.nodes = 0  # limits hold for the file: many small documents are a flood too

    def roots(self, text: str) -> list[Node]:
        """Return the root of each document; raises YAMLError or, past a limit, SpecError."""
        roots: list[Node] = []
        for event in self._events(text):
            # The most frequent first: thousands of files are read at once.
            if isinstance(event, yaml.NodeEvent):
                self._take(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
            elif isinstance(event, yaml.DocumentStartEvent):
                self._start_document()
            elif (
                isinstance(event, yaml.DocumentEndEvent)
                and self.root is not None
                and not (self.root.value is None and self._is_bare())
            ):
                roots.append(self.root)
        return roots

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=self.loader)
        except (RecursionError, MemoryError) as error:
            raise self._limit(0, "is nested too deeply to be read", "flatten it") from error

    def _start_document(self) -> None:
        self.root = None
        self.stack = []
        self.anchors = {}

    def _is_bare(self) -> bool:
        root = self.root
        return root is not None and root.items is None and root.fields is None

    def _limit(self, line: int, message: str, hint: str) -> SpecError:
        return SpecError([*self.problems, Problem(self.file, line, "", message, hint)])

    def _complain(self, line: int, field: str, message: str, hint: str = "") -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.file, line, field, message, hint))

    def _path(self) -> FieldPath:
        path: list[str | int] = []
        for node in self.stack:
            if node.fields is not None and node.key is not None:
                path.append(node.key[0])
            elif node.items is not None:
                path.append(len(node.items))
        return tuple(path)

    def _take(self, event: yaml.NodeEvent) -> None:
        line = _line(event) + self.offset
        if isinstance(event, yaml.AliasEvent):
            node = self._aliased(event, line)
        else:
            node = self._fresh(event, line)
        parent = self.stack[-1] if self.stack else None
        if parent is not None and parent.fields is not None and parent.key is None:
            self._take_key(parent, node, event)
        elif parent is not None and not node.is_open:
            self._attach(parent, node)
        elif parent is None:
            self.root = node
        if node.is_open:
            if len(self.stack) >= MAX_DEPTH:
                raise self._limit(line, TOO_DEEP, "nothing here needs that")
            self.stack.append(node)

    def _fresh(self, event: yaml.NodeEvent, line: int) -> Node:
        self._count(1, line)
        anchor = event.anchor
        if isinstance(event, yaml.ScalarEvent):
            last = (event.end_mark.line if event.end_mark else 0) + self.offset
            self.scalar_lines.update(range(line + 1, last + 1))
            node = Node(line, value=self._scalar(event, line))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event.tag, line)
            node = Node(line, items=[], is_open=True)
        else:
            self._check_tag(getattr(event, "tag", None), line)
            node = Node(line, fields={}, is_open=True)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def _aliased(self, event: yaml.AliasEvent, line: int) -> Node:
        self.aliases += 1
        name = event.anchor or ""
        target = self.anchors.get(name)
        if self.aliases > MAX_ALIASES:
            raise self._limit(line, f"uses more than {MAX_ALIASES} aliases", "write the values out")
        if target is None or target.is_open:
            why = "points at a value that contains it" if target else "has no anchor before it"
            raise self._limit(line, f"the alias {quoted('*' + name)} {why}", "write the value out")
        self._count(target.size, line)
        if len(self.stack) + target.height > MAX_DEPTH:
            raise self._limit(line, TOO_DEEP, "flatten it")
        return Node(line, target.value, target.items, target.fields, target.size, target.height)

    def _count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self._limit(
                line,
                f"holds more than {MAX_NODES} values once its aliases are expanded",
                "nothing gameday reads is that large; write out what is meant",
            )

    def _take_key(self, parent: Node, node: Node, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.ScalarEvent):
            key = event.value
            if key == "<<" and self.resolves:
                self._complain(
                    node.line,
                    dotted((*self._path(), key)),
                    "merge keys ('<<') are not supported",
                    "write the fields out",
                )
                key = f"<<{len(parent.fields or {})}"
                parent.doomed = True
        elif not self.resolves:
            key = f"?{node.line}"
        else:
            self._complain(
                node.line,
                dotted(self._path()),
                "a key must be plain text, not a list, mapping or alias",
                "put quotes around the key if it starts with '[', '{' or '*'",
            )
            key, parent.doomed = "?", True
        # A list or mapping as key: its own events still follow, so it is parked as a value first.
        parent.key = None if node.is_open else (key, node.line)
        node.counts_twice = node.is_open
        parent.size += 1

    def _attach(self, parent: Node, node: Node) -> None:
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.items is not None:
            parent.items.append(node)
            return
        fields = parent.fields
        assert fields is not None
        if node.counts_twice:
            parent.key = ("?", node.line)
            return
        assert parent.key is not None
        key, line = parent.key
        if parent.doomed:
            parent.doomed = False
        elif key in fields:
            self._complain(
                line,
                dotted(self._path()),
                f"{quoted(key)} is given twice",
                f"it already stands in line {fields[key][0]}; keep one of them",
            )
        else:
            fields[key] = (line, node)
        parent.key = None

    def _close(self) -> None:
        node = self.stack.pop()
        node.is_open = False
        if self.stack:
            self._attach(self.stack[-1], node)

    def _check_tag(self, tag: str | None, line: int) -> None:
        if self.resolves and tag is not None and tag != "!" and tag not in _STANDARD_TAGS:
            self._complain(
                line,
                dotted(self._path()),
                f"the tag {quoted(tag)} is not supported",
                "write plain values",
            )

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Any:
        self._check_tag(event.tag, line)
        text: str = event.value
        is_plain = event.implicit[0] and not event.style  # libyaml's bindings say ''
        if not is_plain and not (event.tag or "").endswith((":int", ":float", ":bool", ":null")):
            return text
        return plain_value(text)


def plain_value(text: str) -> Any:
    """Return what an unquoted scalar means: null, a boolean, a number, or else the text itself.

    Numbers past 18 digits and infinities stay text: no field wants them, and they surprise.
    """
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.match(text):
        return int(text)
    if len(text) <= 40 and _FLOAT.match(text):
        number = float(text)
        # 007 is a name, not seven; YAML 1.1 would make it octal.
        if abs(number) != float("inf") and not re.match(r"[-+]?0[0-9]", text):
            return number
    return text


def unfolded(root: Node) -> tuple[Any, dict[FieldPath, int]]:
    """Return plain data and its lines; safe to recurse, for depth and size were capped before."""
    lines: dict[FieldPath, int] = {(): root.line}

    def unfold(node: Node, path: FieldPath) -> Any:
        if node.items is not None:
            result = []
            for number, item in enumerate(node.items):
                lines[(*path, number)] = item.line
                result.append(unfold(item, (*path, number)))
            return result
        if node.fields is not None:
            mapping = {}
            for key, (line, value) in node.fields.items():
                lines[(*path, key)] = line
                mapping[key] = unfold(value, (*path, key))
            return mapping
        return node.value

    return unfold(root, ()), lines


def _line(event: yaml.Event) -> int:
    return event.start_mark.line if event.start_mark else 0
