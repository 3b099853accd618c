"""With metrics alone the bot names a service by the graph of calls, and goes by the runbook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from gameday.diagnosis.graph_conventions import OTEL
from gameday.errors import PermanentDriverError
from gameday.model.code import CodeOf, RevisionFrom
from gameday.model.page import Finding, Step
from gameday.model.signals import ChangeSet, CodeChange, Deploy, Sample, Series
from gameday.model.toolbox import Toolbox
from gameday.ports import SignalSource
from gameday.responder.bot import Bot
from gameday.testing.desk import NOON, FakeDesk, a_page
from gameday.testing.telemetry import FakeHistory, FakeMetrics
from gameday.testing.virtual import VirtualClock

ONSET = NOON
PAGED = NOON + timedelta(seconds=17)
BOX = Toolbox(
    absent=frozenset({Step.PROFILE, Step.BLAME}),
    graph=tuple(OTEL.queries(window=timedelta(seconds=5))),
)
LINKS = {
    "red": "http://prometheus/graph?g0.expr=sum(rate(x_count%7B%7D%5B5s%5D))"
    "&g1.expr=a%2Fb&g0.signal=rate&g1.signal=errors"
}
RUNBOOK = """---
alert: CheckoutLatencyBudgetBurn
service: web
---

# CheckoutLatencyBudgetBurn

## First checks

1. **read-red**: Open the RED dashboard.

## Likely causes

- **stock-fails**: (service: stock) → restart-stock

## Fixes

- **restart-stock**: `gameday mitigate restart service={service}`
"""


class Metrics(FakeMetrics):
    """RED of the web, and a graph in which the stock fails behind the checkout."""

    def __init__(self, *, graph: Sequence[tuple[str, str, bool]]) -> None:
        super().__init__(self.red, ["eu-west"])
        self._graph = graph
        self.is_mended = False

    def red(self, signal: str, region: str, at: datetime) -> float | None:
        if signal == "errors":
            return 0.5 if at >= ONSET and not self.is_mended else 0.0
        return 20.0 if signal == "rate" else None

    async def range(
        self, query: str, *, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Series]:
        if "service_graph" not in query:
            return await super().range(query, since=since, until=until, step=step)
        count = round((until - since) / step)
        found = []
        for client, server, is_bad in self._graph:
            value = {True: 0.5, False: 0.0}
            samples = tuple(
                Sample(at, value[is_bad and at >= ONSET] if "failed" in query else 20.0)
                for at in (since + n * step for n in range(count))
            )
            if "seconds" not in query:
                found.append(Series({"client": client, "server": server}, samples))
        return found


async def worked(
    metrics: Metrics,
    *,
    toolbox: Toolbox = BOX,
    runbook: str = RUNBOOK,
    deploys: Sequence[Deploy] = (),
    code: FakeHistory | None = None,
) -> FakeDesk:
    class Desk(FakeDesk):
        async def mitigate(self, name: str, parameters: object) -> str:
            metrics.is_mended = True
            return await super().mitigate(name, parameters)  # type: ignore[arg-type]

    def never(url: str) -> SignalSource:
        raise AssertionError(f"{url} is asked, and is not there")

    desk = Desk(links=LINKS, runbook=runbook, deploys=deploys)
    bot = Bot(
        desk=desk,
        open_metrics=lambda url: metrics,
        open_traces=never,  # type: ignore[arg-type]
        open_profiles=never,  # type: ignore[arg-type]
        code=code or FakeHistory({}),
        clock=VirtualClock(PAGED, passes_at_once=True),
        toolbox=toolbox,
    )
    await bot.work(a_page(at=PAGED))
    return desk


def told(finding: Finding) -> tuple[object, object]:
    return finding.detail.get("service"), finding.detail.get("downstream")


async def test_the_service_at_the_end_of_the_failing_calls_is_named_and_mended() -> None:
    desk = await worked(
        Metrics(
            graph=[
                ("web", "checkout", True),
                ("checkout", "stock", True),
                ("checkout", "prices", False),
            ]
        )
    )

    trace = desk.finding(Step.TRACE)
    assert ("stock", None) == told(trace)
    assert "web → checkout → stock errors went from 0.0% to 50.0%" in trace.summary
    assert [("restart", {"service": "stock"})] == desk.mitigations
    assert [Step.RED, Step.TRACE, Step.MITIGATE] == [f.step for f in desk.findings]


async def test_a_graph_that_knows_no_call_of_the_service_is_unknown_and_nothing_is_tried() -> None:
    desk = await worked(Metrics(graph=[("ads", "stock", True)]))

    assert "no call of web is counted" in desk.finding(Step.TRACE).summary
    assert [] == desk.mitigations


async def test_a_prometheus_that_refuses_the_graph_is_an_unknown_step() -> None:
    class Refusing(Metrics):
        async def range(
            self, query: str, *, since: datetime, until: datetime, step: timedelta
        ) -> Sequence[Series]:
            if "service_graph" in query:
                raise PermanentDriverError("Prometheus answers 422")
            return await super().range(query, since=since, until=until, step=step)

    desk = await worked(Refusing(graph=[]))

    assert "unknown: Prometheus answers 422" == desk.finding(Step.TRACE).summary


@pytest.mark.parametrize("step", [Step.PROFILE, Step.BLAME])
async def test_what_the_system_has_not_is_not_reported(step: Step) -> None:
    desk = await worked(Metrics(graph=[("web", "checkout", True)]))

    assert step not in [f.step for f in desk.findings]


async def test_what_went_live_with_the_service_is_blamed_and_rolled_back() -> None:
    old, new, commit = "1" * 40, "2" * 40, "a" * 40
    only = CodeChange(commit, "Ada", ONSET - timedelta(days=1), "answer slowly", ("app.py",))
    source = CodeOf(service="stock", repository="/code", revision=RevisionFrom(image_tag=True))
    toolbox = BOX.model_copy(update={"absent": frozenset({Step.PROFILE}), "sources": (source,)})
    fix = "- **new-code**: it came with a version (service: any, change: deploy) → rollback\n"
    runbook = RUNBOOK.replace("## Fixes\n", f"{fix}\n## Fixes\n") + (
        "- **rollback**: `gameday mitigate rollback service={service}`\n"
    )

    desk = await worked(
        Metrics(graph=[("web", "checkout", True), ("checkout", "stock", True)]),
        toolbox=toolbox,
        runbook=runbook,
        deploys=[
            Deploy("stock", old, ONSET - timedelta(days=2)),
            Deploy("stock", new, ONSET - timedelta(seconds=8)),
        ],
        code=FakeHistory({}, {(old, new): ChangeSet((only,))}),
    )

    assert commit == desk.finding(Step.BLAME).detail["commit"]
    assert [("rollback", {"service": "stock"})] == desk.mitigations
