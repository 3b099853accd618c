"""Alerts that are asked for, handed on as Alertmanager's own webhook would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from gameday.drivers.alertmanager import PolledPages
from gameday.errors import PermanentDriverError

WEBHOOK = "http://run/hook"


def alert(name: str, at: str = "2026-11-27T10:00:00.000Z") -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "urgency": "now"},
        "annotations": {"summary": name},
        "startsAt": at,
        "endsAt": "2026-11-27T10:05:00.000Z",
        "fingerprint": f"f-{name}",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
    }


class Both:
    """An Alertmanager with these alerts, and the webhook that is told of them."""

    def __init__(self, *alerts: Mapping[str, Any]) -> None:
        self.alerts: Any = list(alerts)
        self.told: list[tuple[str, str, str]] = []
        self.asked: list[str] = []
        self.refuses = 0
        self.pages = PolledPages(
            "http://alertmanager/prefix",
            lambda labels: {**labels, "slo": "s"} if labels["alertname"] == "Ours" else None,
            poll=timedelta(0),
            transport=httpx.MockTransport(self._answer),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            self.asked.append(str(request.url))
            is_whole = request.url.params["silenced"] == "true"
            return httpx.Response(200, json=self.alerts if is_whole else self._paging())
        if self.refuses:
            self.refuses -= 1
            return httpx.Response(400)
        for one in json.loads(request.content)["alerts"]:
            labels = one["labels"]
            self.told.append((labels["alertname"], one["status"], labels.get("slo", "")))
        return httpx.Response(200)

    def _paging(self) -> Any:
        if not isinstance(self.alerts, list):
            return self.alerts
        return [a for a in self.alerts if a["status"]["state"] == "active"]

    async def polled(self, *alerts: Mapping[str, Any]) -> None:
        """Have these alerts from now on, and wait until they were asked for twice."""
        self.alerts = list(alerts)
        asked = len(self.asked)
        while len(self.asked) < asked + 2:
            await asyncio.sleep(0)


async def test_an_alert_is_told_when_it_comes_and_when_it_has_gone() -> None:
    both = Both()

    await both.pages.carry(WEBHOOK)
    await both.polled(alert("Ours"))
    await both.polled(alert("Ours"))
    await both.polled()

    assert [("Ours", "firing", "s"), ("Ours", "resolved", "s")] == both.told


async def test_what_burned_before_is_left_alone_unless_it_is_meant() -> None:
    both = Both(alert("Theirs"), alert("Ours"))

    await both.pages.carry(WEBHOOK)
    await both.polled(alert("Theirs"), alert("Ours"), alert("New"))
    await both.polled(alert("Ours"), alert("New"))

    assert [("New", "firing", ""), ("Ours", "firing", "s")] == sorted(both.told)


async def test_what_pages_nobody_is_not_asked_for() -> None:
    both = Both()

    await both.pages.alive()

    assert [
        "http://alertmanager/prefix/api/v2/alerts?active=true&silenced=false&inhibited=false"
    ] == both.asked


async def test_what_the_webhook_did_not_take_is_told_again() -> None:
    both = Both()
    both.refuses = 1

    await both.pages.carry(WEBHOOK)
    await both.polled(alert("Ours"))
    await both.polled(alert("Ours"))

    assert [("Ours", "firing", "s")] == both.told


async def test_a_watchdog_is_a_beat_and_no_page() -> None:
    both = Both(alert("Watchdog"))

    await both.pages.carry(WEBHOOK)
    await both.polled(alert("Watchdog"))
    await both.polled()

    assert [("Watchdog", "firing", "")] == both.told


async def test_what_is_no_alertmanager_is_refused_before_the_drill() -> None:
    both = Both()
    both.alerts = {"status": "success"}

    with pytest.raises(PermanentDriverError, match="not as Alertmanager does"):
        await both.pages.carry(WEBHOOK)


def silent(alert: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**alert, "status": {"state": "suppressed", "silencedBy": ["s"], "inhibitedBy": []}}


async def test_what_somebody_silenced_has_not_gone() -> None:
    both = Both()

    await both.pages.carry(WEBHOOK)
    await both.polled(alert("Ours"))
    await both.polled(silent(alert("Ours")))
    told_meanwhile = list(both.told)
    await both.polled()

    assert [("Ours", "firing", "s")] == told_meanwhile
    assert [("Ours", "firing", "s"), ("Ours", "resolved", "s")] == both.told


async def test_what_was_silenced_before_is_left_alone_when_it_is_heard_again() -> None:
    both = Both(silent(alert("Theirs")))

    await both.pages.carry(WEBHOOK)
    await both.polled(alert("Theirs"))

    assert [] == both.told
