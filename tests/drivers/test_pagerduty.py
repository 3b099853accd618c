"""What `PagerDuty` sends, and what it makes of PagerDuty's own answers."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.drivers.pagerduty import PagerDuty
from gameday.errors import PermanentDriverError, UsageError
from gameday.model.notification import Notification, Severity
from gameday.model.page import Links
from gameday.model.signals import Deploy
from gameday.testing.virtual import VirtualClock

KEY = "0123456789abcdef0123456789ABCDEF"
LINKS = Links(red="https://g/red", traces="https://g/traces", profile="", runbook="https://g/rb")
PAGE = Notification(
    key="checkout/latency/7",
    summary="too slow",
    service="checkout",
    source="https://prometheus.example",
    links=LINKS,
    severity=Severity.WARNING,
    happened_at=datetime(2026, 1, 1, 13, 0, 0, 123999, tzinfo=timezone(timedelta(hours=1))),
    incident="https://gameday.example/incidents/7",
    details={"burn_rate": 14.6},
)


class Recorded:
    """PagerDuty's side: keeps what came, answers as told."""

    def __init__(self, status: int = 202, body: Any = None) -> None:
        self.requests: list[httpx.Request] = []
        self._status = status
        self._body = {"status": "success", "message": "Event processed"} if body is None else body

    def pager(self) -> PagerDuty:
        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return httpx.Response(self._status, json=self._body)

        return PagerDuty(
            KEY, clock=VirtualClock(), rng=random.Random(1), transport=httpx.MockTransport(answer)
        )

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


async def test_a_page_is_a_trigger_with_everything_the_responder_needs() -> None:
    recorded = Recorded()

    receipt = await recorded.pager().page(PAGE)

    assert "https://events.pagerduty.com/v2/enqueue" == str(recorded.requests[0].url)
    assert [
        {
            "routing_key": KEY,
            "event_action": "trigger",
            "dedup_key": "checkout/latency/7",
            "client": "gameday",
            "client_url": "https://gameday.example/incidents/7",
            "payload": {
                "summary": "too slow",
                "source": "https://prometheus.example",
                "severity": "warning",
                "component": "checkout",
                "timestamp": "2026-01-01T12:00:00.123+00:00",
                "custom_details": {"burn_rate": 14.6},
            },
            "links": [
                {"href": "https://g/red", "text": "RED"},
                {"href": "https://g/traces", "text": "Traces"},
                {"href": "https://g/rb", "text": "Runbook"},
            ],
        }
    ] == recorded.events
    assert "Event processed" == receipt.said


async def test_acknowledging_and_resolving_bear_nothing_but_the_key() -> None:
    recorded = Recorded()
    pager = recorded.pager()

    await pager.acknowledge(PAGE)
    await pager.resolve(PAGE)

    base = {"routing_key": KEY, "dedup_key": "checkout/latency/7"}
    assert [
        base | {"event_action": "acknowledge"},
        base | {"event_action": "resolve"},
    ] == recorded.events


async def test_a_deploy_is_a_change_event() -> None:
    recorded = Recorded()
    deploy = Deploy("checkout", "1a2b3c4", datetime(2026, 1, 1, 12, tzinfo=UTC), "eu-west")

    await recorded.pager().mark(deploy)

    assert "/v2/change/enqueue" == recorded.requests[0].url.path
    assert [
        {
            "routing_key": KEY,
            "payload": {
                "summary": "checkout 1a2b3c4 went live in eu-west",
                "source": "checkout",
                "timestamp": "2026-01-01T12:00:00.000+00:00",
                "custom_details": {
                    "service": "checkout",
                    "revision": "1a2b3c4",
                    "region": "eu-west",
                },
            },
            "links": [],
        }
    ] == recorded.events


async def test_a_long_summary_is_cut_and_says_so() -> None:
    recorded = Recorded()

    receipt = await recorded.pager().page(replace(PAGE, summary="é" * 2000))

    summary = recorded.events[0]["payload"]["summary"]
    assert 1024 == len(summary)
    assert summary.endswith("… [cut, 2000 characters]")
    assert ("summary was cut from 2000 to 1024 characters",) == receipt.notes
    assert [*receipt.notes] == recorded.events[0]["payload"]["custom_details"]["gameday_left_out"]


async def test_a_drill_mark_counts_towards_the_length_of_a_summary() -> None:
    recorded = Recorded()

    await recorded.pager().page(replace(PAGE, summary="x" * 1024, drill=True))

    summary = recorded.events[0]["payload"]["summary"]
    assert (1024, "[DRILL] xxx") == (len(summary), summary[:11])


