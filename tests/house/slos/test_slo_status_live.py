"""``gameday slo status`` of a real Prometheus over a scripted source."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.drivers.prometheus import Prometheus
from gameday.house.slos.status import SloStatus, read_status
from gameday.rules.slo_rules import prometheus_rules
from gameday.testing.monitored import Cell, ErrorSource, monitored
from scoring.detection import ErrorShape
from scoring.slo import BurnWindow, Objective

pytestmark = pytest.mark.usefixtures("monitoring")

SCALE = 1440
"""Two hours last five seconds, and thirty days half an hour."""

PERIOD = timedelta(days=30)
FAST = BurnWindow(timedelta(hours=2), timedelta(hours=2), 14.4)


def test_a_real_prometheus_shows_the_rate_at_which_a_budget_goes(tmp_path: Path) -> None:
    onset = datetime.now(UTC)
    slos = {id: Cell.promised(id, Objective(0.9, PERIOD), (FAST,)) for id in ("burning", "unruled")}
    source = ErrorSource(
        {id: Cell(slo, ErrorShape.constant(0.2), onset) for id, slo in slos.items()}
    )
    rules = {"burning": prometheus_rules(slos["burning"], time_scale=SCALE)}

    async def asked(url: str) -> list[SloStatus]:
        prometheus = Prometheus(url)
        deadline = asyncio.get_running_loop().time() + 60
        while True:
            found = await read_status(
                prometheus, list(slos.values()), now=datetime.now(UTC), time_scale=SCALE
            )
            # The period is cut into slots of five seconds; wait until some of them are full.
            settled = all(
                one.present_rate is not None and (one.to_json()["history_ratio"] or 0) >= 0.005
                for one in found
            )
            if settled or asyncio.get_running_loop().time() > deadline:
                return found
            await asyncio.sleep(0.5)

    with source.serving(), monitored(tmp_path / "servers", source, rules=rules) as servers:
        burning, unruled = asyncio.run(asked(servers.prometheus_url))

    # A fifth fails where a tenth may: twice as fast as allowed, by recordings and by counters.
    assert SCALE == burning.time_scale
    for one in (burning, unruled):
        document = one.to_json()
        assert pytest.approx(2, rel=0.02) == one.present_rate
        assert 0.001 < document["history_ratio"] < 0.1
        # What has been seen is a small part of the period, and of that the budget's double share.
        spent = 1 - document["budget_remaining_ratio"]
        assert pytest.approx(2 * document["history_ratio"], rel=0.2) == spent
        assert one.exhausted_in is not None
        assert pytest.approx((1 - spent) * 1800 / 2, rel=0.02) == one.exhausted_in.total_seconds()
