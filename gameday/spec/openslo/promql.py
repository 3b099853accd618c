"""PromQL as far as it can be judged without Prometheus: selectors whole, expressions roughly.

The check of an expression knows brackets, quotes and that values and operators take turns. What it
refuses, Prometheus refuses too; what it lets pass, only Prometheus itself can vouch for (`gameday
slo rules --prometheus URL`).
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from gameday.model.slo import WINDOW
from gameday.spec.tree import quoted

MAX_LENGTH = 4000
"""Longest selector read."""
MAX_EXPRESSION = 20_000
"""Longest expression read."""

_METRIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*")
_MATCHER = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*"""
)
# In an expression, newer servers also take names in quotes: {"http.requests", code="200"}.
_ENTRY = re.compile(
    rf"""\s*"(?:[^"\\\n]|\\.)*"\s*(?:(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"\s*)?"""
    rf"|{_MATCHER.pattern}"
)
_CALL = re.compile(r"\s*[a-z_]+\s*(by\s*\(|without\s*\(|\()")
_SUM = re.compile(r"\s*sum\s*\((.*)\)\s*\Z", re.DOTALL)
_RATE = re.compile(r"\s*(?:rate|increase)\s*\((.*)\[\s*\{\{\.window\}\}\s*\]\s*\)\s*\Z", re.DOTALL)
_WRITTEN_WINDOW = re.compile(r"\{\{\s*\.window\s*\}\}")
_TEMPLATE = re.compile(r"\{\{.*?\}\}")

