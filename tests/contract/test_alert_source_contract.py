"""What every source of alerts promises: the simulated one, and the driver of a real Prometheus.

Both watch the same story: nothing for six seconds, every event bad for six more, then nothing
again until the alert has cleared. What they said before, during and after is looked at here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gameday.drivers.prometheus import Prometheus
from gameday.errors import DriverError
from gameday.model.signals import AlertState, Series
from gameday.ports import AlertSource, Counters
from gameday.rules.slo_rules import prometheus_rules
from gameday.testing.burning import SimulatedPrometheus
from gameday.testing.failures import Calls, Failure, Port, Way
from gameday.testing.machine import Machine
from gameday.testing.monitored import Cell, ErrorSource, monitored
from gameday.testing.world import World
from scoring.slo import BurnWindow, Objective

SECOND, MINUTE, HOUR = (timedelta(seconds=s) for s in (1, 60, 3600))
QUIET, FAULT, CLEARS = 6 * SECOND, 6 * SECOND, 9 * SECOND
TIME_SCALE = 240
SLO = Cell.promised(
    "checkout", Objective(0.999, 30 * 24 * HOUR), (BurnWindow(HOUR, 20 * MINUTE, 14.4),)
)

Sleep = Callable[[timedelta], Awaitable[None]]


# Real servers: not quick. In one worker: the real story takes half a minute, and is told once.
pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("alert-source")]


@dataclass(frozen=True)
class Said:
    """What the source said at one moment."""

    at: datetime
    alerts: Sequence[AlertState]
    burn_rates: Mapping[str, float | None]
    counters: Counters
    values: Sequence[float]


@dataclass(frozen=True)
class Story:
    """What the source said before, during and after a fault."""

    began: datetime
    onset: datetime
    before: Said
    during: Said
    after: Said
    of_another: Sequence[AlertState]
    early: Sequence[AlertState]
    timing: tuple[timedelta, timedelta]
    unreachable: AlertSource
    do: Callable[[Any], Any]


async def told(
    source: AlertSource, sleep: Sleep, now: Callable[[], datetime], turn: Callable[[float], None]
) -> dict[str, Any]:
    """Play the story; ``turn`` sets the share of events that are bad from now on."""

    async def said() -> Said:
        at = now()
        return Said(
            at,
            await source.alerts(slo=SLO.id, since=began, until=at),
            await source.burn_rates(slo=SLO.id),
            await source.counters(
                good_query=SLO.good_query, total_query=SLO.total_query, since=began, until=at
            ),
            await source.values("vector(1)"),
        )

    began = now()
    await sleep(QUIET)
    before = await said()
    onset = now()
    turn(1.0)
    await sleep(FAULT)
    during = await said()
    turn(0.0)
    await sleep(CLEARS)
    after = await said()
    return {
        "began": began,
        "onset": onset,
        "before": before,
        "during": during,
        "after": after,
        "of_another": await source.alerts(slo="another", since=began, until=now()),
        "early": await source.alerts(slo=SLO.id, since=began, until=onset),
        "timing": await source.timing(slo=SLO.id),
    }


def simulated() -> Iterator[Story]:
    machine = Machine()
    world = World(machine)
    source = SimulatedPrometheus(
        world, SLO, time_scale=TIME_SCALE, evaluation=SECOND, notify=lambda _: None
    )

    def turn(ratio: float) -> None:
        world.remove("theirs@0")
        world.put("theirs@0", ratio)

    out = [Failure("p", f"alerts.{name}", Way.REFUSED, times=99) for name in ASKED]
    calls = Calls(machine, machine.process("p"), out, {})

    def do(work: Any) -> Any:
        return machine.run(work, within=HOUR)

    machine.rest(SECOND)
    story = do(told(source, machine.clock.sleep, machine.clock.now, turn))
    yield Story(**story, unreachable=cast(AlertSource, Port("alerts", source, calls, ASKED)), do=do)
    machine.close()


def real(folder: Path) -> Iterator[Story]:
    class Turning(ErrorSource):
        """A source whose present share of bad events can be set; it counts on."""

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
                lines.append(f'cell_events_total{{cell="{SLO.id}",outcome="{outcome}"}} {value!r}')
            return "\n".join([*lines, ""])

    async def sleep(duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())

    rules = {"slo": prometheus_rules(SLO, time_scale=TIME_SCALE)}
    turning = Turning()
    with turning.serving() as source, monitored(folder / "m", source, rules=rules) as watched:
        prometheus = Prometheus(watched.prometheus_url)
        asyncio.run(_first_scrape(prometheus))
        work = told(prometheus, sleep, lambda: datetime.now(UTC), turning.turn)
        story = asyncio.run(work)
    yield Story(**story, unreachable=Prometheus("http://127.0.0.1:9"), do=asyncio.run)


async def _first_scrape(prometheus: Prometheus) -> None:
    """Wait until two scrapes are there, so that a rate is."""
    async with asyncio.timeout(30):
        while (await prometheus.burn_rates(slo=SLO.id)).get("1h") is None:
            await asyncio.sleep(0.2)


ASKED = ("alerts", "counters", "burn_rates", "timing", "values")


@pytest.fixture(
    scope="module",
    params=["simulated", pytest.param("prometheus", marks=pytest.mark.sandbox)],
)
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    if request.param == "simulated":
        yield from simulated()
    else:
        yield from real(tmp_path_factory.mktemp("contract"))


def test_an_alert_is_seen_from_its_firing_on(story: Story) -> None:
    assert [] == list(story.before.alerts)
    assert [] == list(story.early)
    (state,) = (s for s in story.during.alerts if s.fired_at is not None)
    assert state.fired_at is not None
    assert story.onset < state.fired_at <= story.during.at
    assert timedelta(0) == state.fired_at.utcoffset()
    assert state.active_at is None or state.active_at <= state.fired_at
    assert None is state.resolved_at


def test_its_labels_say_whose_it_is_and_which_branch(story: Story) -> None:
    (state,) = story.during.alerts
    wanted = {
        "alertname": "CheckoutBudgetBurn",
        "slo": "checkout",
        "service": "checkout",
        "severity": "page",
        "long_window": "1h",
        "short_window": "20m",
    }

    assert wanted == {name: state.labels.get(name) for name in wanted}
    assert 14.4 == float(state.labels["burn_rate"])


def test_what_cleared_keeps_when_it_fired_and_says_when_it_cleared(story: Story) -> None:
    (during,), (after,) = story.during.alerts, story.after.alerts

    assert during.fired_at == after.fired_at
    assert after.resolved_at is not None
    assert story.during.at <= after.resolved_at <= story.after.at


def test_alerts_of_another_slo_are_not_shown(story: Story) -> None:
    assert [] == list(story.of_another)


def test_burn_rates_go_by_nominal_windows_and_follow_the_errors(story: Story) -> None:
    before, during = story.before.burn_rates["1h"], story.during.burn_rates["1h"]

    assert before == pytest.approx(0, abs=0.01)
    assert during is not None
    assert 14.4 < during <= 1000


def test_counters_are_raw_ordered_and_within_the_span(story: Story) -> None:
    for said in (story.before, story.during, story.after):
        for series in (*said.counters.good, *said.counters.total):
            assert isinstance(series, Series)
            times = [sample.at for sample in series.samples]
            assert times == sorted(set(times))
            assert story.began <= times[0] <= times[-1] <= said.at
            values = [sample.value for sample in series.samples]
            assert values == sorted(values)


def test_counters_count_what_was_bad(story: Story) -> None:
    def rise(series: Sequence[Series]) -> float:
        return sum(one.samples[-1].value - one.samples[0].value for one in series)

    counters = story.after.counters
    everything, good = rise(counters.total), rise(counters.good)

    bad_ratio = 1 - good / everything
    span = (story.after.at - story.began) / FAULT
    assert bad_ratio == pytest.approx(1 / span, rel=0.5)


def test_intervals_and_values_are_told(story: Story) -> None:
    assert (SECOND, SECOND) == story.timing
    assert all(isinstance(value, float) for value in story.during.values)
    assert 1 == len(story.during.values)


@pytest.mark.parametrize("asked", ASKED)
def test_a_source_that_does_not_answer_is_a_driver_error(story: Story, asked: str) -> None:
    span = {"since": story.began, "until": story.onset}
    queries = {"good_query": SLO.good_query, "total_query": SLO.total_query}
    named: dict[str, dict[str, Any]] = {
        "alerts": {"slo": SLO.id, **span},
        "counters": {**queries, **span},
        "values": {"query": "vector(1)"},
    }

    with pytest.raises(DriverError):
        story.do(getattr(story.unreachable, asked)(**named.get(asked, {"slo": SLO.id})))
