"""The sentinel: holds the undos of one run, and takes its faults back when the run cannot.

It knows nothing of the scenario, the alert or the responder. It hears the run's heartbeat, and
when that stops (the process died, was killed, is frozen, or hangs) it ends the run, fences it off,
recovers everything it holds, and looks again until one lease later, for what the run had under way
may still land. A fault whose time is over is recovered while the run lives on.

It may act together with another sentinel, with the run, or with a person: recovering is
idempotent, and touches only what the undos name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from gameday.conductor.recovery import LEFT_IN_FORCE, LOOK_AGAIN, Recoverer, in_order
from gameday.errors import StoreError
from gameday.ports import MITIGATIONS, Clock, Order, OrderKind, Store, Undo, Undoer
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

OVERSLEPT = timedelta(seconds=1)
"""A sentinel that woke this much too late was frozen itself, and cannot tell who else was."""


class Outcome(StrEnum):
    """How a watch ended."""

    RELIEVED = "relieved"  # the run said goodbye
    TOOK_OVER = "took over"  # the run was gone; everything was taken back
    STUCK = "stuck"  # something is still in place


@dataclass(slots=True)
class _Held:
    undo: Undo
    until: timedelta  # by the clock that only grows


class Sentinel:
    """Watches over one run.

    Args:
        end_run: ends the run's process; returns whether it is gone for certain.
        lease: how long the heartbeat may be silent.
        budget: how long one undo is retried before it is called stuck.
    """

    def __init__(
        self,
        run: str,
        *,
        undoer: Undoer,
        store: Store,
        clock: Clock,
        lease: timedelta,
        budget: timedelta,
        end_run: Callable[[], Awaitable[bool]],
    ) -> None:
        self._run = run
        self._store = store
        self._clock = clock
        self._lease = lease
        self._end_run = end_run
        self._held: dict[str, _Held] = {}
        self._beat_at = clock.elapsed()
        self._left = False
        self._lost = ""
        self._changed = asyncio.Event()
        self._facts = 0
        self._unwritten: list[Fact] = []
        self._recovery = Recoverer(
            undoer=undoer, store=store, clock=clock, budget=budget, source="sentinel"
        )

    # --- what the run says --------------------------------------------------------------------

    def hold(self, undo: Undo, *, at_most: timedelta) -> bool:
        """Hold an undo from now on; recover it after this time, whatever the run says.

        Returns whether it is held: not once this sentinel has taken over, for a run that was frozen
        goes on where it stood, and must not begin another fault.
        """
        if self._lost:
            return False
        self.beat()
        self._held[undo.id] = _Held(undo, self._clock.elapsed() + at_most)
        self._changed.set()
        return True

    def release(self, undo: str) -> None:
        """Let an undo go: it is proven done."""
        self.beat()
        self._held.pop(undo, None)

    def beat(self) -> None:
        """Hear that the run is alive."""
        self._beat_at = self._clock.elapsed()

    def farewell(self) -> None:
        """Hear that the run ends, and that whatever is still held could not be taken back."""
        self._left = True
        self._changed.set()

    def lose(self, why: str) -> None:
        """Hear that the run is gone without a farewell."""
        self._lost = self._lost or why
        self._changed.set()

    # --- watching -----------------------------------------------------------------------------

    async def watch(self) -> Outcome:
        """Return once there is nothing left to watch over."""
        while not self._left:
            now = self._clock.elapsed()
            if not self._lost and now - self._beat_at > self._lease:
                self._lost = f"its heartbeat was silent for {self._lease.total_seconds():g} s"
            if self._lost:
                return await self._take_over(self._lost)
            await self._recover_expired(now)
            await self._wait()
        return await self._try_once_more()

    async def _wait(self) -> None:
        """Wait for news, the end of the lease, or the end of a fault's time."""
        now = self._clock.elapsed()
        ends = [self._beat_at + self._lease, *(h.until for h in self._held.values())]
        span = max(min(ends) - now, timedelta(0)) + timedelta(milliseconds=10)
        self._changed.clear()
        if self._left or self._lost:
            return
        news = asyncio.ensure_future(self._changed.wait())
        timer = asyncio.ensure_future(self._clock.sleep(span))
        try:
            await asyncio.wait({news, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            timer.cancel()
        if not self._changed.is_set() and self._clock.elapsed() - now > span + OVERSLEPT:
            self.beat()

    async def _recover_expired(self, now: timedelta) -> None:
        for held in [h for h in self._held.values() if h.until <= now]:
            error = await self._recovery.take_back(held.undo, record=self._record, by="expired")
            if error or self._recovery.close(held.undo):
                held.until = self._clock.elapsed() + self._lease  # and again
            else:
                self._held.pop(held.undo.id, None)
            self._write()

    async def _try_once_more(self) -> Outcome:
        """Recover what the run could not; its process lives and ends by itself."""
        undos = [h.undo for h in self._held.values()]
        stuck = await self._recovery.recover(undos, record=self._record, by="sentinel")
        self._write()
        return Outcome.STUCK if stuck else Outcome.RELIEVED

    # --- taking over --------------------------------------------------------------------------

    async def _take_over(self, why: str) -> Outcome:
        # The target comes first and the store last: a locked file or a full disk must not delay
        # a recovery. A process that lives on is fenced off before, since it may still write.
        ended = await self._end()
        self._record(Kind.RUN_ABORTED, source="sentinel", data={"reason": why, "by": "sentinel"})
        fenced = not ended and self._fence(why)
        undos = [h.undo for h in self._held.values()]
        errors = await self._take_back(undos)
        look_until = self._clock.elapsed() + self._lease
        settled = False
        while not settled:
            # Each time anew: the store may not have answered, or a run that is not ended wrote on.
            fenced = fenced or self._fence(why)
            beside = self._stored_beside(undos)
            undos += beside
            errors |= await self._take_back(beside)
            self._write()
            # The last look comes after the lease, however long this one stood still meanwhile.
            settled = ended and self._clock.elapsed() >= look_until
            await self._clock.sleep(LOOK_AGAIN)
            ended = ended or await self._end()
            errors |= await self._take_back(
                [u for u in undos if errors[u.id] or await self._recovery.is_back(u)]
            )
        stuck = [u for u in undos if errors[u.id] or self._recovery.close(u)]
        self._record(Kind.RUN_ENDED, source="sentinel", data={"verdict": str(RunVerdict.ABORTED)})
        self._write()
        return Outcome.STUCK if stuck else Outcome.TOOK_OVER

    async def _end(self) -> bool:
        with suppress(OSError):
            return await self._end_run()
        return False

    def _fence(self, why: str) -> bool:
        """Fence the run off in the store; return whether the store knows."""
        order = Order(OrderKind.FENCE, self._run, why, "sentinel", self._clock.now())
        with suppress(StoreError):
            self._store.give(order)
            return True
        return False

    def _stored_beside(self, held: Sequence[Undo]) -> list[Undo]:
        """Return what the store knows beside what is held; nothing where it cannot be read."""
        known = {u.id for u in held}
        with suppress(StoreError):
            return [u for u in reversed(self._store.open_undos(self._run)) if u.id not in known]
        return []

    async def _take_back(self, undos: Sequence[Undo]) -> dict[str, str]:
        """Take these back; return per id why it is stuck, or nothing."""
        errors: dict[str, str] = {}
        for undo in in_order(undos):
            if undo.kind == MITIGATIONS and any(errors.values()):
                errors[undo.id] = LEFT_IN_FORCE
            else:
                errors[undo.id] = await self._recovery.take_back(
                    undo, record=self._record, by="sentinel"
                )
        return errors

    def _record(
        self, kind: str, *, source: str, subject: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Note a fact; `_write` appends it once the target has been seen to."""
        self._facts += 1
        id, now = f"s{self._facts:04d}", self._clock.now()
        self._unwritten.append(Fact.noted(id, kind, now, source=source, subject=subject, data=data))

    def _write(self) -> None:
        """Append what was noted; what the store does not take stays for the next time."""
        with suppress(StoreError):
            while self._unwritten:
                self._store.append(self._run, self._unwritten[0], fenced=True)
                self._unwritten.pop(0)
