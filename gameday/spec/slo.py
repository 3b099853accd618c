"""OpenSLO v1 → `gameday.slo.Slo`: the part of the standard gameday can keep its word on.

Read: kind SLO with an inline ratio indicator of two Prometheus counters (good or bad, total), one
rolling time window, budgeting by occurrences, one objective. Whatever else the standard allows is
refused by name and line, never half understood. Burn-rate windows are those of the SRE Workbook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from gameday.errors import Problem, SpecError
from gameday.slo import Slo
from gameday.spec.document import Document, not_a_mapping, read_documents, separated
from gameday.spec.names import did_you_mean, nearest
from gameday.spec.tree import FieldPath, quoted
from scoring.slo import Objective, workbook_windows

API_VERSION = "openslo/v1"
KINDS = (
    "SLO",
    "SLI",
    "Service",
    "DataSource",
    "AlertPolicy",
    "AlertCondition",
    "AlertNotificationTarget",
)

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_WINDOW = re.compile(r"([0-9]{1,4})([a-zA-Z]+)\Z")
_WINDOW_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_METRIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*")
_MATCHER = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*"""
)

_TOP = ("apiVersion", "kind", "metadata", "spec")
_METADATA = ("name", "displayName", "labels", "annotations")
_SPEC = ("description", "service", "indicator", "timeWindow", "budgetingMethod", "objectives")
_RATIO = ("counter", "good", "bad", "total")
_OBJECTIVE = ("displayName", "target", "targetPercent")

_NOT_YET: Mapping[str, str] = {
    "thresholdMetric": "a threshold metric (thresholdMetric) is not supported",
    "indicatorRef": "a reference to an SLI (indicatorRef) is not supported",
    "alertPolicies": "alert policies are not supported; the Workbook's burn windows are used",
    "metricSourceRef": "a reference to a DataSource (metricSourceRef) is not supported",
    "rawType": "a raw ratio (rawType) is not supported",
    "raw": "a raw ratio (raw) is not supported",
    "calendar": "a calendar window is not supported",
    "timeSliceTarget": "time slices (timeSliceTarget) are not supported",
    "timeSliceWindow": "time slices (timeSliceWindow) are not supported",
    "compositeWeight": "composite SLOs (compositeWeight) are not supported",
    "op": "an operator (op) belongs to threshold metrics, which are not supported",
    "value": "a threshold (value) belongs to threshold metrics, which are not supported",
    "indicator": "an indicator per objective is not supported",
}
_INSTEAD: Mapping[str, str] = {
    "thresholdMetric": "use ratioMetric: good and total counters",
    "indicatorRef": "write the indicator inline",
    "metricSourceRef": "write type: Prometheus and the query here",
    "rawType": "use good (or bad) and total counters",
    "raw": "use good (or bad) and total counters",
    "calendar": "use isRolling: true",
    "indicator": "move it to spec.indicator",
}

_KNOWN = {*_NOT_YET, *_TOP, *_METADATA, *_SPEC, *_RATIO, *_OBJECTIVE}
_KNOWN |= {"metricSource", "type", "query", "ratioMetric", "duration", "isRolling"}


def is_slo(document: Document) -> bool:
    """Return whether this document says it is an SLO."""
    data = document.data
    return isinstance(data, dict) and data.get("kind") == "SLO"


def is_openslo(document: Document) -> bool:
    """Return whether this document says it belongs to OpenSLO, of any kind and version."""
    data = document.data
    return isinstance(data, dict) and str(data.get("apiVersion", "")).startswith("openslo")


def read_slos(path: Path | str) -> tuple[Slo, ...]:
    """Return the SLOs of an OpenSLO file, in order; at least one.

    Raises:
        SpecError: every problem of the file, with line and field.
    """
    return slos_of(read_documents(path), Path(path))


