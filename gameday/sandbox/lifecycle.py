"""Sandbox up, sandbox down: for the command line, for a run that needs one, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from gameday import private
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.extras import Extra, require
from gameday.sandbox import state
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor import database, ledger

START_PATIENCE_SECONDS = 90.0
KEPT = ("logs",)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """What there is of a sandbox.

    Attributes:
        state: None where none is up.
        ready: every component is healthy and traffic flows.
        components: name, kind, pid, port, state and restarts of each; empty where it cannot say.
        leftovers: processes of a sandbox whose supervisor is gone; `down` ends them.
    """

    state: SandboxState | None
    ready: bool
    components: tuple[dict[str, Any], ...] = ()
    deploys: tuple[dict[str, Any], ...] = ()
    leftovers: tuple[int, ...] = field(default=())


async def up(
    folder: Path | None = None,
    *,
    time_scale: float = 60.0,
    fresh: bool = False,
    rules: Mapping[str, str] | None = None,
    reload_rules: bool = True,
    rate: float = 16.0,
    on_progress: Progress | None = None,
) -> SandboxState:
    """Return a sandbox that is ready, starting it where there is none.

    Several callers at once get the same sandbox: one starts it, the others wait.

    Args:
        folder: the sandbox's folder; `gameday.sandbox.state.default_folder` by default.
        time_scale: how many times faster than production its alert windows run. A sandbox with
            another scale is taken down first.
        fresh: take down the one that is up, and start a new one.
        rules: Prometheus rule files to put in force, by name.
        reload_rules: whether a sandbox that is already up gets them too. A run says no: it
            measures what is in force and does not repair it.
        rate: orders per second.
        on_progress: told in a few words what is being waited for.

    Raises:
        DriverError: something is not installed, or does not get healthy; nothing is left running.
    """
    require(Extra.SANDBOX)
    folder = (folder or state.default_folder()).absolute()
    progress = on_progress or (lambda line: None)
    async with _locked(folder, progress):
        found = state.read(folder)
        if found is not None and not fresh and found.time_scale == time_scale:
            if found.is_alive() and await _wait_ready(found, progress):
                if reload_rules:
                    await _put_rules(found, rules or {})
                return found
            progress("the sandbox that was here is broken: starting it anew")
        await asyncio.to_thread(_end, folder)
        await asyncio.to_thread(_clear, folder, ())
        started = await _start(folder, time_scale=time_scale, rate=rate, progress=progress)
        await _put_rules(started, rules or {})
        return started


async def down(folder: Path | None = None) -> bool:
    """End the sandbox and all it started, crashed or not; return whether there was anything.

    Its folder is emptied; the logs of the last run stay until the next start.

    Raises:
        PermanentDriverError: a process would not end.
    """
    folder = (folder or state.default_folder()).absolute()
    async with _locked(folder, lambda line: None):
        existed = any(folder.iterdir()) if folder.exists() else False
        await asyncio.to_thread(_end, folder)
        await asyncio.to_thread(_clear, folder, KEPT)
        return existed


async def status(folder: Path | None = None) -> SandboxStatus:
    """Return what there is of a sandbox; asks it, changes nothing."""
    folder = (folder or state.default_folder()).absolute()
    found = state.read(folder)
    if found is None or not found.is_alive():
        left = await asyncio.to_thread(ledger.survivors, folder)
        return SandboxStatus(None, False, leftovers=tuple(process.pid for process in left))
    said = await _ask(found)
    if said is None:
        return SandboxStatus(found, False)
    return SandboxStatus(
        found, bool(said["ready"]), tuple(said["components"]), tuple(said["deploys"])
    )


@contextlib.asynccontextmanager
async def _locked(folder: Path, progress: Progress) -> AsyncIterator[None]:
    """Hold the sandbox's lock, which lies beside its folder, for that is emptied."""
    private.folder(folder.parent)
    with private.open_file(folder.with_name(folder.name + ".lock"), "w") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress("waiting for another gameday that starts or ends the sandbox")
                    told = True
                await asyncio.sleep(0.1)
        yield  # closing the file gives the lock back


