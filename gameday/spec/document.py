"""A YAML file as data that remembers its lines, read without trusting it.

Files come from people and from strangers. Everything that would surprise either is a `Problem`
with its line: tabs as indentation, a key given twice, tags, merge keys, aliases that multiply,
nesting without end, bytes that are no text. Scalars follow YAML 1.2's core schema, so ``no``,
``on``, ``1:30`` and ``2026-01-01`` stay the text that was written.

PyYAML's composer and constructor recurse and expand; its event stream does neither. So the tree
is built here from events, on a stack, with every limit in one place.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gameday.errors import Problem, SpecError

MAX_BYTES = 1024 * 1024
"""Largest file read. A scenario is some kilobytes; a megabyte is already a mistake."""
MAX_NODES = 100_000
"""Most values one document may hold once its aliases are expanded."""
MAX_ALIASES = 100
"""Most aliases one document may use; files for people repeat little."""
MAX_DEPTH = 60
"""Deepest nesting. Ours needs eight; recursion further up must never run out of stack."""
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


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its data, and the line of each of its values.

    Attributes:
        file: the path as the user gave it.
        data: mappings, lists, text, numbers, booleans, None; keys are always text.
        lines: line (1-based) of each value by its path; the empty path is the document's start.
        problems: what was wrong with the YAML although it could be read (a key given twice …).
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
    """Return the YAML documents of a file, in order; at least one.

    Raises:
        SpecError: the file cannot be read or is no YAML; every line that shows why is listed.
    """
    return parse_documents(read_text(path), str(path))


def parse_documents(text: str, file: str, *, first_line: int = 1) -> tuple[Document, ...]:
    """Return the YAML documents in a text, in order; at least one.

    Args:
        first_line: line of the file at which the text starts (front matter starts at 2).

    Raises:
        SpecError: the text is no YAML.
    """
    parse = _Parse(file, first_line)
    try:
        trees = parse.trees(text)
    except yaml.YAMLError as error:
        tabs = _tab_problems(text, file, first_line, skip=frozenset())
        if not tabs:
            raise SpecError([_syntax_problem(error, file, first_line)]) from error
        # With the tabs out of the way the rest may well be readable; then its problems show too.
        # The tab problems come first and stand in the result: it can never pass.
        untabbed = "\n".join(_untabbed(line) for line in text.split("\n"))
        parse = _Parse(file, first_line)
        try:
            trees = parse.trees(untabbed)
        except yaml.YAMLError:
            raise SpecError(tabs) from error
        parse.problems[:0] = tabs
    else:
        parse.problems += _tab_problems(text, file, first_line, skip=parse.scalar_lines)
    if not trees:
        raise SpecError([*parse.problems, Problem(file, 0, "", "the file is empty")])
    problems = tuple(parse.problems[:MAX_PROBLEMS])
    return tuple(
        Document(file, *_unfolded(tree), problems=problems if number == 0 else ())
        for number, tree in enumerate(trees)
    )


def read_document(path: Path | str) -> Document:
    """Return the one YAML document of a file, a mapping.

    Raises:
        SpecError: the file cannot be read, is no YAML, holds several documents, or no mapping.
    """
    return only(read_documents(path))


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


# --- the tree -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    """A value while it is read. ``size`` counts its nodes with every alias expanded."""

    line: int
    value: Any = None
    items: list[_Node] | None = None
    fields: dict[str, tuple[int, _Node]] | None = None
    size: int = 1
    height: int = 1
    is_open: bool = False
    key: tuple[str, int] | None = None
    """The key read last in a mapping that is still open, waiting for its value."""
    counts_twice: bool = False
    doomed: bool = False
    """The value belongs to a key that was refused; it is read and dropped."""


class _Parse:
    """Builds trees from events and collects what is wrong with them."""

    def __init__(self, file: str, first_line: int) -> None:
        self.file = file
        self.offset = first_line
        self.problems: list[Problem] = []
        self.scalar_lines: set[int] = set()
        """Lines inside multi-line scalars, where a leading tab is content."""
        self.root: _Node | None = None
        self.stack: list[_Node] = []
        self.anchors: dict[str, _Node] = {}
        self.aliases = 0
        self.nodes = 0  # limits hold for the file: many small documents are a flood too

    def trees(self, text: str) -> list[_Node]:
        """Return the root of each document; raises YAMLError or, past a limit, SpecError."""
        roots: list[_Node] = []
        for event in self._events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                self._start_document()
            elif isinstance(event, yaml.DocumentEndEvent):
                if self.root is not None and not (self.root.value is None and self._is_bare()):
                    roots.append(self.root)
            elif isinstance(event, yaml.NodeEvent):
                self._take(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
        return roots

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_Loader)
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
                raise self._limit(
                    line, f"is nested deeper than {MAX_DEPTH} levels", "nothing here needs that"
                )
            self.stack.append(node)

    def _fresh(self, event: yaml.NodeEvent, line: int) -> _Node:
        self._count(1, line)
        anchor = event.anchor
        if isinstance(event, yaml.ScalarEvent):
            last = (event.end_mark.line if event.end_mark else 0) + self.offset
            self.scalar_lines.update(range(line + 1, last + 1))
            node = _Node(line, value=self._scalar(event, line))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event.tag, line)
            node = _Node(line, items=[], is_open=True)
        else:
            self._check_tag(getattr(event, "tag", None), line)
            node = _Node(line, fields={}, is_open=True)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def _aliased(self, event: yaml.AliasEvent, line: int) -> _Node:
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
            raise self._limit(line, f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
        return _Node(line, target.value, target.items, target.fields, target.size, target.height)

    def _count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self._limit(
                line,
                f"holds more than {MAX_NODES} values once its aliases are expanded",
                "nothing gameday reads is that large; write out what is meant",
            )

    def _take_key(self, parent: _Node, node: _Node, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.ScalarEvent):
            key = event.value
            if key == "<<":
                self._complain(
                    node.line,
                    dotted((*self._path(), key)),
                    "merge keys ('<<') are not supported",
                    "write the fields out",
                )
                key = f"<<{len(parent.fields or {})}"
                parent.doomed = True
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

    def _attach(self, parent: _Node, node: _Node) -> None:
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
        if tag is not None and tag != "!" and tag not in _STANDARD_TAGS:
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


def _unfolded(root: _Node) -> tuple[Any, dict[FieldPath, int]]:
    """Return plain data and its lines; safe to recurse, for depth and size were capped before."""
    lines: dict[FieldPath, int] = {(): root.line}

    def unfold(node: _Node, path: FieldPath) -> Any:
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


# --- sentences ----------------------------------------------------------------------------------


def _refusal(file: str, message: str, hint: str = "") -> SpecError:
    return SpecError([Problem(file, 0, "", message, hint)])


def _syntax_problem(error: yaml.YAMLError, file: str, first_line: int) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None)
    context = getattr(error, "context", None)
    if said is None:  # a character YAML does not allow
        return Problem(file, 0, "", "holds characters that YAML does not allow: no text file?")
    sentence = f"is no valid YAML: {said}" + (f" ({context})" if context else "")
    hint = "check indentation, colons and quotes here and in the line above"
    return Problem(file, mark.line + first_line if mark else 0, "", sentence, hint)


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
