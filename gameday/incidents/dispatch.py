"""Doing what is due: pages, answers to the pager, reminders; each by one process only.

Several processes may share a store, so a duty is claimed in it before anything is done, and looked
at once more under the claim. A claim runs out, so that the duty of a process that died is done by
another. What cannot be had is *exactly once*: a process that is killed after the pager took a page
and before that was written down leaves a duty that looks undone, and it is sent again, with the
same key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from gameday.errors import DriverError, StoreError
from gameday.incidents.disk import Disk
from gameday.incidents.duties import Act, Duty
from gameday.incidents.paging import Paging
from gameday.incidents.state import IncidentState
from gameday.ports import Clock, IncidentStore
from scoring.timeline import Kind

RETRY_AFTER = timedelta(seconds=5)
"""A page that could not be delivered is tried again after this, whatever the pager tried itself."""

CLAIM = timedelta(seconds=10)
"""How long a claim holds without being renewed: what the page of a process that died waits at most.

Renewed every third of it, so that two renewals in a row may fail. The clocks of the machines have
to agree to a few seconds, which any time service gives. A claim that reaches further ahead than
twice this was made before a clock was set back, and holds nobody up.
"""

Record = Callable[[IncidentState, str, Mapping[str, Any]], Awaitable[object]]
"""Puts what was done on the record of the incident."""

_log = logging.getLogger(__name__)


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
        self._not_before: dict[str, timedelta] = {}
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
        now = self._clock.elapsed()
        if key in self._tasks or self._not_before.get(key, now) > now:
            return
        task = asyncio.create_task(self._fulfil(incident, duty, key))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _fulfil(self, incident: IncidentState, duty: Duty, key: str) -> None:
        try:
            if not self._name:
                await self._act(incident, duty, key)
                return
            async with self._claimed(key) as is_mine:
                if not is_mine:
                    return
                incident = await self._fresh(incident.id)
                if duty.key in {d.key for d in self._due(incident)}:
                    await self._act(incident, duty, key)
        except StoreError as error:
            # Not on record, so it is due again; that is the safe side.
            _log.warning("duty not recorded incident=%s duty=%s error=%s", key, duty.key, error)

    async def _act(self, incident: IncidentState, duty: Duty, key: str) -> None:
        kind: str = Kind.PAGE_DELIVERED
        data: dict[str, Any] = {"duty": duty.key, "to": duty.to, "why": duty.why}
        try:
            match duty.act:
                case Act.PAGE:
                    sent = await self._paging.page(incident, duty)
                    data |= {"level": duty.level, "key": duty.keys[0]}
                    data |= {"summary": incident.summary, **sent}
                case Act.TELL_ACKED:
                    data["keys"] = list(duty.keys)
                    text = await self._paging.acknowledge(incident, duty)
                    kind, data["text"] = Kind.REMINDED, text
                case Act.TELL_RESOLVED:
                    data["keys"] = list(duty.keys)
                    kind, data["text"] = Kind.REMINDED, await self._paging.resolve(incident, duty)
                case Act.REMIND:
                    kind, data["text"] = Kind.REMINDED, duty.why
        except DriverError as error:
            self.failed += 1
            # On record once, not once per try: the record is read by people.
            is_first = key not in self._not_before
            self._not_before[key] = self._clock.elapsed() + RETRY_AFTER
            _log.warning("pager failed incident=%s duty=%s error=%s", incident.id, duty.key, error)
            if not is_first:
                return
            kind, data = Kind.PAGE_FAILED, {"duty": duty.key, "error": str(error)}
        await self._record(incident, kind, data)
        if kind != Kind.PAGE_FAILED:
            self.fulfilled += 1

    @asynccontextmanager
    async def _claimed(self, key: str) -> AsyncIterator[bool]:
        """Yield whether the duty is this process's for as long as the context lasts."""
        if not await self._claim(key):
            yield False
            return
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
