"""The command ``git``, run on a view of a repository."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from datetime import timedelta

from gameday.drivers.git.view import RepositoryView
from gameday.errors import HistoryUnknown, PermanentDriverError, TemporaryDriverError

__all__ = ["Git"]

_NOTHING_FOUND = {"grep": 1, "merge-base": 1, "rev-parse": 1, "cat-file": 128}
"""What a command ends with where it looked and found nothing."""


@dataclass(frozen=True, slots=True)
class Git:
    """Commands on one repository, each bounded in time."""

    view: RepositoryView
    timeout: timedelta

    async def text(self, *arguments: str) -> str:
        """Return what a command prints.

        Raises:
            DriverError: it failed, or took too long.
        """
        found = await self._run(arguments, may_find_nothing=False)
        assert found is not None
        return found

    async def found(self, *arguments: str) -> str | None:
        """Return what a command prints; None where it looked and found nothing.

        Raises:
            DriverError: it failed otherwise, or took too long.
        """
        return await self._run(arguments, may_find_nothing=True)

    async def _run(self, arguments: tuple[str, ...], *, may_find_nothing: bool) -> str | None:
        view, folder = self.view, self.view.repository
        try:
            process = await asyncio.create_subprocess_exec(
                *("git", f"--git-dir={view.git_dir}", "--no-pager", "--bare"),
                *("-c", "core.quotePath=false"),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=view.git_dir,
                env=view.environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise PermanentDriverError("the command `git` is missing: install git") from error
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                out, err = await process.communicate()
        except TimeoutError as error:
            raise TemporaryDriverError(
                f"git {arguments[0]} in {folder} took longer than "
                f"{self.timeout.total_seconds():g} s"
            ) from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            said = err.decode(errors="replace").strip().splitlines()
            reason = said[0] if said else "no reason given"
            if view.is_partial:
                raise HistoryUnknown(
                    f"{folder} is a partial clone, and nothing is fetched while it is read"
                    f" ({reason}): `git -C {folder} fetch --refetch --no-filter`"
                )
            if may_find_nothing and process.returncode == _NOTHING_FOUND.get(arguments[0]):
                return None
            raise PermanentDriverError(f"git {arguments[0]} in {folder} failed: {reason}")
        return out.decode(errors="replace")
