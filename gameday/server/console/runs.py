"""The game days of a store, as their facilitator sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from gameday.errors import Refused, UsageError
from gameday.model.plan_record import recorded
from gameday.ports import Order, OrderKind, RunRecord, Store
from gameday.server.console.subject import RunView
from gameday.server.sessions import Visitor

MOST = 200
"""Runs of the list; older ones are asked for by `gameday runs`, and shown by their id."""

ALL = 100_000


class StoredRuns:
    """The runs of a store.

    Args:
        only: the one run that is shown; None: all.
    """

    def __init__(
        self, store: Store, *, now: Callable[[], datetime], only: str | None = None
    ) -> None:
        self._store = store
        self._now = now
        self._only = only

    async def listed(self) -> Sequence[RunRecord]:
        """Return the runs, newest first."""
        return await self._runs(MOST)

    async def _runs(self, limit: int) -> Sequence[RunRecord]:
        found = await asyncio.to_thread(partial(self._store.runs, limit=limit))
        return [r for r in found if self._only in (None, r.id)]

    async def shown(self, run: str) -> RunView:
        """Return one run with all its facts."""
        record = next((r for r in await self._runs(ALL) if r.id == run), None)
        if record is None:
            raise UsageError(f"there is no run {run!r}; `gameday runs` lists them")
        facts = tuple(await asyncio.to_thread(self._store.facts, run))
        return RunView(
            record=record,
            facts=facts,
            plan=recorded(facts),
            result=await asyncio.to_thread(self._store.result, run),
            now=self._now(),
        )

    async def pulse(self, run: str) -> str:
        """Return how many facts there are."""
        return str(len(await asyncio.to_thread(self._store.facts, run)))

    async def abort(self, run: str, by: Visitor) -> None:
        """Give the order."""
        record = (await self.shown(run)).record
        if record.ended_at is not None:
            raise Refused(f"run {run} has ended")
        reason = "ordered in the console"
        order = Order(OrderKind.ABORT, run, reason, by.name, self._now())
        await asyncio.to_thread(self._store.give, order)
