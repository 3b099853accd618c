"""The life of a service process: start, serve, stop on SIGTERM."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Mapping

from chassis import logs, telemetry
from chassis.admin import Admin, Switch
from chassis.server import Operation, Server
from chassis.settings import Settings


def run(
    settings: Settings,
    routes: dict[str, Operation],
    switches: Mapping[str, Switch] | None = None,
    closing: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM, then finish the requests under way and send the last telemetry."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    logs.start(settings)
    telemetry.start(settings)
    # What was imported stays; collecting it again and again would only cost customers time.
    gc.collect()
    gc.freeze()
    server = Server(settings.host, settings.port, routes)
    admin = Admin(settings.host, settings.admin_port, settings.revision, switches or {})
    server.start()
    admin.start()
    logs.event("serving", port=settings.port)
    told.wait()
    admin.stop()
    server.stop(patience_seconds=1.5)
    if closing is not None:
        closing()
    telemetry.stop()
    logs.event("stopped")
