"""The undos of one run: stored and held before anything is changed, closed when it is proven."""

from __future__ import annotations

from datetime import timedelta

from gameday.conductor.limit import limited
from gameday.conductor.recovery import Recoverer
from gameday.errors import RecoveryError, StoreError
from gameday.ledger import Ledger
from gameday.ports import MITIGATIONS, Clock, Lease, Store, Undo
from scoring.timeline import Kind


class Undos:
    """What a run may have changed, and whether it is taken back.

    Args:
        settle: how long what was asked of the target without an answer may take to land.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: Store,
        lease: Lease,
        clock: Clock,
        recovery: Recoverer,
        settle: timedelta,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._lease = lease
        self._clock = clock
        self._recovery = recovery
        self._settle = settle
        self._open: dict[str, Undo] = {}
        self._perhaps: list[Undo] = []
        self._unanswered: set[str] = set()

    @property
    def of_faults(self) -> list[Undo]:
        """Return those of faults that may be in place, in the order they were stored."""
        return [u for u in self._open.values() if u.kind != MITIGATIONS]

    def unwatched(self) -> str:
        """Return why no sentinel watches over what is open; empty where one does or nothing is.

        Before anything is kept it is `keep` that finds out.
        """
        return self._lease.lost() if self._open else ""

    async def keep(self, undo: Undo, *, at_most: timedelta) -> None:
        """Have an undo stored and held by the sentinel before anything is changed.

        One that is stored already is held anew.

        Raises:
            StoreError: it could not be stored.
            DriverError: no sentinel holds it.
        """
        if undo.id not in self._open:
            try:
                self._store.save_undo(undo)
            except StoreError:
                self._perhaps.append(undo)  # stored all the same, only the answer lost
                raise
            self._open[undo.id] = undo  # from here on it is closed at the end, whatever comes
        await self.hold(undo, at_most=at_most)
        self._ledger.record(
            Kind.UNDO_STORED,
            source="conductor",
            subject=undo.id,
            data={"undo": undo.id, "description": undo.description, "kind": undo.kind},
        )

    async def hold(self, undo: Undo, *, at_most: timedelta) -> None:
        """Have one that is kept held anew.

        Raises:
            DriverError: no sentinel holds it: the run may have been taken over.
        """
        await limited(self._clock, self._lease.hold(undo, at_most=at_most), "the sentinel")

    def asked(self, undo: Undo) -> None:
        """Note that the target is being asked for the change."""
        self._unanswered.add(undo.id)

    async def answered(self, undo: Undo, *, at_most: timedelta) -> None:
        """Note that the change is made, and have it held from now on for this long."""
        self._unanswered.discard(undo.id)
        await self.hold(undo, at_most=at_most)

    async def leave_alone(self, undo: Undo) -> None:
        """Close the undo of what never began: to take it back would be a change of its own.

        Where the store cannot be told, it is recovered with the others, which says why.
        """
        if self._recovery.close(undo):
            return
        self._done(undo)
        await self._lease.release(undo.id)
        self._ledger.record(
            Kind.RECOVERY_PROVEN, source="conductor", subject=undo.id, data={"undo": undo.id}
        )

    async def take_back_now(self, undo: Undo) -> None:
        """Take a mitigation back while the run goes on; it is kept, and taken back at the end too.

        Raises:
            DriverError: it was not, or is still there.
        """
        await self._recovery.take_back_now(undo)

    async def expire(self, undo: Undo) -> None:
        """Take one fault back because its time is over; one that is stuck is tried again later."""
        if not await self._recovery.recover([undo], record=self._ledger.record, by="expired"):
            self._done(undo)

    async def take_back(self) -> None:
        """Take everything back that is still open, and prove it.

        Raises:
            RecoveryError: something is still in place.
        """
        stuck = await self._recovery.recover(
            list(self._open.values()),
            record=self._ledger.record,
            by="conductor",
            settle=self._settle if self._may_something_land() else timedelta(0),
        )
        for undo in self._perhaps:
            self._recovery.close(undo)  # nothing was changed; its own error has been told
        if stuck:
            names = "; ".join(f"{u.description} ({error})" for u, error in stuck)
            raise RecoveryError(f"still in place: {names}. Run `{stuck[0][0].command}`")

    def _may_something_land(self) -> bool:
        """Return whether something was asked of the target lately that it has not answered."""
        started = self._ledger.timeline.of_kind(Kind.MITIGATION_STARTED)
        applied = self._ledger.timeline.of_kind(Kind.MITIGATION_APPLIED)
        since = self._clock.now() - self._settle
        failed = any(not f.data.get("ok") and f.recorded_at > since for f in applied)
        return bool(self._unanswered) or len(started) > len(applied) or failed

    def _done(self, undo: Undo) -> None:
        self._open.pop(undo.id, None)
        self._unanswered.discard(undo.id)
