"""Somebody who answers pages, and the incident as they see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gameday.model.page import Finding
from gameday.model.signals import Deploy
from gameday.ports.pager import Pager


class IncidentDesk(Protocol):
    """The incident's API as a responder sees it: everything starts from the page."""

    async def acknowledge(self) -> None:
        """Say: I have it."""

    async def report(self, finding: Finding) -> None:
        """Hand in the finding of one step."""

    async def tick(self, step: str, *, done: bool, note: str = "") -> None:
        """Tick a runbook step."""

    async def mitigate(self, name: str, parameters: Mapping[str, str]) -> str:
        """Start a mitigation the runbook gives; return what was done."""

    async def follow(self, link: str) -> str:
        """Open a deeplink and return where it leads (the URL behind the redirect)."""

    async def read(self, link: str) -> str:
        """Open a deeplink and return the text it leads to (the runbook)."""

    async def deploys(self) -> Sequence[Deploy]:
        """Return the incident's deploy timeline, oldest first."""


class Responder(Pager, Protocol):
    """Somebody who is paged and answers: the bot, a person.

    The first page begins the work; another one changes nothing of it, whatever its key.
    """

    async def stand_by(self) -> None:
        """Be where one can be reached before anything happens. Never raises."""

    async def ended(self) -> tuple[int, str]:
        """Return (exit code, last words) once the responder stops working."""

    async def leave(self) -> None:
        """End the work, whatever is being done; no page begins it again. Never raises."""