async def test_the_largest_details_go_first_when_an_event_is_too_large() -> None:
    recorded = Recorded()
    details = {"burn_rate": 14.6, "log": "é" * 200_000, "dump": "x" * 300_000, "window": "1h"}

    receipt = await recorded.pager().page(replace(PAGE, details=details))

    custom = recorded.events[0]["payload"]["custom_details"]
    assert len(recorded.requests[0].content) <= 512_000
    assert {"burn_rate", "window", "dump", "gameday_left_out"} == set(custom)
    (note,) = receipt.notes
    assert note.startswith("the detail log was left out: 4000")
    assert [note] == custom["gameday_left_out"]


def _repeated(character: str, count: int) -> str | list[str]:
    """Return something long; made here, since a report of the drawn values must stay short."""
    return [character] * count if character == "\x00" else character * count


@given(
    details=st.dictionaries(
        st.text(max_size=50),
        st.one_of(
            st.tuples(st.just("é"), st.integers(0, 400_000)),
            st.tuples(st.just("\x00"), st.integers(0, 80_000)),
            st.floats(),
            st.none(),
        ),
        max_size=8,
    ),
    summary=st.text(max_size=3000),
    source=st.integers(0, 400_000),
    links=st.lists(st.integers(0, 300_000), min_size=4, max_size=4),
)
async def test_no_event_is_larger_than_pagerduty_takes(
    details: dict[str, Any], summary: str, source: int, links: list[int]
) -> None:
    recorded = Recorded()
    large = {
        name: _repeated(*value) if isinstance(value, tuple) else value
        for name, value in details.items()
    }
    urls = [f"https://g/{'a' * n}" for n in links]
    page = replace(
        PAGE,
        summary=summary,
        source="\\" * source,
        incident=urls[0],
        links=Links(red=urls[0], traces=urls[1], profile=urls[2], runbook=urls[3]),
        details=large,
    )

    receipt = await recorded.pager().page(page)

    (event,) = recorded.events
    assert len(recorded.requests[0].content) <= 512_000
    assert len(event["payload"]["summary"]) <= 1024
    left_out = event["payload"].get("custom_details", {}).get("gameday_left_out", [])
    assert list(receipt.notes) == left_out


@given(st.text(min_size=1, max_size=600), st.text(min_size=1, max_size=600))
async def test_keys_fit_and_different_ones_stay_different(one: str, other: str) -> None:
    recorded = Recorded()
    pager = recorded.pager()
    prefix = "x" * 250

    for key in (one, other, prefix + one, prefix + other):
        assert (await pager.resolve(replace(PAGE, key=key))).key

    keys = [event["dedup_key"] for event in recorded.events]
    assert max(map(len, keys)) <= 255
    assert (one == other) == (keys[0] == keys[1]) == (keys[2] == keys[3])


async def test_a_key_that_was_shortened_is_told() -> None:
    recorded = Recorded()

    receipt = await recorded.pager().acknowledge(replace(PAGE, key="k" * 256))

    assert recorded.events[0]["dedup_key"] == receipt.key
    assert ("the key had 256 characters and ends in its hash instead",) == receipt.notes


async def test_a_refusal_gives_pagerdutys_reasons() -> None:
    body = {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
    }

    with pytest.raises(
        PermanentDriverError,
        match=r"answers 400: Event object is invalid; Length of 'routing_key' is incorrect",
    ):
        await Recorded(400, body).pager().page(PAGE)


@pytest.mark.parametrize("body", [[], "no", {"errors": 7}, {"message": None, "errors": [None]}])
async def test_a_refusal_in_another_shape_is_told_all_the_same(body: Any) -> None:
    with pytest.raises(PermanentDriverError, match=r"PagerDuty at https://events.*answers 400: "):
        await Recorded(400, body).pager().page(PAGE)


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("", "https://events.pagerduty.com"),
        (KEY[1:], "https://events.pagerduty.com"),
        (f"{KEY}\n", "https://events.pagerduty.com"),
        (f"{KEY[2:]} \n", "https://events.pagerduty.com"),
        (KEY, "http://events.pagerduty.com"),
        (KEY, "events.pagerduty.com"),
        (KEY, "https://[nowhere"),
        (KEY, "file:///etc/passwd"),
        (KEY, ""),
    ],
)
def test_what_cannot_be_right_is_said_at_once_and_without_the_key(key: str, url: str) -> None:
    with pytest.raises(UsageError, match="PagerDuty") as caught:
        PagerDuty(key, url=url, clock=VirtualClock())

    assert KEY[2:30] not in str(caught.value)