def slos_of(documents: tuple[Document, ...], path: Path) -> tuple[Slo, ...]:
    """Return the SLOs these documents hold; `SpecError` lists what is wrong with any of them."""
    documents = separated(documents)
    problems: list[Problem] = []
    slos: list[Slo] = []
    seen: dict[str, int] = {}
    for document in documents:
        problems += document.problems
        reader = _Reader(document, path)
        slo = reader.slo()
        problems += reader.problems
        if slo is not None:
            if slo.id in seen:
                problems.append(
                    document.problem(
                        ("metadata", "name"),
                        f"the SLO {quoted(slo.id)} is given twice",
                        f"it already stands in line {seen[slo.id]}",
                    )
                )
            seen[slo.id] = document.line(("metadata", "name"))
            slos.append(slo)
    if not problems and not slos:
        problems.append(documents[0].problem((), "the file holds no SLO", "kind: SLO is missing"))
    if problems:
        raise SpecError(sorted(problems, key=lambda problem: problem.line))
    return tuple(slos)


class _Reader:
    """Reads one document, collecting every problem on the way."""

    def __init__(self, document: Document, path: Path) -> None:
        self.document = document
        self.path = path
        self.problems: list[Problem] = []

    def complain(self, path: FieldPath, message: str, hint: str = "") -> None:
        self.problems.append(self.document.problem(path, message, hint))

    def slo(self) -> Slo | None:
        """Return the SLO, or None: problems were found, or the document is of another kind."""
        data = self.document.data
        if not isinstance(data, dict):
            self.problems.append(not_a_mapping(self.document))
            return None
        self.fields((), data, _TOP)
        version = data.get("apiVersion")
        if version != API_VERSION:
            self.complain(
                ("apiVersion",),
                f"{quoted(version)} is not supported" if version else "is missing",
                f"write {API_VERSION}",
            )
            return None
        kind = data.get("kind")
        if kind not in KINDS:
            self.complain(
                ("kind",),
                f"{quoted(kind)} is no kind of OpenSLO v1",
                did_you_mean(str(kind), KINDS, what="kinds"),
            )
            return None
        if kind == "Service":
            return None  # says no more than the SLO's own spec.service
        if kind != "SLO":
            self.complain(
                ("kind",),
                f"a document of kind {kind} is not supported",
                "gameday reads SLOs with an inline indicator",
            )
            return None
        return self._slo(data)

    def _slo(self, data: dict[str, Any]) -> Slo | None:
        metadata = self.mapping((), data, "metadata")
        self.fields(("metadata",), metadata, _METADATA)
        spec = self.mapping((), data, "spec")
        self.fields(("spec",), spec, _SPEC)
        name = self.text(("metadata",), metadata, "name")
        if name and not _NAME.match(name):
            self.complain(
                ("metadata", "name"),
                f"{quoted(name)} is no name",
                "small letters, digits and dashes, at most 63",
            )
        service = self.text(("spec",), spec, "service")
        good, total = self._queries(spec)
        period = self._period(spec)
        target = self._target(spec)
        method = spec.get("budgetingMethod")
        if spec and method != "Occurrences":
            self.complain(
                ("spec", "budgetingMethod"),
                f"the budgeting method {quoted(method)} is not supported"
                if method
                else "is missing",
                "write budgetingMethod: Occurrences",
            )
        annotations = self._annotations(metadata)
        if self.problems or target is None or period is None or not (good and total):
            return None
        return Slo(
            id=name,
            service=service,
            objective=Objective(target, period),
            good_query=good,
            total_query=total,
            windows=workbook_windows(period),
            title=self._optional(metadata, "displayName"),
            owner=annotations.get("gameday/owner", ""),
            runbook=annotations.get("gameday/runbook", ""),
            annotations=annotations,
            path=self.path,
        )

    # --- parts --------------------------------------------------------------------------------

    def _queries(self, spec: dict[str, Any]) -> tuple[str, str]:
        if "indicatorRef" in spec:
            return "", ""  # already refused by name
        at: FieldPath = ("spec", "indicator")
        indicator = self.mapping(("spec",), spec, "indicator")
        if not indicator:
            return "", ""
        self.fields(at, indicator, ("metadata", "spec"))
        body = self.mapping(at, indicator, "spec")
        at = (*at, "spec")
        self.fields(at, body, ("description", "ratioMetric"))
        if not body or "thresholdMetric" in body:
            return "", ""
        ratio = self.mapping(at, body, "ratioMetric")
        at = (*at, "ratioMetric")
        self.fields(at, ratio, _RATIO)
        if not ratio or "raw" in ratio:
            return "", ""
        if ratio.get("counter") is not True:
            self.complain((*at, "counter"), "the metrics must be counters", "write counter: true")
        total = self._query(at, ratio, "total")
        if "good" in ratio and "bad" in ratio:
            self.complain((*at, "bad"), "good and bad are both given", "keep one of them")
        if "bad" in ratio and "good" not in ratio:
            bad = self._query(at, ratio, "bad")
            if bad:
                self.complain(
                    (*at, "bad"),
                    "a counter of bad events (bad) is not supported",
                    "write good: the selector of the events that are good",
                )
            return "", total
        return self._query(at, ratio, "good"), total

    def _query(self, at: FieldPath, ratio: dict[str, Any], name: str) -> str:
        metric = self.mapping(at, ratio, name)
        at = (*at, name)
        if not metric:
            return ""
        self.fields(at, metric, ("metricSource",))
        source = self.mapping(at, metric, "metricSource")
        at = (*at, "metricSource")
        self.fields(at, source, ("type", "spec"))
        if not source or "metricSourceRef" in source:
            return ""
        kind = source.get("type", "Prometheus")
        if str(kind).lower() != "prometheus":
            self.complain(
                (*at, "type"),
                f"the metric source {quoted(kind)} is not supported",
                "gameday reads Prometheus",
            )
            return ""
        body = self.mapping(at, source, "spec")
        at = (*at, "spec")
        self.fields(at, body, ("query",))
        query = self.text(at, body, "query")
        if not query:
            return ""
        fault = selector_fault(query)
        if fault:
            self.complain(
                (*at, "query"),
                f"{quoted(query)} {fault}",
                'write a plain counter selector, name{label="value"}: gameday adds rate and sum',
            )
        return query.strip()

    def _period(self, spec: dict[str, Any]) -> timedelta | None:
        at: FieldPath = ("spec", "timeWindow")
        windows = spec.get("timeWindow")
        if not spec:
            return None
        if not isinstance(windows, list) or len(windows) != 1 or not isinstance(windows[0], dict):
            self.complain(
                at,
                "exactly one time window is needed",
                "write timeWindow: [{duration: 30d, isRolling: true}]",
            )
            return None
        window = windows[0]
        at = (*at, 0)
        self.fields(at, window, ("duration", "isRolling"))
        if window.get("isRolling") is not True and "calendar" not in window:
            self.complain(
                (*at, "isRolling"), "only rolling windows are supported", "write isRolling: true"
            )
        text = self.text(at, window, "duration")
        match = _WINDOW.match(text)
        if not text:
            return None
        if match is None or match.group(2) not in _WINDOW_UNITS or int(match.group(1)) == 0:
            unit = match.group(2) if match else ""
            why = (
                "months, quarters and years have no fixed length; "
                if unit in "MQY" and unit
                else ""
            )
            self.complain(
                (*at, "duration"),
                f"{quoted(text)} is no rolling period",
                f"{why}valid units are m, h, d and w: 30d, 4w",
            )
            return None
        return int(match.group(1)) * _WINDOW_UNITS[match.group(2)]

    def _target(self, spec: dict[str, Any]) -> float | None:
        at: FieldPath = ("spec", "objectives")
        objectives = spec.get("objectives")
        if not spec:
            return None
        if not isinstance(objectives, list) or not objectives:
            self.complain(at, "is missing", "write objectives: [{target: 0.99}]")
            return None
        if len(objectives) > 1:
            self.complain(
                (*at, 1),
                "several objectives in one SLO are not supported",
                "give each objective an SLO of its own",
            )
        objective = objectives[0]
        at = (*at, 0)
        if not isinstance(objective, dict):
            self.complain(at, f"{quoted(objective)} is no objective", "write {target: 0.99}")
            return None
        self.fields(at, objective, _OBJECTIVE)
        if ("target" in objective) == ("targetPercent" in objective):
            self.complain(at, "exactly one of target and targetPercent is needed", "target: 0.99")
            return None
        return self._ratio(at, objective)

    def _ratio(self, at: FieldPath, objective: dict[str, Any]) -> float | None:
        name = "target" if "target" in objective else "targetPercent"
        value = objective[name]
        at = (*at, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.complain(at, f"{quoted(value)} is not a number", "write target: 0.99")
            return None
        if name == "target":
            if 0 < value < 1:
                return float(value)
            hint = "write target: 0.99"
            if 1 < value < 100:
                hint = f"did you mean targetPercent: {value:g} or target: {value / 100:.10g}?"
            self.complain(at, f"'{value:g}' is not strictly between 0 and 1", hint)
            return None
        if 0 < value < 100:
            # Rounded: 99.9 / 100 is 0.9990000000000001, and people read targets.
            return round(value / 100, 12)
        self.complain(at, f"'{value:g}' is not strictly between 0 and 100", "targetPercent: 99")
        return None

    def _annotations(self, metadata: dict[str, Any]) -> dict[str, str]:
        raw = metadata.get("annotations")
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            self.complain(("metadata", "annotations"), "must be a mapping")
            return {}
        for key, value in raw.items():
            if not isinstance(value, str):
                self.complain(
                    ("metadata", "annotations", key),
                    f"{quoted(value)} is not text",
                    "put it in quotes",
                )
            if key.startswith("gameday/") and key not in ("gameday/owner", "gameday/runbook"):
                self.complain(
                    ("metadata", "annotations", key),
                    f"gameday knows no annotation {quoted(key)}",
                    did_you_mean(key, ("gameday/owner", "gameday/runbook")),
                )
        return {k: v for k, v in raw.items() if isinstance(v, str)}

    # --- shapes -------------------------------------------------------------------------------

    def fields(self, at: FieldPath, mapping: dict[str, Any], known: tuple[str, ...]) -> None:
        """Complain about every field that is not known here, by name where we know the feature."""
        for key in mapping:
            if key in known:
                continue
            if key in _NOT_YET:
                self.complain((*at, key), _NOT_YET[key], _INSTEAD.get(key, "remove it"))
            else:
                self.complain(
                    (*at, key),
                    f"unknown field {quoted(key)}",
                    did_you_mean(key, known, what="valid fields"),
                )

    def mapping(self, at: FieldPath, parent: dict[str, Any], name: str) -> dict[str, Any]:
        value = parent.get(name)
        if isinstance(value, dict) and value:
            return value
        if parent or not at:
            self.absent(at, parent, name, "must be a mapping of fields")
        return {}

    def text(self, at: FieldPath, parent: dict[str, Any], name: str) -> str:
        value = parent.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if parent:
            self.absent(at, parent, name, f"{quoted(value)} is not text")
        return ""

    def absent(self, at: FieldPath, parent: dict[str, Any], name: str, otherwise: str) -> None:
        if parent.get(name) not in (None, "", {}):
            self.complain((*at, name), otherwise)
        elif not any(k not in _KNOWN and nearest(k, (name,), cutoff=0.7) for k in parent):
            # A misspelt sibling is already reported with this name as its hint.
            self.complain((*at, name), "is missing", f"add {name}")

    def _optional(self, parent: dict[str, Any], name: str) -> str:
        value = parent.get(name)
        return value if isinstance(value, str) else ""


def selector_fault(query: str) -> str:
    """Return why a text is no plain selector (``name{label="value"}``), or nothing where it is."""
    if len(query) > 4000:
        return "is too long for a selector"
    if re.match(r"\s*[a-z_]+\s*(by\s*\(|without\s*\(|\()", query):
        return "is an expression with a function, not a selector"
    match = _METRIC.match(query)
    name = match.group(1) if match else None
    at = match.end() if match else 0
    matchers = 0
    if at < len(query) and query[at] == "{":
        at += 1
        while found := _MATCHER.match(query, at):
            matchers += 1
            at = found.end()
            if at < len(query) and query[at] == ",":
                at += 1
            else:
                break
        while at < len(query) and query[at].isspace():
            at += 1
        if at >= len(query) or query[at] != "}":
            return f"has a label matcher that cannot be read at character {at + 1}"
        at += 1
    rest = query[at:].strip()
    if rest.startswith("["):
        return "has a range, which gameday adds itself"
    if rest:
        return f"goes on after the selector with {quoted(rest, 20)}"
    if not name and not matchers:
        return "names no metric"
    return "" if name else "names no metric before the braces"
