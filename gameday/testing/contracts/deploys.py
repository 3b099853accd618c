"""What every timeline of deploys promises."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gameday.errors import DriverError
from gameday.model.signals import Deploy
from gameday.ports import DeployLog
from gameday.testing.contracts.contract import refused

__all__ = ["DeployLogContract", "DeployedSystem"]

T = TypeVar("T")

MINUTE = timedelta(minutes=1)
OLD, NEW = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", "b" * 40


class DeployedSystem(ABC):
    """A timeline of deploys under the contract, and a service that is deployed in it.

    Attributes:
        service: its name.
        started_at: whole second before which nothing was deployed.
        region: the region deploys are told to be in; None where the tool tells no regions.
    """

    service: str
    started_at: datetime
    region: str | None = None

    @abstractmethod
    def log(self) -> DeployLog:
        """Return the driver."""

    @abstractmethod
    def unreachable(self) -> DeployLog:
        """Return a driver whose tool does not answer, without patience."""

    @abstractmethod
    def garbled(self) -> DeployLog:
        """Return a driver whose tool answers with something else."""

    @abstractmethod
    def deploy(self, revision: str, at: timedelta) -> None:
        """Put a revision live, so long after `started_at`, in `region` where there is one."""

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a call returns."""
        return asyncio.run(work)

    def found(self, since: timedelta, until: timedelta) -> Sequence[Deploy]:
        """Return the service's deploys in a span, both ends counted from `started_at`."""
        span = {"since": self.started_at + since, "until": self.started_at + until}
        return [d for d in self.do(self.log().deploys(**span)) if d.service == self.service]


class DeployLogContract:
    """For a `gameday.ports.DeployLog`."""

    def test_deploys_come_oldest_first_with_what_was_deployed_and_when(
        self, subject: DeployedSystem
    ) -> None:
        subject.deploy(OLD, MINUTE)
        subject.deploy(NEW, 3 * MINUTE)

        found = subject.found(timedelta(0), 5 * MINUTE)

        assert [OLD, NEW] == [d.revision for d in found]
        assert [subject.started_at + MINUTE, subject.started_at + 3 * MINUTE] == [
            d.deployed_at for d in found
        ]
        assert [subject.region, subject.region] == [d.region for d in found]

    def test_an_instant_is_told_in_utc(self, subject: DeployedSystem) -> None:
        subject.deploy(OLD, MINUTE)

        (deploy,) = subject.found(timedelta(0), 5 * MINUTE)

        assert UTC == deploy.deployed_at.tzinfo

    def test_only_deploys_of_the_span_asked_for_are_told(self, subject: DeployedSystem) -> None:
        subject.deploy(OLD, MINUTE)
        subject.deploy(NEW, 3 * MINUTE)
        subject.deploy(OLD, 6 * MINUTE)

        found = subject.found(2 * MINUTE, 5 * MINUTE)

        assert [NEW] == [d.revision for d in found]

    def test_the_ends_of_a_span_belong_to_it(self, subject: DeployedSystem) -> None:
        subject.deploy(OLD, MINUTE)
        subject.deploy(NEW, 3 * MINUTE)

        assert [OLD, NEW] == [d.revision for d in subject.found(MINUTE, 3 * MINUTE)]

    def test_where_nothing_was_deployed_nothing_is_told(self, subject: DeployedSystem) -> None:
        assert [] == list(subject.found(timedelta(0), 5 * MINUTE))

    def test_a_rollback_is_a_deploy_of_what_ran_before(self, subject: DeployedSystem) -> None:
        subject.deploy(OLD, MINUTE)
        subject.deploy(NEW, 2 * MINUTE)
        subject.deploy(OLD, 3 * MINUTE)

        assert OLD == subject.found(timedelta(0), 5 * MINUTE)[-1].revision

    def test_a_tool_that_does_not_answer_is_a_driver_error(self, subject: DeployedSystem) -> None:
        asked = subject.unreachable().deploys(
            since=subject.started_at, until=subject.started_at + MINUTE
        )

        with refused(DriverError):
            subject.do(asked)

    def test_an_answer_that_is_something_else_is_a_driver_error(
        self, subject: DeployedSystem
    ) -> None:
        asked = subject.garbled().deploys(
            since=subject.started_at, until=subject.started_at + MINUTE
        )

        with refused(DriverError):
            subject.do(asked)
