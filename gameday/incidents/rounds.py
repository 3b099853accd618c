"""The rounds of one process: what changed or has come due is looked at, listed, and called about.

A round costs what there is to look at, not what is open: of each group it is known until when it
stands as it does, as long as nothing is heard of it (`gameday.incidents.agenda`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from gameday.incidents.calling import Calling
from gameday.incidents.calls import PagerCall
from gameday.incidents.disk import Disk
from gameday.incidents.duties import Share
from gameday.incidents.memory import Memory
from gameday.incidents.openings import Openings, row_of
from gameday.incidents.standing import is_done, standing, stands_until
from gameday.incidents.terms import Terms
from gameday.ports import IncidentRow, IncidentStore


class Rounds:
    """Looks after the groups that a process holds.

    Args:
        start: begins the calls that are to be made.

    Attributes:
        looked: groups that were looked at so far.
    """

    def __init__(
        self,
        store: IncidentStore,
        disk: Disk,
        memory: Memory,
        *,
        openings: Openings,
        calling: Calling,
        terms: Terms,
        now: Callable[[], datetime],
        start: Callable[[Sequence[PagerCall]], None],
    ) -> None:
        self._store = store
        self._disk = disk
        self._memory = memory
        self._openings = openings
        self._calling = calling
        self._terms = terms
        self._now = now
        self._start = start
        self._share: Share | None = None
        self._forgotten = 0
        self._one = asyncio.Lock()
        self.looked = 0

    async def go(self) -> None:
        """Do what is due now, and bring the list of incidents up to date.

        Raises:
            StoreError: it could not be; the next round looks at the same once more.
        """
        # Half of what changed, known to two rounds at once, would make two calls out of one.
        async with self._one:
            await self._go()

    async def _go(self) -> None:
        agenda, share = self._memory.agenda, self._terms.share()
        if share != self._share:
            # Which drills go on decides what anybody asks for.
            agenda.stir(*self._memory.groups)
        names = agenda.take(self._now())
        try:
            await self._openings.open([name for name in names if self._memory.groups.get(name)])
            now = self._now()
            changed = await self._looked(names, now=now, share=share)
            self._start(self._calling.all())
            if changed:
                await self._disk.write(partial(self._store.commit, (), rows=changed))
                self._openings.rows.update({row.id: row for row in changed})
        except BaseException:
            agenda.stir(*names)
            raise
        self._share = share
        self._let_go(names, now)

    async def _looked(
        self, names: Sequence[str], *, now: datetime, share: Share
    ) -> Sequence[IncidentRow]:
        """Find out how these groups stand; return the rows that the list has not."""
        changed: list[IncidentRow] = []
        for name in names:
            group = self._memory.groups.get(name)
            if group is None:
                continue
            states, again = [], []
            for found in group.incidents():
                if not found.ids:
                    again.append(now)  # it could not be opened yet
                    continue
                state = standing(self._memory, name, found, now=now)
                for merged in (None, *state.also):
                    fresh = row_of(state, id=merged)
                    if self._openings.rows.get(fresh.id) != fresh:
                        changed.append(fresh)
                states.append(state)
                until = stands_until(found, state, now=now)
                again += [until] if until else []
            self._calling.look(name, states, now=now, share=share)
            self._memory.agenda.put(name, min(again, default=None))
            self.looked += 1
            # A storm's thousands of alerts take milliseconds; a responder's click comes between.
            await asyncio.sleep(0)
        return changed

    def _let_go(self, names: Sequence[str], now: datetime) -> None:
        """Forget groups that have been over for a while, and what is pruned; the store has it."""
        for name in names:
            group = self._memory.groups.get(name)
            if group is not None and all(is_done(found, now) for found in group.incidents()):
                self._memory.forget(name)
                self._calling.forget(name)
        if self._forgotten != self._memory.forgotten:
            self._forgotten = self._memory.forgotten
            rows = self._openings.rows
            for id in [id for id in rows if not self._memory.holds(id)]:
                del rows[id]
