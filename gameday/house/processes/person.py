"""A person as the responder: the page is shown in the terminal, the work is done in the console."""

from __future__ import annotations

import asyncio
import sys

from gameday.house.processes.silent import Silent
from gameday.model.notification import Action, Notification, Receipt
from gameday.ports import Clock


class Person(Silent):
    """A `gameday.ports.Responder` that prints the page for whoever is on call."""

    name = "the console"

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock)
        self._shown: set[str] = set()

    async def page(self, notification: Notification) -> Receipt:
        """Show the page, once."""
        links = notification.links
        if notification.key not in self._shown:
            self._shown.add(notification.key)
            print(
                f"\nPAGE  {notification.headline}\n"
                f"      red      {links.red}\n"
                f"      traces   {links.traces}\n"
                f"      profile  {links.profile}\n"
                f"      runbook  {links.runbook}\n"
                "      answer   in the console, or: gameday incident ack, finding STEP, mitigate\n",
                file=sys.stderr,
            )
        return self.receipt(Action.PAGE, notification)

    async def ended(self) -> tuple[int, str]:
        """Wait until cancelled: nobody can tell when a person is done."""
        await asyncio.Event().wait()
        return 0, ""

    async def leave(self) -> None:
        """Do nothing: a person sees in the console that it is over."""
