"""Fields of an OpenSLO document, read one by one; every problem on the way is collected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gameday.errors import Problem
from gameday.names import did_you_mean, nearest
from gameday.quantity import LONGEST
from gameday.spec.document import Document
from gameday.spec.tree import FieldPath, quoted

API_VERSION = "openslo/v1"

METADATA = ("name", "displayName", "labels", "annotations")

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_DURATION = re.compile(r"([0-9]{1,6})([a-zA-Z]*)\Z")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    # A window that rolls has no calendar to ask: a month is 30 days, a quarter three of them.
    "M": timedelta(days=30),
    "Q": timedelta(days=90),
    "Y": timedelta(days=365),
}

_REFUSED: Mapping[str, tuple[str, str]] = {
    "calendar": ("a calendar window is not supported", "use isRolling: true"),
    "compositeWeight": (
        "composite SLOs (compositeWeight) are not supported",
        "give each part an SLO of its own",
    ),
    "dependencies": ("composite SLOs (dependencies) are not supported", "remove it"),
    "indicator": ("an indicator per objective is not supported", "move it to spec.indicator"),
    "indicatorRef": (
        "an indicator per objective (composite SLO) is not supported",
        "move it to spec.indicatorRef",
    ),
}
"""Features of the standard that are known and refused, with what to write instead."""

_KNOWN = {
    *_REFUSED, *METADATA, "apiVersion", "kind", "metadata", "spec", "description", "service",
    "timeWindow", "budgetingMethod", "objectives", "alertPolicies", "counter", "good", "bad",
    "total", "raw", "rawType", "metricSource", "metricSourceRef", "type", "query", "ratioMetric",
    "thresholdMetric", "duration", "isRolling", "target", "targetPercent", "timeSliceTarget",
    "timeSliceWindow", "op", "value", "condition", "conditions", "severity", "threshold",
    "lookbackWindow", "alertAfter", "notificationTargets", "connectionDetails",
    "alertWhenBreaching", "alertWhenNoData", "alertWhenResolved", "alertPolicyRef",
    "conditionRef", "targetRef",
}  # fmt: skip


class Fields:
    """Reads the fields of one document and collects what is wrong with them.

    Attributes:
        document: the document.
        problems: what was wrong so far, in the order it was found.
    """

    __slots__ = ("document", "problems")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def complain(self, at: FieldPath, message: str, hint: str = "") -> None:
        """Add a problem of the value at this path."""
        self.problems.append(self.document.problem(at, message, hint))

    def known(self, at: FieldPath, mapping: Mapping[str, Any], names: tuple[str, ...]) -> None:
        """Complain about every field that is not known here, by name where we know the feature."""
        for key in mapping:
            if key in names:
                continue
            if key in _REFUSED:
                self.complain((*at, key), *_REFUSED[key])
            else:
                self.complain(
                    (*at, key),
                    f"unknown field {quoted(key)}",
                    did_you_mean(key, names, what="valid fields"),
                )

    def mapping(self, at: FieldPath, parent: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return a mapping that must be there; empty where it is not, after complaining."""
        value = parent.get(name)
        if isinstance(value, dict) and value:
            return value
        if parent or not at:
            self._absent(at, parent, name, "must be a mapping of fields")
        return {}

    def text(self, at: FieldPath, parent: Mapping[str, Any], name: str) -> str:
        """Return a text that must be there; empty where it is not, after complaining."""
        value = parent.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if parent:
            self._absent(at, parent, name, f"{quoted(value)} is not text")
        return ""

    def number(self, at: FieldPath, parent: Mapping[str, Any], name: str) -> float | None:
        """Return a number that must be there; None where it is not, after complaining."""
        value = parent.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if parent:
            self._absent(at, parent, name, f"{quoted(value)} is not a number")
        return None

    def switch(self, at: FieldPath, parent: Mapping[str, Any], name: str) -> bool | None:
        """Return a boolean; None where it is not given, or is none (after complaining)."""
        value = parent.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.complain((*at, name), f"{quoted(value)} is not true or false", "write true or false")
        return None

    def choice(
        self, at: FieldPath, parent: Mapping[str, Any], name: str, choices: Mapping[str, Any]
    ) -> Any:
        """Return what the value of this field stands for; None after complaining."""
        text = self.text(at, parent, name)
        if text and text not in choices:
            self.complain(
                (*at, name),
                f"{quoted(text)} is not one of {', '.join(choices)}",
                did_you_mean(text, choices),
            )
        return choices.get(text)

    def duration(
        self, at: FieldPath, parent: Mapping[str, Any], name: str, *, may_be_zero: bool = False
    ) -> timedelta | None:
        """Return a duration (``5m``, ``1h``, ``4w``, ``1M``); None after complaining."""
        text = self.text(at, parent, name)
        if not text:
            return None
        found = parsed_duration(text)
        if found is None or (not found and not may_be_zero):
            why = "is no duration" if found is None else "is no time at all"
            self.complain(
                (*at, name),
                f"{quoted(text)} {why}",
                "valid units are m, h, d, w, M, Q and Y: 5m, 1h, 30d",
            )
            return None
        return found

    def metadata(self, at: FieldPath, parent: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata of a document or of an object inside one, its name checked."""
        metadata = self.mapping(at, parent, "metadata")
        at = (*at, "metadata")
        self.known(at, metadata, METADATA)
        name = self.text(at, metadata, "name")
        if name and not _NAME.match(name):
            self.complain(
                (*at, "name"),
                f"{quoted(name)} is no name",
                "small letters, digits and dashes, at most 63",
            )
        return metadata

    def annotations(self, at: FieldPath, metadata: Mapping[str, Any]) -> dict[str, str]:
        """Return the annotations of a metadata mapping, those that are text."""
        raw = metadata.get("annotations")
        if raw is None:
            return {}
        at = (*at, "annotations")
        if not isinstance(raw, dict):
            self.complain(at, "must be a mapping")
            return {}
        for key, value in raw.items():
            if not isinstance(value, str):
                self.complain((*at, key), f"{quoted(value)} is not text", "put it in quotes")
        return {k: v for k, v in raw.items() if isinstance(v, str)}

    def labels(self, at: FieldPath, metadata: Mapping[str, Any]) -> dict[str, str]:
        """Return the labels of a metadata mapping as Prometheus takes them.

        What a label's name must not hold becomes ``_``, as Kubernetes' service discovery does it;
        several values of one are joined with commas.
        """
        raw = metadata.get("labels")
        if raw is None:
            return {}
        at = (*at, "labels")
        if not isinstance(raw, dict):
            self.complain(at, "must be a mapping")
            return {}
        found: dict[str, str] = {}
        for key, value in raw.items():
            values = value if isinstance(value, list) else [value]
            name = re.sub(r"[^A-Za-z0-9_]", "_", str(key))
            name = f"_{name}" if name[:1].isdigit() else name
            if not all(isinstance(v, str) for v in values):
                self.complain((*at, str(key)), f"{quoted(value)} is not text", "put it in quotes")
            elif name.startswith("__") or name in found:
                self.complain(
                    (*at, str(key)),
                    f"Prometheus cannot tell {quoted(key)} from a label of another name",
                    "call it otherwise",
                )
            else:
                found[name] = ",".join(values)
        return found

    def _absent(self, at: FieldPath, parent: Mapping[str, Any], name: str, otherwise: str) -> None:
        if parent.get(name) not in (None, "", {}):
            self.complain((*at, name), otherwise)
        elif not any(k not in _KNOWN and nearest(k, (name,), cutoff=0.7) for k in parent):
            # A misspelt sibling is already reported with this name as its hint.
            self.complain((*at, name), "is missing", f"add {name}")


def parsed_duration(text: str) -> timedelta | None:
    """Return an OpenSLO duration; None where the text is none, or more than ten years."""
    match = _DURATION.match(text)
    if match is None or match.group(2) not in _UNITS:
        return None
    found = int(match.group(1)) * _UNITS[match.group(2)]
    return found if found <= LONGEST else None


def optional_text(parent: Mapping[str, Any], name: str) -> str:
    """Return a text where there is one, else nothing."""
    value = parent.get(name)
    return value if isinstance(value, str) else ""
