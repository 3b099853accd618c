"""The command ``git``, run on a view of a repository."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gameday.drivers.git.view import RepositoryView
from gameday.errors import HistoryUnknown, PermanentDriverError, TemporaryDriverError
from gameday.program import ran

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
            ended = await ran(
                *("git", f"--git-dir={view.git_dir}", "--no-pager", "--bare"),
                *("-c", "core.quotePath=false"),
                *arguments,
                within=self.timeout,
                cwd=view.git_dir,
                env=view.environment,
            )
        except FileNotFoundError as error:
            raise PermanentDriverError("the command `git` is missing: install git") from error
        except TimeoutError as error:
            raise TemporaryDriverError(
                f"git {arguments[0]} in {folder} took longer than "
                f"{self.timeout.total_seconds():g} s"
            ) from error
        if ended.code:
            said = ended.err.decode(errors="replace").strip().splitlines()
            reason = said[0] if said else "no reason given"
            if view.is_partial:
                raise HistoryUnknown(
                    f"{folder} is a partial clone, and nothing is fetched while it is read"
                    f" ({reason}): `git -C {folder} fetch --refetch --no-filter`"
                )
            if may_find_nothing and ended.code == _NOTHING_FOUND.get(arguments[0]):
                return None
            raise PermanentDriverError(f"git {arguments[0]} in {folder} failed: {reason}")
        return ended.out.decode(errors="replace")
