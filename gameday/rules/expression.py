"""A PromQL expression as a tree of values.

The only module that knows the parser: what it hands on are values of ours, so that a newer parser,
or another one, changes nothing but this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

__all__ = [
    "Aggregate",
    "Binary",
    "FunctionCall",
    "Expression",
    "LabelMatcher",
    "Negated",
    "Number",
    "Range",
    "Selector",
    "Text",
    "Unparsed",
    "parsed",
    "selectors_in",
]

DEEPEST = 200
"""Levels of an expression that are followed. People write a dozen; a thousand end the stack."""

LONGEST = 10_000
"""Characters of an expression that are read."""

MOST_SIGNS = 1000
"""Operators of an expression that are read: the parser ends the process at some thousands of them
in a row, as it does at brackets that are nested as deep."""

_ZERO = timedelta(0)


class Unparsed(ValueError):
    """The text is no PromQL that can be read; says why."""


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """One condition on a label: ``code=~"5.."``.

    Attributes:
        op: ``=``, ``!=``, ``=~`` or ``!~``.
    """

    name: str
    op: str
    value: str

    @property
    def opposite(self) -> LabelMatcher:
        """Return the condition that holds where this one does not."""
        return LabelMatcher(self.name, _OPPOSITE[self.op], self.value)


_OPPOSITE = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string, as some functions take one."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and labels, as they are now.

    Attributes:
        name: of the metric; empty where only labels are given.
        matchers: those of the other labels.
        is_moved: whether it looks at another time than now (``offset``, ``@``).
    """

    name: str
    matchers: frozenset[LabelMatcher]
    is_moved: bool = False

    def __str__(self) -> str:
        """Return it as PromQL, its labels in order."""
        told = sorted(f'{m.name}{m.op}"{m.value}"' for m in self.matchers)
        return self.name + (f"{{{','.join(told)}}}" if told or not self.name else "")


@dataclass(frozen=True, slots=True)
class Range:
    """What an expression was, over a span of time that ends now.

    Attributes:
        of: a `Selector`, or any expression where it is a subquery.
    """

    of: Expression
    span: timedelta
    is_moved: bool = False


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function and what it is given."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Many series made into fewer: ``sum``, ``max`` …"""

    op: str
    of: Expression


@dataclass(frozen=True, slots=True)
class Negated:
    """An expression with its sign turned."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and what stands between them.

    Attributes:
        is_bool: whether a comparison gives 0 or 1, instead of keeping what it holds for.
    """

    op: str
    left: Expression
    right: Expression
    is_bool: bool = False


Expression = Number | Text | Selector | Range | FunctionCall | Aggregate | Negated | Binary


@lru_cache(maxsize=4096)
def parsed(text: str) -> Expression:
    """Return an expression as a tree; brackets are in its shape.

    Raises:
        Unparsed: it is not PromQL, or more of it than is read.
    """
    if len(text) > LONGEST:
        raise Unparsed(f"it is longer than {LONGEST} characters")
    if sum(map(text.count, "+-*/%^<>=!")) > MOST_SIGNS:
        raise Unparsed(f"it has more than {MOST_SIGNS} operators")
    if _depth(text) > DEEPEST:
        raise Unparsed(f"it is nested more than {DEEPEST} levels deep")
    import promql_parser

    try:
        return _tree(promql_parser.parse(text), DEEPEST)
    except ValueError as error:
        raise Unparsed(" ".join(str(error).split()) or "it is no PromQL") from error


def selectors_in(expression: Expression) -> Sequence[Selector]:
    """Return every selector of an expression, in the order they stand in."""
    match expression:
        case Selector():
            return [expression]
        case Range(of=of) | Negated(of=of) | Aggregate(of=of):
            return selectors_in(of)
        case FunctionCall(arguments=arguments):
            return [s for a in arguments for s in selectors_in(a)]
        case Binary(left=left, right=right):
            return [*selectors_in(left), *selectors_in(right)]
    return []


def _depth(text: str) -> int:
    """Return how deep its brackets are nested at most, counting those in strings as well."""
    depth = deepest = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _tree(node: Any, levels: int) -> Expression:
    import promql_parser as given

    if levels <= 0:
        raise Unparsed(f"it is nested more than {DEEPEST} levels deep")
    match node:
        case given.ParenExpr():
            return _tree(node.expr, levels - 1)
        case given.NumberLiteral():
            return Number(node.val)
        case given.StringLiteral():
            return Text(node.val)
        case given.VectorSelector():
            return _selector(node)
        case given.MatrixSelector():
            of = _selector(node.vector_selector)
            return Range(of, node.range, of.is_moved)
        case given.SubqueryExpr():
            is_moved = bool(node.offset) or node.at is not None
            return Range(_tree(node.expr, levels - 1), node.range or _ZERO, is_moved)
        case given.Call():
            return FunctionCall(node.func.name, tuple(_tree(a, levels - 1) for a in node.args))
        case given.AggregateExpr():
            return Aggregate(str(node.op), _tree(node.expr, levels - 1))
        case given.UnaryExpr():
            return Negated(_tree(node.expr, levels - 1))
        case given.BinaryExpr():
            return Binary(
                str(node.op),
                _tree(node.lhs, levels - 1),
                _tree(node.rhs, levels - 1),
                node.modifier is not None and bool(node.modifier.return_bool),
            )
    raise Unparsed(f"{type(node).__name__} is not known")


_OPS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def _selector(node: Any) -> Selector:
    if node.matchers.or_matchers:
        raise Unparsed("alternatives between braces are no PromQL of Prometheus")
    matchers = [
        LabelMatcher(m.name, _OPS[str(m.op).rpartition(".")[2]], m.value)
        for m in node.matchers.matchers
    ]
    name = node.name or ""
    for m in matchers:
        if m.name == "__name__" and m.op == "=" and not name:
            name = m.value
    kept = frozenset(m for m in matchers if not (m.name == "__name__" and m.value == name))
    return Selector(name, kept, bool(node.offset) or node.at is not None)
