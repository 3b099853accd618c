"""The writer: what arrived meanwhile goes to disk in one transaction, and only then is it heard.

People go first: somebody's click waits for the transaction under way, never for a storm's queue.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from gameday.errors import StoreError
from gameday.incidents.disk import Disk
from gameday.incidents.memory import Memory, unheard
from gameday.ports import AuditEntry, GroupFact, IncidentStore

T = TypeVar("T")

BATCH = 250
"""Facts of one transaction, so that nobody waits long for a stranger's storm; one webhook's more
are kept together."""

WAITING = 2_000
"""Requests that may wait for the writer; above that senders are told to come back."""

PATIENCE = 0.75
"""Seconds that one write may take before a sender of alerts is told to come back, and the service
says that it is not ready: the sender keeps what it has to say, and says it again, to another
process where there is one. A write takes milliseconds; one that takes longer waits for somebody
who is stuck."""

SORE = 10.0
"""Seconds for which a write that failed counts: after that somebody has to try."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    facts: Sequence[GroupFact]
    audit: Sequence[AuditEntry]
    done: asyncio.Future[int] = field(repr=False)


class Writer:
    """The one task of a process that writes facts down.

    Args:
        after: awaited with the groups that changed, before the senders are told; what it raises as
            `StoreError` is made up for later, since what is on disk is acknowledged.
    """

    def __init__(
        self,
        store: IncidentStore,
        disk: Disk,
        memory: Memory,
        *,
        after: Callable[[Collection[str]], Awaitable[None]],
    ) -> None:
        self._store = store
        self._disk = disk
        self._memory = memory
        self._after = after
        self._people: deque[_Job] = deque()
        self._machines: deque[_Job] = deque()
        self._has_work = asyncio.Event()
        self._was_peoples_turn = False
        self._writing_since: float | None = None
        self._failed_at: float | None = None
        self._failure = ""
        self.commits = 0
        self.committed = 0

    @property
    def waiting(self) -> int:
        """Requests that wait to be written down."""
        return len(self._people) + len(self._machines)

    def trouble(self) -> str:
        """Return why the store takes nothing at present, in words; empty where it does."""
        lasts = self._is_writing_for()
        if lasts >= PATIENCE:
            return f"the store has been taking a write for {lasts:.1f} s"
        if self._failed_at is not None and time.monotonic() - self._failed_at < SORE:
            return f"the last write failed: {self._failure}"
        return ""

    async def commit(
        self,
        facts: Sequence[GroupFact],
        *,
        audit: Sequence[AuditEntry] = (),
        is_urgent: bool = False,
        is_resent: bool = False,
    ) -> int:
        """Return how many of the facts were new to this process, once they are on disk.

        Args:
            is_urgent: people's, who go first.
            is_resent: whoever is told no says the very same again: it waits for no write that is
                stuck. It may be written all the same.

        Raises:
            StoreError: they could not be written down, and nobody has heard them.
        """
        waiting = self._people if is_urgent else self._machines
        if len(waiting) >= WAITING:
            raise StoreError("too much is waiting for the store; send it again")
        job = _Job(facts, audit, asyncio.get_running_loop().create_future())
        waiting.append(job)
        self._has_work.set()
        if not is_resent:
            return await job.done
        while (left := PATIENCE - self._is_writing_for()) > 0:
            # In a storm one waits longer, while writes go on; nobody is told to come back for that.
            if (await asyncio.wait({job.done}, timeout=left + 0.01))[0]:
                return job.done.result()
        job.done.cancel()
        raise StoreError("the store is taking a write and does not end; send it again")

    def _is_writing_for(self) -> float:
        """Return for how long the write under way has lasted, in seconds; 0 where there is none."""
        return 0.0 if self._writing_since is None else time.monotonic() - self._writing_since

    async def write_for_ever(self) -> None:
        """Write until cancelled; whoever waits then is told that it was in vain."""
        try:
            while True:
                await self._has_work.wait()
                jobs = self._next()
                if not jobs:
                    self._has_work.clear()
                    continue
                try:
                    await self._write(jobs)
                except StoreError as error:
                    _fail(jobs, error)
                except Exception as error:  # noqa: BLE001
                    # Whatever this is, the writer has to live: without it nothing is taken.
                    _log.exception("writer failed")
                    _fail(jobs, StoreError(f"it could not be written: {type(error).__name__}"))
                except BaseException:
                    # Whatever ends the writer, nobody is to wait for it any more.
                    _fail(jobs, StoreError("the service is going down"))
                    raise
        finally:
            _fail([*self._people, *self._machines], StoreError("the service is going down"))

    def _next(self) -> Sequence[_Job]:
        is_peoples_turn = bool(self._people) and not (self._was_peoples_turn and self._machines)
        self._was_peoples_turn = is_peoples_turn
        waiting = self._people if is_peoples_turn else self._machines
        jobs: list[_Job] = []
        size = 0
        while waiting and (not jobs or size + len(waiting[0].facts) <= BATCH):
            job = waiting.popleft()
            if not job.done.cancelled():  # whoever does not wait any more will say it again
                jobs.append(job)
                size += len(job.facts)
        return jobs

    async def _write(self, jobs: Sequence[_Job]) -> None:
        # In the order in which they were told of, in which their incidents are opened.
        names = tuple(dict.fromkeys(f.group for job in jobs for f in job.facts))
        groups = {name: await self._memory.group(name) for name in names}
        new, counts = unheard([job.facts for job in jobs], groups)
        audit = [entry for job in jobs for entry in job.audit]
        if new or audit:
            facts = tuple(new.values())
            written = await self._written(partial(self._store.commit, facts, audit=audit))
            self.commits += 1
            self.committed += len(new)
            with suppress(StoreError):
                await self._memory.took(facts, written, groups)
                await self._after(tuple(dict.fromkeys(said.group for said in facts)))
        for job, count in zip(jobs, counts, strict=True):
            if not job.done.done():
                job.done.set_result(count)

    async def _written(self, write: Callable[[], T]) -> T:
        self._writing_since = time.monotonic()
        try:
            written = await self._disk.write(write)
        except Exception as error:
            self._failed_at, self._failure = time.monotonic(), str(error)
            raise
        finally:
            self._writing_since = None
        self._failed_at = None
        return written


def _fail(jobs: Sequence[_Job], error: StoreError) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(error)
