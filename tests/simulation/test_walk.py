"""The way of a scenario through the house, watched while whole runs are played."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from scoring.timeline import Timeline

CLIMBS = runpy.run_path(str(Path(__file__).parents[2] / "bench/climbs.py"))


@pytest.fixture(scope="module")
def walk() -> Any:
    return CLIMBS["walked"](8)


def test_from_play_to_the_scorecard_the_scenario_climbs_at_most_twice(walk: Any) -> None:
    assert {("incidents", "house"), ("ledger", "conductor")} == set(walk.climbs)


def test_the_scenario_is_seen_in_every_room_of_its_way(walk: Any) -> None:
    assert {"house", "conductor", "plan", "scoring", "learning", "report"} <= set(walk.rooms)


def made_up(room: str, source: str) -> Any:
    """Return the function `f` of a module that would stand in a room."""
    names: dict[str, Any] = {"__name__": f"gameday.{room}.made_up"}
    exec(source, names)
    return names["f"]


def test_a_climb_is_seen() -> None:
    low = made_up("ledger", "def f(callback, value): return callback(value)")
    high = made_up("house", "def f(value): return value")
    walk = CLIMBS["Walk"]()

    sys.setprofile(CLIMBS["watching"](walk))
    try:
        low(high, Timeline.of(()))
        low(high, "nothing of the scenario")
    finally:
        sys.setprofile(None)

    assert {("ledger", "house"): {"gameday.house.made_up.f"}} == walk.climbs
