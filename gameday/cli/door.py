"""Where people come into a run, and what calls them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from gameday.cli.output import say

if TYPE_CHECKING:
    from gameday.house.run.drill import Served
    from gameday.house.run.stories import Story
    from gameday.house.targets.open_system import OpenSystem
    from gameday.house.targets.sent_here import SentHere
    from gameday.server.drill import RunDoor
    from gameday.settings import Settings


def door_of(run: str, system: OpenSystem, store: Any, settings: Settings) -> RunDoor:
    """Return the door of a run, on a free port of this machine.

    Raises:
        StoreError: the server's secret cannot be used.
        UsageError: pages are sent to it, and the settings do not say where, or it is taken.
    """
    from gameday.drivers.clock import SystemClock
    from gameday.house.service.key import server_key
    from gameday.house.targets.instruments import instruments_of
    from gameday.server.drill import RunDoor
    from gameday.server.listening import free_port
    from gameday.server.page_door import PageDoor

    key = server_key(settings.state)
    take = system.take_pages
    pages = None if take is None else (PageDoor(settings.hook), take)
    return RunDoor(
        free_port(),
        run=run,
        store=store,
        instruments=instruments_of(system.tools, keyring=system.keyring, absent=system.absent),
        key=key,
        now=SystemClock().now,
        people_url=settings.drill.url,
        pagerduty_secrets=[s.get_secret_value() for s in settings.service.pagerduty_webhook_secret],
        pages=pages,
    )


def sent_here(settings: Settings) -> SentHere:
    """Return where pages come that a system sends to us, to look at what comes."""
    from gameday.house.targets.sent_here import SentHere
    from gameday.server.page_door import PageDoor, Take

    @asynccontextmanager
    async def opens(take: Take, denied: Callable[[], None]) -> AsyncIterator[None]:
        with closing(PageDoor(settings.hook)) as door:
            async with door.taking(take, denied=denied):
                yield

    return SentHere(settings.hook, opens)


class ToldDoor:
    """A door that tells people where they come in, once it is open.

    Args:
        opens: whether the on-call's console is opened in this machine's browser.
    """

    def __init__(self, door: RunDoor, story: Story, *, opens: bool) -> None:
        self._door = door
        self._story = story
        self._opens = opens
        self.url = door.url
        self.people_url = door.people_url
        self.webhook = door.webhook
        self.token = door.token
        self.key = door.key

    @asynccontextmanager
    async def serving(self, served: Served) -> AsyncIterator[None]:
        """Serve for as long as the context lasts."""
        from gameday.model.scenario import ResponderKind
        from gameday.ports import Role

        async with self._door.serving(served):
            links = self._door.sign_in_links()
            if self._story.scenario.spec.responder is ResponderKind.HUMAN:
                # Each link on a line of its own: it must survive a narrow terminal in one piece.
                say("You are on call: open this link, and wait there for the page. Then the big")
                say(f"button says what is next.\n{links[Role.RESPONDER]}")
                say("The facilitator sees what is injected, and can abort:")
                say(links[Role.FACILITATOR])
                say(f"Whoever only watches the incident:\n{links[Role.OBSERVER]}")
            if self._opens:
                import webbrowser

                await asyncio.to_thread(webbrowser.open, links[Role.RESPONDER])
            yield
