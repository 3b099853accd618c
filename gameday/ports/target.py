"""The system a game day plays on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gameday.model.fault import Undo


class Target(Protocol):
    """The system a game day plays on."""

    name: str
    time_scale: float

    async def check(self) -> None:
        """Return when everything answers; `DriverError` says what does not."""

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Do what a responder asked for; return what was done. Unknown names raise."""

    async def route_pages(self, url: str) -> None:
        """Have the target's Alertmanager send its pages to this webhook."""

    def undo_of_mitigation(self, run: str, name: str, parameters: Mapping[str, str]) -> Undo:
        """Return what takes this mitigation back, so that all is as it was before the run.

        Mitigations that are taken back together have one undo, with one id. Unknown names may
        raise.
        """
