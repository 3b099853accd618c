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
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from gameday.errors import DriverError, NotWanted, Pruned, StoreError, TemporaryDriverError
from gameday.incidents.calls import PagerCall
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

Done = tuple[IncidentState, str, Mapping[str, Any]]
"""(incident, kind, data): what was done about an incident, as it goes on its record."""

Record = Callable[[Sequence[Done]], Awaitable[object]]
"""Puts what was done on record, all of it or nothing."""

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
        still: what remains to be done of a call, with all that other processes wrote.
        is_wanted: whether a page has still a cause, as far as is known here.
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
        still: Callable[[PagerCall], Awaitable[PagerCall | None]],
        is_wanted: Callable[[PagerCall], bool],
        name: str | None,
        record: Record,
    ) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock
        self._paging = paging
        self._still = still
        self._is_wanted = is_wanted
        self._record = record
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, _Failure] = {}
        self._accepted: dict[tuple[str, ...], Sequence[Done]] = {}
        self._unwritten: set[str] = set()
        self._ringing: dict[str, frozenset[str]] = {}
        self._unclaimed: dict[str, timedelta] = {}
        self._gates: defaultdict[tuple[str, int], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(AT_ONCE)
        )
        self._name = name or ""
        self.fulfilled = 0
        self.failed = 0

    @property
    def busy(self) -> Sequence[asyncio.Task[None]]:
        """The calls that are being made."""
        return tuple(dict.fromkeys(self._tasks.values()))

    def is_under_way(self, work: str) -> bool:
        """Return whether a piece of work is being done, is done but for its record, or waits."""
        failure = self._failures.get(work)
        return (
            work in self._tasks
            or work in self._unwritten
            or (failure is not None and failure.not_before > self._clock.elapsed())
        )

    def told_of(self, key: str) -> frozenset[str]:
        """Return the incidents that a page tells of which is on nobody's record yet."""
        return self._ringing.get(key, frozenset())

    def start(self, call: PagerCall) -> None:
        """Begin what is due, if no part of it is under way or has just failed."""
        if not any(self.is_under_way(work) for work in call.work):
            self._begin(call.work, self._fulfil(call))

    def _begin(self, works: Sequence[str], doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.update(dict.fromkeys(works, task))

        def over(_: asyncio.Task[None]) -> None:
            for work in works:
                self._tasks.pop(work, None)

        task.add_done_callback(over)

    async def _fulfil(self, call: PagerCall) -> None:
        try:
            async with self._gates[call.duty.to, urgency(call.lead, call.duty)]:
                if not self._name:
                    await self._act_if_due(call)
                    return
                async with self._claimed(call.work) as mine:
                    if mine:
                        await self._act_if_due(call, mine)
        except (StoreError, Pruned) as error:
            # Not on record, so it is due again; that is the safe side.
            _log.warning(
                "duty not recorded incident=%s duty=%s error=%s",
                call.lead.id,
                call.duty.key,
                error,
            )

    async def _act_if_due(self, call: PagerCall, mine: Collection[str] | None = None) -> None:
        now_due = await self._still(call if mine is None else call.only(mine))
        if now_due is not None:
            await self._act(now_due)

    async def _act(self, call: PagerCall) -> None:
        is_page = call.duty.act is Act.PAGE
        if is_page:
            self._ringing[call.key] = frozenset(incident.id for incident, _ in call.parts)
        try:
            self._accepted[call.work] = await self._call(call)
            self._unwritten.update(call.work)
        except NotWanted:
            return  # answered or over while it waited for its turn
        except DriverError as error:
            await self._failed(call, error)
            return
        finally:
            if is_page and call.work not in self._accepted:
                self._ringing.pop(call.key, None)
        await self._write_down(call.work)

    def make_up(self) -> None:
        """Begin to write down what a pager took while the store could not, due or not by now."""
        for works in list(self._accepted):
            if not any(work in self._tasks for work in works):
                self._begin(works, self._write_down_if_it_can(works))

    async def _write_down(self, works: tuple[str, ...]) -> None:
        done = self._accepted[works]
        await self._record(done)
        del self._accepted[works]
        self._unwritten.difference_update(works)
        for work in works:
            self._failures.pop(work, None)
        for _, _, data in done:
            self._ringing.pop(str(data.get("key")), None)
        self.fulfilled += 1

    async def _write_down_if_it_can(self, works: tuple[str, ...]) -> None:
        with suppress(StoreError):
            await self._write_down(works)

    async def _call(self, call: PagerCall) -> Sequence[Done]:
        """Do it and return what goes on record, of each incident it is about."""
        match call.duty.act:
            case Act.PAGE:
                sent = await self._paging.page(call, is_wanted=partial(self._is_wanted, call))
                if call.is_shared:
                    _log.info(
                        "page shared incidents=%d service=%s severity=%s to=%s key=%s",
                        len(call.told),
                        call.lead.service,
                        call.lead.severity,
                        call.duty.to,
                        call.key,
                    )
                return [
                    (incident, Kind.PAGE_DELIVERED, _paged(call, incident, duty) | dict(more))
                    for (incident, duty), more in zip(call.parts, sent, strict=True)
                ]
            case Act.TELL_ACKED:
                text = await self._paging.acknowledge(call)
            case Act.TELL_RESOLVED:
                text = await self._paging.resolve(call)
            case Act.REMIND:
                text = call.duty.why
        return [
            (incident, Kind.REMINDED, _said(duty) | {"text": text}) for incident, duty in call.parts
        ]

    async def _failed(self, call: PagerCall, error: DriverError) -> None:
        self.failed += 1
        elapsed = self._clock.elapsed()
        is_temporary = isinstance(error, TemporaryDriverError)
        new: list[Done] = []
        parts = call.parts if call.duty.act is Act.PAGE else call.parts[:1]
        for work, (incident, duty) in zip(call.work, parts, strict=True):
            known = self._failures.get(work)
            times = known.times + 1 if known else 1
            pause = min(RETRY_AFTER * 2 ** max(0, min(times, 10) - 2), LONGEST_RETRY)
            asked = error.retry_after if isinstance(error, TemporaryDriverError) else pause
            self._failures[work] = _Failure(times, elapsed + max(pause, asked))
            # On record once, not once per try: the record is read by people.
            # That it may have been taken counts whenever it is heard, or its key would be lost.
            is_page = duty.act is Act.PAGE
            if known is None or (is_page and is_temporary and not duty.was_tried):
                said: dict[str, Any] = {"duty": duty.key, "error": str(error)}
                if is_page and is_temporary:
                    # It may have been taken, and only the answer was lost.
                    said |= _paged(call, incident, duty)
                new.append((incident, Kind.PAGE_FAILED, said))
        _log.warning(
            "pager failed incident=%s duty=%s error=%s", call.lead.id, call.duty.key, error
        )
        if new:
            await self._record(new)

    @asynccontextmanager
    async def _claimed(self, works: tuple[str, ...]) -> AsyncIterator[frozenset[str]]:
        """Yield what of the work is this process's for as long as the context lasts."""
        mine = frozenset(works)
        try:
            mine = await self._claim(*works)
            if not mine:
                yield mine
                return
            self._unclaimed.pop(works[0], None)
        except StoreError:
            # A store that takes no claims keeps nobody asleep: for as long as another process
            # might hold one it is waited for, and then it is done without.
            since = self._unclaimed.setdefault(works[0], self._clock.elapsed())
            if self._clock.elapsed() - since < CLAIM:
                raise
        keeping = asyncio.create_task(self._keep(mine))
        try:
            yield mine
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            # Not written down, it runs out by itself.
            with suppress(StoreError):
                await self._disk.write(partial(self._store.release, *mine, holder=self._name))

    async def _claim(self, *works: str) -> frozenset[str]:
        now = self._clock.now()
        claim = partial(self._store.claim, *works, holder=self._name, now=now, until=now + CLAIM)
        return await self._disk.write(claim)

    async def _keep(self, mine: Collection[str]) -> None:
        while True:
            await self._clock.sleep(CLAIM / 3)
            with suppress(StoreError):
                await self._claim(*mine)


def _said(duty: Duty) -> dict[str, Any]:
    said: dict[str, Any] = {"duty": duty.key, "to": duty.to, "why": duty.why}
    return said | ({"keys": list(duty.keys)} if duty.keys else {})


def _paged(call: PagerCall, incident: IncidentState, duty: Duty) -> dict[str, Any]:
    """Return how a page stands on the record of one incident that it tells of."""
    said: dict[str, Any] = {"duty": duty.key, "to": duty.to, "why": duty.why}
    said |= {"level": duty.level, "key": call.key, "summary": incident.summary}
    if call.is_shared:
        said["shared"] = {"lead": call.lead.id, "incidents": len(call.told)}
    return said
