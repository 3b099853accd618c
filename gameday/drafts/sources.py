"""How each RED preset tells services apart, and which of its events are bad."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gameday.diagnosis.conventions import PRESETS, Convention
from gameday.rules.expression import LabelMatcher, Selector

__all__ = ["Source", "sources", "with_matcher", "written_selector"]

_COUNTED = re.compile(r"([a-zA-Z_:][\w:]*)\{((?:\{\w+\}|[^{}])*)\}\s*\[\{window\}\]")
_FAILED = re.compile(r',\s*(\w+)\s*(=~?)\s*"([^"]*)"\s*\Z')


@dataclass(frozen=True, slots=True)
class Source:
    """A counter by which a preset counts the events of services.

    Attributes:
        label: tells services apart.
        failed: what is true of the bad events.
        beside: what is true of all of them besides.
    """

    preset: str
    metric: str
    label: str
    failed: LabelMatcher
    beside: tuple[LabelMatcher, ...] = ()

    @property
    def listing(self) -> str:
        """Return PromQL of its series, whatever their service."""
        return written_selector(Selector(self.metric, frozenset(self.beside)))

    def total(self, service: str) -> Selector:
        """Return the selector of all events of a service."""
        own = LabelMatcher(self.label, "=", service)
        return Selector(self.metric, frozenset((own, *self.beside)))

    def by_label(self, label: str) -> Source:
        """Return it with services told apart by another label."""
        return replace(self, label=label)


def sources() -> tuple[Source, ...]:
    """Return the source of every preset whose errors are a share of counted events."""
    return tuple(s for preset, found in PRESETS.items() for s in _sources(str(preset), found))


def _sources(preset: str, convention: Convention) -> Iterator[Source]:
    found = _COUNTED.findall(convention.errors)
    failed = _FAILED.search(found[0][1]) if found else None
    if failed is not None:
        yield Source(preset, found[0][0], convention.label, LabelMatcher(*failed.groups()))


def with_matcher(selector: Selector, matcher: LabelMatcher) -> Selector:
    """Return a selector with one more condition."""
    return replace(selector, matchers=selector.matchers | {matcher})


def written_selector(selector: Selector) -> str:
    """Return a selector as PromQL, its labels in order, whatever they hold."""
    told = sorted(f"{m.name}{m.op}{_quoted(m.value)}" for m in selector.matchers)
    return selector.name + (f"{{{','.join(told)}}}" if told or not selector.name else "")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
