"""What `gameday serve` sees to after an incident: postmortems are drafted, owners are reminded.

What is due follows from what is stored, and is stored when it is done: a restart in between loses
nothing, and of several processes that share a store one does it. Nothing here pages anybody; that a
postmortem itself is late, the engine says on the record of its incident.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from functools import partial

from gameday.errors import GamedayError, StoreError
from gameday.house.lessons.owed import OwedPostmortem, owed_postmortems
from gameday.house.lessons.postmortems import LessonStore, Measure, subject_of
from gameday.house.lessons.runs import learn_from_runs
from gameday.learning.reminders import reminders
from gameday.model.action_item import OPEN
from gameday.ports import Clock

EVERY = timedelta(minutes=1)
"""How often it looks; a draft is due within the hour."""

REMINDED_EVERY = timedelta(hours=1)
"""How often it looks through the open action items: what is said of them is due by the day."""

MOST_ITEMS = 100_000
"""Open action items that are looked through."""

_log = logging.getLogger(__name__)


class LessonRounds:
    """Looks again and again at what has been learned, and what has not.

    Args:
        measure: finds out what an incident cost.

    Attributes:
        drafted: postmortems that this process wrote a first draft of.
        reminded: reminders that it put on record.
    """

    def __init__(self, store: LessonStore, *, clock: Clock, measure: Measure) -> None:
        self._store = store
        self._clock = clock
        self._measure = measure
        self._has_draft: set[str] = set()
        self._said: set[str] = set()
        self._looked_at: datetime | None = None
        self.drafted = 0
        self.reminded = 0

    async def forever(self, *, every: timedelta = EVERY) -> None:
        """Do what is due, now and then, until cancelled."""
        while True:
            try:
                await self.go()
            except StoreError as error:
                _log.warning("lessons wait for the store error=%s", error)
            except Exception:  # noqa: BLE001 - one record that cannot be read must not end it for good
                _log.exception("lessons failed, and go on in the next round")
            await self._clock.sleep(every)

    async def go(self) -> None:
        """Do what is due now.

        Raises:
            StoreError: it could not be; the next round looks at the same once more.
        """
        await asyncio.to_thread(partial(learn_from_runs, self._store, now=self._clock.now()))
        await self._draft()
        await self._remind()

    async def _draft(self) -> None:
        look = partial(
            owed_postmortems,
            self._store,
            self._store,
            now=self._clock.now(),
            passed_over=frozenset(self._has_draft),
        )
        for owed in await asyncio.to_thread(look):
            if owed.postmortem is None and not await asyncio.to_thread(self._goes_on, owed):
                await self._draft_one(owed)
            elif owed.postmortem is not None:
                self._has_draft.add(owed.incident.id)

    def _goes_on(self, owed: OwedPostmortem) -> bool:
        """Return whether the drill's run has still to end, and to say what was measured."""
        run = owed.incident.drill
        return run is not None and any(r.id == run and not r.ended_at for r in self._store.runs())

    async def _draft_one(self, owed: OwedPostmortem) -> None:
        id = owed.incident.id
        try:
            subject = await subject_of(
                self._store, id, now=self._clock.now(), measure=self._measure
            )
        except StoreError:
            raise
        except GamedayError as error:
            _log.warning("postmortem not drafted incident=%s error=%s", id, error)
            return
        put = partial(self._store.put_postmortem, subject.fresh, known=None)
        if await asyncio.to_thread(put):
            self.drafted += 1
            _log.info("postmortem drafted incident=%s due_at=%s", id, owed.due_at.isoformat())
        self._has_draft.add(id)

    async def _remind(self) -> None:
        now = self._clock.now()
        if self._looked_at is not None and abs(now - self._looked_at) < REMINDED_EVERY:
            return
        items = await asyncio.to_thread(partial(self._store.action_items, *OPEN, limit=MOST_ITEMS))
        due = [c for item in items for c in reminders(item, now) if c.id not in self._said]
        if not due:
            self._looked_at = now
            return
        changed = await asyncio.to_thread(self._store.change_actions, due)
        self._said |= {change.id for change in due}
        self._looked_at = now
        new = {item.id for item in changed}
        for change in due:
            if change.item in new:
                self.reminded += 1
                _log.warning("action item %s item=%s", change.text, change.item)
