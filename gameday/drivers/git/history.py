"""git: who last changed the function that a frame points at."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gameday.drivers.git.changes import changes_between
from gameday.drivers.git.choice import Extent
from gameday.drivers.git.command import Git
from gameday.drivers.git.functions import functions_of
from gameday.drivers.git.language import language_of
from gameday.drivers.git.last_change import Commit, last_change, same_text
from gameday.drivers.git.place import FramePlace, commit_of, place, source_of
from gameday.drivers.git.view import repository_view
from gameday.errors import HistoryUnknown, PermanentDriverError
from gameday.model.signals import Blame, ChangeSet

__all__ = ["GitHistory"]

_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/+-]{0,199}")


class GitHistory:
    """The history of a repository on this machine; fulfils `CodeHistory`.

    Reads with the ``git`` command, through a view that holds the repository's objects and names and
    nothing else: no configuration, attribute, hook, filter, replacement or graft of the repository,
    its user or the machine says what is read, runs a program or opens the network.
    """

    def __init__(self, *, timeout: timedelta = timedelta(seconds=10)) -> None:
        """Bound every command by this time."""
        self._timeout = timeout

    async def blame(
        self, *, repository: str, revision: str, file: str, line: int, function: str
    ) -> Blame:
        """Return the newest commit that changed the function a frame means.

        A frame's line says where time was spent, not which line was changed: hence the whole
        function, as it stands at the revision that ran. A file that got another name or other line
        ends, and a function that was moved as it is, are not changed.

        Args:
            repository: path or ``file://`` URL.
            revision: commit that was running, or a tag.
            file: path inside the repository, an absolute path that ends with one, or the end of
                one; empty where the profiler writes none.
            line: 1-based; 0 where the profiler writes none.
            function: name as the profiler writes it (``main.(*Cart).Total``); may be empty where
                there is a file and a line.

        Raises:
            HistoryUnknown: the copy ends before that, as shallow and partial clones do, or does not
                have the revision.
            FrameUnclear: the frame may mean several functions, or none that is there.
            NotInstalled: the file's language cannot be read here; says what to type.
            PermanentDriverError: repository or file is not there.
            TemporaryDriverError: git did not answer in time.
        """
        async with self._opened(repository, revision) as git:
            commit = await commit_of(git, revision)
            where = await place(git, commit, function=function, file=file, line=line)
            return _blame(git, where, await last_change(git, where))

    async def commit(self, *, repository: str, revision: str) -> str:
        """Return the commit that a revision names.

        Raises:
            HistoryUnknown: it is not in this repository.
            DriverError: there is no such repository, or git did not answer.
        """
        async with self._opened(repository, revision) as git:
            return await commit_of(git, revision)

    async def change_since(
        self,
        *,
        repository: str,
        revision: str,
        earlier: str,
        file: str,
        line: int,
        function: str,
    ) -> Blame | None:
        """Return what made the function other than it was in an earlier version; None: the same.

        The newest commit that changed it and is not in the earlier version. Where there is none
        and it differs all the same, as after a rollback, the last one that changed it.

        Args:
            earlier: commit or tag that was live before.

        Raises:
            DriverError: as `blame` does.
        """
        async with self._opened(repository, revision, earlier) as git:
            commit, before = await commit_of(git, revision), await commit_of(git, earlier)
            where = await place(git, commit, function=function, file=file, line=line)
            if await _was_the_same(git, where, before):
                return None
            change = await last_change(git, where, since=before)
            if change is None:
                if await git.found("merge-base", "--is-ancestor", before, commit) is not None:
                    return None
                change = await last_change(git, where)
            return _blame(git, where, change)

    async def changes_between(self, *, repository: str, revision: str, earlier: str) -> ChangeSet:
        """Return the commits that tell a version from an earlier one.

        Commits that changed no file are left out, as are merges that only join two sides.

        Raises:
            HistoryUnknown: the copy ends before that, as shallow and partial clones do, or does not
                have one of the revisions; or there are more than anybody reads.
            DriverError: there is no such repository, or git did not answer.
        """
        async with self._opened(repository, revision, earlier) as git:
            commit, before = await commit_of(git, revision), await commit_of(git, earlier)
            return ChangeSet(
                brought=await changes_between(git, commit, before),
                taken_back=await changes_between(git, before, commit),
            )

    @asynccontextmanager
    async def _opened(self, repository: str, *revisions: str) -> AsyncIterator[Git]:
        folder = _folder(repository)
        for revision in revisions:
            if not _REVISION.fullmatch(revision) or ".." in revision:
                raise PermanentDriverError(f"{revision!r} is not a revision: give a commit")
        with repository_view(folder) as view:
            yield Git(view, self._timeout)


def _folder(repository: str) -> Path:
    split = urlsplit(repository)
    if split.scheme == "file":
        path = Path(unquote(split.path))
    elif split.scheme and "://" in repository:
        raise PermanentDriverError(
            f"{repository!r} is not on this machine: clone it and give the path"
        )
    else:
        path = Path(repository)
    if not path.is_dir():
        raise PermanentDriverError(f"there is no repository at {str(path)!r}")
    return path.resolve()


def _blame(git: Git, where: FramePlace, change: Commit | None) -> Blame:
    at = f"{where.path}:{where.line}"
    if change is None:
        raise PermanentDriverError(f"git blames nobody for {at} at {where.commit[:12]}")
    if change.commit in git.view.boundary:
        folder = git.view.repository
        raise HistoryUnknown(
            f"the history of {folder} ends at {change.commit[:12]}, so who changed {at} last is not"
            f" known: `git -C {folder} fetch --unshallow`"
        )
    return Blame(
        commit=change.commit,
        author=change.author,
        committed_at=change.committed_at,
        summary=change.summary,
        file=where.path,
        line=where.line,
    )


async def _was_the_same(git: Git, where: FramePlace, earlier: str) -> bool:
    """Return whether a function stood in an earlier commit, in the same file, as it stands now."""
    function, language = where.extent.function, language_of(where.path)
    if function is None or language is None:
        return False
    path = await _earlier_path(git, where, earlier)
    now, before = (
        await source_of(git, where.commit, where.path),
        await source_of(git, earlier, path),
    )
    if now is None or before is None:
        return False
    return any(
        same_text(now, where.extent, before, Extent(f.first, f.last))
        for f in functions_of(before, language, path)
        if f.name == function.name and f.within[-1:] == function.within[-1:]
    )


async def _earlier_path(git: Git, where: FramePlace, earlier: str) -> str:
    if await git.found("cat-file", "-e", f"{earlier}:{where.path}") is not None:
        return where.path
    renamed = (
        await git.text(
            *("diff-tree", "-r", "-z", "--find-renames", "--name-status", "--diff-filter=R"),
            *(earlier, where.commit),
        )
    ).split("\0")
    names = dict(zip(renamed[2::3], renamed[1::3], strict=False))
    return names.get(where.path, where.path)
