"""The rules a Prometheus has loaded, as its API lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

__all__ = ["LoadedRule", "LoadedRules", "may_be"]

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """One rule as it is in force.

    Attributes:
        name: of the alert, or of the series that is recorded.
        query: its expression, as Prometheus prints it.
        labels: those the rule itself gives; an alert or a series has those of its own beside them.
        for_: how long the condition must hold before the alert fires.
        keeps_firing: how long the alert goes on after its condition has ended.
        group: file and name of its group; the rules of one are evaluated in order at one instant.
        interval: how often that is.
        failing: why its last evaluation failed, in Prometheus' words; empty: it did not.
        annotations: of an alert; texts with Prometheus' templates in them.
    """

    name: str
    query: str
    is_alert: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    for_: timedelta = _ZERO
    keeps_firing: timedelta = _ZERO
    group: tuple[str, str] = ("", "")
    interval: timedelta = _ZERO
    failing: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """Return how people tell it from others of its name: with the labels that differ by rule.

        ``ErrorBudgetBurn{long="1h",severity="critical"}``
        """
        told = [f'{n}="{v}"' for n, v in sorted(self.labels.items()) if n in _TELLING]
        return self.name + (f"{{{','.join(told)}}}" if told else "")


_TELLING = frozenset({"slo", "sloth_slo", "severity", "sloth_severity", "long", "long_window"})
"""Labels by which rules of one name differ, as those who write rules use them."""


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """All of them."""

    alerts: tuple[LoadedRule, ...]
    recordings: Mapping[str, tuple[LoadedRule, ...]]

    @classmethod
    def of(cls, rules: Iterable[LoadedRule]) -> LoadedRules:
        """Return rules by what they are for."""
        alerts: list[LoadedRule] = []
        recordings: dict[str, tuple[LoadedRule, ...]] = {}
        for rule in rules:
            if rule.is_alert:
                alerts.append(rule)
            else:
                recordings[rule.name] = (*recordings.get(rule.name, ()), rule)
        return cls(tuple(alerts), recordings)

    @classmethod
    def told(cls, groups: Sequence[Any]) -> LoadedRules:
        """Return the rules of the answer of ``/api/v1/rules``: its list of groups.

        What has no name or no expression there is passed over: no alert can be read out of it.
        """
        return cls.of(
            rule
            for group in groups
            if isinstance(group, dict)
            for told in group.get("rules") or ()
            if isinstance(told, dict) and (rule := _rule(told, group)) is not None
        )


def may_be(label: str | None, value: str) -> bool:
    """Return whether an alert's label may have this value, where its rule gives it so.

    What the rule does not give (None), or fills in from a template, may come from its series.
    """
    return label is None or label == value or "{{" in label


def _rule(told: Mapping[str, Any], group: Mapping[str, Any]) -> LoadedRule | None:
    name, query = told.get("name"), told.get("query")
    if not isinstance(name, str) or not isinstance(query, str):
        return None
    return LoadedRule(
        name,
        query,
        is_alert=told.get("type") == "alerting",
        labels=_texts(told.get("labels")),
        for_=_seconds(told.get("duration")),
        keeps_firing=_seconds(told.get("keepFiringFor")),
        group=(str(group.get("file", "")), str(group.get("name", ""))),
        interval=_seconds(group.get("interval")),
        failing=str(told.get("lastError") or "unknown") if told.get("health") == "err" else "",
        annotations=_texts(told.get("annotations")),
    )


def _texts(told: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else {}


def _seconds(told: object) -> timedelta:
    is_number = isinstance(told, int | float) and not isinstance(told, bool)
    try:
        return timedelta(seconds=float(told)) if is_number else _ZERO  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        return _ZERO
