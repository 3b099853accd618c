"""Which groups have to be looked at, and when: what changed at once, the others when it is time.

Thousands of incidents are open in a bad week, of which hardly one asks for anything in a second.
Pure but for what it remembers.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import datetime

LEFT_OVER = 64
"""Appointments that were moved and are kept all the same, beside one for each group."""


class Agenda:
    """When the groups of one process are to be looked at again."""

    def __init__(self) -> None:
        self._stirred: dict[str, None] = {}
        self._at: dict[str, datetime | None] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._taken_at: datetime | None = None

    def stir(self, *names: str) -> None:
        """Have these looked at next, whatever was said of them: something is new."""
        self._stirred.update(dict.fromkeys(names))

    def put(self, name: str, at: datetime | None) -> None:
        """Note when a group that was looked at is to be looked at again.

        Args:
            at: the first instant at which it may stand otherwise; None: not before it is stirred.
        """
        if at is not None and self._at.get(name) != at:
            heapq.heappush(self._heap, (at, name))
        self._at[name] = at
        if len(self._heap) > 2 * len(self._at) + LEFT_OVER:
            self._heap = [(at, name) for name, at in self._at.items() if at is not None]
            heapq.heapify(self._heap)

    def drop(self, name: str) -> None:
        """Look at a group no more."""
        self._stirred.pop(name, None)
        self._at.pop(name, None)

    def take(self, now: datetime) -> Sequence[str]:
        """Return what has to be looked at now, each once; whoever takes it looks at it."""
        if self._taken_at is not None and now < self._taken_at:
            # A clock was set back: what was found out held from an instant that is still to come.
            self.stir(*self._at)
        self._taken_at = now
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._at.get(name) == at:
                self._at[name] = None
                self.stir(name)
        taken = tuple(self._stirred)
        self._stirred.clear()
        return taken
