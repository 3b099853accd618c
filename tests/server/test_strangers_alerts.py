"""Alerts as strangers send them, over HTTP: they open, page and close, and what was cut is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from opened_service import NOON, Opening, Service

from gameday.model.notification import Action, Notification, Receipt

LABELS = {"alertname": "Burn", "service": "storefront", "slo": "latency", "severity": "page"}


class Bell:
    """A pager that keeps what it was told."""

    name = "bell"

    def __init__(self) -> None:
        self.pages: list[Notification] = []

    async def page(self, notification: Notification) -> Receipt:
        self.pages.append(notification)
        return Receipt(self.name, Action.PAGE, notification.key, NOON)

    async def acknowledge(self, notification: Notification) -> Receipt:
        return Receipt(self.name, Action.ACKNOWLEDGE, notification.key, NOON)

    async def resolve(self, notification: Notification) -> Receipt:
        return Receipt(self.name, Action.RESOLVE, notification.key, NOON)


def alert(starts: object, *, ends: object = None, **more: Any) -> Mapping[str, Any]:
    return {
        "status": "resolved" if ends else "firing",
        "labels": LABELS,
        "annotations": {},
        "fingerprint": "f",
        "startsAt": said(starts),
        "endsAt": said(ends) if ends else "0001-01-01T00:00:00Z",
        **more,
    }


def said(instant: object) -> object:
    return instant.isoformat() if isinstance(instant, datetime) else instant


async def after(service: Service, **time: float) -> None:
    service.clock.advance(timedelta(**time))
    await service.engine.tick()
    for _ in range(20):
        for task in service.engine.busy:
            await task


async def test_grafanas_resolved_alert_clears_its_incident_and_a_person_can_resolve_it(
    service: Service,
) -> None:
    await service.send(alert(NOON - timedelta(seconds=600)))
    await after(service, seconds=60)
    ended = NOON + timedelta(seconds=30)

    await service.send(alert(ended, ends=ended))

    await after(service, seconds=1)
    (incident,) = await service.incidents()
    assert "recovered" == incident["state"]
    answer = await service.post(f"/api/incidents/{incident['id']}/resolve")
    assert 200 == answer.status_code, answer.text
    await after(service, seconds=1)
    (incident,) = await service.incidents()
    assert "resolved" == incident["state"]


@pytest.mark.parametrize(
    "starts",
    [
        "1970-01-01T00:00:00Z",
        NOON + timedelta(seconds=60),
        NOON + timedelta(days=1),
        "8999-01-01T00:00:00Z",
    ],
    ids=["1970", "a minute ahead", "tomorrow", "8999"],
)
async def test_an_alert_of_any_date_pages_says_so_closes_and_does_not_hide_the_next(
    opening: Opening, starts: object
) -> None:
    bell = Bell()
    async with opening({"on-call": bell}) as service:
        await service.send(alert(starts))
        await after(service, seconds=1)

        (page,) = bell.pages
        assert "check the clock of its sender" in page.details["remarks"]

        await service.send(alert(starts, ends=starts))
        await after(service, minutes=31)
        assert ["resolved"] == [i["state"] for i in await service.incidents()]

        await service.send(alert(service.clock.now(), fingerprint="next"))
        await after(service, seconds=1)
        assert 2 == len(bell.pages)


async def test_an_alert_with_seventy_labels_wakes_somebody_and_the_cut_is_told(
    opening: Opening,
) -> None:
    bell = Bell()
    labels = {**{f"label_{n:02}": "x" for n in range(66)}, **LABELS}
    async with opening({"on-call": bell}) as service:
        await service.send(alert(NOON, labels=labels), truncatedAlerts=7)
        await after(service, seconds=1)

        (page,) = bell.pages
        assert "storefront" == page.service
        assert "6 labels and annotations beyond" in page.details["remarks"]
        assert "left 7 alerts out of the webhook" in page.details["remarks"]
