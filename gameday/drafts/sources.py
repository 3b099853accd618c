"""How each RED preset tells services apart, and which of its events are bad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gameday.diagnosis.conventions import PRESETS, Convention
from gameday.rules.expression import LabelMatcher, Selector

__all__ = ["Source", "sources", "with_matcher", "written_selector"]


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
        """Return it with services told apart by another label, whatever the preset's own say."""
        return replace(self, label=label, beside=tuple(m for m in self.beside if m.value))


def sources() -> tuple[Source, ...]:
    """Return every source of every preset: by the names and the labels it knows, best first."""
    return tuple(s for preset, found in PRESETS.items() for s in _sources(str(preset), found))


def _sources(preset: str, convention: Convention) -> Iterator[Source]:
    for names in convention.metrics:
        only = tuple(LabelMatcher(name, "=", value) for name, value in names.only)
        for number, label in enumerate(convention.services):
            # A series counts by the first label it has.
            without = (LabelMatcher(s.name, "=", "") for s in convention.services[:number])
            yield Source(
                preset,
                names.counter,
                label.name,
                LabelMatcher(names.status, names.operator, names.failed),
                (*only, *without),
            )


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
