"""Burn-rate alerts, read out of the rules that are in force, whoever wrote them.

An alert says how long its windows are and from which share of bad events on it speaks; all else in
it is spelling. What cannot be read says so, in a sentence, and is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isclose

from gameday.model.system import RuleAuthor
from gameday.quantity import written
from gameday.rules.expression import (
    Aggregate,
    Binary,
    Expression,
    Number,
    Selector,
    Unparsed,
    parsed,
)
from gameday.rules.loaded import LoadedRule, LoadedRules
from gameday.rules.measured import COMPARISONS, Measured, Measuring, Unread

__all__ = ["Branch", "BurnAlert", "UnreadAlert", "author_of", "read_alert"]

MOST_BRANCHES = 16
"""Ways for an alert to fire that are followed."""

_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_SAME = 1e-6
"""How close two thresholds are that are one: `1 - 0.99` and `0.01` differ in the last digits."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One way for an alert to fire: the share of bad events over both windows is too high.

    Attributes:
        long: as it is on the system, not scaled; the same as ``short`` where there is one window.
        threshold_ratio: share of bad events above which it holds, 0–1.
        factor: the burn rate, where the expression says it beside the budget (``14.4 * 0.001``).
        objective_ratio: the promised good share, where the expression says it.
    """

    long: timedelta
    short: timedelta
    threshold_ratio: float
    factor: float | None = None
    objective_ratio: float | None = None

    def burn_rate(self, objective_ratio: float) -> float:
        """Return the threshold in budgets of this objective.

        Rounded, as `1 - 0.99` is not quite 0.01.
        """
        return round(self.threshold_ratio / (1 - objective_ratio), 9)


@dataclass(frozen=True, slots=True)
class BurnAlert:
    """A burn-rate alert that was read.

    Attributes:
        branches: the ways for it to fire, shortest long window first.
        author: in whose shape it is written.
        counters: the selectors of what is counted.
        age: how old a recording may be when the alert reads it; 0 where both are in one group.
        assumes: further conditions of it, as the prediction takes them to hold.
    """

    rule: LoadedRule
    branches: tuple[Branch, ...]
    author: RuleAuthor
    counters: frozenset[Selector]
    age: timedelta = timedelta(0)
    assumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadAlert:
    """An alert whose windows and threshold are unknown.

    Attributes:
        reason: a sentence that names the rule and what of it could not be read.
    """

    rule: LoadedRule
    author: RuleAuthor
    reason: str


def author_of(rule: LoadedRule) -> RuleAuthor:
    """Return in whose shape an alert is written, by the labels each gives; else the Workbook's."""
    labels = rule.labels.keys()
    if {"slo", "service", "time_scale"} <= labels:
        return RuleAuthor.GAMEDAY  # which bears Sloth's labels too, for Sloth's dashboards
    if "sloth_severity" in labels:
        return RuleAuthor.SLOTH
    if {"slo", "long", "short"} <= labels:
        return RuleAuthor.PYRRA
    return RuleAuthor.WORKBOOK


def read_alert(rule: LoadedRule, loaded: LoadedRules) -> BurnAlert | UnreadAlert:
    """Return the windows and thresholds of an alert, or why they are not known.

    Args:
        loaded: all rules of the same Prometheus, for the recordings it reads.
    """
    author = author_of(rule)
    try:
        reading = _Reading(loaded, rule)
        ways = reading.ways(parsed(rule.query))
        branches = sorted((_branch(way) for way in ways), key=lambda b: (b.long, b.short))
        if rule.keeps_firing:
            raise Unread(
                f"it keeps firing for {written(rule.keeps_firing)} after its condition has ended,"
                " and no theory says when it clears"
            )
    except (Unread, Unparsed) as error:
        reason = f"the alert {rule.what} cannot be read: {error}"
        return UnreadAlert(rule, author, reason)
    conditions = [c for way in ways for c in way]
    return BurnAlert(
        rule,
        tuple(branches),
        author,
        frozenset().union(*(c.measured.counters for c in conditions)),
        max(c.measured.age for c in conditions),
        tuple(dict.fromkeys(reading.assumed)),
    )


@dataclass(frozen=True, slots=True)
class _Condition:
    """A share of bad events over one window is above a threshold."""

    measured: Measured
    span: timedelta
    threshold_ratio: float
    factor: float | None
    objective_ratio: float | None


_Way = tuple[_Condition, ...]


