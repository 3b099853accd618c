"""The admin port of a service: health, metrics, switches for operators."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from chassis.server import Answering, Listener

Switch = Callable[[dict[str, Any]], dict[str, Any]]


class _Port(Listener):
    # Counters of two processes behind one address would look like restarts to whoever reads
    # them, so a new release waits until the old one has left this port.
    allow_reuse_port = False


class Admin:
    """Serves ``/healthz``, ``/metrics`` and the switches of one process."""

    def __init__(self, host: str, port: int, revision: str, switches: Mapping[str, Switch]) -> None:
        self._address = (host, port)
        self._state = {"pid": os.getpid(), "revision": revision}
        self._switches = switches
        self._listener: _Port | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listener = _Port(self._address, self._handler())
                break
            except OSError:
                time.sleep(0.02)
        if self._listener is not None:
            self._listener.serve_forever(poll_interval=0.05)

    def _handler(self) -> type[Answering]:
        admin = self

        class Handler(Answering):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                    self.answer(200, encode(REGISTRY), content_type)
                elif self.path == "/healthz":
                    self.answer(200, json.dumps(admin._state).encode())
                else:
                    self.answer(404, b"{}")

            def do_POST(self) -> None:
                switch = admin._switches.get(self.path)
                if switch is None:
                    self.answer(404, b"{}")
                    return
                try:
                    self.answer(200, json.dumps(switch(json.loads(self.body()))).encode())
                except (ValueError, KeyError) as error:
                    self.answer(400, json.dumps({"error": str(error)}).encode())

        return Handler
