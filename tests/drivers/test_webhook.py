"""What `Webhook` sends, and that a receiver can verify it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gameday.drivers.webhook import Webhook, signature
from gameday.errors import UsageError
from gameday.model.notification import Notification
from gameday.model.page import Links
from gameday.testing.virtual import VirtualClock

NEW = base64.b64encode(b"the new secret of thirty-two byt").decode()
OLD = base64.b64encode(b"the old secret of thirty-two byt").decode()
PAGE = Notification(
    key="checkout/latency/7",
    summary="too slow",
    service="checkout",
    source="prometheus",
    links=Links(red="https://g/red", traces="", profile="", runbook=""),
    happened_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
    details={"burn_rate": 14.6},
    drill=True,
)


class Recorded:
    """The receiver's side: keeps what came."""

    def __init__(self, *statuses: int) -> None:
        self.requests: list[httpx.Request] = []
        self.clock = VirtualClock()
        self._statuses = list(statuses)

    def pager(self, *, secrets: tuple[str, ...] = (), token: str = "") -> Webhook:
        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return httpx.Response(self._statuses.pop(0) if self._statuses else 200, text="thanks")

        return Webhook(
            "https://pages.example/in",
            clock=self.clock,
            secrets=secrets,
            token=token,
            transport=httpx.MockTransport(answer),
        )


def verified(request: httpx.Request, secret: str) -> bool:
    """Return whether a receiver would take it; written from docs/pagers.md, not from the code."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    expected = hmac.new(base64.b64decode(secret), signed + request.content, hashlib.sha256)
    given = request.headers["webhook-signature"].split(" ")
    return f"v1,{base64.b64encode(expected.digest()).decode()}" in given


def test_a_signature_is_the_one_of_the_specification() -> None:
    # The example that the specification's own libraries are tested with.
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    assert expected == signature(
        base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )


async def test_a_page_is_json_with_all_there_is_to_know() -> None:
    recorded = Recorded()

    receipt = await recorded.pager().page(PAGE)

    assert {
        "version": 1,
        "type": "incident.page",
        "key": "checkout/latency/7",
        "summary": "[DRILL] too slow",
        "severity": "critical",
        "service": "checkout",
        "source": "prometheus",
        "drill": True,
        "happened_at": "2026-01-01T12:00:00+00:00",
        "incident": None,
        "links": {"red": "https://g/red", "traces": "", "profile": "", "runbook": ""},
        "details": {"burn_rate": 14.6},
    } == json.loads(recorded.requests[0].content)
    assert "webhook-signature" not in recorded.requests[0].headers
    assert "thanks" == receipt.said


async def test_a_receiver_verifies_with_either_secret_while_they_are_exchanged() -> None:
    recorded = Recorded()

    await recorded.pager(secrets=(f"whsec_{NEW}", f"whsec_{OLD}")).page(PAGE)

    (request,) = recorded.requests
    assert [True, True] == [verified(request, secret) for secret in (NEW, OLD)]
    assert not verified(request, base64.b64encode(b"some other secret").decode())


async def test_a_second_try_is_the_same_message_signed_anew() -> None:
    recorded = Recorded(503)
    pager = recorded.pager(secrets=(f"whsec_{NEW}",))

    async def page_later() -> None:
        await recorded.clock.sleep(timedelta(milliseconds=999))
        await pager.page(PAGE)

    await recorded.clock.run(page_later())

    first, second = recorded.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [True, True] == [verified(request, NEW) for request in (first, second)]
    assert recorded.clock.now().timestamp() >= int(second.headers["webhook-timestamp"])


async def test_another_message_has_another_id() -> None:
    recorded = Recorded()
    pager = recorded.pager()

    await pager.page(PAGE)
    await pager.acknowledge(PAGE)
    await pager.resolve(PAGE)
    await pager.page(replace(PAGE, happened_at=datetime(2026, 1, 2, tzinfo=UTC)))

    assert 4 == len({request.headers["webhook-id"] for request in recorded.requests})


@pytest.mark.parametrize(
    "secret", ["", "hunter2", NEW, "whsec_", "whsec_!!!", "whsec_aGVsbG8=", f"whsec_{NEW}\n"]
)
def test_a_secret_that_cannot_be_right_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(UsageError, match="openssl rand") as caught:
        Webhook("https://pages.example/in", clock=VirtualClock(), secrets=[secret])

    assert NEW not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://pages.example/in", "t0ken"),
        ("http://user:t0ken@pages.example/in", ""),
        ("https://pages.example/in", "t0ken\r\nX-Other: 1"),
        ("https://pages.example/in", "t0kén"),
        (f"https://{'x' * 300}:t0ken", ""),
        ("https://pages.example:t0ken/", ""),
    ],
)
def test_a_token_is_neither_sent_in_the_clear_nor_shown(url: str, token: str) -> None:
    with pytest.raises(UsageError) as caught:
        Webhook(url, clock=VirtualClock(), token=token)

    assert "t0k" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/in", "http://[::1]:9/in", "http://localhost/in"]
)
def test_on_this_machine_a_token_needs_no_tls(url: str) -> None:
    assert "t0ken" not in repr(Webhook(url, clock=VirtualClock(), token="t0ken"))


def test_what_is_only_signed_may_travel_in_the_clear() -> None:
    Webhook("http://pager.ops.svc:8080/in", clock=VirtualClock(), secrets=[f"whsec_{NEW}"])
