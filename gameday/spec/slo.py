"""OpenSLO v1 → `gameday.model.slo.Slo`: the part of the standard gameday can keep its word on.

Read: SLOs with a ratio, raw or threshold indicator of Prometheus, budgeting by occurrences or by
time slices, one rolling window, one or several objectives, alert policies; and the SLIs, data
sources, policies, conditions and targets they refer to, in the same file or in one beside it.
Whatever else the standard allows is refused by name and line, never half understood. Without alert
policies the burn-rate windows are those of the SRE Workbook.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from gameday.errors import Problem, SpecError
from gameday.model.slo import NO_DATA_AFTER, Ratio, Reading, Sli, Slo
from gameday.names import did_you_mean
from gameday.spec.document import (
    Document,
    not_a_mapping,
    parse_documents,
    read_documents,
    read_text,
    separated,
)
from gameday.spec.json_text import ENDING
from gameday.spec.openslo import alerting
from gameday.spec.openslo.annotations import ON_SLO, Annotations
from gameday.spec.openslo.fields import API_VERSION, Fields, optional_text, parsed_duration
from gameday.spec.openslo.indicator import Indicator, check_data_source, read_sli
from gameday.spec.openslo.library import Library, Referable, identity, written
from gameday.spec.openslo.objective import read_goals
from gameday.spec.openslo.promql import selector_fault
from gameday.spec.tree import FieldPath, quoted
from scoring.slo import BurnWindow, Objective, Severity, nominal, workbook_windows

__all__ = [
    "API_VERSION",
    "KINDS",
    "Referable",
    "is_openslo",
    "is_slo",
    "openslo_problems",
    "read_slos",
    "selector_fault",
    "slo_ids",
    "slos_of",
    "whole_text",
]

KINDS = (
    "SLO",
    "SLI",
    "Service",
    "DataSource",
    "AlertPolicy",
    "AlertCondition",
    "AlertNotificationTarget",
)

_TOP = ("apiVersion", "kind", "metadata", "spec")
_SPEC = (
    "description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod",
    "objectives", "alertPolicies",
)  # fmt: skip
_LONGEST_NAME = 63


def is_slo(document: Document) -> bool:
    """Return whether this document says it is an SLO."""
    data = document.data
    return isinstance(data, dict) and data.get("kind") == "SLO"


def is_openslo(document: Document) -> bool:
    """Return whether this document says it belongs to OpenSLO, of any kind and version."""
    data = document.data
    return isinstance(data, dict) and str(data.get("apiVersion", "")).startswith("openslo")


def slo_ids(document: Document) -> list[str]:
    """Return the ids of the SLOs a document of kind SLO stands for; empty where it has no name.

    With one objective that is its name; with several, each has the objective's display name or
    number after it (``checkout-within-100-ms``).
    """
    name = identity(document)[1]
    data = document.data if isinstance(document.data, dict) else {}
    spec = data.get("spec")
    objectives = spec.get("objectives") if isinstance(spec, dict) else None
    if not name:
        return []
    if not isinstance(objectives, list) or len(objectives) < 2:
        return [name]
    ids: list[str] = []
    for number, objective in enumerate(objectives, start=1):
        said = optional_text(objective, "displayName") if isinstance(objective, dict) else ""
        slug = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-") or str(number)
        room = _LONGEST_NAME - len(name) - 1
        id = f"{name}-{slug[: max(room, 0)]}".rstrip("-")
        if id in ids or room < len(str(number)):
            id = f"{name[: _LONGEST_NAME - len(str(number)) - 1]}-{number}"
        ids.append(id)
    return ids


def read_slos(path: Path | str, *, shelf: Referable | None = None) -> tuple[Slo, ...]:
    """Return the SLOs of an OpenSLO file, in order; at least one.

    Args:
        shelf: what lies beside the file, for references; the file's folder where it is not given.
            Whoever reads many files of one folder hands in the same shelf.

    Raises:
        SpecError: every problem of the file, with line and field.
    """
    return slos_of(read_documents(path), Path(path), shelf=shelf)


def slos_of(
    documents: tuple[Document, ...], path: Path, *, shelf: Referable | None = None
) -> tuple[Slo, ...]:
    """Return the SLOs these documents hold; `SpecError` lists what is wrong with any of them."""
    file = _File(documents, path, shelf)
    if not file.problems and not file.slos:
        file.problems.append(
            documents[0].problem((), "the file holds no SLO", "kind: SLO is missing")
        )
    if file.problems:
        raise SpecError(file.problems)
    return tuple(file.slos)


def openslo_problems(documents: tuple[Document, ...], path: Path) -> list[Problem]:
    """Return what is wrong with the documents of a file, which need not hold an SLO."""
    return _File(documents, path, None).problems


def whole_text(path: Path) -> str:
    """Return the text of an OpenSLO file, with what it refers to in other files written after it.

    Raises:
        SpecError: the file cannot be read.
    """
    text = read_text(path)
    documents = parse_documents(text, str(path))
    used = _File(documents, path, None).library.used
    if used and path.suffix == ENDING:  # a JSON file holds one value, which may be a list of them
        entries = [d.data for d in (*separated(documents), *used.values())]
        return json.dumps(entries, ensure_ascii=False, indent=2) + "\n"
    parts = [text.rstrip("\n"), *(written(d).rstrip("\n") for d in used.values())]
    return "\n---\n".join(parts) + "\n"


class _File:
    """The documents of one file, read: its SLOs, and every problem of any document."""

    def __init__(
        self, documents: tuple[Document, ...], path: Path, shelf: Referable | None
    ) -> None:
        documents = separated(documents)
        self.library = Library(documents, path, shelf)
        self.slos: list[Slo] = []
        found: dict[Problem, None] = {}
        seen: dict[tuple[str, str], int] = {}
        for document in documents:
            reader = _Reader(document, path, self.library)
            slos = reader.slos()
            self._note_twice(document, reader.fields, seen)
            # A document that others refer to is read once for itself and once for each of them.
            found.update(dict.fromkeys((*document.problems, *reader.fields.problems)))
            self.slos += slos
        self.problems = sorted(found, key=lambda problem: problem.line)

    def _note_twice(
        self, document: Document, fields: Fields, seen: dict[tuple[str, str], int]
    ) -> None:
        kind, _ = identity(document)
        # Services say no more than the SLO's own spec.service.
        names = slo_ids(document) if kind == "SLO" else [identity(document)[1]]
        for name in names if kind in KINDS and kind != "Service" else ():
            line = document.line(("metadata", "name"))
            if name and (kind, name) in seen:
                fields.complain(
                    ("metadata", "name"),
                    f"the {kind} {quoted(name)} is given twice",
                    f"it already stands in line {seen[(kind, name)]}",
                )
            seen[(kind, name)] = line


class _Reader:
    """Reads one document, collecting every problem on the way."""

    def __init__(self, document: Document, path: Path, library: Library) -> None:
        self.document = document
        self.path = path
        self.library = library
        self.fields = Fields(document)
        self.complain = self.fields.complain

    def slos(self) -> list[Slo]:
        """Return the SLOs of the document; none where it has problems or is of another kind."""
        data = self.document.data
        if not isinstance(data, dict):
            self.fields.problems.append(not_a_mapping(self.document))
            return []
        self.fields.known((), data, _TOP)
        version = data.get("apiVersion")
        if version != API_VERSION:
            self.complain(
                ("apiVersion",),
                f"{quoted(version)} is not supported" if version else "is missing",
                f"write {API_VERSION}",
            )
            return []
        kind = data.get("kind")
        if kind == "SLO":
            return self._slos(data)
        if not isinstance(kind, str) or kind not in _OTHERS:
            self.complain(
                ("kind",),
                f"{quoted(kind)} is no kind of OpenSLO v1",
                did_you_mean(str(kind), KINDS, what="kinds"),
            )
            return []
        _OTHERS[kind](self.fields, data, self.library)
        return []

    def _slos(self, data: dict[str, Any]) -> list[Slo]:
        metadata = self.fields.metadata((), data)
        noted = Annotations(self.fields, ("metadata",), metadata, ON_SLO)
        spec = self.fields.mapping((), data, "spec")
        self.fields.known(("spec",), spec, _SPEC)
        service = self.fields.text(("spec",), spec, "service")
        indicator = self._indicator(spec)
        period = self._period(spec)
        windows, on_no_data = self._windows(spec, period)
        goals = read_goals(self.fields, spec, indicator.sli, windows)
        common: dict[str, Any] = {
            "service": service,
            "windows": windows,
            "owner": noted.text("owner"),
            "runbook": noted.text("runbook"),
            "links": noted.links(),
            "min_events": noted.count("min-events"),
            "min_bad_events": noted.count("min-bad-events"),
            "no_data_after": self._no_data_after(noted, on_no_data),
            "queries": indicator.queries,
            "annotations": noted.written,
            "labels": self.fields.labels(("metadata",), metadata),
            "path": self.path,
        }
        self._check_guard(noted, indicator)
        ids = slo_ids(self.document)
        if self.fields.problems or period is None or len(ids) != len(goals):
            return []
        title = optional_text(metadata, "displayName")
        return [
            Slo(
                id=id,
                objective=Objective(goal.target_ratio, period),
                title=_title(title, goal.title, len(goals) > 1),
                **_counted(goal.sli),
                **common,
            )
            for id, goal in zip(ids, goals, strict=True)
        ]

    # --- parts --------------------------------------------------------------------------------

    def _indicator(self, spec: dict[str, Any]) -> Indicator:
        if "indicatorRef" not in spec:
            inline = self.fields.mapping(("spec",), spec, "indicator")
            at: FieldPath = ("spec", "indicator")
            if not inline:
                return Indicator(None)
            self.fields.known(at, inline, ("kind", "metadata", "spec"))
            return read_sli(self.fields, at, inline, self.library)
        at = ("spec", "indicatorRef")
        if "indicator" in spec:
            self.complain(at, "indicator and indicatorRef are both given", "keep one of them")
        name = self.fields.text(("spec",), spec, "indicatorRef")
        found = self.library.find(self.fields, at, "SLI", name) if name else None
        if found is None:
            return Indicator(None)
        fields = Fields(found)
        read = read_sli(fields, (), found.data, self.library)
        self.fields.problems += fields.problems
        return read

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
        self.fields.known(at, window, ("duration", "isRolling"))
        if window.get("isRolling") is not True and "calendar" not in window:
            self.complain(
                (*at, "isRolling"), "only rolling windows are supported", "write isRolling: true"
            )
        if "calendar" in window:
            return None  # its duration means something else
        text = self.fields.text(at, window, "duration")
        period = parsed_duration(text) if text else None
        if text and not period:
            self.complain(
                (*at, "duration"),
                f"{quoted(text)} is no rolling period",
                "valid units are m, h, d, w, M (30 days), Q (90 days) and Y: 30d, 4w",
            )
        return period or None

    def _windows(
        self, spec: dict[str, Any], period: timedelta | None
    ) -> tuple[tuple[BurnWindow, ...], bool | None]:
        """Return the branches, page first, and whether missing data is to be told."""
        policies = alerting.read_policies(self.fields, spec, self.library)
        told = [p.on_no_data for _, p in policies if p.on_no_data is not None]
        on_no_data = any(told) if told else None
        if period is None:
            return (), on_no_data
        if not spec.get("alertPolicies"):
            return self._workbook(period), on_no_data
        branches: dict[tuple[Severity, timedelta], BurnWindow] = {}
        for at, policy in policies:
            window = policy.window
            if window is None:
                continue
            if window.long > period:
                self.complain(
                    at,
                    f"its window of {nominal(window.long)} is longer than the period of"
                    f" {nominal(period)}",
                    "a window lies within the period",
                )
            if (window.severity, window.long) in branches:
                self.complain(
                    at,
                    f"there is a {window.severity} over {nominal(window.long)} already",
                    "one threshold per window and severity",
                )
            branches[(window.severity, window.long)] = window
        if policies and not branches:
            self.complain(
                ("spec", "alertPolicies"),
                "none of the policies alerts on a breach",
                "write alertWhenBreaching: true, or leave alertPolicies out",
            )
        return tuple(branches[key] for key in sorted(branches)), on_no_data

    def _workbook(self, period: timedelta) -> tuple[BurnWindow, ...]:
        # A window longer than the period would look at budgets that are spent and forgotten.
        windows = tuple(w for w in workbook_windows(period) if w.long <= period)
        if not windows:
            self.complain(
                ("spec", "timeWindow", 0, "duration"),
                f"a period of {nominal(period)} is shorter than every alert window",
                "write alertPolicies with windows of your own",
            )
        return windows

    def _no_data_after(self, noted: Annotations, on_no_data: bool | None) -> timedelta | None:
        """Return when missing data is told: as annotated, else as the policies say, else always."""
        if noted.text("no-data") == "off":
            return None
        if found := noted.span("no-data"):
            return found
        return None if on_no_data is False else NO_DATA_AFTER

    def _check_guard(self, noted: Annotations, indicator: Indicator) -> None:
        sli = indicator.sli
        counted = isinstance(sli, Ratio) and sli.reading is Reading.COUNTER
        if sli is None or counted:
            return
        for name in ("min-events", "min-bad-events"):
            if noted.text(name):
                self.complain(
                    ("metadata", "annotations"),
                    f"{name} needs an SLI of counters",
                    "remove it, or use a ratioMetric of counters",
                )


def _sli_document(fields: Fields, data: dict[str, Any], library: Library) -> None:
    fields.metadata((), data)
    read_sli(fields, (), data, library)


def _service_document(fields: Fields, data: dict[str, Any], library: Library) -> None:
    fields.metadata((), data)
    spec = data.get("spec")
    if spec is not None and not isinstance(spec, dict):
        fields.complain(("spec",), "must be a mapping of fields")
    fields.known(("spec",), spec if isinstance(spec, dict) else {}, ("description",))


def _data_source_document(fields: Fields, data: dict[str, Any], library: Library) -> None:
    fields.metadata((), data)
    check_data_source(fields, data)


def _policy_document(fields: Fields, data: dict[str, Any], library: Library) -> None:
    alerting.read_policy(fields, (), data, library)


def _condition_document(fields: Fields, data: dict[str, Any], library: Library) -> None:
    alerting.read_condition(fields, (), data)


def _target_document(fields: Fields, data: dict[str, Any], library: Library) -> None:
    alerting.check_target(fields, (), data)


_OTHERS: Mapping[str, Callable[[Fields, dict[str, Any], Library], None]] = {
    "SLI": _sli_document,
    "Service": _service_document,
    "DataSource": _data_source_document,
    "AlertPolicy": _policy_document,
    "AlertCondition": _condition_document,
    "AlertNotificationTarget": _target_document,
}


def _counted(sli: Sli) -> dict[str, Any]:
    """Return the SLI as the fields of an `Slo`: counters by name, anything else as measured."""
    if isinstance(sli, Ratio) and sli.reading is Reading.COUNTER:
        return {"good_query": sli.good, "bad_query": sli.bad, "total_query": sli.total}
    return {"measured": sli}


def _title(name: str, objective: str, is_one_of_several: bool) -> str:
    if not is_one_of_several or not objective:
        return name
    return f"{name}: {objective}" if name else objective
