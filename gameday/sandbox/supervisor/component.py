"""One component of the sandbox: how it is started, and the keeper that keeps it running."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from gameday.errors import TemporaryDriverError
from gameday.sandbox.supervisor import ledger

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

START_PATIENCE_SECONDS = 30.0
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Component:
    """How one process is started and how to see that it is healthy.

    Attributes:
        kind: service, edge, database, proxy, store, prometheus, alertmanager or load.
        port: where it is reached; 0 where it does not listen.
        health_url: answers 200 when it is healthy; empty: alive is healthy.
        overlap_url: set where a successor may listen beside its predecessor; answers with the
            pid of whoever answered.
        nice: how far it steps back; below 0: forward, where that is allowed. A shop that waits
            for a busy machine's processor would burn a budget nobody spent.
        death_signal: what the kernel sends it when the supervisor dies; 0: set by its own argv.
    """

    name: str
    kind: str
    argv: tuple[str, ...]
    port: int = 0
    health_url: str = ""
    overlap_url: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    nice: int = 5
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGKILL
    folder: Path | None = None


def _child_setup(component: Component) -> Callable[[], None]:
    """Return what the child does between fork and exec."""
    parent = os.getpid()

    def setup() -> None:
        if _LIBC is not None and component.death_signal:
            # The signal comes when the thread that forked ends: the supervisor forks only from
            # its main thread.
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(component.death_signal))
            if os.getppid() != parent:
                os._exit(1)
        os.nice(max(component.nice, 0))

    return setup


def _inherited() -> dict[str, str]:
    """Return this environment without what would send loopback traffic elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith("_PROXY") and not name.startswith(("OTEL_", "PYROSCOPE_"))
    }


def _step_forward(component: Component, pid: int) -> None:
    """Give a component that is ready its place before others, where that is allowed: to root.

    Only now, because starting takes a second of computing that nobody waits for.
    """
    if component.nice >= 0 or sys.platform != "linux":
        return
    # On Linux niceness is each thread's own; threads to come inherit it.
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), component.nice)


class Keeper:
    """Keeps one component running, as a kubelet would: what dies is started again."""

    def __init__(self, component: Component, *, folder: Path, http: httpx.AsyncClient) -> None:
        self.component = component
        self.restarts = 0
        self._folder = folder
        self._http = http
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._wanted = False

    @property
    def pid(self) -> int | None:
        """The process that runs now; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def wanted(self) -> bool:
        """Whether it should run; False after `stop`."""
        return self._wanted

    async def start(self) -> None:
        """Start it and return when it is healthy.

        Raises:
            TemporaryDriverError: it did not get healthy in time, or ended.
        """
        self._wanted = True
        self._process = process = await self._spawn(self.component)
        self._watch = asyncio.create_task(self._keep())
        await self._until(
            lambda: self.is_healthy(process.pid), process, START_PATIENCE_SECONDS, "get healthy"
        )
        _step_forward(self.component, process.pid)

    async def replace(self, component: Component) -> None:
        """Put a new version in the place of the running one, without a moment in between.

        Raises:
            TemporaryDriverError: the new version does not get healthy; the old one stays.
        """
        old = self._process
        new = await self._spawn(component)
        try:
            await self._until(
                lambda: self._answers(component.overlap_url, new.pid),
                new,
                START_PATIENCE_SECONDS,
                "take requests",
            )
        except TemporaryDriverError:
            await self._end(new, component, 0)
            raise
        _step_forward(component, new.pid)
        self.component, self._process = component, new
        if self._watch is not None:
            self._watch.cancel()
        self._watch = asyncio.create_task(self._keep())
        if old is not None:
            await self._end(old, component, 5)
        await self._until(lambda: self.is_healthy(new.pid), new, 10, "get healthy")

    async def stop(self, patience_seconds: float = 3.0) -> None:
        """End it and leave it ended."""
        self._wanted = False
        if self._watch is not None:
            self._watch.cancel()
        if self._process is not None:
            await self._end(self._process, self.component, patience_seconds)

    async def is_healthy(self, pid: int | None = None) -> bool:
        """Return whether it answers as it should, right now; as this process if one is given."""
        if self.pid is None or (pid is not None and self.pid != pid):
            return False
        if not self.component.health_url:
            return True
        return await self._answers(self.component.health_url, pid)

    async def status(self) -> dict[str, Any]:
        """Return name, kind, pid, port, state and restarts, as the control API shows them."""
        healthy = await self.is_healthy()
        state = "healthy" if healthy else ("starting" if self._wanted else "stopped")
        return {
            "name": self.component.name,
            "kind": self.component.kind,
            "pid": self.pid,
            "port": self.component.port or None,
            "state": state,
            "restarts": self.restarts,
        }

    async def _answers(self, url: str, pid: int | None) -> bool:
        if url.startswith("tcp://"):
            return await _connects(url)
        try:
            answer = await self._http.get(url, timeout=3.0)
            if answer.status_code != 200:
                return False
            if pid is None or not answer.headers.get("content-type", "").startswith(
                "application/json"
            ):
                return True
            body = answer.json()
        except (httpx.HTTPError, ValueError):
            return False
        return not isinstance(body, dict) or body.get("pid", pid) == pid

    async def _until(
        self,
        condition: Callable[[], Any],
        process: asyncio.subprocess.Process,
        seconds: float,
        what: str,
    ) -> None:
        deadline = time.monotonic() + seconds
        while not await condition():
            if process.returncode is not None:
                raise TemporaryDriverError(
                    f"{self.component.name} ended with {process.returncode} before it could"
                    f" {what}; its output is in {self._output}"
                )
            if time.monotonic() > deadline:
                raise TemporaryDriverError(
                    f"{self.component.name} did not {what} within {seconds:g} s;"
                    f" its output is in {self._output}"
                )
            await asyncio.sleep(0.05)

    @property
    def _output(self) -> Path:
        return self._folder / "logs" / f"{self.component.name}.out"

    async def _spawn(self, component: Component) -> asyncio.subprocess.Process:
        environment = {
            **_inherited(),
            **component.environment,
            ledger.MARK: str(self._folder),
            "PYTHONUNBUFFERED": "1",
        }
        with self._output.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *component.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=component.folder or self._folder,
                preexec_fn=_child_setup(component),
            )
        ledger.record(self._folder, component.name, process.pid)
        return process

    async def _keep(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while self._wanted:
            started = time.monotonic()
            assert self._process is not None
            await self._process.wait()
            if not self._wanted:
                return
            if time.monotonic() - started > 10:
                backoff = FIRST_BACKOFF_SECONDS
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            self.restarts += 1
            self._process = process = await self._spawn(self.component)
            with contextlib.suppress(TemporaryDriverError):
                await self._until(
                    functools.partial(self.is_healthy, process.pid),
                    process,
                    START_PATIENCE_SECONDS,
                    "get healthy",
                )
                _step_forward(self.component, process.pid)

    @staticmethod
    async def _end(
        process: asyncio.subprocess.Process, component: Component, patience_seconds: float
    ) -> None:
        if process.returncode is not None:
            return
        children: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(process.pid).children(recursive=True)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(component.stop_signal)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_seconds):
                    await process.wait()
            if process.returncode is None:
                process.kill()
        await process.wait()
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()


async def _connects(url: str) -> bool:
    """Return whether something listens at ``tcp://host:port``."""
    host, port = url.removeprefix("tcp://").rsplit(":", 1)
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True
