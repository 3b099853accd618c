"""git: who last changed the function that a frame points at."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gameday.drivers.git.view import RepositoryView, repository_view
from gameday.errors import HistoryUnknown, PermanentDriverError, TemporaryDriverError
from gameday.model.signals import Blame

__all__ = ["GitHistory"]

_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,199}")
_HEADER = re.compile(r"(?P<commit>[0-9a-f]{40,64}) (?P<origin>\d+) (?P<final>\d+)(?: \d+)?")


class GitHistory:
    """The history of a repository on this machine; fulfils `CodeHistory`.

    Reads with the ``git`` command, through a view that holds the repository's objects and names and
    nothing else: no configuration, attribute, hook, filter, replacement or graft of the repository,
    its user or the machine says what is read, runs a program or opens the network.
    """

    def __init__(
        self,
        *,
        timeout: timedelta = timedelta(seconds=10),
        copies: Mapping[str, str] | None = None,
    ) -> None:
        """Bound every command by this time.

        Args:
            copies: where this machine has repositories that telemetry names otherwise.
        """
        self._timeout = timeout
        self._copies = dict(copies or {})

    async def blame(
        self, *, repository: str, revision: str, file: str, line: int, function: str
    ) -> Blame:
        """Return the newest commit among the lines of the function that holds this line.

        A frame's line says where time was spent, not which line was changed: hence the whole
        function, as it stands at the revision that ran. Where its extent cannot be told (another
        language, a syntax unknown here) the one line counts.

        Args:
            repository: path or ``file://`` URL.
            revision: commit that was running.
            file: path inside the repository, or an absolute path that ends with one.
            line: 1-based; where it lies in no function, ``function`` is looked up by name.
            function: name as the profiler writes it (``Thread.run``); may be empty.

        Raises:
            HistoryUnknown: the copy ends before that, as shallow and partial clones do.
            PermanentDriverError: repository, revision or file is not there.
            TemporaryDriverError: git did not answer in time.
        """
        folder = _folder(self._copies.get(repository, repository))
        if not _REVISION.fullmatch(revision) or ".." in revision:
            raise PermanentDriverError(f"{revision!r} is not a revision: give a commit")
        with repository_view(folder) as view:
            path = await self._path(view, revision, file)
            source = await self._git(view, "cat-file", "blob", f"{revision}:{path}")
            first, last = _extent(source, line, function)
            output = await self._git(
                view, "blame", "--porcelain", f"-L{first},{last}", revision, "--", path
            )
            blames = _blames(output, path)
            if not blames:
                raise PermanentDriverError(f"git blames nobody for {path}:{first} at {revision}")
            # The newest; where two are equally old, the line nearest to where the time was spent.
            newest = max(blames, key=lambda b: (b.committed_at, -abs(b.line - line), b.line))
            if newest.commit in view.boundary:
                raise HistoryUnknown(
                    f"the history of {folder} ends at {newest.commit[:12]}, so who changed"
                    f" {path}:{newest.line} last is not known: `git -C {folder} fetch --unshallow`"
                )
        return newest

    async def _path(self, folder: RepositoryView, revision: str, file: str) -> str:
        """Return the path inside the repository: the longest suffix of ``file`` that is there."""
        names = await self._git(folder, "ls-tree", "-r", "-z", "--name-only", revision)
        known = set(names.split("\0"))
        parts = [part for part in file.replace("\\", "/").split("/") if part not in {"", "."}]
        for start in range(len(parts)):
            candidate = "/".join(parts[start:])
            if candidate in known:
                return candidate
        raise PermanentDriverError(f"{file!r} is not in {folder.repository} at {revision}")

    async def _git(self, view: RepositoryView, *arguments: str) -> str:
        folder = view.repository
        try:
            process = await asyncio.create_subprocess_exec(
                *("git", f"--git-dir={view.git_dir}", "--no-pager", "--bare"),
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
            async with asyncio.timeout(self._timeout.total_seconds()):
                out, err = await process.communicate()
        except TimeoutError as error:
            raise TemporaryDriverError(
                f"git {arguments[0]} in {folder} took longer than "
                f"{self._timeout.total_seconds():g} s"
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
            raise PermanentDriverError(f"git {arguments[0]} in {folder} failed: {reason}")
        return out.decode(errors="replace")


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


def _extent(source: str, line: int, function: str) -> tuple[int, int]:
    """Return first and last line of the innermost function around the line, decorators included."""
    count = max(1, len(source.splitlines()))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return _clamped(line, count)
    functions: list[tuple[int, int, str]] = [
        (min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.end_lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    ]
    around = [f for f in functions if f[0] <= line <= f[1]]
    name = function.rsplit(".", 1)[-1]
    named = [f for f in functions if f[2] == name]
    # The frame's own name goes first: a closure inside it may hold the line too.
    for candidates in ([f for f in around if f in named], around, named):
        if candidates:
            first, last, _ = min(candidates, key=lambda f: (f[1] - f[0], f[0]))
            return first, last
    return _clamped(line, count)


def _clamped(line: int, count: int) -> tuple[int, int]:
    only = min(max(1, line), count)
    return only, only


def _blames(output: str, path: str) -> Sequence[Blame]:
    """Return one `Blame` per line of ``git blame --porcelain``."""
    known: dict[str, dict[str, str]] = {}
    blames: list[Blame] = []
    commit, final = "", 0
    for text in output.split("\n"):
        if text.startswith("\t"):
            facts = known.get(commit, {})
            seconds = int(facts.get("committer-time", "0"))
            blames.append(
                Blame(
                    commit=commit,
                    author=facts.get("author", ""),
                    committed_at=datetime.fromtimestamp(seconds, UTC),
                    summary=facts.get("summary", ""),
                    file=path,
                    line=final,
                )
            )
        elif header := _HEADER.fullmatch(text):
            commit, final = header["commit"], int(header["final"])
            known.setdefault(commit, {})
        elif commit:
            key, _, value = text.partition(" ")
            known[commit].setdefault(key, value)
    return blames
