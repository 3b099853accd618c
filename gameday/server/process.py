"""A server that lives as long as its process: one address, ended by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import uvicorn

from gameday.errors import UsageError
from gameday.server.bounds import bounded

GRACE = 5
"""Seconds in which requests under way are finished after a signal."""


TURN = 0.0005
"""Seconds after which a thread that computes lets another one on: the threads of the store must not
hold the event loop up for Python's own 5 ms, many times in one request."""

COLLECTED_AFTER = 20_000
"""Objects that are made before the youngest of them are looked through for cycles: a storm makes
many that stay, and looking through all that stays takes a tenth of a second."""


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run a service until it is over, on an event loop and with settings that suit one."""
    sys.setswitchinterval(TURN)
    gc.set_threshold(COLLECTED_AFTER, 50, 1000)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # where there is none, Python's own does
        return None
    return uvloop.new_event_loop


class _OwnSignals(uvicorn.Server):
    """Leaves signals alone: uvicorn would raise them once more, before the engine is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(
    host: str, port: int, *, otherwise: str = "choose with --host and --port"
) -> socket.socket:
    """Return a socket that listens there; port 0 takes a free one.

    Args:
        otherwise: what to do where it cannot.

    Raises:
        UsageError: the address does not exist here or is taken.
    """
    with contextlib.ExitStack() as unless_bound:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = unless_bound.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except (OSError, OverflowError) as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error}; {otherwise}") from error
        unless_bound.pop_all()
    return listener


async def serve_until_told(
    app: Any,
    listener: socket.socket,
    *,
    on_ready: Callable[[], None] = lambda: None,
    on_end: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are finished first.

    Args:
        on_end: called at the signal, for what would go on for ever.
    """
    config = uvicorn.Config(
        app,
        http=bounded(),
        log_level="warning",
        lifespan="off",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = _OwnSignals(config)
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True
        on_end()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if not serving.done():
            # What was loaded until here stays: it need not be looked through again.
            gc.freeze()
            on_ready()
        await serving
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        listener.close()
