"""Taking faults back: idempotent, in reverse order, proved by reading the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from gameday.errors import DriverError
from gameday.ports import Clock, FaultDriver, Store, Undo
from scoring.timeline import Kind

Record = Callable[..., object]
"""`Ledger.record`, or a stand-in where no run is being written."""

BETWEEN_TRIES = timedelta(milliseconds=300)


class Recovery:
    """Recovers undos, with a budget of time of its own.

    Args:
        budget: how long one undo is retried before it is called stuck; independent of how much
            time the run had left.
    """

    def __init__(
        self, *, driver: FaultDriver, store: Store, clock: Clock, budget: timedelta
    ) -> None:
        self._driver = driver
        self._store = store
        self._clock = clock
        self._budget = budget

    async def recover(
        self, undos: Sequence[Undo], *, record: Record, by: str
    ) -> Sequence[tuple[Undo, str]]:
        """Take these faults back, last first, and prove each by reading the target.

        Returns those that are stuck, each with the reason; empty when all is proven gone. A stuck
        undo stays open in the store, so that ``gameday recover`` finds it.
        """
        stuck: list[tuple[Undo, str]] = []
        for undo in reversed(undos):
            error = await self._recover_one(undo, record=record, by=by)
            if error:
                stuck.append((undo, error))
        return stuck

    async def _recover_one(self, undo: Undo, *, record: Record, by: str) -> str:
        deadline = self._clock.now() + self._budget
        recovered_at: datetime | None = None
        while True:
            try:
                await self._driver.recover(undo)
                if recovered_at is None:
                    recovered_at = self._clock.now()
                    record(
                        Kind.FAULT_RECOVERED,
                        source="conductor",
                        subject=undo.id,
                        data={"undo": undo.id, "by": by},
                        happened_at=recovered_at,
                    )
                if not await self._driver.is_present(undo):
                    now = self._clock.now()
                    self._store.close_undo(undo.id, proven_at=now)
                    record(
                        Kind.RECOVERY_PROVEN,
                        source="target",
                        subject=undo.id,
                        data={"undo": undo.id},
                        happened_at=now,
                    )
                    return ""
                error = "it was taken back, and reading the target still shows it"
            except DriverError as failure:
                error = str(failure)
            if self._clock.now() >= deadline:
                record(
                    Kind.RECOVERY_STUCK,
                    source="conductor",
                    subject=undo.id,
                    data={"undo": undo.id, "error": error, "command": undo.command},
                )
                return error
            await self._clock.sleep(BETWEEN_TRIES)
