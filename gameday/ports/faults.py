"""What puts faults in and takes them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from gameday.model.fault import Injection, PlannedFault, Undo


class Undoer(Protocol):
    """Takes back what an undo names, and tells whether it is gone."""

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything this undo takes back is still there, read from the target."""

    async def recover(self, undo: Undo) -> None:
        """Take it back. Idempotent; undoes only what this undo names."""


class FaultDriver(Undoer, Protocol):
    """Puts faults in and takes them out."""

    def prepare(
        self,
        fault: str,
        *,
        path: str,
        configuration: Mapping[str, Any],
        at: timedelta,
        duration: timedelta,
        run: str,
        number: int,
    ) -> PlannedFault:
        """Return the fault with its names chosen and its undo as data; changes nothing."""

    async def pinned(self, undo: Undo) -> Undo:
        """Return the undo with what tells the place it changes from any other, read from there.

        Later, that something is not there is believed from that very place alone. `DriverError`
        where it does not answer: nothing must be put in then.
        """

    async def inject(self, fault: PlannedFault) -> Injection:
        """Put the fault in place; `DriverError` if it is not certainly in place.

        `SteadyStateNotMet` says that the target was left as it was.
        """

    async def steady(self, path: str) -> bool:
        """Return whether the steady-state hypothesis of an experiment holds now."""

    async def strays(self) -> Sequence[Undo]:
        """Return what takes back everything on the target that bears the mark of some run."""


class Lease(Protocol):
    """What takes a run's faults back when the run itself cannot: its sentinel.

    The run holds the lease by being alive; how its heartbeat travels is the sentinel's business.
    """

    async def hold(self, undo: Undo, *, at_most: timedelta) -> None:
        """Return once the sentinel holds the undo; `DriverError` if none does.

        Args:
            at_most: the sentinel recovers it after this time, whatever the run says; a second
                call for the same undo sets the time anew.
        """

    async def release(self, undo: str) -> None:
        """Tell the sentinel that this undo is proven done; never raises."""

    def lost(self) -> str:
        """Return why nobody watches over the run any more; empty while somebody does."""
