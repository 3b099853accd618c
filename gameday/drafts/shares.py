"""Which events an alert's share is of, and whether the good ones or the bad ones of them.

`gameday.rules` reads windows and thresholds out of a rule; an SLO needs the two counters as well,
each in its place. Recordings are followed to what they record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gameday.rules.expression import (
    Aggregate,
    Binary,
    Expression,
    FunctionCall,
    Negated,
    Number,
    Range,
    Selector,
    Unparsed,
    parsed,
)
from gameday.rules.loaded import LoadedRule, LoadedRules

__all__ = ["EventShare", "grouped_by", "selectors_of", "share_of"]

_COUNTING = frozenset({"rate", "increase"})
_BELOW, _ABOVE = frozenset({"<", "<="}), frozenset({">", ">="})
_BY = re.compile(r"\bby\s*\(([^()]*)\)")
_DEEPEST = 5
"""Recordings of recordings that are followed."""


@dataclass(frozen=True, slots=True)
class EventShare:
    """Some events out of all of them.

    Attributes:
        is_good: whether ``part`` counts the good ones; else the bad ones.
    """

    part: Selector
    total: Selector
    is_good: bool


def share_of(rule: LoadedRule, loaded: LoadedRules) -> EventShare | None:
    """Return the share of events that an alert compares first; None: it cannot be told."""
    tree = _tree(rule)
    return None if tree is None else _compared(tree, loaded)


def selectors_of(rule: LoadedRule) -> tuple[Selector, ...]:
    """Return every selector that a rule reads; none where it is no PromQL that can be read."""
    tree = _tree(rule)
    return () if tree is None else tuple(_within(tree))


def grouped_by(rule: LoadedRule) -> frozenset[str]:
    """Return the labels that an alert tells its series apart by."""
    listed = (label.strip() for found in _BY.findall(rule.query) for label in found.split(","))
    return frozenset(filter(None, listed))


def _tree(rule: LoadedRule) -> Expression | None:
    try:
        return parsed(rule.query)
    except Unparsed:
        return None


def _compared(tree: Expression, loaded: LoadedRules) -> EventShare | None:
    match tree:
        case Binary(op="and" | "or", left=left, right=right):
            return _compared(left, loaded) or _compared(right, loaded)
        case Aggregate(of=of):
            return _compared(of, loaded)
        case Binary(op=op, left=left) if op in _BELOW | _ABOVE:
            return _quotient(left, loaded, is_good=op in _BELOW, depth=_DEEPEST)
    return None


def _quotient(
    tree: Expression, loaded: LoadedRules, *, is_good: bool, depth: int
) -> EventShare | None:
    match tree:
        case Binary(op="/", left=left, right=right):
            part, total = _counter(left), _counter(right)
            if part is not None and total is not None:
                return EventShare(part, total, is_good)
            # `100 * a / b` multiplies before it divides, and means the same.
            if isinstance(left, Binary) and left.op == "*" and isinstance(left.left, Number):
                same = Binary("/", left.right, right)
                return _quotient(same, loaded, is_good=is_good, depth=depth)
            return None
        case Binary(op="-", left=Number(), right=right):
            return _quotient(right, loaded, is_good=not is_good, depth=depth)
        case Binary(op="*", left=Number(), right=of) | Binary(op="*", left=of, right=Number()):
            return _quotient(of, loaded, is_good=is_good, depth=depth)
        case Aggregate(of=of):
            return _quotient(of, loaded, is_good=is_good, depth=depth)
        case Selector(name=name) if depth and loaded.recordings.get(name):
            recorded = _tree(loaded.recordings[name][0])
            if recorded is not None:
                return _quotient(recorded, loaded, is_good=is_good, depth=depth - 1)
    return None


def _counter(tree: Expression) -> Selector | None:
    match tree:
        case Aggregate(op="sum", of=of):
            return _counter(of)
        case FunctionCall(function=name, arguments=(Range(of=Selector() as found),)):
            return found if name in _COUNTING else None
    return None


def _within(tree: Expression) -> Iterator[Selector]:
    match tree:
        case Selector():
            yield tree
        case Range(of=of) | Negated(of=of) | Aggregate(of=of):
            yield from _within(of)
        case FunctionCall(arguments=arguments):
            for argument in arguments:
                yield from _within(argument)
        case Binary(left=left, right=right):
            yield from _within(left)
            yield from _within(right)
