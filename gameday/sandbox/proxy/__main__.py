"""The proxy as a process: ``python -m gameday.sandbox.proxy --control-port N``.

Prints one line of JSON when it is ready, ``{"control_url": …, "pid": …}``, and ends with exit
code 0 on SIGTERM or SIGINT, leaving no port behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from gameday.sandbox.guard import TOKEN, TokenGuard
from gameday.sandbox.proxy.api import application
from gameday.sandbox.proxy.registry import Registry
from gameday.sandbox.proxy.toxic import ApiError, read_body


class ControlServer(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process by the signal itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


async def serve(*, host: str, port: int, populate: Path | None, seed: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    registry = Registry(seed=seed)
    config = uvicorn.Config(
        TokenGuard(application(registry), token=os.environ.get(TOKEN, "")),
        lifespan="off",
        access_log=False,
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = ControlServer(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as control:
        control.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        control.bind((host, port))
        try:
            if populate is not None:
                await registry.populate(read_body(populate.read_text()))
            control.listen(128)
            url = f"http://{host}:{control.getsockname()[1]}"
            print(json.dumps({"control_url": url, "pid": os.getpid()}), flush=True)
            await server.serve(sockets=[control])
        finally:
            await registry.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m gameday.sandbox.proxy")
    parser.add_argument("--control-host", default="127.0.0.1", help="where the API listens")
    parser.add_argument("--control-port", type=int, default=8474, help="0 takes a free port")
    parser.add_argument("--populate", type=Path, help="JSON list of proxies to begin with")
    parser.add_argument("--seed", type=int, default=0, help="of jitter, slices and toxicity")
    options = parser.parse_args()
    try:
        asyncio.run(
            serve(
                host=options.control_host,
                port=options.control_port,
                populate=options.populate,
                seed=options.seed,
            )
        )
    except (OSError, ValueError) as problem:
        parser.exit(1, f"the proxy cannot start: {problem}\n")
    except ApiError as problem:
        parser.exit(1, f"the proxy cannot start: {problem.message}\n")


if __name__ == "__main__":
    main()
