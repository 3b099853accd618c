"""Pages that are sent to us, handed on to the run that awaits them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gameday.drivers.sent_pages import SentPages
from gameday.errors import TemporaryDriverError
from gameday.incidents.alerts import instant

WEBHOOK = "http://run/hook"
BEGUN = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
AFTER = BEGUN + timedelta(seconds=30)


def alert(name: str, starts_at: datetime | None = AFTER, status: str = "firing") -> dict[str, Any]:
    told = {
        "status": status,
        "labels": {"alertname": name},
        "annotations": {"summary": name},
        "fingerprint": f"f-{name}",
    }
    return told if starts_at is None else {**told, "startsAt": starts_at.isoformat()}


class Run:
    """A run that awaits pages, and what it was told."""

    def __init__(self) -> None:
        self.bodies: list[Mapping[str, Any]] = []
        self.arrived: list[str | None] = []
        self.status = 200
        self.now = BEGUN
        self.pages = SentPages(
            lambda labels: {**labels, "slo": "s"} if labels.get("alertname") == "Ours" else None,
            instant,
            transport=httpx.MockTransport(self._answer),
            now=lambda: self.now,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        self.arrived.append(request.headers.get("x-gameday-arrived-at"))
        return httpx.Response(self.status)

    async def take(self, *alerts: Mapping[str, Any], **more: Any) -> None:
        await self.pages.take({"version": "4", "status": "firing", "alerts": alerts, **more})

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What it was told: alert, status, SLO."""
        return [
            (one["labels"]["alertname"], one["status"], one["labels"].get("slo", ""))
            for body in self.bodies
            for one in body["alerts"]
        ]


async def awaiting() -> Run:
    run = Run()
    await run.pages.carry(WEBHOOK)
    return run


async def test_what_comes_before_a_run_awaits_pages_is_to_be_sent_again() -> None:
    run = Run()

    with pytest.raises(TemporaryDriverError, match="no drill awaits pages yet: send it again"):
        await run.take(alert("Ours"))

    assert [] == run.told


async def test_the_alert_that_is_meant_is_told_by_the_labels_that_gameday_goes_by() -> None:
    run = await awaiting()

    await run.take(alert("Ours"), alert("Others"))

    assert [("Ours", "firing", "s"), ("Others", "firing", "")] == run.told


async def test_its_end_is_told_as_well() -> None:
    run = await awaiting()

    await run.take(alert("Ours", status="resolved"))

    assert [("Ours", "resolved", "s")] == run.told


async def test_a_page_has_come_when_it_was_received() -> None:
    run = await awaiting()
    run.now = AFTER

    await run.take(alert("Ours"))

    assert [AFTER.isoformat()] == run.arrived


@pytest.mark.parametrize("name", ["Ours", "Others"])
async def test_what_began_before_the_run_is_left_out(name: str) -> None:
    run = await awaiting()

    await run.take(alert(name, BEGUN - timedelta(minutes=1)), alert("Ours"))

    assert [("Ours", "firing", "s")] == run.told


async def test_a_clock_that_is_two_seconds_behind_hides_no_page() -> None:
    run = await awaiting()

    await run.take(alert("Ours", BEGUN - timedelta(seconds=2)))

    assert [("Ours", "firing", "s")] == run.told


@pytest.mark.parametrize("said", [None, datetime(1, 1, 1, tzinfo=UTC)])
async def test_what_does_not_say_when_it_began_begins_now(said: datetime | None) -> None:
    run = await awaiting()

    await run.take(alert("Ours", said))

    assert [("Ours", "firing", "s")] == run.told


async def test_a_beat_of_the_watchdog_is_handed_on_whenever_that_began_to_fire() -> None:
    run = await awaiting()

    await run.take(alert("Watchdog", BEGUN - timedelta(days=9)))

    assert [("Watchdog", "firing", "")] == run.told


async def test_the_run_is_not_asked_where_nothing_is_left_for_it() -> None:
    run = await awaiting()

    await run.take(alert("Others", BEGUN - timedelta(days=1)))

    assert [] == run.bodies


async def test_how_many_alerts_were_left_out_by_the_sender_is_told() -> None:
    run = await awaiting()

    await run.take(alert("Ours"), truncatedAlerts=3)

    assert [3] == [body["truncatedAlerts"] for body in run.bodies]


async def test_what_the_run_does_not_take_is_to_be_sent_again() -> None:
    run = await awaiting()
    run.status = 503

    with pytest.raises(TemporaryDriverError):
        await run.take(alert("Ours"))


async def test_labels_that_are_none_are_nobodys() -> None:
    run = await awaiting()

    await run.take({"status": "firing", "labels": "none", "startsAt": AFTER.isoformat()})

    assert [{}] == [one["labels"] for body in run.bodies for one in body["alerts"]]
