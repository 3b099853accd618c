"""Servers on real ports of this machine, for clients that only speak to sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

__all__ = ["PatientServer", "served"]


class PatientServer(ThreadingHTTPServer):
    """Answers by a handler, and lets as many callers wait as come at once.

    Of more than the five that the standard library lets wait, the kernel drops the call: it is made
    again after 1 s, then 3 s, then 7 s, and on a busy machine whoever asked has given up by then.
    """

    request_queue_size = 128


@contextmanager
def served(app: Callable[..., Any]) -> Iterator[str]:
    """Serve the application on loopback; the value is its base URL, ended with the context.

    Raises:
        TimeoutError: it did not start within five seconds.
    """
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 5
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise TimeoutError("the application did not start")
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
