"""What every source of traces promises."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gameday.errors import DriverError
from gameday.ports import TraceSource
from gameday.testing.contracts.contract import refused

__all__ = ["TraceSourceContract", "TracedShop"]

T = TypeVar("T")

SECOND = timedelta(seconds=1)
SHORT = timedelta(milliseconds=50)


class TracedShop(ABC):
    """A source of traces under the contract, and two services that are traced in it.

    Attributes:
        front, back: the services' names, which no other traces bear.
        started_at: whole second after which all requests begin; some seconds ago.
        wait: for how long a trace that was sent may not be found yet.
    """

    front: str
    back: str
    started_at: datetime
    wait: timedelta = timedelta(0)

    @abstractmethod
    def source(self) -> TraceSource:
        """Return the driver."""

    @abstractmethod
    def unreachable(self) -> TraceSource:
        """Return a driver whose server does not answer, without patience."""

    @abstractmethod
    def request(self, at: timedelta, duration: timedelta, *, failed: bool = False) -> str:
        """Send one trace; return its id.

        A server span ``POST /orders`` of front, with ``http.response.status_code`` 200, is the
        root; below it is a server span of back, which is half as long. What is traced says of
        itself that its ``cloud.region`` is ``eu-west``.

        Args:
            at: when it begins, after `started_at`.
            failed: the root span is in error.
        """

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a call returns."""
        return asyncio.run(work)

    def found(
        self,
        count: int,
        *,
        min_duration: timedelta | None = None,
        errors_only: bool = False,
        limit: int = 20,
    ) -> Sequence[str]:
        """Return the ids of a search over all of front's traces, once there are this many."""
        deadline = time.monotonic() + self.wait.total_seconds()
        while True:
            hits = self.do(
                self.source().search(
                    service=self.front,
                    since=self.started_at,
                    until=self.started_at + timedelta(minutes=1),
                    min_duration=min_duration,
                    errors_only=errors_only,
                    limit=limit,
                )
            )
            if len(hits) == count or time.monotonic() > deadline:
                return [hit.trace_id for hit in hits]


class TraceSourceContract:
    """For a `gameday.ports.TraceSource`."""

    def test_a_search_returns_whole_traces_newest_first(self, subject: TracedShop) -> None:
        older = subject.request(timedelta(0), SHORT)
        newer = subject.request(SECOND, SHORT)

        assert [newer, older] == subject.found(2)

    def test_a_trace_has_every_span_with_what_its_process_says_of_itself(
        self, subject: TracedShop
    ) -> None:
        trace_id = subject.request(timedelta(0), timedelta(milliseconds=80))
        subject.found(1)

        trace = subject.do(subject.source().trace(trace_id))

        assert trace is not None
        outer, inner = trace.spans
        assert outer == trace.root()
        assert (subject.front, subject.back) == (outer.service, inner.service)
        assert outer.span_id == inner.parent_id
        assert outer.parent_id is None
        assert ("POST /orders", "server", False) == (outer.name, outer.kind, outer.error)
        assert timedelta(milliseconds=80) == outer.duration
        assert timedelta(milliseconds=40) == inner.duration
        assert subject.started_at == outer.started_at
        assert 200 == outer.attributes["http.response.status_code"]
        assert "eu-west" == outer.resource["cloud.region"]

    def test_a_minimal_duration_leaves_quick_traces_out(self, subject: TracedShop) -> None:
        subject.request(timedelta(0), SHORT)
        slow = subject.request(SECOND, timedelta(milliseconds=300))
        subject.found(2)

        assert [slow] == subject.found(1, min_duration=timedelta(milliseconds=100))

    def test_a_search_for_errors_returns_failed_requests_only(self, subject: TracedShop) -> None:
        subject.request(timedelta(0), SHORT)
        failed = subject.request(SECOND, SHORT, failed=True)
        subject.request(2 * SECOND, SHORT)
        subject.found(3)

        assert [failed] == subject.found(1, errors_only=True, limit=1)

    def test_a_search_returns_only_traces_of_the_span_asked_for(self, subject: TracedShop) -> None:
        subject.request(timedelta(0), SHORT)
        inside = subject.request(2 * SECOND, SHORT)
        subject.request(4 * SECOND, SHORT)
        subject.found(3)

        found = subject.do(
            subject.source().search(
                service=subject.front,
                since=subject.started_at + SECOND,
                until=subject.started_at + 3 * SECOND,
            )
        )

        assert [inside] == [trace.trace_id for trace in found]

    def test_an_unknown_service_has_no_traces(self, subject: TracedShop) -> None:
        asked = subject.source().search(
            service="nobody",
            since=subject.started_at,
            until=subject.started_at + timedelta(minutes=1),
        )

        assert [] == list(subject.do(asked))

    def test_an_unknown_trace_is_none(self, subject: TracedShop) -> None:
        assert subject.do(subject.source().trace(secrets.token_hex(16))) is None

    def test_a_server_that_does_not_answer_is_a_driver_error(self, subject: TracedShop) -> None:
        asked = subject.unreachable().search(
            service=subject.front,
            since=subject.started_at,
            until=subject.started_at + timedelta(minutes=1),
        )

        with refused(DriverError):
            subject.do(asked)
        with refused(DriverError):
            subject.do(subject.unreachable().trace(secrets.token_hex(16)))
