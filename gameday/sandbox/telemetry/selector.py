"""The small languages of the query APIs: label selectors, Go durations, RFC 3339 nanoseconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gameday.sandbox.telemetry.intake import Refusal

_MATCHER = re.compile(
    r'\s*([A-Za-z_][\w.]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)', re.DOTALL
)
_QUERY = re.compile(r"\s*([\w.:/-]*)\s*(\{.*\})?\s*", re.DOTALL)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,18}))?([Zz]|[+-]\d\d:\d\d)")
_MAX_TEXT = 2000

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selector:
    """Matchers over labels, all of which must hold; an absent label counts as empty."""

    matchers: tuple[tuple[str, Callable[[str], bool]], ...]

    def matches(self, labels: Labels) -> bool:
        """Return whether these labels satisfy every matcher."""
        return all(holds(labels.get(name, "")) for name, holds in self.matchers)


def parse_selector(text: str) -> Selector:
    """Return the selector written ``{name="value", other=~"a|b"}``; empty text selects all.

    Raises:
        Refusal: it is not a selector, or a regular expression in it is broken.
    """
    body = text.strip()
    if len(body) > _MAX_TEXT:
        raise Refusal("label selector is too long")
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1].strip()
    elif body:
        raise Refusal(f'label selector {text[:80]!r} is not written {{name="value"}}')
    matchers: list[tuple[str, Callable[[str], bool]]] = []
    position = 0
    while position < len(body):
        found = _MATCHER.match(body, position)
        if found is None:
            raise Refusal(f"label selector {text[:80]!r} is broken at {body[position:][:40]!r}")
        name, operator, quoted, _ = found.groups()
        matchers.append((name, _condition(operator, _unquote(quoted))))
        position = found.end()
    return Selector(tuple(matchers))


def _condition(operator: str, value: str) -> Callable[[str], bool]:
    if operator == "=":
        return lambda actual: actual == value
    if operator == "!=":
        return lambda actual: actual != value
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise Refusal(f"regular expression {value[:80]!r} is broken: {error}") from error
    if operator == "=~":
        return lambda actual: pattern.fullmatch(actual) is not None
    return lambda actual: pattern.fullmatch(actual) is None


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text)


def split_query(query: str) -> tuple[str, str]:
    """Return (profile type, selector) of ``process_cpu{service_name="x"}``; either may be empty."""
    found = _QUERY.fullmatch(query)
    if found is None or len(query) > _MAX_TEXT:
        raise Refusal(f'query {query[:80]!r} is not written profile_type{{name="value"}}')
    return found[1] or "", found[2] or ""


def parse_duration(text: str) -> int:
    """Return the nanoseconds of a duration as Go writes it (``100ms``, ``1m30s``)."""
    position, total = 0, 0.0
    while position < len(text) and len(text) < 50:
        found = _DURATION_PART.match(text, position)
        if found is None:
            break
        total += float(found[1]) * _NANOSECONDS[found[2]]
        position = found.end()
    if not text or position != len(text):
        raise Refusal(f"time: invalid duration {text[:40]!r}")
    return round(total)


def parse_instant(text: str) -> int:
    """Return the Unix nanoseconds of an RFC 3339 instant, to the last digit."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise Refusal(f"time {text[:40]!r} is not RFC 3339")
    try:
        whole = datetime.fromisoformat(found[1] + found[3].upper().replace("Z", "+00:00"))
    except ValueError as error:
        raise Refusal(f"time {text[:40]!r} is not RFC 3339") from error
    fraction = (found[2] or "").ljust(9, "0")[:9]
    return int(whole.timestamp()) * 10**9 + int(fraction)
