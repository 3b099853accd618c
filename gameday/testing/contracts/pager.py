"""What every pager that speaks HTTP promises, over real sockets and to a tool that misbehaves."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.http.delivery import Patience
from gameday.model.notification import Action, Notification
from gameday.model.page import Links
from gameday.ports import Clock, Pager
from gameday.testing.contracts.contract import case, refused
from gameday.testing.receiver import Broken, Receiver, Reply, Request, receiving
from gameday.testing.virtual import VirtualClock

__all__ = ["MakesPager", "PagedTool", "PagerContract"]

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)

# Pauses pass at once here; only what a receiver does not answer takes real time.
PATIENCE = Patience(
    budget=60 * SECOND, timeout=30 * SECOND, first_pause=2 * SECOND, longest_pause=10 * SECOND
)


class MakesPager(Protocol):
    """Makes the pager of a tool."""

    def __call__(
        self, url: str, /, *, clock: Clock, patience: Patience, rng: random.Random
    ) -> Pager:
        """Return a pager for the tool at this base URL."""
        ...


@dataclass(frozen=True)
class PagedTool:
    """A pager under the contract, and how its tool speaks.

    Attributes:
        name: what the pager calls its tool.
        make: makes the pager.
        accepted: what the tool answers when it has taken a page.
        action_of: reads out of a request what it asks for.
        sameness_of: reads out of a request what makes the tool take a page for the same again.
        secrets: what the pager holds and shows to nobody; eight characters or more, each.
        has_its_secrets: whether a request bears those that the tool is due.
        any_2xx_accepts: whatever the body of the answer says.
    """

    name: str
    make: MakesPager
    accepted: Reply
    action_of: Callable[[Request], Action]
    sameness_of: Callable[[Request], object]
    secrets: tuple[str, ...]
    has_its_secrets: Callable[[Request], bool]
    any_2xx_accepts: bool = False


@dataclass(frozen=True)
class _Called:
    """A pager, its tool, and the clock that both their pauses pass on."""

    pager: Pager
    tool: Receiver
    clock: VirtualClock


class PagerContract:
    """For a `gameday.ports.Pager`."""

    # --- what is said and accepted ---------------------------------------------------------------

    def test_a_receipt_says_what_was_accepted(self, subject: PagedTool) -> None:
        for action in Action.PAGE, Action.ACKNOWLEDGE, Action.RESOLVE:

            async def play(called: _Called, action: Action = action) -> None:
                before = called.clock.now()

                receipt = await getattr(called.pager, action.value)(_notification())

                (request,) = called.tool.requests
                assert "POST" == request.method
                assert action is subject.action_of(request)
                assert (subject.name, action, _notification().key, 1) == (
                    receipt.pager,
                    receipt.action,
                    receipt.key,
                    receipt.tries,
                )
                assert () == receipt.notes
                assert before <= receipt.accepted_at
                assert subject.name == called.pager.name

            with case(action):
                _play(subject, play)

    def test_a_page_bears_summary_service_and_the_four_links(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            await called.pager.page(_notification())

            body = called.tool.bodies[0].decode().replace("&amp;", "&")
            for link in _notification().links.model_dump().values():
                assert link in body
            assert "orders is too slow" in body
            assert "14.6" in body

        _play(subject, play)

    def test_a_drill_is_marked_as_one(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            await called.pager.page(replace(_notification(), drill=True))

            assert "[DRILL] orders is too slow" in called.tool.bodies[0].decode()

        _play(subject, play)

    def test_repeating_a_page_makes_no_second_incident(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            first = await called.pager.page(_notification())
            again = await called.pager.page(_notification())

            assert first.key == again.key
            assert 1 == len({subject.sameness_of(request) for request in called.tool.requests})

        _play(subject, play)

    def test_after_a_resolve_the_same_page_is_sent_again(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            await called.pager.page(_notification())
            await called.pager.resolve(_notification())
            await called.pager.page(_notification())

            said = [subject.action_of(request) for request in called.tool.requests]
            assert [Action.PAGE, Action.RESOLVE, Action.PAGE] == said

        _play(subject, play)

    def test_odd_details_do_not_keep_a_page_back(self, subject: PagedTool) -> None:
        circle: dict[str, Any] = {}
        circle["circle"] = circle
        odd = {
            "nan": float("nan"),
            "surrogate": "\ud800",
            "set": {1},
            "bytes": b"\x00",
            "c": circle,
        }

        async def play(called: _Called) -> None:
            await called.pager.page(replace(_notification(), details=odd))

            assert 1 == len([json.loads(body) for body in called.tool.bodies])

        _play(subject, play)

    # --- failures that pass ----------------------------------------------------------------------

    def test_what_passes_is_tried_again(self, subject: PagedTool) -> None:
        for trouble in (
            Reply(429),
            Reply(429, headers={"retry-after": "0"}),
            Reply(500, b"oops"),
            Reply(503, b"<html>maintenance</html>"),
            Reply(408),
            Broken.RESET,
            Broken.GARBAGE,
        ):

            async def play(called: _Called, trouble: Reply | Broken = trouble) -> None:
                called.tool.then(trouble, trouble)

                receipt = await called.pager.page(_notification())

                assert 3 == receipt.tries == len(called.tool.requests)
                assert 1 == len(set(called.tool.bodies))

            with case(trouble):
                _play(subject, play)

    def test_a_slow_receiver_is_given_up_and_asked_again(self, subject: PagedTool) -> None:
        hasty = replace(PATIENCE, timeout=0.3 * SECOND)
        for trouble in Broken.SILENT, Broken.DRIPPING:

            async def play(called: _Called, trouble: Broken = trouble) -> None:
                called.tool.then(trouble)

                receipt = await called.pager.page(_notification())

                assert 2 <= receipt.tries

            with case(trouble):
                _play(subject, play, patience=hasty)

    def test_a_pause_is_never_shorter_than_the_receiver_asks(self, subject: PagedTool) -> None:
        for status in 429, 503:

            async def play(called: _Called, status: int = status) -> None:
                called.tool.then(Reply(status, headers={"retry-after": "3"}))

                receipt = await called.pager.page(_notification())

                assert (2, [3 * SECOND]) == (receipt.tries, called.clock.slept)

            with case(status):
                _play(subject, play)

    def test_a_date_to_come_back_at_is_kept(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            soon = called.clock.now() + 4 * SECOND
            date = format_datetime(soon, usegmt=True)
            called.tool.then(Reply(429, headers={"retry-after": date}))

            await called.pager.page(_notification())

            assert [4 * SECOND] == called.clock.slept

        _play(subject, play)

    def test_a_resolve_waits_for_the_page_before_it(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            called.tool.then(Reply(500), Reply(500), Broken.RESET)

            await asyncio.gather(
                called.pager.page(_notification()), called.pager.resolve(_notification())
            )

            said = [subject.action_of(request) for request in called.tool.requests]
            assert [Action.PAGE] * 4 + [Action.RESOLVE] == said

        _play(subject, play)

    def test_incidents_do_not_wait_for_each_other(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            stuck = await _stuck(called, "stuck")

            receipt = await called.pager.page(_notification("other"))

            assert ("other", False) == (receipt.key, stuck.done())
            await _left(stuck)

        _play(subject, play)

    def test_who_gives_up_waiting_holds_nobody_up(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            await _left(await _stuck(called, _notification().key))

            receipt = await called.pager.resolve(_notification())

            assert Action.RESOLVE is receipt.action

        _play(subject, play)

    # --- failures that stay ----------------------------------------------------------------------

    def test_a_receiver_that_refuses_connections_is_a_temporary_error(
        self, subject: PagedTool
    ) -> None:
        async def play(called: _Called) -> None:
            with refused(TemporaryDriverError, r"does not answer .*given up after \d+ tries"):
                await called.pager.page(_notification())

            assert sum(called.clock.slept, timedelta(0)) < PATIENCE.budget

        _play(subject, play, url=_refusing_url())

    def test_what_does_not_pass_ends_with_the_patience(self, subject: PagedTool) -> None:
        for trouble in Broken.RESET, Broken.GARBAGE, Reply(500, b"oops"), Reply(429):

            async def play(called: _Called, trouble: Reply | Broken = trouble) -> None:
                called.tool.then(*[trouble] * 1000)

                with refused(TemporaryDriverError, "given up") as caught:
                    await called.pager.page(_notification())

                _assert_no_secret(str(caught.error), subject)
                assert 1 < len(called.tool.requests)
                assert sum(called.clock.slept, timedelta(0)) < PATIENCE.budget

            with case(trouble):
                _play(subject, play)

    def test_a_wait_longer_than_the_patience_is_handed_up_at_once(self, subject: PagedTool) -> None:
        async def play(called: _Called) -> None:
            called.tool.then(Reply(429, headers={"retry-after": "3600"}))

            with refused(TemporaryDriverError, "asks to wait 3600 s") as caught:
                await called.pager.page(_notification())

            assert (timedelta(hours=1), []) == (caught.error.retry_after, called.clock.slept)

        _play(subject, play)

    def test_a_no_is_permanent_and_asked_once(self, subject: PagedTool) -> None:
        for status in 301, 307, 400, 401, 403, 404, 410, 413:

            async def play(called: _Called, status: int = status) -> None:
                called.tool.then(Reply(status, b"because", {"location": "/elsewhere"}))

                with refused(PermanentDriverError, f"{subject.name} .*{status}: because"):
                    await called.pager.page(_notification())

                assert 1 == len(called.tool.requests)

            with case(status):
                _play(subject, play)

    def test_a_2xx_that_accepts_nothing_is_no_acceptance(self, subject: PagedTool) -> None:
        if subject.any_2xx_accepts:
            return
        for answer in (
            Reply(200, b"<html>please log in</html>"),
            Reply(202, b""),
            Reply(202, b'{"status": "invalid event"}'),
            Reply(202, b"[" * 50_000),
            Reply(200, b"\xff\xfe"),
            Reply(200, b"not gzip at all", {"content-encoding": "gzip"}),
            Broken.ENDLESS,
        ):

            async def play(called: _Called, answer: Reply | Broken = answer) -> None:
                called.tool.then(answer)

                with refused(PermanentDriverError, "nothing was accepted"):
                    await called.pager.page(_notification())

            with case(str(answer)[:40]):
                _play(subject, play)

    # --- secrets ---------------------------------------------------------------------------------

    def test_no_error_and_no_log_shows_a_secret_the_receiver_repeats(
        self, subject: PagedTool
    ) -> None:
        echo = " ".join(subject.secrets)
        echoes = (
            echo.encode(),
            json.dumps({"message": echo, "errors": [echo], "error": echo}).encode(),
            json.dumps({"detail": echo}).replace("/", "\\/").encode(),
            (" " * 290 + echo).encode(),
            ("x" * 290 + echo).encode(),
        )
        for status in 200, 202, 302, 400, 404, 500:
            said: list[str] = []

            async def play(called: _Called, status: int = status, said: list[str] = said) -> None:
                for body in echoes:
                    called.tool.script[:] = [Reply(status, body, {"x-echo": "1"})] * 1000
                    try:
                        said.append(repr(await called.pager.page(_notification(str(len(said))))))
                    except DriverError as error:
                        said += [str(error), repr(error), repr(error.__cause__)]
                said += [repr(called.pager), str(called.pager)]

            with case(status), _logged() as logged:
                _play(subject, play)

                assert [line for line in logged if "HTTP Request: POST" in line]
                _assert_no_secret("\n".join([*said, *logged]), subject)

    def test_the_receiver_gets_the_secrets_it_is_due(self, subject: PagedTool) -> None:
        """Or the promise before this one would be kept for want of anything to hide."""

        async def play(called: _Called) -> None:
            await called.pager.page(_notification())

            assert subject.has_its_secrets(called.tool.requests[0])

        _play(subject, play)


def _play(
    subject: PagedTool,
    promise: Callable[[_Called], Awaitable[None]],
    *,
    patience: Patience = PATIENCE,
    url: str | None = None,
) -> None:
    async def play() -> None:
        async with receiving(subject.accepted) as tool:
            clock = VirtualClock(passes_at_once=True)
            pager = subject.make(
                url or tool.url, clock=clock, patience=patience, rng=random.Random(1)
            )
            await promise(_Called(pager, tool, clock))

    asyncio.run(play())


def _notification(key: str = "orders/orders-latency/1") -> Notification:
    return Notification(
        key=key,
        summary="orders is too slow & <burning>",
        service="orders",
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


async def _stuck(called: _Called, key: str) -> asyncio.Task[Any]:
    """Return a page that is under way to a tool which says nothing."""
    called.tool.then(Broken.SILENT)
    stuck = asyncio.create_task(_paged(called.pager, key))
    while not called.tool.requests:
        await asyncio.sleep(0.001)
    return stuck


async def _paged(pager: Pager, key: str) -> None:
    await pager.page(_notification(key))


async def _left(stuck: asyncio.Task[Any]) -> None:
    stuck.cancel()
    with suppress(asyncio.CancelledError):
        await stuck
    assert stuck.cancelled()


def _refusing_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def _assert_no_secret(text: str, subject: PagedTool) -> None:
    # Nor the beginning of one, as cutting a message might leave it.
    assert [] == [secret for secret in subject.secrets if secret[:8] in text]


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(record.getMessage())


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Keep all that is logged inside, from the least on."""
    root, handler = logging.getLogger(), _Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
