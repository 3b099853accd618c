"""What every source of profiles promises."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gameday.errors import DriverError
from gameday.model.signals import Frame, Profile, Stack
from gameday.ports import ProfileSource
from gameday.testing.contracts.contract import refused

__all__ = ["ProfileSourceContract", "ProfiledService", "Sample"]

T = TypeVar("T")

ROOT = Frame("Thread.run", "/usr/lib/python3/threading.py", 982)
HANDLE = Frame("Handler.do_POST", "/books/catalog/server.py", 40)
QUERY = Frame("reserve", "/books/catalog/stock.py", 17)

Sample = tuple[str, tuple[Frame, ...], int]
"""Trace id (or empty), stack root first, milliseconds."""


class ProfiledService(ABC):
    """A source of profiles under the contract, and a service that is profiled in it.

    Attributes:
        service: its name, which no other profiles bear.
        at: when what is pushed next was seen; some seconds ago.
        wait: for how long a profile that was pushed may not be found yet.
    """

    service: str
    at: datetime
    wait: timedelta = timedelta(0)

    @abstractmethod
    def source(self) -> ProfileSource:
        """Return the driver."""

    @abstractmethod
    def unreachable(self) -> ProfileSource:
        """Return a driver whose server does not answer, without patience."""

    @abstractmethod
    def push(self, samples: Sequence[Sample]) -> None:
        """Have the service's processor time of one moment recorded, `at`."""

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a call returns."""
        return asyncio.run(work)

    def profile(self, *trace_ids: str) -> Profile:
        """Return the profile of these traces, once there is one."""
        deadline = time.monotonic() + self.wait.total_seconds()
        while True:
            found = self.do(
                self.source().by_trace(
                    service=self.service,
                    trace_ids=trace_ids,
                    since=self.at,
                    until=self.at + timedelta(seconds=1),
                )
            )
            if found.stacks or time.monotonic() > deadline:
                return found


class ProfileSourceContract:
    """For a `gameday.ports.ProfileSource`."""

    def test_a_trace_has_the_stacks_seen_while_it_was_served_and_no_others(
        self, subject: ProfiledService
    ) -> None:
        mine, other = secrets.token_hex(16), secrets.token_hex(16)
        subject.push(
            [
                (mine, (ROOT, HANDLE, QUERY), 300),
                (other, (ROOT, HANDLE), 20),
                ("", (ROOT,), 2000),
            ]
        )

        found = subject.profile(mine)

        assert Profile((Stack((ROOT, HANDLE, QUERY), timedelta(milliseconds=300)),)) == found

    def test_stacks_of_several_traces_and_pushes_are_added_up(
        self, subject: ProfiledService
    ) -> None:
        one, two = secrets.token_hex(16), secrets.token_hex(16)
        subject.push([(one, (ROOT, QUERY), 100), (two, (ROOT, HANDLE), 30)])
        subject.profile(one)
        subject.at += timedelta(seconds=1)
        subject.push([(two, (ROOT, QUERY), 50)])

        found = subject.profile(one, two)

        assert timedelta(milliseconds=180) == found.total()
        assert Stack((ROOT, QUERY), timedelta(milliseconds=150)) == found.stacks[0]

    def test_a_trace_nobody_saw_has_an_empty_profile(self, subject: ProfiledService) -> None:
        known, unknown = secrets.token_hex(16), secrets.token_hex(16)
        subject.push([(known, (ROOT,), 100)])
        subject.profile(known)

        span = {"since": subject.at, "until": subject.at + timedelta(seconds=1)}
        found = subject.do(
            subject.source().by_trace(service=subject.service, trace_ids=[unknown], **span)
        )

        assert Profile(()) == found

    def test_no_traces_have_an_empty_profile_and_nobody_is_asked(
        self, subject: ProfiledService
    ) -> None:
        asked = subject.unreachable().by_trace(
            service=subject.service, trace_ids=[], since=subject.at, until=subject.at
        )

        assert Profile(()) == subject.do(asked)

    def test_a_server_that_does_not_answer_is_a_driver_error(
        self, subject: ProfiledService
    ) -> None:
        asked = subject.unreachable().by_trace(
            service=subject.service,
            trace_ids=[secrets.token_hex(16)],
            since=subject.at,
            until=subject.at + timedelta(seconds=1),
        )

        with refused(DriverError):
            subject.do(asked)
