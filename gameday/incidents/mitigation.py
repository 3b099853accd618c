"""Mitigations that are asked for as a fact, and done once by whoever hears it.

`mitigation.started` says what is asked for; any process on the store may write it. The engine of
the run hears it, has it done, and records `mitigation.applied`, which whoever asked waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gameday.errors import DriverError, StoreError, TemporaryDriverError
from gameday.incidents.terms import Mitigator
from gameday.model.mitigation import DONE_WITHIN
from gameday.ports import Clock, GroupFact
from scoring.timeline import Fact, Kind

Applied = Callable[[str, Mapping[str, Any]], Awaitable[object]]
"""(incident, data): puts the outcome on record."""


class Mitigations:
    """The mitigations that are under way, those asked for here and those done here.

    Args:
        run: the run whose mitigations are performed here; None: nobody's.
        mitigator: who performs them.
        applied: records the outcome of one.
    """

    def __init__(
        self, *, run: str | None, mitigator: Mitigator | None, applied: Applied, clock: Clock
    ) -> None:
        self._run = run
        self._mitigator = mitigator
        self._applied = applied
        self._clock = clock
        self._performed: set[str] = set()
        self._awaited: dict[str, asyncio.Future[Fact]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> tuple[asyncio.Task[None], ...]:
        """The mitigations that are being performed here."""
        return tuple(self._tasks)

    def hear(self, said: GroupFact) -> None:
        """Take notice of a fact that is on disk, whichever process wrote it."""
        fact = said.fact
        if fact.kind == Kind.MITIGATION_APPLIED:
            awaited = self._awaited.pop(str(fact.data.get("asked")), None)
            if awaited is not None and not awaited.done():
                awaited.set_result(fact)
        elif fact.kind == Kind.MITIGATION_STARTED and said.run == self._run:
            self._begin(fact)

    def _begin(self, fact: Fact) -> None:
        if self._mitigator is None or fact.id in self._performed:
            return
        self._performed.add(fact.id)
        task = asyncio.create_task(self._perform(fact, self._mitigator))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def awaiting(self, asked: str) -> asyncio.Future[Fact]:
        """Return the future outcome of what is about to be asked for."""
        future: asyncio.Future[Fact] = asyncio.get_running_loop().create_future()
        self._awaited[asked] = future
        return future

    async def outcome(self, asked: str, future: asyncio.Future[Fact]) -> Fact:
        """Return what came of it.

        Raises:
            TemporaryDriverError: nobody has done it in time.
        """
        timer = asyncio.ensure_future(self._clock.sleep(DONE_WITHIN))
        try:
            both: set[asyncio.Future[Any]] = {future, timer}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
        finally:
            timer.cancel()
            self._awaited.pop(asked, None)
        raise TemporaryDriverError(
            f"nobody said within {DONE_WITHIN.total_seconds():.0f} s what came of it; the record "
            "of the incident will"
        )

    async def _perform(self, fact: Fact, mitigator: Mitigator) -> None:
        name, parameters = str(fact.data["name"]), dict(fact.data.get("parameters") or {})
        try:
            ok, detail = True, await mitigator.mitigate(name, parameters)
        except (DriverError, StoreError) as error:
            ok, detail = False, str(error)
        said = {key: fact.data.get(key) for key in ("name", "parameters", "by")}
        outcome = {**said, "ok": ok, "detail": detail, "asked": fact.id}
        try:
            await self._applied(str(fact.data["incident"]), outcome)
        except StoreError as error:
            # On no record it counts for nothing; whoever asked is told.
            awaited = self._awaited.pop(fact.id, None)
            if awaited is not None and not awaited.done():
                awaited.set_exception(error)
