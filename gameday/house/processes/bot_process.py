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
from gameday.model.toolbox import NO_TOOLS, Toolbox
from gameday.ports import Clock

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")
"""What of our environment the bot sees: enough to find git and Python, no setting of gameday."""

LAST_WORDS = 2000


class BotProcess(Silent):
    """A `gameday.ports.Responder` that hands its first page to the bot, in an empty folder.

    The bot's process waits for it from `stand_by` on, so that its start is not taken for the time
    the responder needs.

    Args:
        token: lets the bot speak for the on-call; it travels beside the page.
        at_home: returns the page as it is reached from this machine.
        toolbox: how the instruments are asked that the page's links lead to.
    """

    name = "the bot"

    def __init__(
        self,
        *,
        clock: Clock,
        token: str,
        at_home: Callable[[Page], Page],
        toolbox: Toolbox = NO_TOOLS,
    ) -> None:
        super().__init__(clock)
        self._toolbox = toolbox
        self._token = token
        self._at_home = at_home
        self._process: asyncio.subprocess.Process | None = None
        self._words: asyncio.Task[bytes] | None = None
        self._paged = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._has_left = False

    async def stand_by(self) -> None:
        """Start the bot's process, which waits for its page; one that cannot start does later."""
        async with self._one_at_a_time:
            if self._process is None and not self._has_left:
                with suppress(OSError):
                    await self._start()

    async def page(self, notification: Notification) -> Receipt:
        """Give the bot this page on its standard input; a second page changes nothing."""
        async with self._one_at_a_time:
            if self._has_left:
                raise PermanentDriverError("the game day is over: nobody answers any more")
            if not self._paged.is_set() and notification.page is not None:
                page = self._at_home(notification.page)
                if self._process is None or not await self._told(self._process, page):
                    await self._told(await self._start(), page)
                self._paged.set()
        return self.receipt(Action.PAGE, notification)

    async def _start(self) -> asyncio.subprocess.Process:
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
            preexec_fn=_behind_the_system,
        )
        self._process = process
        if process.stderr is not None:
            self._words = asyncio.create_task(process.stderr.read())
        return process

    async def _told(self, process: asyncio.subprocess.Process, page: Page) -> bool:
        """Return whether there was somebody to take the page."""
        said = {
            "page": page.model_dump(mode="json"),
            "token": self._token,
            "keys": dict(reading()),
            "toolbox": self._toolbox.model_dump(mode="json"),
        }
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(said).encode())
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return False
        process.stdin.close()
        return process.returncode is None

    async def ended(self) -> tuple[int, str]:
        """Return the bot's exit code and its last words."""
        await self._paged.wait()
        assert self._process is not None
        words = await asyncio.shield(self._words) if self._words else b""
        code = await self._process.wait()
        return code, words.decode(errors="replace").strip()[-LAST_WORDS:]

    async def leave(self) -> None:
        """End the bot if it still works; returns once its process is gone."""
        async with self._one_at_a_time:
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


def _behind_the_system() -> None:
    """Let the system under test go first on a busy machine: a drill must not slow it by itself."""
    os.nice(5)
