"""Series invented for a test: labels that meet a selector, and counters that rise as wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from gameday.model.slo import Ratio
from gameday.spec.openslo.promql import Matcher, Selector, parsed_selector

_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "b": "", "B": ""}
_TRIED = "a0-_ A.x/:9z"
_QUANTIFIER = re.compile(r"[*+?]\??|\{(\d+)(?:,\d*)?\}\??")
_OTHERS = ("", "other", "x", "0")


class Counts(Enum):
    """Which events a series counts."""

    GOOD = auto()
    BAD = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True)
class InventedSeries:
    """One series by name and labels."""

    metric: str
    labels: Mapping[str, str]

    def __str__(self) -> str:
        inner = ",".join(f'{k}="{_escaped(v)}"' for k, v in self.labels.items() if v)
        return f"{self.metric}{{{inner}}}"

    def meets(self, selector: Selector) -> bool:
        """Return whether a selector finds this series."""
        return self.metric == selector.metric and all(
            m.matches(self.labels.get(m.label, "")) for m in selector.matchers
        )


def counters_for(ratio: Ratio) -> dict[InventedSeries, Counts] | None:
    """Return counters that a ratio of two selectors counts, and what each of them counts.

    None where none can be made up: a selector is no plain one, no value is found for a regular
    expression, or no event could be counted by one selector alone.
    """
    total, part = parsed_selector(ratio.total), parsed_selector(ratio.good or ratio.bad)
    if total is None or part is None:
        return None
    own, other = (Counts.GOOD, Counts.BAD) if ratio.good else (Counts.BAD, Counts.GOOD)
    counted = series_for(part)
    if counted is None:
        return None
    if counted.meets(total):
        rest = next((s for s in _outside(total, part)), None)
        return None if rest is None else {counted: own, rest: other}
    everything = series_for(total)
    if everything is None or everything.meets(part):
        return None
    return {counted: own, everything: Counts.ALL}


def series_for(selector: Selector) -> InventedSeries | None:
    """Return a series that a selector finds; None where no value is found for a label."""
    return next(_inside(selector, {}), None)


def example(pattern: str) -> str | None:
    """Return a text a regular expression matches from end to end; None where none is found."""
    return next(_matching(pattern), None)


def _inside(selector: Selector, fixed: Mapping[str, str]) -> Iterator[InventedSeries]:
    """Yield the series a selector finds whose labels hold these values, at most one."""
    labels = dict(fixed)
    for matcher in selector.matchers:
        if matcher.label not in labels:
            found = _value(selector, matcher.label)
            if found is None:
                return
            labels[matcher.label] = found
    series = InventedSeries(selector.metric, _Labels(labels))
    if series.meets(selector):
        yield series


def _outside(selector: Selector, other: Selector) -> Iterator[InventedSeries]:
    """Yield series that the first selector finds and the other one does not."""
    for matcher in other.matchers:
        allowed = [m for m in selector.matchers if m.label == matcher.label]
        for value in (*_OTHERS, *(v for m in (matcher, *allowed) for v in _told_by(m))):
            for series in _inside(selector, {matcher.label: value}):
                if not series.meets(other):
                    yield series


def _value(selector: Selector, label: str) -> str | None:
    """Return a value that meets every condition a selector has on this label."""
    matchers = [m for m in selector.matchers if m.label == label]
    candidates = [m.value for m in matchers if m.op == "="]
    candidates += [e for m in matchers if m.op == "=~" and (e := example(m.value)) is not None]
    return next((c for c in (*candidates, *_OTHERS) if all(m.matches(c) for m in matchers)), None)


def _told_by(matcher: Matcher) -> Iterator[str]:
    """Yield the values a condition speaks of."""
    if matcher.op in ("=~", "!~"):
        yield from _matching(matcher.value)
    else:
        yield matcher.value


class _Labels(dict[str, str]):
    """Labels of a series that is never changed, so that it can be a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


# --- regular expressions --------------------------------------------------------------------------


def _matching(pattern: str) -> Iterator[str]:
    matcher = Matcher("", "=~", pattern)
    return (text for text in _examples(pattern) if matcher.matches(text))


def _examples(pattern: str) -> Iterator[str]:
    """Yield texts that probably match; the caller tries them.

    Alternatives one by one, each with its optional parts left out and put in.
    """
    for alternative in _alternatives(pattern):
        for is_full in (False, True):
            try:
                yield _Writer(alternative, is_full=is_full).text()
            except (IndexError, RecursionError):
                continue


def _alternatives(pattern: str) -> list[str]:
    parts, depth, start, at = [], 0, 0, 0
    in_class = False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and depth == 0:
            parts.append(pattern[start:at])
            start = at + 1
        at += 1
    return [*parts, pattern[start:]]


class _Writer:
    """Writes one text for a pattern without alternatives at its top."""

    def __init__(self, pattern: str, *, is_full: bool) -> None:
        self.pattern = pattern
        self.is_full = is_full
        self.at = 0

    def text(self) -> str:
        written = []
        while self.at < len(self.pattern):
            piece = self._piece()
            found = _QUANTIFIER.match(self.pattern, self.at)
            if found:
                self.at = found.end()
                least = int(found.group(1)) if found.group(1) else int(found.group()[0] == "+")
                piece *= max(least, int(self.is_full)) if least < 100 else 100
            written.append(piece)
        return "".join(written)

    def _piece(self) -> str:
        character = self.pattern[self.at]
        self.at += 1
        if character == "\\":
            escaped = self.pattern[self.at]
            self.at += 1
            return _CLASSES.get(escaped, escaped)
        if character == "[":
            return self._of_class()
        if character == "(":
            return self._of_group()
        if character in "^$":
            return ""
        return "x" if character == "." else character

    def _of_class(self) -> str:
        end = self.at + 1 if self.pattern[self.at] != "^" else self.at + 2
        while self.pattern[end] != "]":
            end += 2 if self.pattern[end] == "\\" else 1
        body = self.pattern[self.at - 1 : end + 1]
        self.at = end + 1
        tried = _TRIED + self.pattern
        return next((c for c in tried if Matcher("", "=~", body).matches(c)), "")

    def _of_group(self) -> str:
        depth, start = 1, self.at
        while depth:
            character = self.pattern[self.at]
            self.at += 2 if character == "\\" else 1
            depth += (character == "(") - (character == ")")
        body = re.sub(r"\A\?(?:P?<[^>]*>|[a-z]*:)", "", self.pattern[start : self.at - 1])
        return _Writer(_alternatives(body)[0], is_full=self.is_full).text()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
