"""How a page reaches people."""

from __future__ import annotations

from typing import Protocol

from gameday.model.notification import Notification, Receipt


class Pager(Protocol):
    """Carries pages to people, each in the order it was given for one incident.

    Every call may be repeated safely: the tool sees the same key again. A `TemporaryDriverError`
    says that it was tried for as long as the pager's patience lasts; somebody else must be paged
    then, or the same tool later. A `PermanentDriverError` says that the tool answered no.
    """

    @property
    def name(self) -> str:
        """What the tool is called in messages and receipts."""

    async def page(self, notification: Notification) -> Receipt:
        """Open the incident with the tool; while it is open there, this changes nothing."""

    async def acknowledge(self, notification: Notification) -> Receipt:
        """Say that a responder has it."""

    async def resolve(self, notification: Notification) -> Receipt:
        """Say that it is over. A page with the same key after this opens a new incident."""
