"""The door of a run: its API and its console on a port of this machine, for as long as it goes on.

The same application that `gameday serve` is, with tokens that are made for the run and gone with
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import uvicorn

from gameday.diagnosis.instruments import Instruments
from gameday.house.run.drill import Served
from gameday.incidents.access import new_token
from gameday.ports import Role, Store, Token
from gameday.server.bounds import bounded
from gameday.server.console import Console
from gameday.server.console.incidents import EngineIncidents
from gameday.server.console.runs import StoredRuns
from gameday.server.gate import Gate, GateDoors
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
    ) -> None:
        self.listener = listener
        self._run = run
        self._store = store
        self._instruments = instruments
        self._pagerduty_secrets = pagerduty_secrets
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
                served.engine, link_of=served.link_of, lookup=served.lookup, only=self._run
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
            async with listening(self.app(served, console), self.listener):
                yield
        finally:
            console.streams.close()


def free_port() -> socket.socket:
    """Return a socket that listens on a free port of loopback."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


class _QuietServer(uvicorn.Server):
    """Leaves the process's signal handlers alone: Ctrl-C belongs to the run."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an ASGI application there until the context ends, and close the socket."""
    config = uvicorn.Config(
        app, http=bounded(), log_level="error", lifespan="off", access_log=False
    )
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        server.force_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
        listener.close()
