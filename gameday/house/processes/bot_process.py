"""The reference responder as a process of its own: it is given the page and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from gameday.errors import PermanentDriverError
from gameday.house.processes.silent import Silent
from gameday.http.keys import reading
from gameday.model.notification import Action, Notification, Receipt
from gameday.model.page import Page
from gameday.ports import Clock

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")
"""What of our environment the bot sees: enough to find git and Python, no setting of gameday."""

LAST_WORDS = 2000


class BotProcess(Silent):
    """A `gameday.ports.Responder` that starts the bot on its first page, in an empty folder.

    Args:
        token: lets the bot speak for the on-call; it travels beside the page.
        at_home: returns the page as it is reached from this machine.
    """

    name = "the bot"

    def __init__(self, *, clock: Clock, token: str, at_home: Callable[[Page], Page]) -> None:
        super().__init__(clock)
        self._token = token
        self._at_home = at_home
        self._process: asyncio.subprocess.Process | None = None
        self._words: asyncio.Task[bytes] | None = None
        self._started = asyncio.Event()
        self._starting = asyncio.Lock()
        self._has_left = False

    async def page(self, notification: Notification) -> Receipt:
        """Start the bot with this page on its standard input; a second page changes nothing."""
        async with self._starting:
            if self._has_left:
                raise PermanentDriverError("the game day is over: nobody answers any more")
            if self._process is None and notification.page is not None:
                await self._start(self._at_home(notification.page))
        return self.receipt(Action.PAGE, notification)

    async def _start(self, page: Page) -> None:
        environment = {k: os.environ[k] for k in KEPT_VARIABLES if k in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "gameday.cli.bot",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
            preexec_fn=_behind_the_shop,
        )
        self._process = process
        if process.stderr is not None:
            self._words = asyncio.create_task(process.stderr.read())
        self._started.set()
        said = {"page": page.model_dump(mode="json"), "token": self._token, "keys": dict(reading())}
        assert process.stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(json.dumps(said).encode())
            await process.stdin.drain()
            process.stdin.close()

    async def ended(self) -> tuple[int, str]:
        """Return the bot's exit code and its last words."""
        await self._started.wait()
        assert self._process is not None
        words = await asyncio.shield(self._words) if self._words else b""
        code = await self._process.wait()
        return code, words.decode(errors="replace").strip()[-LAST_WORDS:]

    async def leave(self) -> None:
        """End the bot if it still works; returns once its process is gone."""
        async with self._starting:
            self._has_left = True
            process = self._process
            if process is None:
                return
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), 2)
                except TimeoutError:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
            if self._words is not None:
                with suppress(asyncio.CancelledError):
                    await self._words


def _behind_the_shop() -> None:
    """Let the system under test go first on a busy machine: a drill must not slow it by itself."""
    os.nice(5)
