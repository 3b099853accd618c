"""The parts of a delivery that are pure: pauses, waits, and what is written."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import NotWanted, TemporaryDriverError, UsageError
from gameday.http.delivery import Delivery, Patience, clipped, encoded, retry_after
from gameday.testing.virtual import VirtualClock

pytestmark = pytest.mark.served

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.integers(1, 10_000), st.integers())
def test_a_pause_lies_below_the_doubled_one_and_the_longest(failures: int, seed: int) -> None:
    patience = Patience()

    pause = patience.pause(failures, random.Random(seed))

    assert timedelta(0) <= pause <= patience.longest_pause
    assert pause <= patience.first_pause * 2 ** min(failures - 1, 20)


def test_pauses_of_senders_that_failed_together_are_spread() -> None:
    pauses = {Patience().pause(5, random.Random(seed)) for seed in range(100)}

    assert 100 == len(pauses)
    assert max(pauses) - min(pauses) > timedelta(seconds=6)  # of the 8 s that are possible


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
        (None, 0),
        ("9" * 5000, 0),
        ("٣", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Thu, 01 Jan 2026 12:01:00 -0000", 60),
        ("Thu, 01 Jan 2026 13:01:00 +0100", 60),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(value: str | None, expected: int) -> None:
    assert timedelta(seconds=expected) == retry_after(value, NOW)


@given(st.text(max_size=60))
def test_no_retry_after_is_an_error(value: str) -> None:
    assert timedelta(0) <= retry_after(value, NOW)


@given(st.text(max_size=300), st.integers(30, 200))
def test_a_text_is_cut_only_where_it_is_too_long(text: str, longest: int) -> None:
    cut = clipped(text, longest)

    assert len(cut) <= longest
    assert (cut == text) == (len(text) <= longest)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": float("nan"), "b": float("-inf")}, {"a": "nan", "b": "-inf"}),
        ({1: (1, 2)}, {"1": [1, 2]}),
        ({"at": NOW}, {"at": "2026-01-01T12:00:00+00:00"}),
        ({"odd": b"x", "t": True, "n": None}, {"odd": "b'x'", "t": True, "n": None}),
        ("\ud800", "?"),
        ("é", "é"),
    ],
)
def test_anything_can_be_written(value: Any, expected: Any) -> None:
    assert expected == json.loads(encoded(value))


@pytest.mark.parametrize("secret", ["a b", "a\n", "é", "\x00"])
def test_a_secret_that_no_header_takes_is_refused(secret: str) -> None:
    with pytest.raises(UsageError, match="copy it again"):
        Delivery("tool", "https://tool.example", clock=VirtualClock(), secrets=[secret])


@pytest.mark.parametrize(
    "url", ["https://a..b/", "https://" + "a" * 64, "https://exa mple/", "https:///x", "x", "//x/y"]
)
def test_a_url_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="https://host/path"):
        Delivery("tool", url, clock=VirtualClock())


@pytest.mark.parametrize(
    "url",
    ["https://a.b.example./x", "http://[::1]:80/x", "https://bücher.example/", "https://10.0.0.1"],
)
def test_a_url_with_a_host_is_taken(url: str) -> None:
    assert Delivery("tool", url, clock=VirtualClock()).place.startswith("http")


class Far:
    """A receiver that answers as it is told to, and whose sender may lose the cause."""

    def __init__(self, *statuses: int, wanted_for: int = 99) -> None:
        self.statuses = list(statuses)
        self.asked = 0
        self._wanted_for = wanted_for

    def is_wanted(self) -> bool:
        return self.asked < self._wanted_for

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(self.statuses[min(self.asked, len(self.statuses)) - 1])

    async def sent(self, **more: Any) -> int:
        clock = VirtualClock(NOW)
        transport = httpx.MockTransport(self.answer)
        delivery = Delivery("Far", "http://127.0.0.1:1", clock=clock, transport=transport, **more)
        answer = await clock.run(delivery.send("key", b"{}", is_wanted=self.is_wanted))
        return answer.tries


async def test_what_has_lost_its_cause_is_not_sent() -> None:
    far = Far(200, wanted_for=0)

    with pytest.raises(NotWanted, match="was not asked: the cause is gone"):
        await far.sent()

    assert 0 == far.asked


async def test_what_loses_its_cause_between_two_tries_is_given_up() -> None:
    far = Far(503, wanted_for=2)

    with pytest.raises(TemporaryDriverError, match=r"its cause is gone, .* after 2 tries"):
        await far.sent()

    assert 2 == far.asked


async def test_what_keeps_its_cause_is_tried_until_it_is_taken() -> None:
    far = Far(503, 503, 200)

    assert 3 == await far.sent()


async def test_a_turn_that_comes_after_the_patience_has_ended_is_not_taken() -> None:
    clock, budget = VirtualClock(NOW), timedelta(seconds=50)
    asked: dict[bytes, list[timedelta]] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.setdefault(request.content, []).append(clock.elapsed())
        return httpx.Response(503)

    delivery = Delivery(
        "Far",
        "http://127.0.0.1:1",
        clock=clock,
        per_minute=6,
        patience=Patience(budget=budget),
        rng=random.Random(1),
        transport=httpx.MockTransport(answer),
    )

    async def all_sent() -> Sequence[object]:
        sent = (delivery.send(str(number), str(number).encode()) for number in range(4))
        return await asyncio.gather(*sent, return_exceptions=True)

    ends = await clock.run(all_sent())

    assert 4 == len(asked) == sum(isinstance(e, TemporaryDriverError) for e in ends)
    # Each waits for the turns of the others between its tries.
    assert max(map(len, asked.values())) > 1
    assert all(tries[-1] - tries[0] < budget for tries in asked.values())