async def _start(
    folder: Path, *, time_scale: float, rate: float, progress: Progress
) -> SandboxState:
    private.folder(folder)
    private.folder(folder / "logs")
    output = str(folder / "logs" / "supervisor.out")
    # A session of its own: Ctrl-C in this terminal is not for the sandbox. Not `subprocess`,
    # whose objects complain when their process outlives them, as this one is meant to.
    pid = os.posix_spawn(
        sys.executable,
        [
            sys.executable,
            "-m",
            "gameday.sandbox.supervisor",
            "--folder",
            str(folder),
            "--time-scale",
            str(time_scale),
            "--rate",
            str(rate),
        ],
        {**os.environ, ledger.MARK: str(folder)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            # A lock or a pipe of whoever started us must not last as long as the sandbox.
            *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in handed_down()),
        ],
        setsid=True,
    )
    try:
        return await _until_ready(folder, pid, progress)
    except BaseException:
        # Whatever ends the wait, Ctrl-C too: nothing half-started stays behind.
        await asyncio.to_thread(_end, folder)
        raise


def handed_down() -> list[int]:
    """Return the open descriptors, beside the three of every program, that a child would get."""
    found = []
    for path in Path("/dev/fd").iterdir():
        descriptor = int(path.name)
        with contextlib.suppress(OSError):  # that of the listing itself is closed by now
            if descriptor > 2 and os.get_inheritable(descriptor):
                found.append(descriptor)
    return found


async def _until_ready(folder: Path, pid: int, progress: Progress) -> SandboxState:
    shown = 0
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            lines = (folder / "progress.txt").read_text(encoding="utf-8").splitlines()
            for line in lines[shown:]:
                progress(line)
            shown = len(lines)
        found = state.read(folder)
        if found is not None and found.pid == pid:
            return found
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            raise PermanentDriverError(_failure(folder))
        await asyncio.sleep(0.1)
    raise TemporaryDriverError(
        f"the sandbox was not ready after {START_PATIENCE_SECONDS:g} s;"
        f" its logs are in {folder / 'logs'}"
    )


def _failure(folder: Path) -> str:
    """Return why the supervisor ended, in its own words where it had any."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / "failure.txt").read_text(encoding="utf-8")
    log = folder / "logs" / "supervisor.out"
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    return f"the sandbox's supervisor ended: {''.join(last) or 'no word'} (see {log})"


async def _ask(found: SandboxState) -> dict[str, Any] | None:
    import httpx

    from gameday.http.proof import Bearer

    with contextlib.suppress(httpx.HTTPError, ValueError):
        auth = Bearer(found.token)
        async with httpx.AsyncClient(timeout=5, trust_env=False, auth=auth) as http:
            said: dict[str, Any] = (await http.get(found.control_url + "/status")).json()
            return said
    return None


async def _wait_ready(found: SandboxState, progress: Progress) -> bool:
    """Return whether the sandbox is ready, or gets so soon: it restarts what died."""
    deadline = time.monotonic() + 20
    told = False
    while time.monotonic() < deadline and found.is_alive():
        said = await _ask(found)
        if said is not None and said["ready"]:
            return True
        if not told:
            progress("waiting for the sandbox to be healthy again")
            told = True
        await asyncio.sleep(0.3)
    return False


async def _put_rules(found: SandboxState, rules: Mapping[str, str]) -> None:
    import httpx

    from gameday.http.proof import Bearer

    try:
        auth = Bearer(found.token)
        async with httpx.AsyncClient(timeout=10, trust_env=False, auth=auth) as http:
            for name, text in rules.items():
                answer = await http.put(f"{found.control_url}/rules/{name}", content=text)
                if answer.status_code != 200:
                    raise PermanentDriverError(
                        f"the sandbox refused the rules {name!r}: {answer.json()['error']}"
                    )
    except httpx.HTTPError as error:
        raise TemporaryDriverError(
            f"the sandbox's control API at {found.control_url} does not answer: {error!r}"
        ) from error


def _end(folder: Path) -> None:
    """End the supervisor, which ends its own, and then whatever is left."""
    for process in ledger.survivors(folder):
        with contextlib.suppress(psutil.Error):
            if "gameday.sandbox.supervisor" in process.cmdline():
                process.terminate()
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(timeout=8)
    stubborn = ledger.end_all(folder)
    if stubborn:
        raise PermanentDriverError(
            f"these processes of the sandbox do not end: {stubborn}; end them with kill -9"
        )


def _clear(folder: Path, kept: tuple[str, ...]) -> None:
    """Empty the sandbox's folder, except what is kept."""
    if not folder.exists():
        return
    for path in folder.iterdir():
        if path.name in kept:
            continue
        if path.name == database.DATA:
            database.gone(path)  # it may lie elsewhere
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
