"""The door of a run: its API and its console on a port of this machine, for as long as it goes on.

The same application that `gameday serve` is, with tokens that are made for the run and gone with
it.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from gameday.diagnosis.instruments import Instruments
from gameday.house.run.drill import Served
from gameday.incidents.access import new_token
from gameday.ports import Role, Store, Token
from gameday.server.console import Console
from gameday.server.console.incidents import EngineIncidents
from gameday.server.console.runs import StoredRuns
from gameday.server.gate import Gate, GateDoors
from gameday.server.listening import listening
from gameday.server.page_door import PageDoor, Take
from gameday.server.service import service_app
from gameday.server.sessions import Sessions

NAMES = {Role.RESPONDER: "on-call"}
"""What acts are recorded by, where that is not the role: reports name roles, never people."""


class RunDoor:
    """Where a run is reached; fulfils `gameday.house.run.drill.Door`.

    Args:
        listener: a socket that listens.
        key: signs the links.
        people_url: how people reach it; empty: as this machine does.
        pagerduty_secrets: of PagerDuty's webhook subscriptions, where those reach the run.
        pages: where the system sends its pages, and what takes them; None: they are fetched.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        run: str,
        store: Store,
        instruments: Instruments,
        key: bytes,
        now: Callable[[], datetime],
        people_url: str = "",
        pagerduty_secrets: Sequence[str] = (),
        pages: tuple[PageDoor, Take] | None = None,
    ) -> None:
        self.listener = listener
        self._run = run
        self._store = store
        self._instruments = instruments
        self._pagerduty_secrets = pagerduty_secrets
        self._pages = pages
        self._known: list[Token] = []
        self.secrets: dict[Role, str] = {}
        for role in Role:
            self.secrets[role], token = new_token(role, NAMES.get(role, str(role)), now=now())
            self._known.append(token)
        self.key = key
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.people_url = people_url or self.url
        self.webhook = f"{self.url}/hooks/alertmanager/{self.secrets[Role.WEBHOOK]}"
        self.token = self.secrets[Role.RESPONDER]

    def close(self) -> None:
        """Give the port back, also where nothing was ever served."""
        self.listener.close()
        if self._pages is not None:
            self._pages[0].close()

    def sign_in_links(self) -> Mapping[Role, str]:
        """Return the link that signs each role in; whoever has it is let in until the run ends."""
        return {
            role: f"{self.url}/console/enter/{secret}"
            for role, secret in self.secrets.items()
            if role is not Role.WEBHOOK
        }

    def console(self, served: Served) -> Console:
        """Return the console of the run."""
        now = served.engine.now
        return Console(
            incidents=EngineIncidents(
                served.engine,
                link_of=served.link_of,
                lookup=served.lookup,
                facts_of=self._store.facts,
                only=self._run,
            ),
            runs=StoredRuns(self._store, now=now, only=self._run),
            sessions=Sessions(secrets.token_bytes(32), GateDoors(self.gate()), now=now),
            instruments=self._instruments,
            now=now,
            by_link=True,
        )

    def gate(self) -> Gate:
        """Return who may come in."""
        return Gate(lambda: self._known)

    def app(self, served: Served, console: Console) -> Any:
        """Return the application of the run."""
        return service_app(
            served.engine,
            self.gate(),
            served.signer,
            link_of=served.link_of,
            lookup=served.lookup,
            pagerduty_secrets=self._pagerduty_secrets,
            console=console,
            has_hook_in_path=True,
            mitigate=served.mitigate,
        )

    @asynccontextmanager
    async def serving(self, served: Served) -> AsyncIterator[None]:
        """Serve for as long as the context lasts, on the run's own event loop."""
        console = self.console(served)
        try:
            async with AsyncExitStack() as doors:
                app = self.app(served, console)
                await doors.enter_async_context(listening(app, self.listener))
                if self._pages is not None:
                    door, take = self._pages
                    await doors.enter_async_context(door.taking(take))
                yield
        finally:
            console.streams.close()
