"""What every lease promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from gameday.errors import DriverError
from gameday.ports import Lease, Undo
from gameday.testing.contracts.contract import refused

__all__ = ["HeldLease", "LeaseContract", "PlaysLease"]

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class HeldLease:
    """A lease of the run ``r1``, and what ends its sentinel as SIGKILL does."""

    lease: Lease
    kill: Callable[[], Awaitable[None]]


class PlaysLease(Protocol):
    """A lease under the contract: opened for what is played with it, and closed after."""

    def __call__(self, play: Callable[[HeldLease], Awaitable[None]], /) -> None:
        """Play it to its end; raises what it raises."""
        ...


class LeaseContract:
    """For a `gameday.ports.Lease`."""

    def test_what_is_held_may_be_held_anew_and_is_released(self, subject: PlaysLease) -> None:
        async def play(held: HeldLease) -> None:
            for number in (1, 2, 1):
                await held.lease.hold(_undo(number), at_most=MINUTE)
            for number in (1, 2):
                await held.lease.release(_undo(number).id)

        subject(play)

    def test_several_may_be_held_at_once(self, subject: PlaysLease) -> None:
        async def play(held: HeldLease) -> None:
            async with asyncio.TaskGroup() as tasks:
                for number in range(5):
                    tasks.create_task(held.lease.hold(_undo(number), at_most=MINUTE))
            for number in range(5):
                await held.lease.release(_undo(number).id)

        subject(play)

    def test_releasing_what_is_not_held_is_harmless(self, subject: PlaysLease) -> None:
        async def play(held: HeldLease) -> None:
            await held.lease.release("none")
            await held.lease.release("none")

        subject(play)

    def test_where_the_sentinel_is_gone_nothing_is_held_and_releasing_never_raises(
        self, subject: PlaysLease
    ) -> None:
        async def play(held: HeldLease) -> None:
            await held.lease.hold(_undo(), at_most=MINUTE)
            assert "" == held.lease.lost()
            await held.kill()

            assert "sentinel" in held.lease.lost()
            with refused(DriverError):
                await held.lease.hold(_undo(2), at_most=MINUTE)
            await held.lease.release(_undo().id)

        subject(play)


def _undo(number: int = 1) -> Undo:
    data: dict[str, Any] = {
        "experiment": {"method": []},
        "configuration": {},
        "toxiproxy_url": None,
    }
    return Undo(f"gd-r1-{number}", "experiment", "r1", "slow → db", "gameday recover r1", data)
