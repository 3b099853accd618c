"""What a PromQL expression measures, and over which time: by its shape, never by its name.

A recording is followed to what it records, so that `slo:sli_error:ratio_rate1h` is whatever the
rules in force make of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from gameday.quantity import written
from gameday.rules.expression import (
    Aggregate,
    Binary,
    Expression,
    FunctionCall,
    LabelMatcher,
    Negated,
    Number,
    Range,
    Selector,
    Unparsed,
    parsed,
)
from gameday.rules.loaded import LoadedRule, LoadedRules

__all__ = ["COMPARISONS", "Measured", "Measuring", "Unread"]

COMPARISONS = frozenset({">", ">=", "<", "<=", "==", "!="})

_OVER_TIME = frozenset({"rate", "increase", "sum_over_time", "count_over_time"})
_AS_IT_IS = frozenset(
    {"clamp", "clamp_max", "clamp_min", "vector", "scalar", "sort", "sort_desc", "label_replace"}
    | {"label_join", "round"}
)
_MADE_FEWER = frozenset({"sum", "avg", "max", "min", "topk", "bottomk", "group"})
_DEEPEST = 20
"""Recordings of recordings that are followed."""


class Unread(ValueError):
    """A part of an expression cannot be read; says which, and why."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A number that an expression gives: scale × what it measures + shift.

    Attributes:
        is_ratio: whether it is a share, of events or of time; else a number of something.
        span: how far it looks back; None: it is what it is now.
        is_constant: whether nothing is measured: the value is ``shift``.
        counters: the selectors it goes down to.
        age: how old a recording may be that it reads, beyond what one group's order allows.
    """

    is_ratio: bool = False
    span: timedelta | None = None
    scale: float = 1.0
    shift: float = 0.0
    is_constant: bool = False
    counters: frozenset[Selector] = frozenset()
    age: timedelta = timedelta(0)

    def times(self, factor: float) -> Measured:
        """Return it, this many times."""
        return replace(self, scale=self.scale * factor, shift=self.shift * factor)

    def plus(self, number: float) -> Measured:
        """Return it, with this added."""
        return replace(self, shift=self.shift + number)


def _constant(value: float) -> Measured:
    return Measured(scale=0.0, shift=value, is_constant=True)


class Measuring:
    """Reads expressions of one rule, among all that are loaded."""

    def __init__(self, loaded: LoadedRules, reader: LoadedRule) -> None:
        self._loaded = loaded
        self._readers = [reader]

    def of(self, expression: Expression) -> Measured:
        """Return what an expression measures.

        Raises:
            Unread: something in it cannot be read.
        """
        match expression:
            case Number(value=value):
                return _constant(value)
            case Selector():
                return self._selected(expression)
            case Negated(of=of):
                return self.of(of).times(-1)
            case Aggregate(op=op, of=of):
                if op == "count":
                    return replace(self.of(of), is_ratio=False, scale=1.0, shift=0.0)
                if op not in _MADE_FEWER:
                    raise Unread(f"{op}(…) is not followed")
                return self.of(of)
            case FunctionCall():
                return self._called(expression)
            case Binary():
                return self._both(expression)
            case Range():
                raise Unread("a range stands where a value should")
        raise Unread("a string stands where a value should")

    def recording(self, selector: Selector) -> LoadedRule | None:
        """Return the rule that records what a selector reads; None: it reads what is scraped.

        Raises:
            Unread: a recording is missing, or several differ.
        """
        found = [
            r for r in self._loaded.recordings.get(selector.name, ()) if _fits(r, selector.matchers)
        ]
        if not found:
            if ":" in selector.name:
                raise Unread(f"{selector.name} is recorded by no rule that is loaded here")
            return None
        return found[0]

    # --- each kind of it --------------------------------------------------------------------

    def _selected(self, selector: Selector) -> Measured:
        if selector.is_moved:
            raise Unread(f"{selector.name} is read at another time than now")
        found = [
            r for r in self._loaded.recordings.get(selector.name, ()) if _fits(r, selector.matchers)
        ]
        if self.recording(selector) is None:
            return Measured(counters=frozenset({selector}))
        read = [self._recorded(rule) for rule in found]
        if any(_differ(read[0], other) for other in read[1:]):
            raise Unread(f"the rules that record {selector.name} differ from each other")
        return replace(
            read[0],
            counters=frozenset().union(*(m.counters for m in read)),
            age=max(m.age for m in read),
        )

    def _recorded(self, rule: LoadedRule) -> Measured:
        if len(self._readers) > _DEEPEST:
            raise Unread(f"{rule.name} is recorded from recordings without end")
        reader = self._readers[-1]
        self._readers.append(rule)
        try:
            found = self.of(parsed(rule.query))
        except Unparsed as error:
            raise Unread(f"{rule.name} is not read: {error}") from error
        finally:
            self._readers.pop()
        # Within a group a recording is of the same instant; another group has a phase of its own.
        if found.is_constant or rule.group == reader.group:
            return found
        return replace(found, age=found.age + rule.interval)

    def _called(self, call: FunctionCall) -> Measured:
        name, given = call.function, call.arguments
        if name in _OVER_TIME and isinstance(given[0], Range):
            found = replace(self._over(given[0]), is_ratio=False)
            # An increase is its rate, as many times as the range has seconds.
            return found.times(given[0].span.total_seconds()) if name == "increase" else found
        if name == "avg_over_time" and isinstance(given[0], Range):
            found = self._over(given[0])
            # The mean of something that is scraped is a share of the time, where it is 0 or 1.
            return replace(found, is_ratio=True)
        if name == "histogram_fraction":
            return replace(self.of(given[2]), is_ratio=True, scale=1.0, shift=0.0)
        if name in _AS_IT_IS:
            return self.of(given[0])
        if name == "histogram_quantile":
            raise Unread("a quantile is no share of the events: it does not say how many were bad")
        raise Unread(f"{name}(…) is not followed")

    def _over(self, ranged: Range) -> Measured:
        if ranged.is_moved:
            raise Unread("it looks back from another time than now")
        found = self.of(ranged.of)
        if found.span is not None:
            raise Unread(
                f"{_name(ranged.of)} looks back over {written(found.span)} already, and is looked"
                f" at over {written(ranged.span)}"
            )
        return replace(found, span=ranged.span)

    def _both(self, both: Binary) -> Measured:
        op = both.op
        if op in COMPARISONS and both.is_bool:
            raise Unread("a comparison that gives 0 or 1 (bool) is not followed")
        left = self.of(both.left)
        if op in ("and", "unless") or op in COMPARISONS:
            return left  # they keep some of it or nothing, and its value as it is
        right = self.of(both.right)
        if op == "or":
            if left.is_constant or (not right.is_constant and _differ(left, right)):
                raise Unread("what stands left and right of `or` differs")
            return left
        if left.is_constant and right.is_constant:
            return _constant(_computed(op, left.shift, right.shift))
        if op in ("+", "-"):
            sign = 1 if op == "+" else -1
            if right.is_constant:
                return left.plus(sign * right.shift)
            if left.is_constant:
                return right.times(sign).plus(left.shift)
            return _summed(left, right)
        if op == "*":
            if right.is_constant:
                return left.times(right.shift)
            if left.is_constant:
                return right.times(left.shift)
        if op == "/":
            if right.is_constant:
                return left.times(_computed("/", 1.0, right.shift))
            # Two shares over each other are no share.
            if not left.is_constant and not left.is_ratio and not right.is_ratio:
                return _share(left, right)
        raise Unread(f"what {op} makes of its two sides is not followed")


def _name(expression: Expression) -> str:
    return expression.name if isinstance(expression, Selector) else "what it averages"


def _summed(left: Measured, right: Measured) -> Measured:
    """Return two numbers of events added, or one taken from the other."""
    if left.is_ratio or right.is_ratio:
        raise Unread("the sum of two shares is no share of the events")
    if left.shift or right.shift or left.scale != right.scale:
        raise Unread("it adds numbers that are not counted alike")
    return replace(_joined(left, right), scale=left.scale)


def _share(left: Measured, right: Measured) -> Measured:
    """Return one number of events over another."""
    if left.shift or right.shift or not left.scale or not right.scale:
        raise Unread("it divides more than one count by another")
    return replace(_joined(left, right), is_ratio=True, scale=left.scale / right.scale)


def _joined(left: Measured, right: Measured) -> Measured:
    if left.span != right.span:
        raise Unread(
            f"its two sides look back differently: {_spoken(left.span)} and {_spoken(right.span)}"
        )
    return Measured(
        span=left.span,
        counters=left.counters | right.counters,
        age=max(left.age, right.age),
    )


def _spoken(span: timedelta | None) -> str:
    return "now" if span is None else written(span)


def _computed(op: str, left: float, right: float) -> float:
    try:
        match op:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
    except (ZeroDivisionError, OverflowError) as error:
        raise Unread(f"{left:g} {op} {right:g} is no number") from error
    raise Unread(f"{op} between two numbers is not followed")


def _differ(one: Measured, other: Measured) -> bool:
    return (one.is_ratio, one.span, one.scale, one.shift, one.is_constant) != (
        other.is_ratio,
        other.span,
        other.scale,
        other.shift,
        other.is_constant,
    )


def _fits(rule: LoadedRule, matchers: frozenset[LabelMatcher]) -> bool:
    """Return whether what a rule records may bear these labels; others come from its series."""
    for m in matchers:
        told = rule.labels.get(m.name)
        if told is None:
            continue
        if (m.op == "=" and told != m.value) or (m.op == "!=" and told == m.value):
            return False
    return True
