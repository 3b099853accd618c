"""The ledger: a run's timeline while it is being written.

What the run itself sees (the conductor, first of all) is recorded here; a fact is durable before
`record` returns, and only then is it told to those who wait for it. What is said about the run's
incident is committed by the engine of incidents, and heard here once it is on disk.
"""

from __future__ import annotations

import asyncio  # futures only: the ledger does no I/O of its own
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from gameday.ports import Clock, GroupFact, Store
from scoring.timeline import Fact, Timeline

Predicate = Callable[[Fact], bool]


class Ledger:
    """The append-only timeline of one run, durable first.

    Not thread-safe: it belongs to the event loop of its run.
    """

    def __init__(self, run: str, *, store: Store, clock: Clock) -> None:
        self.run = run
        self._store = store
        self._clock = clock
        self._facts: list[Fact] = []
        self._numbered = 0
        self._heard: set[str] = set()
        self._waiters: list[tuple[Predicate, asyncio.Future[Fact]]] = []
        self._listeners: list[Callable[[Fact], None]] = []

    @property
    def timeline(self) -> Timeline:
        """Return what has been recorded so far."""
        return Timeline.of(self._facts)

    def now(self) -> datetime:
        """Return the present instant by the run's clock."""
        return self._clock.now()

    def listen(self, listener: Callable[[Fact], None]) -> None:
        """Call this with every fact from now on, after it is durable."""
        self._listeners.append(listener)

    def record(
        self,
        kind: str,
        *,
        source: str,
        subject: str = "",
        data: Mapping[str, Any] | None = None,
        happened_at: datetime | None = None,
    ) -> Fact:
        """Append one fact and return it once it is durable.

        Raises:
            StoreError: it could not be written; nobody is told of it then.
        """
        # A number is used once: where the store did not answer, it may have the fact all the same.
        self._numbered += 1
        fact = Fact.noted(
            f"f{self._numbered:04d}",
            kind,
            self._clock.now(),
            source=source,
            subject=subject,
            data=data,
            happened_at=happened_at,
        )
        self._store.append(self.run, fact)
        self._take(fact)
        return fact

    def hear(self, said: GroupFact) -> None:
        """Take in what was committed about an incident, if it belongs to this run."""
        if said.run == self.run and said.fact.id not in self._heard:
            self._heard.add(said.fact.id)
            self._take(said.fact)

    def heard(self, fact: Fact) -> None:
        """Record an alert that came through the run's webhook and is none of its drill's, once.

        Raises:
            StoreError: it could not be written.
        """
        if fact.id in self._heard:
            return
        self.record(
            fact.kind,
            source=fact.source,
            subject=fact.subject,
            data=fact.data,
            happened_at=fact.happened_at,
        )
        # Only now: what could not be written down has to be taken when it is sent again.
        self._heard.add(fact.id)

    def _take(self, fact: Fact) -> None:
        self._facts.append(fact)
        for predicate, future in self._waiters:
            if not future.done() and predicate(fact):
                future.set_result(fact)
        self._waiters = [w for w in self._waiters if not w[1].done()]
        for listener in self._listeners:
            listener(fact)

    async def expect(self, predicate: Predicate, *, within: timedelta | None = None) -> Fact | None:
        """Return the first fact, past or coming, for which the predicate holds.

        Returns None where none came within the time given.
        """
        for fact in self._facts:
            if predicate(fact):
                return fact
        future: asyncio.Future[Fact] = asyncio.get_running_loop().create_future()
        self._waiters.append((predicate, future))
        timer = asyncio.ensure_future(self._clock.sleep(within)) if within is not None else None
        try:
            awaited: set[asyncio.Future[Any]] = {future, timer} if timer else {future}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            return future.result() if future.done() else None
        finally:
            if timer is not None:
                timer.cancel()
            self._waiters = [w for w in self._waiters if w[1] is not future]