_DURATION = r"(?:[0-9]+(?:ms|[smhdwy]))+"
_RANGE = re.compile(
    rf"\[\s*(?:{_DURATION}|[0-9.]+|\{{\{{\.window\}}\}})\s*(?::\s*(?:{_DURATION})?\s*)?\]",
)
_TOKEN = re.compile(
    rf"""
    (?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<window>\{{\{{\.window\}}\}})
    |(?P<duration>{_DURATION})(?![\w.])
    |(?P<number>(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?))(?![\w.])
    |(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    |(?P<operator>==|!=|>=|<=|[-+*/%^<>])
    |(?P<mark>[(){{}}\[\],@])
    """,
    re.VERBOSE,
)
_LABELS = re.compile(r"\s*\((?:\s*[^\s(){}\[\],]+\s*(?:,|(?=\))))*\s*\)")
_WORD_OPERATORS = {"and", "or", "unless", "atan2"}
_GROUPINGS = {"by", "without", "on", "ignoring", "group_left", "group_right"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition of a selector: ``code!~"5.."``."""

    label: str
    op: str
    value: str

    def matches(self, value: str) -> bool:
        """Return whether a label with this value meets the condition; an absent label is empty.

        Prometheus anchors its expressions at both ends. Its dialect (RE2) and Python's agree on
        all that is usual in a selector; an expression Python reads otherwise, or not at all, is
        met by nothing.
        """
        match self.op:
            case "=":
                return value == self.value
            case "!=":
                return value != self.value
        pattern = _compiled(self.value)
        if pattern is None:
            return False
        return (pattern.fullmatch(value) is not None) == (self.op == "=~")


@dataclass(frozen=True, slots=True)
class Selector:
    """A plain selector: the name of a metric and the conditions on its labels."""

    metric: str
    matchers: tuple[Matcher, ...] = ()


def with_window(query: str) -> str:
    """Return a query with its window written as gameday writes it, without spaces in it."""
    return _WRITTEN_WINDOW.sub(WINDOW, query)


def unknown_template(query: str) -> str | None:
    """Return a template in a query that is not the one for its window, as ``{{.Window}}``."""
    return next((t for t in _TEMPLATE.findall(query) if t != WINDOW), None)


def over(query: str, duration: str) -> str:
    """Return a query asked over this range, as Prometheus writes it (``5m``)."""
    return query.replace(WINDOW, duration)


def counter_selector(query: str) -> str:
    """Return the selector of the counters a query sums up, or nothing where it is not that simple.

    ``sum(x)``, ``sum(rate(x[{{.window}}]))`` and ``sum(increase(x[{{.window}}]))`` are different
    ways to write what gameday makes of the plain selector ``x``.
    """
    inner = query
    if found := _SUM.match(inner):
        inner = found.group(1)
    if found := _RATE.match(inner):
        inner = found.group(1)
    return "" if selector_fault(inner) else inner.strip()


def parsed_selector(query: str) -> Selector | None:
    """Return a plain selector in its parts; None where the text is no plain selector."""
    if selector_fault(query):
        return None
    name = _METRIC.match(query)
    assert name is not None
    matchers = tuple(
        Matcher(found.group(1), found.group(2), _unquoted(found.group(3)))
        for found in _MATCHER.finditer(query, name.end())
    )
    return Selector(name.group(1), matchers)


def selector_fault(query: str) -> str:
    """Return why a text is no plain selector (``name{label="value"}``), or nothing where it is."""
    if len(query) > MAX_LENGTH:
        return "is too long for a selector"
    if _CALL.match(query):
        return "is an expression with a function, not a selector"
    match = _METRIC.match(query)
    name = match.group(1) if match else None
    at = match.end() if match else 0
    has_matchers = False
    if at < len(query) and query[at] == "{":
        end, fault = _matchers_end(query, at, _MATCHER)
        if fault:
            return fault
        has_matchers = end > at + 2
        at = end
    rest = query[at:].strip()
    if rest.startswith("["):
        return "has a range, which gameday adds itself"
    if rest:
        return f"goes on after the selector with {quoted(rest, 20)}"
    if not name and not has_matchers:
        return "names no metric"
    return "" if name else "names no metric before the braces"


def expression_fault(query: str) -> str:
    """Return what is plainly wrong with a PromQL expression, or nothing.

    The window of a template (``{{.window}}``) may stand where a duration may.
    """
    if len(query) > MAX_EXPRESSION:
        return "is too long"
    return _Walk(query).fault()


class _Walk:
    """Goes over an expression once: are brackets closed, do values and operators take turns?"""

    def __init__(self, query: str) -> None:
        self.query = query
        self.at = 0
        self.wants_value = True
        self.open: list[tuple[int, bool]] = []
        """Where each parenthesis was opened, and whether it is that of a call."""
        self.callable = False
        """Whether a parenthesis here would begin a call."""
        self.just_opened = False

    def fault(self) -> str:
        while self.at < len(self.query):
            found = _TOKEN.match(self.query, self.at)
            if found is None:
                return self._unknown()
            kind, text = str(found.lastgroup), found.group()
            if kind == "space":
                self.at = found.end()
                continue
            start, callable_before = self.at, self.callable
            opened_before = self.just_opened
            self.callable = self.just_opened = False
            self.at = found.end()
            if kind == "name":
                said = self._name(text, start)
            elif kind == "operator":
                said = self._operator(text, start)
            elif kind == "mark":
                said = self._mark(text, start, callable_before, opened_before)
            else:
                said = self._value(start)
            if said:
                return said
        if self.open:
            return f"has a '(' at character {self.open[-1][0] + 1} that is not closed"
        return "ends where a value is missing" if self.wants_value else ""

    def _unknown(self) -> str:
        character = self.query[self.at]
        where = f"at character {self.at + 1}"
        if character in "\"'`":
            return f"has a quote {where} that is not closed"
        if character == "=":
            return f"has an '=' outside braces {where}; '==' compares"
        rest = self.query[self.at : self.at + 12].split()
        return f"cannot be read {where}: {quoted(rest[0] if rest else character)}"

    def _value(self, start: int) -> str:
        if not self.wants_value:
            return f"lacks an operator before character {start + 1}"
        self.wants_value = False
        return ""

    def _name(self, text: str, start: int) -> str:
        word = text.lower()
        if word in _WORD_OPERATORS and not self.wants_value:
            self.wants_value = True
            return ""
        if word in _GROUPINGS:
            labels = _LABELS.match(self.query, self.at)
            if labels is not None:
                self.at = labels.end()
                self.callable = not self.wants_value
                return ""
            if word.startswith("group_"):
                return ""
        if word == "bool" and self.wants_value:
            return ""
        if word == "offset" and not self.wants_value:
            return self._modifier(start, rf"\s*-?\s*(?:{_DURATION}|\{{\{{\.window\}}\}})", "offset")
        self.callable = True
        return self._value(start)

    def _modifier(self, start: int, pattern: str, name: str) -> str:
        found = re.compile(pattern).match(self.query, self.at)
        if found is None:
            return f"has '{name}' at character {start + 1} without its time"
        self.at = found.end()
        return ""

    def _operator(self, text: str, start: int) -> str:
        if self.wants_value and text not in "+-":
            return f"has the operator '{text}' at character {start + 1} without a value before it"
        self.wants_value = True
        return ""

    def _mark(self, text: str, start: int, is_call: bool, was_opened: bool) -> str:
        if text == "(":
            if not self.wants_value and not is_call:
                return f"lacks an operator before character {start + 1}"
            self.open.append((start, is_call))
            self.wants_value = self.just_opened = True
            return ""
        if text == ")":
            return self._close(start, was_opened)
        if text == ",":
            if not self.open or not self.open[-1][1]:
                return f"has a ',' outside a call at character {start + 1}"
            if self.wants_value:
                return f"lacks a value before character {start + 1}"
            self.wants_value = True
            return ""
        if text == "{":
            if not self.wants_value and not is_call:
                return f"lacks an operator before character {start + 1}"
            self.at, said = _matchers_end(self.query, start, _ENTRY)
            self.wants_value = False
            return said
        if text == "[":
            found = _RANGE.match(self.query, start)
            if found is None or self.wants_value:
                return f"has a range at character {start + 1} that cannot be read"
            self.at = found.end()
            return ""
        if text == "@" and not self.wants_value:
            return self._modifier(start, r"\s*(?:-?[0-9.]+|(?:start|end)\s*\(\s*\))", "@")
        return f"has a '{text}' at character {start + 1} that nothing opened"

    def _close(self, start: int, was_opened: bool) -> str:
        if not self.open:
            return f"has a ')' at character {start + 1} that nothing opened"
        _, is_call = self.open.pop()
        if self.wants_value and not (was_opened and is_call):
            return f"lacks a value before character {start + 1}"
        self.wants_value = False
        # `sum(x) by (y)` groups after the call; a second call is none.
        return ""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    with warnings.catch_warnings():
        # Python warns where it reads a class such as [[:alpha:]] in its own way.
        warnings.simplefilter("error")
        try:
            return re.compile(pattern)
        except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError):
            return None


def _matchers_end(query: str, at: int, entry: re.Pattern[str]) -> tuple[int, str]:
    """Return where the braces that open at this character end, or why they cannot be read."""
    at += 1
    while found := entry.match(query, at):
        at = found.end()
        if at < len(query) and query[at] == ",":
            at += 1
        else:
            break
    while at < len(query) and query[at].isspace():
        at += 1
    if at >= len(query) or query[at] != "}":
        return at, f"has a label matcher that cannot be read at character {at + 1}"
    return at + 1, ""


def _unquoted(text: str) -> str:
    """Return what a quoted text of PromQL says; Go's escapes and Python's agree on the usual."""
    body = text[1:-1]
    if "\\" not in body:
        return body
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group(1)), body)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
