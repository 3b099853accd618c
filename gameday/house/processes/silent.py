"""A responder that needs not be told what became of a page: it sees the incident itself."""

from __future__ import annotations

from gameday.model.notification import Action, Notification, Receipt
from gameday.ports import Clock


class Silent:
    """The half of a `gameday.ports.Responder` that most of them have no use for."""

    name = "the responder"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def stand_by(self) -> None:
        """Be there already."""

    async def acknowledge(self, notification: Notification) -> Receipt:
        """Take notice."""
        return self.receipt(Action.ACKNOWLEDGE, notification)

    async def resolve(self, notification: Notification) -> Receipt:
        """Take notice."""
        return self.receipt(Action.RESOLVE, notification)

    def receipt(self, action: Action, notification: Notification) -> Receipt:
        """Return that it was taken."""
        return Receipt(self.name, action, notification.key, self._clock.now())
