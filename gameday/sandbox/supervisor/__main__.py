"""Run a sandbox: ``python -m gameday.sandbox.supervisor --folder F``; started by `lifecycle.up`.

Writes the state file when all is ready, one line of progress at a time before that, and the
reason into ``failure.txt`` where it does not come up. Ends on SIGTERM, with everything it started.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from gameday import private
from gameday.errors import GamedayError
from gameday.http.guard import PROMETHEUS_READS
from gameday.process import ProcessId
from gameday.sandbox import document, state
from gameday.sandbox.guard import TokenGuard
from gameday.sandbox.supervisor import ledger, logs
from gameday.sandbox.supervisor.control import create_app
from gameday.sandbox.supervisor.gate import ReadingGate
from gameday.sandbox.supervisor.layout import Layout
from gameday.sandbox.supervisor.plant import Plant

FAILURE_FILE = "failure.txt"
PROGRESS_FILE = "progress.txt"
TOOLS = ("prometheus", "alertmanager")


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: the signals are the supervisor's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def supervise(folder: Path, *, time_scale: float, rate: float) -> int:
    """Run the sandbox in this folder until SIGTERM; return the exit code."""
    own = ProcessId.own()
    ledger.record(folder, "supervisor", own.pid)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)

    def progress(line: str) -> None:
        with (folder / PROGRESS_FILE).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    # Linux shares the processor among sessions first, among processes only then. Allowed to root.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("-5")
    plant = Plant(folder, rate=rate, progress=progress)
    where = plant.layout
    gates = {n: ReadingGate(where.url(n), password=where.tools_password) for n in TOOLS}
    servers = [_server(create_app(plant), where, "control", is_readable=False)]
    servers += [_server(gate.app(), where, f"{name}-gate") for name, gate in gates.items()]
    waiting = asyncio.create_task(told.wait())
    starting = asyncio.create_task(plant.start())
    bounding = asyncio.create_task(logs.bound_for_ever(folder / "logs"))
    serving = [asyncio.create_task(server.serve()) for server in servers]
    try:
        await asyncio.wait({waiting, starting}, return_when=asyncio.FIRST_COMPLETED)
        if not told.is_set():
            await starting
            ready = _state(plant, folder, time_scale, own)
            document.write(ready)
            state.write(ready)
            progress("ready")
            await waiting
        return 0
    except GamedayError as error:
        (folder / FAILURE_FILE).write_text(str(error), encoding="utf-8")
        return int(error.exit_code)
    finally:
        state.remove(folder)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, GamedayError):
            await starting
        for server in servers:
            server.should_exit = True
        await plant.stop()
        await asyncio.gather(*serving)
        for gate in gates.values():
            await gate.close()
        waiting.cancel()
        bounding.cancel()


def _server(app: Any, where: Layout, name: str, *, is_readable: bool = True) -> _Server:
    """Return the server of one of the supervisor's own APIs."""
    return _Server(
        uvicorn.Config(
            TokenGuard(app, token=where.token, is_readable=is_readable, reads=PROMETHEUS_READS),
            host="127.0.0.1",
            port=where.ports[name],
            lifespan="off",
            access_log=False,
            log_level="warning",
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )


def _state(plant: Plant, folder: Path, time_scale: float, own: ProcessId) -> state.SandboxState:
    where = plant.layout
    return state.SandboxState(
        pid=own.pid,
        born=own.born,
        started_at=datetime.now(UTC),
        time_scale=time_scale,
        folder=str(folder),
        edge_url=where.url("edge"),
        prometheus_url=where.url("prometheus-gate"),
        alertmanager_url=where.url("alertmanager-gate"),
        store_url=where.url("store"),
        proxy_url=where.url("proxy"),
        control_url=where.url("control"),
        token=where.token,
        repository=str(where.repository),
    )


def main() -> None:
    """Read the command line and supervise."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.supervisor")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--time-scale", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=16.0, help="orders per second")
    options = parser.parse_args()
    # For all that it and those it starts ever write: logs, settings, the data of every component.
    os.umask(private.NOBODY_ELSE)
    sys.exit(
        asyncio.run(
            supervise(options.folder.absolute(), time_scale=options.time_scale, rate=options.rate)
        )
    )


if __name__ == "__main__":
    main()