class _Reading:
    """Finds the conditions of one alert.

    Attributes:
        assumed: further conditions that were met on the way, as sentences.
    """

    def __init__(self, loaded: LoadedRules, rule: LoadedRule) -> None:
        self._measuring = Measuring(loaded, rule)
        self._followed = 0
        self.assumed: list[str] = []

    def ways(self, expression: Expression) -> list[_Way]:
        """Return every way for the expression to hold, each as the conditions that make it."""
        match expression:
            case Binary(op="or", left=left, right=right):
                return _few([*self.ways(left), *self.ways(right)])
            case Binary(op="and", left=left, right=right):
                ones, others = self.ways(left), self.ways(right)
                return _few([(*one, *other) for one in ones for other in others])
            case Binary(op=op) if op in COMPARISONS:
                return [self._compared(expression)]
            case Aggregate(op="max" | "min" | "sum" | "avg" | "group", of=of) if _decides(of):
                return self.ways(of)  # Sloth compares first and takes the greatest of what is left
            case Selector():
                rule = self._measuring.recording(expression)
                if rule is not None and self._followed < 5:
                    self._followed += 1
                    return self.ways(parsed(rule.query))
        raise Unread("it compares no share of bad events with a threshold")

    def _compared(self, comparison: Binary) -> _Way:
        if comparison.is_bool:
            raise Unread("it compares with `bool`, which is true whatever the outcome")
        left, right = (self._measuring.of(e) for e in (comparison.left, comparison.right))
        op, limit = comparison.op, comparison.right
        if left.is_constant and not right.is_constant:
            left, right, op, limit = right, left, _TURNED[op], comparison.left
        if left.is_constant:
            raise Unread("it compares two numbers")
        if not right.is_constant:
            return (_of_two(left, right, op),)
        if not left.is_ratio or op in ("==", "!="):
            self.assumed.append(_guard(left, op, right.shift))
            return ()
        if left.span is None:
            raise Unread(f"{_counted(left)} says nothing of the time over which it is a share")
        factor, objective = _told(limit)
        if (left.scale, left.shift) != (1.0, 0.0):
            factor, objective = None, None
        return (_condition(left, op, (right.shift - left.shift) / left.scale, factor, objective),)


def _condition(
    measured: Measured, op: str, limit: float, factor: float | None, objective: float | None
) -> _Condition:
    """Return the condition that a share lies on one side of a limit, as one on the bad share."""
    is_above = (op in (">", ">=")) == (measured.scale > 0)
    threshold = limit if is_above else 1 - limit
    if not 0 < threshold < 1:
        raise Unread(f"its threshold, {threshold:g}, is no share of bad events")
    assert measured.span is not None
    if not is_above:
        factor, objective = None, None
    # Binary floats leave noise where 1 is subtracted: 0.0144, not 0.01439999999999997.
    return _Condition(measured, measured.span, round(threshold, 15), factor, objective)


def _of_two(left: Measured, right: Measured, op: str) -> _Condition:
    """Return the condition that one count is more than a share of the other."""
    counts = not left.is_ratio and not right.is_ratio and not left.shift and not right.shift
    if not counts or op not in (">", ">=", "<", "<="):
        raise Unread("it compares two measured values, and neither is a threshold")
    if op in ("<", "<="):
        left, right = right, left
    if left.span is None or left.span != right.span:
        raise Unread("the two counts it compares look back differently")
    measured = Measured(
        True,
        left.span,
        counters=left.counters | right.counters,
        age=max(left.age, right.age),
    )
    return _condition(measured, ">", right.scale / left.scale, None, None)


def _branch(way: _Way) -> Branch:
    if not way:
        raise Unread("it compares no share of bad events with a threshold")
    spans = sorted({c.span for c in way})
    if len(spans) > 2:
        raise Unread(
            f"one branch has {len(spans)} windows ({', '.join(map(written, spans))}), and the"
            " theory knows a long and a short one"
        )
    first = way[0]
    for other in way[1:]:
        if not isclose(first.threshold_ratio, other.threshold_ratio, rel_tol=_SAME):
            raise Unread(
                f"its windows have different thresholds ({first.threshold_ratio:g} over"
                f" {written(first.span)}, {other.threshold_ratio:g} over {written(other.span)})"
            )
    named = next((c for c in way if c.factor is not None), first)
    return Branch(spans[-1], spans[0], first.threshold_ratio, named.factor, named.objective_ratio)


def _few(ways: Sequence[_Way]) -> list[_Way]:
    if len(ways) > MOST_BRANCHES:
        raise Unread(f"it has more than {MOST_BRANCHES} ways to fire")
    return list(ways)


def _decides(expression: Expression) -> bool:
    """Return whether an expression is a condition, not a value."""
    return isinstance(expression, Binary) and (
        expression.op in COMPARISONS or expression.op in ("and", "or")
    )


def _told(limit: Expression) -> tuple[float | None, float | None]:
    """Return (burn rate, objective) of a threshold that says both: ``14.4 * 0.001``."""
    if not isinstance(limit, Binary) or limit.op != "*":
        return None, None
    left, right = _plain(limit.left), _plain(limit.right)
    if left is None or right is None:
        return None, None
    factor, budget = max(left, right), min(left, right)
    if not 0 < budget < 1 or factor <= 0:
        return None, None
    return factor, round(1 - budget, 12)


def _plain(expression: Expression) -> float | None:
    """Return the value of a number, or of one taken from another; None: it is neither."""
    match expression:
        case Number(value=value):
            return value
        case Binary(op="-", left=Number(value=left), right=Number(value=right)):
            return left - right
    return None


def _counted(measured: Measured) -> str:
    names = sorted({s.name or str(s) for s in measured.counters})
    return " and ".join(names) if names else "what it compares"


def _guard(measured: Measured, op: str, limit: float) -> str:
    over = "" if measured.span is None else f" over {written(measured.span)}"
    return f"{_counted(measured)}{over} {op} {limit:g}"
