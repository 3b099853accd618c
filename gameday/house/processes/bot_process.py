"""The reference responder as a process of its own: it is given the page and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gameday.model.page import Page
from gameday.ports import ResponderSession

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")
"""What of our environment the bot sees: enough to find git and Python, no setting of gameday."""

LAST_WORDS = 2000


class BotProcess:
    """A `Responder` that starts the bot in a process of its own, in an empty working directory."""

    @asynccontextmanager
    async def answer(self, page: Page) -> AsyncIterator[ResponderSession]:
        """Start the bot with this page on its standard input; end it when the context is left."""
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
        session = _Session(process)
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(page.model_dump_json().encode())
                await process.stdin.drain()
                process.stdin.close()
            yield session
        finally:
            await session.end()


def _behind_the_shop() -> None:
    """Let the system under test go first on a busy machine: a drill must not slow it by itself."""
    os.nice(5)


class _Session:
    """One bot at work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._words: asyncio.Task[bytes] | None = None
        if process.stderr is not None:
            self._words = asyncio.create_task(process.stderr.read())

    async def ended(self) -> tuple[int, str]:
        """Return the bot's exit code and its last words."""
        words = await asyncio.shield(self._words) if self._words else b""
        code = await self._process.wait()
        return code, words.decode(errors="replace").strip()[-LAST_WORDS:]

    async def end(self) -> None:
        """End the bot if it still works; returns once the process is gone."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 2)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
        if self._words is not None:
            with suppress(asyncio.CancelledError):
                await self._words
