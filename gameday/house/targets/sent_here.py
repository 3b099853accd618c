"""Where a system sends its pages to us: what the settings say, and a look at what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gameday.errors import TemporaryDriverError
from gameday.incidents.alerts import has_beat
from gameday.rules.alert_routes import HOOK
from gameday.settings import HookSettings

__all__ = ["Came", "SentHere"]

Take = Callable[[Mapping[str, Any]], Awaitable[None]]
Opens = Callable[[Take, Callable[[], None]], AbstractAsyncContextManager[None]]
"""(takes what is sent, is told of a sender without the token) → the address, open."""


@dataclass(slots=True)
class Came:
    """What was sent to us while somebody looked.

    Attributes:
        anything: whether anything came with the right token.
        beat: whether a watchdog's beat did.
        denied: whether anything came without the token.
    """

    anything: bool = False
    beat: bool = False
    denied: bool = False


@dataclass(frozen=True, slots=True)
class SentHere:
    """Where a system sends its pages.

    Attributes:
        opens: opens the address to see what comes; None: nobody looks.
    """

    settings: HookSettings = field(default_factory=HookSettings)
    opens: Opens | None = None

    @property
    def url(self) -> str:
        """Where Alertmanager's receiver has to send; empty: that is not known."""
        address = self.settings.address
        return f"{address}{HOOK}" if address else ""

    async def came(self, *, within: timedelta) -> Came:
        """Return what comes, by the first beat or when the time is over; all of it is sent again.

        Raises:
            UsageError: the address cannot be opened.
        """
        came, beaten = Came(), asyncio.Event()

        async def take(said: Mapping[str, Any]) -> None:
            came.anything = True
            if has_beat(said):
                came.beat = True
                beaten.set()
            # Taken, it would not be told to the drill that may begin next.
            raise TemporaryDriverError("this is the doctor, and no drill: send it again")

        def denied() -> None:
            came.denied = True

        if self.opens is not None:
            async with self.opens(take, denied):
                try:
                    await asyncio.wait_for(beaten.wait(), within.total_seconds())
                except TimeoutError:
                    pass
        return came
