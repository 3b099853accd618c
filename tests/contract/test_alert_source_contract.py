"""The sources of alerts: the simulated one, and the driver of a real Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from real_programs import program

from gameday.drivers.prometheus import KeptElsewhere, Prometheus
from gameday.ports import AlertSource
from gameday.rules.slo_rules import prometheus_rules
from gameday.testing.burning import SimulatedPrometheus
from gameday.testing.contracts import Alerted, AlertSourceContract, alerted
from gameday.testing.contracts.alerts import ALERTING_SLO, TIME_SCALE
from gameday.testing.failures import Calls, Failure, Port, Way
from gameday.testing.machine import Machine
from gameday.testing.monitored import ErrorSource, monitored
from gameday.testing.world import World

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ASKED = ("alerts", "counters", "burn_rates", "timing", "values")


class TestSimulatedPrometheus(AlertSourceContract):
    @pytest.fixture
    def subject(self) -> Iterator[Alerted]:
        machine = Machine()
        world = World(machine)
        source = SimulatedPrometheus(
            world, ALERTING_SLO, time_scale=TIME_SCALE, evaluation=SECOND, notify=lambda _: None
        )

        def turn(ratio: float) -> None:
            world.remove("theirs@0")
            world.put("theirs@0", ratio)

        out = [Failure("p", f"alerts.{name}", Way.REFUSED, times=99) for name in ASKED]
        calls = Calls(machine, machine.process("p"), out, {})

        def do(work: Any) -> Any:
            return machine.run(work, within=HOUR)

        machine.rest(SECOND)
        story = alerted(
            source,
            turn,
            unreachable=cast(AlertSource, Port("alerts", source, calls, ASKED)),
            sleep=machine.clock.sleep,
            now=machine.clock.now,
            do=do,
        )
        yield do(story)
        machine.close()


class Turning(ErrorSource):
    """An exporter whose present share of bad events can be set; it counts on."""

    def __init__(self) -> None:
        super().__init__({})
        self.ratio, self.since = 0.0, datetime.now(UTC).timestamp()
        self.good, self.bad = 0.0, 0.0

    def turn(self, ratio: float) -> None:
        self.count(datetime.now(UTC).timestamp())
        self.ratio = ratio

    def count(self, at: float) -> None:
        span = max(0.0, at - self.since)
        self.good += 100 * span * (1 - self.ratio)
        self.bad += 100 * span * self.ratio
        self.since = max(at, self.since)

    def exposition(self, at: float) -> str:
        self.count(at)
        lines = ["# TYPE cell_events_total counter"]
        for outcome, value in (("good", self.good), ("bad", self.bad)):
            labels = f'cell="{ALERTING_SLO.id}",outcome="{outcome}"'
            lines.append(f"cell_events_total{{{labels}}} {value!r}")
        return "\n".join([*lines, ""])


@contextlib.contextmanager
def told(
    folder: Path,
    *,
    programs: tuple[str, str] | None = None,
    kept_at: str | None = None,
) -> Iterator[Alerted]:
    """The story, told by a real Prometheus; its metrics kept by another, where that is said."""
    rules = {"slo": prometheus_rules(ALERTING_SLO, time_scale=TIME_SCALE)}
    nobody = Prometheus("http://127.0.0.1:9")
    turning, samples = Turning(), f"{kept_at}/api/v1/write" if kept_at else None
    with (
        turning.serving() as exporter,
        monitored(folder, exporter, rules=rules, programs=programs, samples_url=samples) as watched,
    ):
        source: AlertSource = Prometheus(watched.prometheus_url)
        if kept_at:
            source = KeptElsewhere(Prometheus(watched.prometheus_url), Prometheus(kept_at))
        asyncio.run(first_scrapes(source))
        yield asyncio.run(alerted(source, turning.turn, unreachable=nobody))


@pytest.fixture(scope="module")
def of_prometheus(monitoring: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerted]:
    with told(tmp_path_factory.mktemp("contract") / "m") as story:
        yield story


@pytest.fixture(scope="module")
def of_todays_prometheus(
    monitoring: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alerted]:
    programs = str(program("prometheus3")), str(program("alertmanager3"))
    with told(tmp_path_factory.mktemp("contract") / "m", programs=programs) as story:
        yield story


@pytest.fixture(scope="module")
def of_victoriametrics(
    monitoring: None, real_victoriametrics: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alerted]:
    with told(tmp_path_factory.mktemp("contract") / "m", kept_at=real_victoriametrics) as story:
        yield story


# In one worker: the story takes half a minute, and is told once.
@pytest.mark.xdist_group("alert-source")
class TestPrometheus(AlertSourceContract):
    @pytest.fixture
    def subject(self, of_prometheus: Alerted) -> Alerted:
        return of_prometheus


@pytest.mark.row
@pytest.mark.xdist_group("alert-source")
class TestPrometheusOfToday(AlertSourceContract):
    @pytest.fixture
    def subject(self, of_todays_prometheus: Alerted) -> Alerted:
        return of_todays_prometheus


@pytest.mark.row
@pytest.mark.xdist_group("alert-source")
class TestMetricsKeptInVictoriaMetrics(AlertSourceContract):
    @pytest.fixture
    def subject(self, of_victoriametrics: Alerted) -> Alerted:
        return of_victoriametrics


async def first_scrapes(prometheus: AlertSource) -> None:
    """Wait until two scrapes are there, so that a rate is."""
    async with asyncio.timeout(30):
        while (await prometheus.burn_rates(slo=ALERTING_SLO.id)).get("1h") is None:
            await asyncio.sleep(0.2)
