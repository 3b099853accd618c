"""A lease without a process: remembers what it was asked to hold."""

from __future__ import annotations

from datetime import timedelta

from gameday.errors import TemporaryDriverError
from gameday.ports import Undo


class RecordingLease:
    """A `gameday.ports.Lease` whose sentinel never has to act.

    Attributes:
        held: what is held now, by id.
        said: every call, in order.
        dead: whether the sentinel is gone; nothing can be held then.
    """

    def __init__(self) -> None:
        self.held: dict[str, Undo] = {}
        self.said: list[str] = []
        self.dead = False

    async def hold(self, undo: Undo, *, at_most: timedelta) -> None:
        """Hold it; `TemporaryDriverError` where the sentinel is gone."""
        if self.dead:
            raise TemporaryDriverError("the run's sentinel has ended")
        self.said.append(f"hold {undo.id} {at_most.total_seconds():g}")
        self.held[undo.id] = undo

    async def release(self, undo: str) -> None:
        """Let it go."""
        self.said.append(f"release {undo}")
        self.held.pop(undo, None)

    def lost(self) -> str:
        """Return that the sentinel is gone, where it is."""
        return "the run's sentinel has ended" if self.dead else ""
