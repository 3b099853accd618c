"""The simulated Prometheus against theory: its alerts fire and clear when they must."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from gameday.model.signals import AlertState, samples
from gameday.model.slo import Slo
from gameday.testing.burning import SimulatedAlertmanager, SimulatedPrometheus
from gameday.testing.machine import Machine
from gameday.testing.world import SHIELD, World
from scoring.detection import Timing, predict, recompute
from scoring.slo import NoData, Objective, workbook_windows

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
SLO = Slo(
    id="orders",
    service="web",
    objective=Objective(0.99, 30 * DAY),
    good_query="good",
    total_query="total",
    windows=workbook_windows(30 * DAY),
)
WINDOWS = tuple(w.scaled(60) for w in SLO.windows)
OBJECTIVE = Objective(0.99, 30 * DAY / 60)
TIMING = Timing(scrape=SECOND, evaluation=SECOND)


class Watched:
    """A world with its Prometheus, and what it told."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.world = World(self.machine)
        self.told: list[AlertState] = []
        self.prometheus = SimulatedPrometheus(
            self.world, SLO, time_scale=60, evaluation=SECOND, notify=self.told.append
        )

    def second(self, state: AlertState) -> float:
        assert state.fired_at is not None
        began = self.machine.clock.now() - self.machine.elapsed
        return ((state.resolved_at or state.fired_at) - began).total_seconds()


@pytest.mark.parametrize("ratio", [0.2, 0.35, 0.5, 1.0])
def test_an_alert_fires_when_theory_says(ratio: float) -> None:
    watched = Watched()
    watched.machine.rest(10 * SECOND)

    watched.world.put("theirs@0", ratio)
    watched.machine.rest(120 * SECOND)

    told = predict(OBJECTIVE, WINDOWS, ratio, timing=TIMING)
    assert told.page_detects_after is not None
    assert told.page_detects_at_latest is not None
    fired = watched.second(watched.told[0]) - 10
    assert told.page_detects_after.total_seconds() - 1 <= fired
    assert fired <= told.page_detects_at_latest.total_seconds()


def test_below_the_threshold_nothing_fires() -> None:
    watched = Watched()

    watched.world.put("theirs@0", 0.009)
    watched.machine.rest(timedelta(hours=2))

    assert [] == watched.told


def test_a_mitigated_alert_clears_when_its_counters_say() -> None:
    watched = Watched()
    watched.machine.rest(10 * SECOND)
    watched.world.put("theirs@0", 0.5)
    watched.machine.rest(25 * SECOND)

    watched.world.mitigate(SHIELD)
    watched.machine.rest(40 * SECOND)

    now = watched.machine.clock.now()
    counters = watched.machine.run(
        watched.prometheus.counters(
            good_query="", total_query="", since=now - 500 * SECOND, until=now
        ),
        within=SECOND,
    )
    start = (now - watched.machine.elapsed).timestamp()
    seen = recompute(
        samples(counters.good),
        samples(counters.total),
        WINDOWS,
        OBJECTIVE,
        timing=TIMING,
        injected_at=start + 10,
        until=now.timestamp(),
        mitigated_at=start + 35,
    )
    assert not isinstance(seen, NoData)
    fired, resolved = watched.second(watched.told[0]), watched.second(watched.told[-1])
    assert seen.fires_at == pytest.approx(start + fired, abs=1)
    assert seen.resets_at == pytest.approx(start + resolved, abs=1)


def test_the_port_shows_what_was_stored_in_a_span() -> None:
    watched = Watched()
    began = watched.machine.clock.now()
    watched.world.put("theirs@0", 1.0)
    watched.machine.rest(30 * SECOND)
    watched.world.remove("theirs@0")
    watched.machine.rest(60 * SECOND)

    def states(since: int, until: int) -> list[tuple[bool, bool]]:
        asked = watched.prometheus.alerts(
            slo="orders", since=began + since * SECOND, until=began + until * SECOND
        )
        found = watched.machine.run(asked, within=SECOND)
        page = [s for s in found if s.labels["long_window"] == "1h"]
        return [(s.fired_at is not None, s.resolved_at is not None) for s in page]

    assert [] == states(0, 5)
    assert [(True, False)] == states(0, 20)
    assert [(True, True)] == states(0, 60)
    assert [] == states(50, 60)


def test_a_page_that_is_not_taken_is_sent_again() -> None:
    watched = Watched()
    sent: list[float] = []

    def refuses(payload: Mapping[str, Any], told: Any) -> None:
        if payload["alerts"][0]["labels"]["alertname"] != "Watchdog":
            sent.append(watched.machine.time())
            told(len(sent) == 3)

    alertmanager = SimulatedAlertmanager(watched.world, refuses)
    watched.world.webhook = "http://hook"
    watched.prometheus._notify = alertmanager.send

    watched.world.put("theirs@0", 1.0)
    watched.machine.rest(20 * SECOND)

    assert 3 == len(sent)
