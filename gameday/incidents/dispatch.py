"""Doing what is due: pages, answers to the pager, reminders; each by one process only.

Several processes may share a store, so a duty is claimed in it before anything is done, and looked
at once more under the claim. A claim runs out, so that the duty of a process that died is done by
another. What cannot be had is *exactly once*: a process that is killed after the pager took a page
and before that was written down leaves a duty that looks undone, and it is sent again, with the
same key. While it lives it remembers what the pager took, and writes that down when it can.

Only some duties of one severity are under way at once; the others wait here, where it is looked
again whether they are still due, and none waits for one that is less urgent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from gameday.errors import DriverError, StoreError, TemporaryDriverError
from gameday.incidents.disk import Disk
from gameday.incidents.duties import Act, Duty, urgency
from gameday.incidents.paging import Paging
from gameday.incidents.state import IncidentState
from gameday.ports import Clock, IncidentStore
from scoring.timeline import Kind

RETRY_AFTER = timedelta(seconds=5)
"""A page that could not be delivered is tried again after this, whatever the pager tried itself."""

LONGEST_RETRY = timedelta(minutes=1)
"""The longest pause between two tries; doubled up to this."""

AT_ONCE = 8
"""Calls of one role's pager and one urgency that are under way at once."""

CLAIM = timedelta(seconds=10)
"""How long a claim holds without being renewed: what the page of a process that died waits at most.

Renewed every third of it, so that two renewals in a row may fail. The clocks of the machines have
to agree to a few seconds, which any time service gives. A claim that reaches further ahead than
twice this was made before a clock was set back, and holds nobody up.
"""

