"""Taking back what a run changed: idempotent, in reverse order, proved by reading the target."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from gameday.conductor.limit import limited
from gameday.errors import DriverError, StoreError, TemporaryDriverError
from gameday.ports import MITIGATIONS, Clock, Lease, Store, Undo, Undoer
from scoring.timeline import Kind

T = TypeVar("T")

Record = Callable[..., object]
"""`Ledger.record`, or a stand-in where no run is being written."""

BETWEEN_TRIES = timedelta(milliseconds=300)

LOOK_AGAIN = timedelta(milliseconds=500)
"""How often a target is read again on which something may still land."""

LEFT_IN_FORCE = "left in force on purpose: a fault is still in place, and this keeps users well"

ONE_CALL = timedelta(seconds=35)
"""The longest one call may take: a rollback that starts a process has 30 s of its own."""


def in_order(undos: Sequence[Undo]) -> list[Undo]:
    """Return undos as they are to be recovered: last first, and mitigations after all faults.

    A mitigation keeps users well while a fault is in place, so it is taken back when none is.
    """
    last_first = list(reversed(undos))
    return [u for u in last_first if u.kind != MITIGATIONS] + [
        u for u in last_first if u.kind == MITIGATIONS
    ]


class Recoverer:
    """Recovers undos, with a budget of time of its own.

    What is gone from the target counts as gone whether or not the store can be told: a full disk
    does not keep a fault in place.

    Args:
        undoer: understands every kind of undo that it is given.
        budget: how long one undo is retried before it is called stuck; independent of how much
            time the run had left.
        lease: told of every undo that is proven done.
        source: who is at work, for the facts.
    """

    def __init__(
        self,
        *,
        undoer: Undoer,
        store: Store,
        clock: Clock,
        budget: timedelta,
        lease: Lease | None = None,
        source: str = "conductor",
    ) -> None:
        self._undoer = undoer
        self._store = store
        self._clock = clock
        self._budget = budget
        self._lease = lease
        self._source = source

    async def recover(
        self,
        undos: Sequence[Undo],
        *,
        record: Record,
        by: str,
        settle: timedelta = timedelta(0),
    ) -> Sequence[tuple[Undo, str]]:
        """Take these back, last first, and prove each by reading the target.

        Returns those that are stuck, each with the reason; empty when all is proven gone. A stuck
        undo stays open in the store, so that ``gameday recover`` finds it.

        Args:
            settle: how long the target is looked at again before anything is called done, for what
                was asked of it without an answer may still land.
        """
        errors: dict[str, str] = {}
        for undo in in_order(undos):
            if undo.kind == MITIGATIONS and any(errors.values()):
                errors[undo.id] = LEFT_IN_FORCE
                why = {"undo": undo.id, "error": LEFT_IN_FORCE, "command": undo.command}
                self._note(record, Kind.RECOVERY_STUCK, undo, self._source, why)
            else:
                errors[undo.id] = await self.take_back(undo, record=record, by=by)
        settled_at = self._clock.elapsed() + settle
        settled = not settle
        while not settled:
            settled = self._clock.elapsed() >= settled_at
            await self._clock.sleep(LOOK_AGAIN)
            for undo in in_order(undos):
                if not errors[undo.id] and await self.is_back(undo):
                    errors[undo.id] = await self.take_back(undo, record=record, by=by)
        stuck: list[tuple[Undo, str]] = []
        for undo in in_order(undos):
            error = errors[undo.id] or self.close(undo)
            if error:
                stuck.append((undo, error))
            elif self._lease is not None:
                await self._lease.release(undo.id)
        return stuck

    async def take_back(self, undo: Undo, *, record: Record, by: str) -> str:
        """Take one back and prove it; return why it is stuck, or nothing."""
        deadline = self._clock.elapsed() + self._budget
        of_mitigations = undo.kind == MITIGATIONS
        said = False
        while True:
            try:
                await self._limited(self._undoer.recover(undo), undo)
                if not said and not of_mitigations:
                    said = True
                    by_whom = {"undo": undo.id, "by": by}
                    self._note(record, Kind.FAULT_RECOVERED, undo, self._source, by_whom)
                if not await self.is_present(undo):
                    gone = Kind.MITIGATIONS_RESTORED if of_mitigations else Kind.RECOVERY_PROVEN
                    self._note(record, gone, undo, "target", {"undo": undo.id})
                    return ""
                error = "it was taken back, and reading the target still shows it"
            except DriverError as failure:
                error = str(failure)
            if self._clock.elapsed() >= deadline:
                why = {"undo": undo.id, "error": error, "command": undo.command}
                self._note(record, Kind.RECOVERY_STUCK, undo, self._source, why)
                return error
            await self._clock.sleep(BETWEEN_TRIES)

    async def take_back_now(self, undo: Undo) -> None:
        """Take one back, once, while the run goes on; its undo stays open.

        Raises:
            DriverError: it was not, or reading the target still shows it.
        """
        await self._limited(self._undoer.recover(undo), undo)
        if await self.is_present(undo):
            raise TemporaryDriverError(
                f"{undo.description} was taken back, and reading the target still shows it"
            )

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything of this undo is still there, read from the target."""
        return await self._limited(self._undoer.is_present(undo), undo)

    async def is_back(self, undo: Undo) -> bool:
        """Return whether what was gone is there again, or nobody can tell."""
        try:
            return await self.is_present(undo)
        except DriverError:
            return True  # not known to be gone: take it back again

    def close(self, undo: Undo) -> str:
        """Tell the store that an undo is proven done; return why it could not be told."""
        try:
            self._store.close_undo(undo.id, proven_at=self._clock.now())
        except StoreError as error:
            return f"it is gone from the target, and the store cannot be told: {error}"
        return ""

    async def _limited(self, call: Coroutine[Any, Any, T], undo: Undo) -> T:
        return await limited(self._clock, call, f"the target of {undo.description!r}", ONE_CALL)

    @staticmethod
    def _note(record: Record, kind: Kind, undo: Undo, source: str, data: dict[str, str]) -> None:
        # A store that cannot be written must not keep a fault in place.
        with suppress(StoreError):
            record(kind, source=source, subject=undo.id, data=data)
