"""What every `Pager` promises, over real sockets and against a receiver that misbehaves."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from gameday.drivers.pagerduty import PagerDuty
from gameday.drivers.slack import Slack
from gameday.drivers.webhook import Webhook
from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.http.delivery import Patience
from gameday.model.notification import Action, Notification
from gameday.model.page import Links
from gameday.ports import Pager
from gameday.testing.receiver import Broken, Receiver, Reply, receiving

pytestmark = pytest.mark.sandbox  # real stores, servers or processes: not quick

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
KEY = "r0ut1ngk3y-of-32-characters-long"
HOOK = "/services/T00000000/B00000000/s3cr3tOfTheIncomingHook"
TOKEN = "t0ken/with+odd=characters"
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
# Pauses pass at once here; only what a receiver does not answer takes real time.
PATIENCE = Patience(
    budget=timedelta(seconds=60),
    timeout=timedelta(seconds=30),
    first_pause=timedelta(seconds=2),
    longest_pause=timedelta(seconds=10),
)


class RecordedClock:
    """The wall clock, except that sleeping is written down and takes no time."""

    def __init__(self) -> None:
        self.slept: list[timedelta] = []
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def elapsed(self) -> timedelta:
        return self._ahead

    async def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        self._ahead += duration
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Kind:
    """One driver under the contract: how it is made, what accepts, what is secret."""

    name: str
    make: Callable[..., Pager]
    accepted: Reply
    secrets: tuple[str, ...]
    action_of: Callable[[dict[str, Any]], str]


def pagerduty_action(body: dict[str, Any]) -> str:
    return {"trigger": "page"}.get(body["event_action"], body["event_action"])


def slack_action(body: dict[str, Any]) -> str:
    return next(
        action
        for word, action in (
            ("*Page*", "page"),
            ("*Acknowledged*", "acknowledge"),
            ("*Resolved*", "resolve"),
        )
        if word in body["text"]
    )


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "PagerDuty",
            lambda url, **more: PagerDuty(KEY, url=url, **more),
            Reply(202, b'{"status": "success", "message": "Event processed", "dedup_key": "k"}'),
            (KEY,),
            pagerduty_action,
        ),
        Kind(
            "Slack",
            lambda url, **more: Slack(url + HOOK, **more),
            Reply(200, b"ok"),
            (HOOK, "s3cr3tOfTheIncomingHook"),
            slack_action,
        ),
        Kind(
            "webhook",
            lambda url, **more: Webhook(
                f"{url}/pages?code=inTheQueryOfTheUrl", secrets=[SECRET], token=TOKEN, **more
            ),
            Reply(204),
            (TOKEN, SECRET, SECRET.removeprefix("whsec_"), "inTheQueryOfTheUrl"),
            lambda body: body["type"].removeprefix("incident."),
        ),
    )
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
async def receiver(kind: Kind) -> AsyncIterator[Receiver]:
    async with receiving(kind.accepted) as receiver:
        yield receiver


@pytest.fixture
def clock() -> RecordedClock:
    return RecordedClock()


@pytest.fixture
def pager(kind: Kind, receiver: Receiver, clock: RecordedClock) -> Pager:
    return kind.make(receiver.url, clock=clock, patience=PATIENCE, rng=random.Random(1))


def notification(key: str = "checkout/checkout-latency/1") -> Notification:
    return Notification(
        key=key,
        summary="checkout is too slow & <burning>",
        service="checkout",
        source="prometheus",
        links=Links(
            red="https://gameday.example/go/red?a=1&b=2",
            traces="https://gameday.example/go/traces",
            profile="https://gameday.example/go/profile",
            runbook="https://gameday.example/go/runbook",
        ),
        happened_at=NOON,
        details={"burn_rate": 14.6, "window": "1h"},
    )


def refusing_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def assert_no_secret(text: str, kind: Kind) -> None:
    # Nor the beginning of one, as cutting a message might leave it.
    assert [] == [secret for secret in kind.secrets if secret[:8] in text]


# --- what is said and accepted -------------------------------------------------------------------


@pytest.mark.parametrize("action", [Action.PAGE, Action.ACKNOWLEDGE, Action.RESOLVE])
async def test_a_receipt_says_what_was_accepted(
    kind: Kind, pager: Pager, receiver: Receiver, action: Action
) -> None:
    before = datetime.now(UTC)

    receipt = await getattr(pager, action.value)(notification())

    (request,) = receiver.requests
    assert "POST" == request.method
    assert action.value == kind.action_of(json.loads(request.body))
    assert (kind.name, action, notification().key, 1) == (
        receipt.pager,
        receipt.action,
        receipt.key,
        receipt.tries,
    )
    assert () == receipt.notes
    assert before <= receipt.accepted_at
    assert kind.name == pager.name


async def test_a_page_bears_summary_service_and_the_four_links(
    pager: Pager, receiver: Receiver
) -> None:
    await pager.page(notification())

    body = receiver.bodies[0].decode().replace("&amp;", "&")
    for link in notification().links.model_dump().values():
        assert link in body
    assert "checkout is too slow" in body
    assert "14.6" in body


async def test_a_drill_is_marked_as_one(pager: Pager, receiver: Receiver) -> None:
    await pager.page(replace(notification(), drill=True))

    assert "[DRILL] checkout is too slow" in receiver.bodies[0].decode()


async def test_repeating_a_page_makes_no_second_incident(
    kind: Kind, pager: Pager, receiver: Receiver
) -> None:
    first = await pager.page(notification())
    again = await pager.page(notification())

    assert first.key == again.key
    seen = {
        "PagerDuty": lambda r: json.loads(r.body)["dedup_key"],
        "Slack": lambda r: id(r),
        "webhook": lambda r: r.headers["webhook-id"],
    }[kind.name]
    assert 1 == len({seen(request) for request in receiver.requests})


async def test_after_a_resolve_the_same_page_is_sent_again(
    kind: Kind, pager: Pager, receiver: Receiver
) -> None:
    await pager.page(notification())
    await pager.resolve(notification())
    await pager.page(notification())

    said = [kind.action_of(json.loads(body)) for body in receiver.bodies]
    assert ["page", "resolve", "page"] == said


async def test_odd_details_do_not_keep_a_page_back(pager: Pager, receiver: Receiver) -> None:
    circle: dict[str, Any] = {}
    circle["circle"] = circle
    odd = {"nan": float("nan"), "surrogate": "\ud800", "set": {1}, "bytes": b"\x00", "c": circle}

    await pager.page(replace(notification(), details=odd))

    assert 1 == len([json.loads(body) for body in receiver.bodies])


# --- failures that pass --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(429),
        Reply(429, headers={"retry-after": "0"}),
        Reply(500, b"oops"),
        Reply(503, b"<html>maintenance</html>"),
        Reply(408),
        Broken.RESET,
        Broken.GARBAGE,
    ],
    ids=str,
)
async def test_what_passes_is_tried_again(
    pager: Pager, receiver: Receiver, trouble: Reply | Broken
) -> None:
    receiver.then(trouble, trouble)

    receipt = await pager.page(notification())

    assert 3 == receipt.tries == len(receiver.requests)
    assert 1 == len(set(receiver.bodies))


@pytest.mark.parametrize("trouble", [Broken.SILENT, Broken.DRIPPING], ids=str)
async def test_a_slow_receiver_is_given_up_and_asked_again(
    kind: Kind, receiver: Receiver, clock: RecordedClock, trouble: Broken
) -> None:
    hasty = replace(PATIENCE, timeout=timedelta(seconds=0.3))
    pager = kind.make(receiver.url, clock=clock, patience=hasty)
    receiver.then(trouble)

    receipt = await pager.page(notification())

    assert 2 <= receipt.tries


@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_is_never_shorter_than_the_receiver_asks(
    pager: Pager, receiver: Receiver, clock: RecordedClock, status: int
) -> None:
    receiver.then(Reply(status, headers={"retry-after": "3"}))

    receipt = await pager.page(notification())

    assert (2, [timedelta(seconds=3)]) == (receipt.tries, clock.slept)


async def test_a_date_to_come_back_at_is_kept(
    pager: Pager, receiver: Receiver, clock: RecordedClock
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=4)
    receiver.then(Reply(429, headers={"retry-after": format_datetime(soon, usegmt=True)}))

    await pager.page(notification())

    # The date has whole seconds.
    assert timedelta(0) < clock.slept[0] <= timedelta(seconds=4)


async def test_a_resolve_waits_for_the_page_before_it(
    kind: Kind, pager: Pager, receiver: Receiver
) -> None:
    receiver.then(Reply(500), Reply(500), Broken.RESET)

    await asyncio.gather(pager.page(notification()), pager.resolve(notification()))

    said = [kind.action_of(json.loads(body)) for body in receiver.bodies]
    assert ["page"] * 4 + ["resolve"] == said


async def test_incidents_do_not_wait_for_each_other(pager: Pager, receiver: Receiver) -> None:
    receiver.then(Broken.SILENT)
    stuck = asyncio.ensure_future(pager.page(notification("stuck")))
    while not receiver.requests:
        await asyncio.sleep(0.001)

    receipt = await pager.page(notification("other"))

    assert ("other", False) == (receipt.key, stuck.done())
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck


async def test_who_gives_up_waiting_holds_nobody_up(pager: Pager, receiver: Receiver) -> None:
    receiver.then(Broken.SILENT)
    first = asyncio.ensure_future(pager.page(notification()))
    while not receiver.requests:
        await asyncio.sleep(0.001)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    receipt = await pager.resolve(notification())

    assert Action.RESOLVE is receipt.action


# --- failures that stay --------------------------------------------------------------------------


async def test_a_receiver_that_refuses_connections_is_a_temporary_error(
    kind: Kind, clock: RecordedClock
) -> None:
    pager = kind.make(refusing_url(), clock=clock, patience=PATIENCE)

    with pytest.raises(TemporaryDriverError, match=r"does not answer .*given up after \d+ tries"):
        await pager.page(notification())

    assert sum(clock.slept, timedelta(0)) < PATIENCE.budget


@pytest.mark.parametrize(
    "trouble", [Broken.RESET, Broken.GARBAGE, Reply(500, b"oops"), Reply(429)], ids=str
)
async def test_what_does_not_pass_ends_with_the_patience(
    kind: Kind, pager: Pager, receiver: Receiver, clock: RecordedClock, trouble: Reply | Broken
) -> None:
    receiver.then(*[trouble] * 1000)

    with pytest.raises(TemporaryDriverError, match="given up") as caught:
        await pager.page(notification())

    assert_no_secret(str(caught.value), kind)
    assert 1 < len(receiver.requests)
    assert sum(clock.slept, timedelta(0)) < PATIENCE.budget


async def test_a_wait_longer_than_the_patience_is_handed_up_at_once(
    pager: Pager, receiver: Receiver, clock: RecordedClock
) -> None:
    receiver.then(Reply(429, headers={"retry-after": "3600"}))

    with pytest.raises(TemporaryDriverError, match="asks to wait 3600 s") as caught:
        await pager.page(notification())

    assert (timedelta(hours=1), []) == (caught.value.retry_after, clock.slept)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410, 413])
async def test_a_no_is_permanent_and_asked_once(
    kind: Kind, pager: Pager, receiver: Receiver, status: int
) -> None:
    receiver.then(Reply(status, b"because", {"location": "/elsewhere"}))

    with pytest.raises(PermanentDriverError, match=f"{kind.name} .*{status}: because"):
        await pager.page(notification())

    assert 1 == len(receiver.requests)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, b"<html>please log in</html>"),
        Reply(202, b""),
        Reply(202, b'{"status": "invalid event"}'),
        Reply(202, b"[" * 50_000),
        Reply(200, b"\xff\xfe"),
        Reply(200, b"not gzip at all", {"content-encoding": "gzip"}),
        Broken.ENDLESS,
    ],
    ids=lambda r: str(r)[:40],
)
async def test_a_2xx_that_accepts_nothing_is_no_acceptance(
    kind: Kind, pager: Pager, receiver: Receiver, answer: Reply | Broken
) -> None:
    if kind.name == "webhook":
        pytest.skip("any 2xx accepts, whatever its body")
    receiver.then(answer)

    with pytest.raises(PermanentDriverError, match="nothing was accepted"):
        await pager.page(notification())


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 302, 400, 404, 500])
async def test_no_error_and_no_log_shows_a_secret_the_receiver_repeats(
    kind: Kind,
    pager: Pager,
    receiver: Receiver,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = " ".join(kind.secrets)
    echoes = (
        echo.encode(),
        json.dumps({"message": echo, "errors": [echo], "error": echo}).encode(),
        json.dumps({"detail": echo}).replace("/", "\\/").encode(),
        (" " * 290 + echo).encode(),
        ("x" * 290 + echo).encode(),
    )

    said = []
    for body in echoes:
        receiver.script[:] = [Reply(status, body, {"x-echo": "1"})] * 1000
        try:
            said.append(repr(await pager.page(notification(str(len(said))))))
        except DriverError as error:
            said += [str(error), repr(error), repr(error.__cause__)]

    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "HTTP Request: POST" in logged
    assert_no_secret("\n".join([*said, logged, repr(pager), str(pager)]), kind)


async def test_the_receiver_gets_the_secrets_it_is_due(
    kind: Kind, pager: Pager, receiver: Receiver
) -> None:
    """Or the tests of what is hidden would pass for want of anything to hide."""
    await pager.page(notification())

    (request,) = receiver.requests
    expected = {
        "PagerDuty": lambda: json.loads(request.body)["routing_key"] == KEY,
        "Slack": lambda: request.path == HOOK,
        "webhook": lambda: request.headers["authorization"] == f"Bearer {TOKEN}",
    }[kind.name]
    assert expected()
