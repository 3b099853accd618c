"""What was learned, as the console shows it: postmortems, and what is still to be done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from gameday.errors import UsageError
from gameday.model.action_item import OPEN, ActionChange, ActionItem
from gameday.model.postmortem import Postmortem
from gameday.ports import ActionStore, PostmortemStore

MOST = 200
"""Of each that are listed; the command line has the others."""


class _LessonStore(ActionStore, PostmortemStore, Protocol):
    """The store as far as lessons are in it."""


class StoredLessons:
    """The lessons of a store."""

    def __init__(self, store: _LessonStore) -> None:
        self._store = store

    async def postmortems(self) -> Sequence[Postmortem]:
        """Return postmortems, the one that was over last first."""
        return await asyncio.to_thread(partial(self._store.postmortems, limit=MOST))

    async def open_items(self) -> Sequence[ActionItem]:
        """Return what is to be done, the most urgent first."""
        look = partial(self._store.action_items, *OPEN, limit=MOST)
        found = await asyncio.to_thread(look)
        return sorted(found, key=lambda item: (item.priority, item.due_at, item.id))

    async def postmortem(self, id: str) -> Postmortem:
        """Return one; `UsageError` where there is none."""
        found = await asyncio.to_thread(self._store.postmortem, id)
        if found is None:
            raise UsageError(f"there is no postmortem {id!r}")
        return found

    async def item(self, id: str) -> tuple[ActionItem, Sequence[ActionChange]]:
        """Return one with every word about it; `UsageError` where there is none."""
        found = await asyncio.to_thread(self._store.action_item, id)
        if found is None:
            raise UsageError(f"there is no action item {id!r}")
        return found, await asyncio.to_thread(self._store.action_changes, id)
