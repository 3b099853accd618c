"""Server-sent events: an open page hears at once what changed, and asks for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from gameday.errors import GamedayError
from gameday.server.gate import Denied

LOOK_EVERY = 0.25
"""Seconds between two looks at an incident; an acknowledgement by pager is followed this fast."""

BURN_EVERY = 3.0
"""Seconds between two readings of the burn rate."""

LASTS = 600.0
"""Seconds that one stream lasts; the browser comes back by itself, and is asked who it is."""

MOST = 200
"""Streams at once; each costs a look every quarter of a second."""

MOST_EACH = 20
"""Of these, one visitor's: nobody reads twenty pages, and the others want to hear as well."""


class Streams:
    """The open streams of a server."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._closing = False
        self._pulses: dict[str, tuple[float, str]] = {}

    def close(self) -> None:
        """End every stream soon: the server goes down."""
        self._closing = True

    def refuse_if_full(self, whom: str) -> None:
        """Return where a visitor may have one more stream; `Denied` says why not."""
        if self._open[whom] >= MOST_EACH:
            raise Denied(429, f"{MOST_EACH} pages of yours are open; this one does not follow")
        if self._open.total() >= MOST:
            raise Denied(503, "too many pages are open; this one does not follow by itself")

    def _has_room(self, whom: str) -> bool:
        return self._open[whom] < MOST_EACH and self._open.total() < MOST

    async def pulse(self, of: str, ask: Callable[[], Awaitable[str]]) -> str:
        """Return the pulse of something; many pages about it cost one look."""
        at, known = self._pulses.get(of, (0.0, ""))
        if time.monotonic() - at >= LOOK_EVERY / 2:
            known = await ask()
            if len(self._pulses) > MOST:
                self._pulses.clear()
            self._pulses[of] = (time.monotonic(), known)
        return known

    async def events(
        self,
        pulse: Callable[[], Awaitable[str]],
        burn: Callable[[], Awaitable[Mapping[str, Any]]] | None = None,
        *,
        whom: str,
        allowed: Callable[[], Awaitable[bool]],
    ) -> AsyncIterator[str]:
        """Yield events: ``changed`` with the pulse, ``burn`` with the burn rates.

        Args:
            whom: id of the visitor, who may have only so many.
            allowed: asked now and then whether the visitor may still listen.
        """
        if not self._has_room(whom):  # many were let in at once, before the first was counted
            return
        self._open[whom] += 1
        try:
            began = time.monotonic()
            known, next_burn = "", began
            yield "retry: 1000\n\n"
            while not self._closing and time.monotonic() - began < LASTS:
                try:
                    now = await pulse()
                except GamedayError:
                    now = known
                if now != known:
                    known = now
                    yield _event("changed", {"pulse": now})
                if time.monotonic() >= next_burn:
                    if not await allowed():
                        return
                    if burn is not None:
                        yield _event("burn", await burn())
                    else:
                        yield ": still here\n\n"
                    next_burn = time.monotonic() + BURN_EVERY
                await asyncio.sleep(LOOK_EVERY)
        finally:
            self._open[whom] -= 1
            self._open += Counter()  # which drops who has none


def _event(name: str, data: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
