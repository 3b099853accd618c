"""A branch of patches, made beside whatever the user is at.

Nothing is checked out: the commits are made in an index of their own, so that neither the files of
the repository nor its index are touched, and no hook runs. What comes of it is a branch to read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.program import ran

__all__ = ["PatchBranch"]

WITHIN = timedelta(seconds=30)


class PatchBranch:
    """Commits on top of what is checked out, which get a name at the end."""

    def __init__(self, folder: Path, commit: str) -> None:
        self._folder = folder
        self._commit = commit

    @classmethod
    async def from_head(cls, folder: Path) -> PatchBranch:
        """Begin at the commit that is checked out in the repository around a folder.

        Raises:
            DriverError: there is none, or git is missing.
        """
        top = Path((await _git(folder, "rev-parse", "--show-toplevel")).strip())
        return cls(top, (await _git(top, "rev-parse", "--verify", "HEAD^{commit}")).strip())

    async def text(self, path: str) -> str:
        """Return a file as the newest of the commits has it.

        Raises:
            DriverError: it is not there.
        """
        return await _git(self._folder, "cat-file", "blob", f"{self._commit}:{path}")

    async def add(self, patch: str, message: str) -> None:
        """Commit a patch.

        Raises:
            DriverError: it does not apply, or git does not know who commits.
        """
        with tempfile.TemporaryDirectory() as aside:
            file = Path(aside) / "patch"
            file.write_text(patch, encoding="utf-8", newline="")
            index = {"GIT_INDEX_FILE": str(Path(aside) / "index")}
            await _git(self._folder, "read-tree", self._commit, more=index)
            await _git(self._folder, "apply", "--cached", str(file), more=index)
            tree = (await _git(self._folder, "write-tree", more=index)).strip()
        made = await _git(self._folder, "commit-tree", tree, "-p", self._commit, "-m", message)
        self._commit = made.strip()

    async def name(self, branch: str) -> None:
        """Have the commits be a branch.

        Raises:
            DriverError: there is one of this name, or it can be no name.
        """
        await _git(self._folder, "branch", "--no-track", "--", branch, self._commit)


async def _git(folder: Path, *arguments: str, more: Mapping[str, str] | None = None) -> str:
    try:
        ended = await ran(
            *("git", "-c", "core.autocrlf=false", "--no-pager", *arguments),
            within=WITHIN,
            cwd=folder,
            env={**os.environ, **(more or {})},
        )
    except FileNotFoundError as error:
        raise PermanentDriverError("the command `git` is missing: install git") from error
    except TimeoutError as error:
        raise TemporaryDriverError(f"git {arguments[0]} in {folder} took too long") from error
    if ended.code:
        said = ended.err.decode(errors="replace").strip().splitlines()
        reason = said[0] if said else "no reason given"
        raise PermanentDriverError(f"git {arguments[0]} in {folder} failed: {reason}")
    return ended.out.decode("utf-8", errors="surrogateescape")
