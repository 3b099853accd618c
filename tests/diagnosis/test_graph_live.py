"""Every convention of counting calls, read out of a real Prometheus, names the culprit.

An exporter writes what the conventions' own programs write, for the same three services: the store
asks the checkout, and that the stock, which fails and is slow from one instant on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opened_drill import SLO

from gameday.diagnosis.conventions import PRESETS
from gameday.diagnosis.exclusive import Hop
from gameday.diagnosis.graph_conventions import ISTIO, LINKERD, OTEL, edges
from gameday.diagnosis.graph_reading import read_graph
from gameday.drivers.prometheus import Prometheus
from gameday.house.targets.examination.graph import graph
from gameday.house.targets.examination.inquiry import answered
from gameday.house.targets.examination.look import Look
from gameday.model.red import Histograms, RedPreset
from gameday.model.service_graph import EdgeQuery
from gameday.model.system import System
from gameday.testing.monitored import ErrorSource, monitored

pytestmark = [pytest.mark.row, pytest.mark.xdist_group("graph-live")]

QUIET, FAULT = 14, 9
"""Seconds of either."""

WINDOW = timedelta(seconds=4)
CALLS = (("store", "checkout"), ("checkout", "stock"))
EDGES = edges(CALLS, PRESETS[RedPreset.LINKERD].queries(Histograms.NONE), window=WINDOW)


class Counted(ErrorSource):
    """Ten calls a second; from the onset on every other one fails, and takes four times as long."""

    def __init__(self) -> None:
        super().__init__({})
        self.began = self.onset = time.time()

    def exposition(self, at: float) -> str:
        bad = max(0.0, at - self.onset) if self.onset > self.began else 0.0
        total, failed = 10 * (at - self.began), 5 * bad
        seconds = 0.02 * total + 0.06 * 10 * bad
        lines: list[str] = []
        for caller, callee in CALLS:
            graph = f'client="{caller}",server="{callee}"'
            lines += [
                f"traces_service_graph_request_total{{{graph}}} {total!r}",
                *_durations("traces_service_graph_request_client_seconds", graph, seconds, total),
                *_durations("traces_service_graph_request_server_seconds", graph, seconds, total),
            ]
            if failed:  # a counter of failures is born with the first
                lines.append(f"traces_service_graph_request_failed_total{{{graph}}} {failed!r}")
            for reporter in ("source", "destination"):
                ends = (
                    f'reporter="{reporter}",source_canonical_service="{caller}",'
                    f'destination_service_name="{callee}"'
                )
                ok, wrong = f'{ends},response_code="200"', f'{ends},response_code="503"'
                lines.append(f"istio_requests_total{{{ok}}} {total - failed!r}")
                lines.append(f"istio_requests_total{{{wrong}}} {failed!r}")
                name = "istio_request_duration_milliseconds"
                lines += _durations(name, ends, seconds * 1000, total)
            for ends in (
                f'direction="outbound",deployment="{caller}",dst_deployment="{callee}"',
                f'direction="inbound",deployment="{callee}"',
            ):
                ok, wrong = f'{ends},classification="success"', f'{ends},classification="failure"'
                lines.append(f"response_total{{{ok}}} {total - failed!r}")
                lines.append(f"response_total{{{wrong}}} {failed!r}")
                lines += _durations("response_latency_ms", ends, seconds * 1000, total)
        return "\n".join([*lines, ""])


def _durations(name: str, labels: str, total: float, count: float) -> Iterator[str]:
    yield f"{name}_sum{{{labels}}} {total!r}"
    yield f"{name}_count{{{labels}}} {count!r}"


@dataclass(frozen=True)
class Story:
    """A Prometheus that saw it all."""

    url: str
    onset: datetime
    now: datetime


@pytest.fixture(scope="module")
def story(monitoring: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder: Path = tmp_path_factory.mktemp("graph") / "m"
    source = Counted()
    with source.serving(), monitored(folder, source, rules={}) as watched:
        asyncio.run(asyncio.sleep(QUIET))
        source.onset = time.time()
        asyncio.run(asyncio.sleep(FAULT))
        yield Story(
            watched.prometheus_url, datetime.fromtimestamp(source.onset, UTC), datetime.now(UTC)
        )


@pytest.mark.parametrize(
    "queries",
    [
        OTEL.queries(window=WINDOW),
        ISTIO.queries(window=WINDOW),
        LINKERD.queries(window=WINDOW),
        EDGES,
    ],
    ids=["otel-servicegraph", "istio", "linkerd", "edges"],
)
async def test_each_convention_names_the_service_at_the_end(
    story: Story, queries: Sequence[EdgeQuery]
) -> None:
    found = await read_graph(
        Prometheus(story.url),
        queries,
        service="store",
        onset=story.onset,
        now=story.now,
        window=WINDOW,
    )

    assert found is not None
    assert (Hop("stock"), ("store", "checkout", "stock")) == (found.place, found.path)
    assert found.sigmas > 20


async def test_before_the_onset_nobody_downstream_is_accused(story: Story) -> None:
    found = await read_graph(
        Prometheus(story.url),
        OTEL.queries(window=WINDOW),
        service="store",
        onset=story.onset - timedelta(seconds=4),
        now=story.onset,
        window=WINDOW,
    )

    assert found is not None
    assert Hop("store") == found.place


@pytest.mark.parametrize(
    ("service", "written", "expected"),
    [
        ("store", {"otel-servicegraph": {}}, "whom it calls is counted: 1"),
        ("stock", {"istio": {}}, "no call of 'stock' is counted"),
        ("store", {"edges": CALLS}, "written: it calls checkout"),
        ("stock", {"edges": CALLS}, "no edge begins at 'stock'"),
    ],
)
async def test_the_doctor_says_whether_the_calls_of_a_service_are_counted(
    story: Story, service: str, written: object, expected: str
) -> None:
    spec = {
        "metrics": {"prometheus": {"url": story.url}},
        "alerts": {"rules": "auto"},
        "pages": {"alertmanager": {"url": "http://127.0.0.1:9"}},
        "red": {"preset": "linkerd"},
        "graph": written,
    }
    system = System.model_validate({"metadata": {"name": "shop"}, "spec": spec})
    slo = replace(SLO, service=service)

    async with Look.at(system, [slo]) as look:
        (check,) = await answered(list(graph(look)), within=timedelta(seconds=6))

    assert expected == check.found
    assert not check.bars
