"""A person as the responder: the page is shown in the terminal, the work is done in the console."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gameday.model.page import Page
from gameday.ports import ResponderSession


class Person:
    """A `Responder` that prints the page for whoever is on call and waits."""

    @asynccontextmanager
    async def answer(self, page: Page) -> AsyncIterator[ResponderSession]:
        """Show the page; the session lasts until the run ends it."""
        links = page.links
        print(
            f"\nPAGE  {page.summary}\n"
            f"      red      {links.red}\n"
            f"      traces   {links.traces}\n"
            f"      profile  {links.profile}\n"
            f"      runbook  {links.runbook}\n"
            "      answer   in the console, or: gameday incident ack, finding STEP, mitigate\n",
            file=sys.stderr,
        )
        yield _Session()


class _Session:
    """A person at work; nobody can tell when they are done."""

    async def ended(self) -> tuple[int, str]:
        """Wait until the run ends the session."""
        await asyncio.Event().wait()
        return 0, ""
