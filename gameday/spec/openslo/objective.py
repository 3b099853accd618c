"""Objectives: the promised share, and by which budgeting method and threshold it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.model.slo import Ratio, Raw, Sli, Slices, Threshold
from gameday.names import did_you_mean
from gameday.spec.openslo.fields import Fields, optional_text
from gameday.spec.openslo.indicator import Metric
from gameday.spec.tree import FieldPath, quoted
from scoring.slo import BurnWindow, nominal

_FIELDS = (
    "displayName", "target", "targetPercent", "op", "value", "timeSliceTarget", "timeSliceWindow",
)  # fmt: skip
_METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
_OPERATORS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True, slots=True)
class Goal:
    """One objective, read.

    Attributes:
        target_ratio: promised share of good events or of good time.
        sli: how the share is found, with what this objective calls good.
        title: its display name; may be empty.
    """

    target_ratio: float
    sli: Sli
    title: str = ""


def read_goals(
    fields: Fields,
    spec: dict[str, Any],
    sli: Ratio | Raw | Metric | None,
    windows: tuple[BurnWindow, ...],
) -> list[Goal]:
    """Return the objectives of an SLO in order; one that is wrong is left out, after complaining.

    Args:
        sli: the indicator; None where it could not be read, then there are no goals.
        windows: the alert windows, which a time slice has to fit into.
    """
    at: FieldPath = ("spec", "objectives")
    objectives = spec.get("objectives")
    if not spec:
        return []
    method = _method(fields, spec)
    if not isinstance(objectives, list) or not objectives:
        fields.complain(at, "is missing", "write objectives: [{target: 0.99}]")
        return []
    shortest = min((w.short for w in windows), default=None)
    goals = []
    for number, objective in enumerate(objectives):
        if not isinstance(objective, dict) or not objective:
            fields.complain(
                (*at, number), f"{quoted(objective)} is no objective", "write {target: 0.99}"
            )
            continue
        goal = _Reader(fields, (*at, number), objective, method).goal(sli, shortest)
        if goal is not None:
            goals.append(goal)
    return goals


def _method(fields: Fields, spec: dict[str, Any]) -> str:
    method = spec.get("budgetingMethod")
    if method in _METHODS:
        return str(method)
    fields.complain(
        ("spec", "budgetingMethod"),
        f"the budgeting method {quoted(method)} is not supported" if method else "is missing",
        did_you_mean(str(method), _METHODS, what="methods")
        if method
        else "write budgetingMethod: Occurrences",
    )
    return ""


class _Reader:
    def __init__(
        self, fields: Fields, at: FieldPath, objective: dict[str, Any], method: str
    ) -> None:
        self.fields = fields
        self.at = at
        self.objective = objective
        self.method = method

    def goal(self, sli: Ratio | Raw | Metric | None, shortest: timedelta | None) -> Goal | None:
        """Return the goal; ``shortest`` is the shortest alert window, None where it is unknown."""
        self.fields.known(self.at, self.objective, _FIELDS)
        target = self._target()
        counted = self._sliced(self._measured(sli), shortest)
        if target is None or counted is None:
            return None
        return Goal(target, counted, optional_text(self.objective, "displayName"))

    def _complain(self, name: str, message: str, hint: str) -> None:
        self.fields.complain((*self.at, name), message, hint)

    def _target(self) -> float | None:
        if ("target" in self.objective) == ("targetPercent" in self.objective):
            self.fields.complain(
                self.at, "exactly one of target and targetPercent is needed", "target: 0.99"
            )
            return None
        name = "target" if "target" in self.objective else "targetPercent"
        value = self.objective[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._complain(name, f"{quoted(value)} is not a number", "write target: 0.99")
            return None
        if name == "target":
            if 0 < value < 1:
                return float(value)
            hint = "write target: 0.99"
            if 1 < value < 100:
                hint = f"did you mean targetPercent: {value:g} or target: {value / 100:.10g}?"
            self._complain(name, f"'{value:g}' is not strictly between 0 and 1", hint)
            return None
        if 0 < value < 100:
            # Rounded: 99.9 / 100 is 0.9990000000000001, and people read targets.
            return round(value / 100, 12)
        self._complain(name, f"'{value:g}' is not strictly between 0 and 100", "targetPercent: 99")
        return None

    def _measured(self, sli: Ratio | Raw | Metric | None) -> Ratio | Raw | Threshold | None:
        """Return the SLI with what this objective calls good."""
        if isinstance(sli, Metric):
            op = self.fields.choice(self.at, self.objective, "op", _OPERATORS)
            value = self.fields.number(self.at, self.objective, "value")
            return Threshold(sli.query, op, value) if op and value is not None else None
        if sli is None:
            return None
        if "value" in self.objective:
            self._complain(
                "value", "a threshold (value) belongs to a threshold metric", "remove it"
            )
        if "op" in self.objective and self.method == "Occurrences":
            self._complain(
                "op",
                "an operator (op) belongs to a threshold metric or to time slices",
                "remove it",
            )
        elif "op" in self.objective:
            op = self.fields.choice(self.at, self.objective, "op", _OPERATORS)
            if op in ("<", "<="):
                self._complain("op", "the share of good events is to be high", "write gt or gte")
        return sli

    def _sliced(
        self, sli: Ratio | Raw | Threshold | None, shortest: timedelta | None
    ) -> Sli | None:
        """Return the SLI as the budgeting method wants it."""
        for name, methods in (
            ("timeSliceTarget", ("Timeslices",)),
            ("timeSliceWindow", ("Timeslices", "RatioTimeslices")),
        ):
            if name in self.objective and self.method and self.method not in methods:
                self._complain(
                    name, f"{name} belongs to budgetingMethod: {' or '.join(methods)}", "remove it"
                )
        if self.method not in ("Timeslices", "RatioTimeslices"):
            return sli
        length = self._slice_window(shortest)
        is_strict = not isinstance(sli, Threshold) and self.objective.get("op") == "gt"
        target: float | None = None
        if self.method == "Timeslices":
            target = self._slice_target(is_strict=is_strict)
            if target is None:
                return None
        if sli is None or length is None:
            return None
        return Slices(sli, length, target, is_strict and target is not None)

    def _slice_window(self, shortest: timedelta | None) -> timedelta | None:
        minutes = self.objective.get("timeSliceWindow")
        length: timedelta | None
        if isinstance(minutes, int) and not isinstance(minutes, bool) and 0 < minutes < 1_000_000:
            length = timedelta(minutes=minutes)  # the standard: a bare number is minutes
        else:
            length = self.fields.duration(self.at, self.objective, "timeSliceWindow")
        if length is not None and shortest is not None and length > shortest:
            self._complain(
                "timeSliceWindow",
                f"a slice of {nominal(length)} is longer than the shortest alert window,"
                f" {nominal(shortest)}",
                "an alert could not tell that the burn has ended; write a shorter slice",
            )
        return length

    def _slice_target(self, *, is_strict: bool) -> float | None:
        value = self.fields.number(self.at, self.objective, "timeSliceTarget")
        if value is None:
            return None
        if not 0 < value <= 1:
            self._complain("timeSliceTarget", f"'{value:g}' is not between 0 and 1", "write 0.95")
            return None
        if is_strict and value == 1:
            self._complain("op", "no slice can be above a target of 1", "write gte")
        return float(value)
