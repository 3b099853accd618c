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

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.model.signals import Blame

__all__ = ["GitHistory"]

_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,199}")
_HEADER = re.compile(r"(?P<commit>[0-9a-f]{40,64}) (?P<origin>\d+) (?P<final>\d+)(?: \d+)?")


class GitHistory:
    """The history of a repository on this machine; fulfils `CodeHistory`.

    Reads with the ``git`` command, never a shell, and never a hook, a pager or the network.
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
            PermanentDriverError: repository, revision or file is not there.
            TemporaryDriverError: git did not answer in time.
        """
        folder = _folder(self._copies.get(repository, repository))
        if not _REVISION.fullmatch(revision) or ".." in revision:
            raise PermanentDriverError(f"{revision!r} is not a revision: give a commit")
        path = await self._path(folder, revision, file)
        source = await self._git(folder, "show", "--no-textconv", f"{revision}:{path}")
        first, last = _extent(source, line, function)
        output = await self._git(
            folder, "blame", "--porcelain", f"-L{first},{last}", revision, "--", path
        )
        blames = _blames(output, path)
        if not blames:
            raise PermanentDriverError(f"git blames nobody for {path}:{first} at {revision}")
        # The newest; where two are equally old, the line nearest to where the time was spent.
        return max(blames, key=lambda b: (b.committed_at, -abs(b.line - line), b.line))

    async def _path(self, folder: Path, revision: str, file: str) -> str:
        """Return the path inside the repository: the longest suffix of ``file`` that is there."""
        names = await self._git(folder, "ls-tree", "-r", "-z", "--name-only", revision)
        known = set(names.split("\0"))
        parts = [part for part in file.replace("\\", "/").split("/") if part not in {"", "."}]
        for start in range(len(parts)):
            candidate = "/".join(parts[start:])
            if candidate in known:
                return candidate
        raise PermanentDriverError(f"{file!r} is not in {folder} at {revision}")

    async def _git(self, folder: Path, *arguments: str) -> str:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_")
        }
        environment |= {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
        }
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                # The repository may belong to the user the sandbox runs as.
                "-c",
                f"safe.directory={folder}",
                # A local configuration must neither run programs nor hide commits from blame.
                "-c",
                "core.fsmonitor=false",
                "-c",
                "blame.ignoreRevsFile=",
                "-C",
                str(folder),
                "--no-pager",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
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
            raise PermanentDriverError(
                f"git {arguments[0]} in {folder} failed: {said[0] if said else 'no reason given'}"
            )
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
