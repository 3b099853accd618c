"""The indicator of an SLO: an SLI written inline or by reference, and its data sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gameday.model.slo import WINDOW, Query, Ratio, Raw, Reading
from gameday.spec.openslo.fields import Fields
from gameday.spec.openslo.library import Library
from gameday.spec.openslo.promql import (
    counter_selector,
    expression_fault,
    selector_fault,
    unknown_template,
    with_window,
)
from gameday.spec.tree import FieldPath, dotted, quoted

PLAIN = (
    'write a plain counter selector, name{label="value"}: gameday adds rate and sum;'
    f" or an expression over [{WINDOW}]"
)

_RATIO = ("counter", "good", "bad", "total", "raw", "rawType")
_RAW_TYPES = {"success": True, "failure": False}


@dataclass(frozen=True, slots=True)
class Metric:
    """A threshold metric before an objective has said what is good."""

    query: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """What was read of an SLI.

    Attributes:
        sli: the SLI; None where problems were found.
        queries: every expression of it, as written.
    """

    sli: Ratio | Raw | Metric | None
    queries: tuple[Query, ...] = ()


def read_sli(fields: Fields, at: FieldPath, holder: dict[str, Any], library: Library) -> Indicator:
    """Return the SLI in the ``spec`` of a document or of an inline object at this path."""
    body = fields.mapping(at, holder, "spec")
    at = (*at, "spec")
    fields.known(at, body, ("description", "ratioMetric", "thresholdMetric"))
    if not body:
        return Indicator(None)
    reader = _Reader(fields, library)
    if "thresholdMetric" in body:
        if "ratioMetric" in body:
            fields.complain(
                (*at, "thresholdMetric"),
                "ratioMetric and thresholdMetric are both given",
                "keep one of them",
            )
        query = reader.query(at, body, "thresholdMetric")
        if query and WINDOW in query:
            fields.complain(
                (*at, "thresholdMetric"),
                f"a threshold is held against a value of now; {WINDOW} has no meaning here",
                "write a range of your own, or a ratioMetric",
            )
        return Indicator(Metric(query) if query else None, tuple(reader.queries))
    ratio = fields.mapping(at, body, "ratioMetric")
    at = (*at, "ratioMetric")
    fields.known(at, ratio, _RATIO)
    if not ratio:
        return Indicator(None)
    sli = reader.raw(at, ratio) if "raw" in ratio else reader.ratio(at, ratio)
    return Indicator(sli, tuple(reader.queries))


def check_data_source(fields: Fields, data: dict[str, Any]) -> None:
    """Complain about what is wrong with a document of kind DataSource."""
    spec = fields.mapping((), data, "spec")
    fields.known(("spec",), spec, ("description", "type", "connectionDetails"))
    _prometheus(fields, ("spec",), spec)


class _Reader:
    def __init__(self, fields: Fields, library: Library) -> None:
        self.fields = fields
        self.library = library
        self.queries: list[Query] = []

    def raw(self, at: FieldPath, ratio: dict[str, Any]) -> Raw | None:
        """Return a raw ratio; the other fields of a ratio have no meaning beside it."""
        for name in ("good", "bad", "total"):
            if name in ratio:
                self.fields.complain(
                    (*at, name), f"raw and {name} are both given", "keep one of them"
                )
        is_success = self.fields.choice(at, ratio, "rawType", _RAW_TYPES)
        query = self.query(at, ratio, "raw")
        return Raw(query, is_success) if query and is_success is not None else None

    def ratio(self, at: FieldPath, ratio: dict[str, Any]) -> Ratio | None:
        """Return a ratio of good or bad events to all."""
        if "rawType" in ratio:
            self.fields.complain(
                (*at, "rawType"), "rawType belongs to a raw ratio, and raw is not given", "add raw"
            )
        if "good" in ratio and "bad" in ratio:
            self.fields.complain((*at, "bad"), "good and bad are both given", "keep one of them")
        counted = "bad" if "bad" in ratio and "good" not in ratio else "good"
        is_counter = self.fields.switch(at, ratio, "counter")
        total, part = self.query(at, ratio, "total"), self.query(at, ratio, counted)
        if not (total and part):
            self._counter_missing(at, ratio)
            return None
        if is_counter is not False:
            simple = counter_selector(total), counter_selector(part)
            if all(simple) and (is_counter or WINDOW in total):
                return _ratio(simple[0], simple[1], counted, Reading.COUNTER)
        windowed = [WINDOW in total, WINDOW in part]
        if all(windowed):
            return _ratio(total, part, counted, Reading.WINDOWED)
        if any(windowed):
            name = counted if windowed[0] else "total"
            self.fields.complain(
                (*at, name, "metricSource", "spec", "query"),
                f"only one of total and {counted} is asked over {WINDOW}",
                "write it into both",
            )
            return None
        if is_counter is False:
            return _ratio(total, part, counted, Reading.GAUGE)
        self._counter_missing(at, ratio)
        if is_counter:
            for name, query in (("total", total), (counted, part)):
                if not counter_selector(query):
                    self.fields.complain(
                        (*at, name, "metricSource", "spec", "query"),
                        f"{quoted(query)} {selector_fault(query)}",
                        PLAIN,
                    )
        return None

    def _counter_missing(self, at: FieldPath, ratio: dict[str, Any]) -> None:
        if "counter" not in ratio:
            self.fields.complain(
                (*at, "counter"),
                "is missing",
                "write counter: true for counters, false for numbers that go up and down",
            )

    def query(self, at: FieldPath, parent: dict[str, Any], name: str) -> str:
        """Return the PromQL of a metric source; empty after complaining."""
        metric = self.fields.mapping(at, parent, name)
        at = (*at, name)
        if not metric:
            return ""
        self.fields.known(at, metric, ("metricSource",))
        source = self.fields.mapping(at, metric, "metricSource")
        at = (*at, "metricSource")
        self.fields.known(at, source, ("metricSourceRef", "type", "spec"))
        if not source or not self._is_prometheus(at, source):
            return ""
        body = self.fields.mapping(at, source, "spec")
        at = (*at, "spec")
        self.fields.known(at, body, ("query",))
        query = with_window(self.fields.text(at, body, "query")).strip()
        if not query:
            return ""
        document = self.fields.document
        at = (*at, "query")
        self.queries.append(Query(query, document.file, document.line(at), dotted(at)))
        fault = "" if counter_selector(query) else expression_fault(query)
        template = unknown_template(query) if fault else None
        if template:
            message = f"{quoted(template)} is no template that gameday knows"
            self.fields.complain(at, message, f"it should be {WINDOW}")
            return ""
        if fault:
            self.fields.complain(at, f"{quoted(query)} {fault}", "this is no PromQL")
            return ""
        return query

    def _is_prometheus(self, at: FieldPath, source: dict[str, Any]) -> bool:
        """Return whether a source is Prometheus by its own word and by that of its reference."""
        is_own = _prometheus(self.fields, at, source) if "type" in source else True
        if "metricSourceRef" not in source:
            return is_own
        name = self.fields.text(at, source, "metricSourceRef")
        if not name or not is_own:  # another product's source is not looked up here
            return False
        at = (*at, "metricSourceRef")
        found = self.library.find(self.fields, at, "DataSource", name)
        if found is None:
            return False
        other = Fields(found)
        check_data_source(other, found.data)
        self.fields.problems += other.problems
        return not other.problems


def _prometheus(fields: Fields, at: FieldPath, holder: dict[str, Any]) -> bool:
    kind = fields.text(at, holder, "type")
    if kind and kind.lower() != "prometheus":
        fields.complain(
            (*at, "type"),
            f"the metric source {quoted(kind)} is not supported",
            "gameday reads Prometheus",
        )
        return False
    return bool(kind)


def _ratio(total: str, part: str, counted: str, reading: Reading) -> Ratio:
    if counted == "bad":
        return Ratio(total=total, bad=part, reading=reading)
    return Ratio(total=total, good=part, reading=reading)
