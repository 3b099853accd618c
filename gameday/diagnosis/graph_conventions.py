"""Who counts calls between services by itself, and what is asked of it.

Each convention names both ends of a call in labels, and counts at the caller, at the one that
answers, or at both. Durations are means: a median over time is taken of them, and percentiles of
histograms would cost a query of many series for each call.

Source of the names: the service graph connector of OpenTelemetry's Collector, which Grafana Tempo's
metrics generator keeps to; Istio's standard metrics; the proxy metrics of Linkerd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gameday.diagnosis.queries import RedQueries
from gameday.diagnosis.red import Signal
from gameday.model.placeholders import filled
from gameday.model.service_graph import EdgeQuery, EdgeSide, Measure

__all__ = ["ISTIO", "LINKERD", "OTEL", "GraphConvention", "edges"]


@dataclass(frozen=True, slots=True)
class _Counted:
    """What one side counts; ``{window}`` is how far back rates look.

    Attributes:
        total: the counter of calls; failed: the same of those that fail.
        seconds: sum of durations, with its count under ``of``; empty: not measured.
        unit: what one of its units is in seconds.
        by: the labels of caller and callee; an empty one is not told there.
    """

    side: EdgeSide
    total: str
    failed: str
    seconds: str
    of: str
    by: tuple[str, str]
    unit: float = 1.0


@dataclass(frozen=True, slots=True)
class GraphConvention:
    """One way of counting calls."""

    sides: tuple[_Counted, ...]

    def queries(self, *, window: timedelta) -> Sequence[EdgeQuery]:
        """Return what is asked.

        Args:
            window: how far back rates look.
        """
        return [query for side in self.sides for query in _asked(side, window)]


def _asked(side: _Counted, window: timedelta) -> Iterator[EdgeQuery]:
    labels = ", ".join(label for label in side.by if label)
    span = f"[{max(1, round(window.total_seconds()))}s]"

    def rate(counter: str) -> str:
        return f"sum by ({labels}) (rate({counter}{span}))"

    total, failed = rate(side.total), rate(side.failed)
    asked = {
        Measure.RATE: total,
        # Where nothing has failed yet there is no series of failures.
        Measure.ERRORS: f"({failed} or 0 * {total}) / ({total} > 0)",
    }
    if side.seconds:
        scaled = "" if side.unit == 1 else f" * {side.unit:g}"
        asked[Measure.DURATION] = f"{rate(side.seconds)} / ({rate(side.of)} > 0){scaled}"
    for measure, query in asked.items():
        yield EdgeQuery(
            measure=measure,
            side=side.side,
            query=query,
            caller_label=side.by[0],
            callee_label=side.by[1],
        )


def edges(
    pairs: Sequence[Sequence[str]], red: RedQueries, *, window: timedelta
) -> Sequence[EdgeQuery]:
    """Return what is asked where a document says who calls whom: RED of who answers."""
    measures = {
        Signal.RATE: Measure.RATE,
        Signal.ERRORS: Measure.ERRORS,
        Signal.DURATION: Measure.DURATION,
    }
    return [
        EdgeQuery(
            measure=measures[signal],
            side=EdgeSide.CALLEE,
            query=query,
            caller=caller,
            callee=callee,
        )
        for caller, callee in pairs
        for signal, query in red.of(callee, window=window).items()
    ]


_GRAPH = "traces_service_graph_request"

OTEL = GraphConvention(
    tuple(
        _Counted(
            side,
            f"{_GRAPH}_total",
            f"{_GRAPH}_failed_total",
            f"{_GRAPH}_{end}_seconds_sum",
            f"{_GRAPH}_{end}_seconds_count",
            ("client", "server"),
        )
        for side, end in ((EdgeSide.CALLER, "client"), (EdgeSide.CALLEE, "server"))
    )
)


def _istio(side: EdgeSide, reporter: str) -> _Counted:
    def of(name: str, more: str = "") -> str:
        return filled(name + '{reporter="{reporter}"' + more + "}", {"reporter": reporter})

    return _Counted(
        side,
        of("istio_requests_total"),
        of("istio_requests_total", ',response_code=~"5..|0"'),  # 0: no answer came
        of("istio_request_duration_milliseconds_sum"),
        of("istio_request_duration_milliseconds_count"),
        ("source_canonical_service", "destination_service_name"),
        0.001,
    )


ISTIO = GraphConvention((_istio(EdgeSide.CALLER, "source"), _istio(EdgeSide.CALLEE, "destination")))


def _linkerd(side: EdgeSide, direction: str, by: tuple[str, str], to: str) -> _Counted:
    at = f'direction="{direction}"{to}'
    return _Counted(
        side,
        f"response_total{{{at}}}",
        f'response_total{{{at},classification="failure"}}',
        f"response_latency_ms_sum{{{at}}}",
        f"response_latency_ms_count{{{at}}}",
        by,
        0.001,
    )


LINKERD = GraphConvention(
    (
        _linkerd(
            EdgeSide.CALLER, "outbound", ("deployment", "dst_deployment"), ',dst_deployment!=""'
        ),
        _linkerd(EdgeSide.CALLEE, "inbound", ("", "deployment"), ""),
    )
)