Record = Callable[[IncidentState, str, Mapping[str, Any]], Awaitable[object]]
"""Puts what was done on the record of the incident."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    """That a pager did not take a call.

    Attributes:
        times: how often in a row.
        not_before: when it is tried again, by what has elapsed.
    """

    times: int
    not_before: timedelta


class Dispatch:
    """The duties of one process.

    Args:
        due: what is due of an incident now.
        fresh: how an incident stands with all that other processes wrote.
        name: what this process claims duties as; None: nobody else does any of them.
        record: puts what was done on record.
    """

    def __init__(
        self,
        store: IncidentStore,
        disk: Disk,
        *,
        clock: Clock,
        paging: Paging,
        due: Callable[[IncidentState], Sequence[Duty]],
        name: str | None,
        fresh: Callable[[str], Awaitable[IncidentState]],
        record: Record,
    ) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock
        self._paging = paging
        self._due = due
        self._fresh = fresh
        self._record = record
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, _Failure] = {}
        self._accepted: dict[str, tuple[IncidentState, str, Mapping[str, Any]]] = {}
        self._unclaimed: dict[str, timedelta] = {}
        self._gates: defaultdict[tuple[str, int], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(AT_ONCE)
        )
        self._name = name or ""
        self.fulfilled = 0
        self.failed = 0

    @property
    def busy(self) -> Sequence[asyncio.Task[None]]:
        """The duties that are being fulfilled."""
        return tuple(self._tasks.values())

    def start(self, incident: IncidentState, duty: Duty) -> None:
        """Begin what is due, if it is not under way and has not just failed."""
        key = f"{incident.id}/{duty.key}"
        failure = self._failures.get(key)
        if (
            key in self._tasks
            or key in self._accepted
            or (failure and failure.not_before > self._clock.elapsed())
        ):
            return
        self._begin(key, self._fulfil(incident, duty, key))

    def _begin(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[key] = task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _fulfil(self, incident: IncidentState, duty: Duty, key: str) -> None:
        try:
            async with self._gates[duty.to, urgency(incident, duty)]:
                if not self._name:
                    await self._act_if_due(incident, duty, key)
                    return
                async with self._claimed(key) as is_mine:
                    if is_mine:
                        await self._act_if_due(incident, duty, key)
        except StoreError as error:
            # Not on record, so it is due again; that is the safe side.
            _log.warning("duty not recorded incident=%s duty=%s error=%s", key, duty.key, error)

    async def _act_if_due(self, incident: IncidentState, duty: Duty, key: str) -> None:
        incident = await self._fresh(incident.id)
        now_due = next((d for d in self._due(incident) if d.key == duty.key), None)
        if now_due is not None:
            await self._act(incident, now_due, key)

    async def _act(self, incident: IncidentState, duty: Duty, key: str) -> None:
        try:
            self._accepted[key] = (incident, *await self._call(incident, duty))
        except DriverError as error:
            await self._failed(incident, duty, key, error)
            return
        await self._write_down(key)

    def make_up(self) -> None:
        """Begin to write down what a pager took while the store could not, due or not by now."""
        for key in self._accepted.keys() - self._tasks.keys():
            self._begin(key, self._write_down_if_it_can(key))

    async def _write_down(self, key: str) -> None:
        incident, kind, data = self._accepted[key]
        await self._record(incident, kind, data)
        del self._accepted[key]
        self._failures.pop(key, None)
        self.fulfilled += 1

    async def _write_down_if_it_can(self, key: str) -> None:
        with suppress(StoreError):
            await self._write_down(key)

    async def _call(self, incident: IncidentState, duty: Duty) -> tuple[str, Mapping[str, Any]]:
        """Do it and return (kind, data) of the fact that says so."""
        data: dict[str, Any] = {"duty": duty.key, "to": duty.to, "why": duty.why}
        match duty.act:
            case Act.PAGE:
                sent = await self._paging.page(incident, duty)
                data |= {"level": duty.level, "key": duty.keys[0], "summary": incident.summary}
                return Kind.PAGE_DELIVERED, data | dict(sent)
            case Act.TELL_ACKED:
                data |= {"keys": list(duty.keys)}
                data["text"] = await self._paging.acknowledge(incident, duty)
            case Act.TELL_RESOLVED:
                data |= {"keys": list(duty.keys)}
                data["text"] = await self._paging.resolve(incident, duty)
            case Act.REMIND:
                data["text"] = duty.why
        return Kind.REMINDED, data

    async def _failed(
        self, incident: IncidentState, duty: Duty, key: str, error: DriverError
    ) -> None:
        self.failed += 1
        known = self._failures.get(key)
        times = known.times + 1 if known else 1
        pause = min(RETRY_AFTER * 2 ** max(0, min(times, 10) - 2), LONGEST_RETRY)
        asked = error.retry_after if isinstance(error, TemporaryDriverError) else pause
        self._failures[key] = _Failure(times, self._clock.elapsed() + max(pause, asked))
        _log.warning("pager failed incident=%s duty=%s error=%s", incident.id, duty.key, error)
        if known is None:
            # On record once, not once per try: the record is read by people.
            said: dict[str, Any] = {"duty": duty.key, "error": str(error)}
            if duty.act is Act.PAGE and isinstance(error, TemporaryDriverError):
                # It may have been taken, and only the answer was lost.
                said |= {"to": duty.to, "level": duty.level, "key": duty.keys[0]}
            await self._record(incident, Kind.PAGE_FAILED, said)

    @asynccontextmanager
    async def _claimed(self, key: str) -> AsyncIterator[bool]:
        """Yield whether the duty is this process's for as long as the context lasts."""
        try:
            if not await self._claim(key):
                yield False
                return
            self._unclaimed.pop(key, None)
        except StoreError:
            # A store that takes no claims keeps nobody asleep: for as long as another process
            # might hold one it is waited for, and then it is done without.
            since = self._unclaimed.setdefault(key, self._clock.elapsed())
            if self._clock.elapsed() - since < CLAIM:
                raise
        keeping = asyncio.create_task(self._keep(key))
        try:
            yield True
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            # Not written down, it runs out by itself.
            with suppress(StoreError):
                await self._disk.write(partial(self._store.release, key, holder=self._name))

    async def _claim(self, key: str) -> bool:
        now = self._clock.now()
        claim = partial(self._store.claim, key, holder=self._name, now=now, until=now + CLAIM)
        return await self._disk.write(claim)

    async def _keep(self, key: str) -> None:
        while True:
            await self._clock.sleep(CLAIM / 3)
            with suppress(StoreError):
                await self._claim(key)
