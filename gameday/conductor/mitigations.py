"""What a responder has done to the target, so that it can be taken back when the run ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from gameday.conductor.undos import Undos
from gameday.errors import (
    DriverError,
    NothingDone,
    PermanentDriverError,
    StoreError,
    TemporaryDriverError,
)
from gameday.ports import Target, Undo
from scoring.timeline import TAKE_BACK


class ReversibleMitigations:
    """Mitigates the target of a run, with the undo stored and held before anything is done.

    Args:
        at_most: how long the undo is to be held, as of now.
    """

    def __init__(
        self, target: Target, *, run: str, undos: Undos, at_most: Callable[[], timedelta]
    ) -> None:
        self._target = target
        self._run = run
        self._undos = undos
        self._at_most = at_most
        self._kept: dict[str, Undo] = {}
        self._may_have_acted: Counter[str] = Counter()  # by undo: several may share one
        self._acting: set[asyncio.Future[str]] = set()
        self._preparing = asyncio.Lock()
        self._is_closed = False

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do what the responder asks for and return what was done.

        `scoring.timeline.TAKE_BACK` takes back all that was applied until now.

        Raises:
            DriverError: it was not: it is unknown, refused, no sentinel holds the undo, or the run
                is being recovered.
            StoreError: the undo could not be stored; nothing was done.
        """
        if name == TAKE_BACK:
            return await self._take_back()
        async with self._preparing:
            self._refuse_if_closed()
            undo = self._target.undo_of_mitigation(self._run, name, parameters)
            if undo.id in self._kept:
                # Not for granted: a sentinel that took the run over takes nothing more.
                await self._undos.hold(undo, at_most=self._at_most())
            else:
                await self._undos.keep(undo, at_most=self._at_most())
                self._kept[undo.id] = undo
            self._refuse_if_closed()
            self._may_have_acted[undo.id] += 1
            acting = self._begun(self._target.mitigate(name, parameters))
        try:
            return await self._ended(acting, name)
        except NothingDone:
            self._may_have_acted[undo.id] -= 1
            raise

    async def _take_back(self) -> str:
        async with self._preparing:
            self._refuse_if_closed()
            applied = [u for u in self._kept.values() if self._may_have_acted[u.id]]
            if not applied or self._acting:
                why = "a mitigation is going on" if self._acting else "nothing was applied"
                raise NothingDone(f"{why}: there is nothing to take back")
            acting = self._begun(self._taken_back(applied))
        return await self._ended(acting, TAKE_BACK)

    async def _taken_back(self, applied: Sequence[Undo]) -> str:
        for undo in reversed(applied):  # last first
            await self._undos.take_back_now(undo)
        return f"taken back: {', '.join(undo.description for undo in reversed(applied))}"

    def _begun(self, act: Coroutine[Any, Any, str]) -> asyncio.Future[str]:
        acting = asyncio.ensure_future(act)
        self._acting.add(acting)
        return acting

    async def _ended(self, acting: asyncio.Future[str], name: str) -> str:
        try:
            await asyncio.wait({acting})
            if acting.cancelled():
                raise TemporaryDriverError(f"{name} was cut short: the game day is over")
            return acting.result()
        finally:
            acting.cancel()
            self._acting.discard(acting)

    async def close(self) -> None:
        """Let nothing more be done; returns when no undo is being stored and nothing goes on.

        The undo of what was never done is closed; of what may have been, it stays.

        What is under way is cut short: done after it was taken back, it would stay.
        """
        self._is_closed = True
        async with self._preparing:
            cut_short = set(self._acting)
        for acting in cut_short:
            acting.cancel()
        if cut_short:
            await asyncio.wait(cut_short)
        for undo in self._kept.values():
            if not self._may_have_acted[undo.id]:
                # It would mostly fail as the mitigation did. Not sooner: it may be tried again.
                with suppress(DriverError, StoreError):  # it is taken back with the others then
                    await self._undos.leave_alone(undo)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise PermanentDriverError("the game day is over, and being taken back")
