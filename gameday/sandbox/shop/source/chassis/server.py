"""The HTTP server of a service: one connection, one thread, one request."""

from __future__ import annotations

import hmac
import json
import os
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chassis import logs, telemetry
from chassis.errors import BadRequest, Unavailable
from chassis.settings import TOKEN

Operation = Callable[[dict[str, Any]], dict[str, Any]]


class Answering(BaseHTTPRequestHandler):
    """Sends an answer in one piece and closes the connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def parse_request(self) -> bool:
        """Return whether there is a request that may be served: one of the shop's own, if it asks."""
        if not super().parse_request():
            return False
        given = self.headers.get("Authorization", "")
        if TOKEN and not hmac.compare_digest(given.encode(), f"Bearer {TOKEN}".encode()):
            self.answer(401, b"{}")
            return False
        return True

    def answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.close_connection = True
        head = (
            f"HTTP/1.1 {status} {self.responses[status][0]}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.wfile.write(head.encode("latin-1") + body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, format: str, *args: object) -> None:
        """Requests are logged by the service itself."""


class Listener(ThreadingHTTPServer):
    """Listens on a port; a new release may listen beside the old one."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_port = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[Answering]) -> None:
        self._open = 0
        self._idle = threading.Condition()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._idle:
            self._open += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._open -= 1
                self._idle.notify_all()

    def wait_idle(self, patience_seconds: float) -> None:
        """Return when no request is under way, or after this long."""
        deadline = time.monotonic() + patience_seconds
        with self._idle:
            while self._open and time.monotonic() < deadline:
                self._idle.wait(deadline - time.monotonic())


class Server:
    """Serves the operations of one service and knows which requests are under way."""

    def __init__(self, host: str, port: int, routes: dict[str, Operation]) -> None:
        self._routes = routes
        for route in routes:
            for code in ("200", "503"):
                telemetry.SERVED.labels("POST", route, code)
        server = self

        class Handler(Answering):
            def do_POST(self) -> None:
                server._serve(self)

            def do_GET(self) -> None:
                if self.path == "/healthz":
                    self.answer(200, json.dumps({"pid": os.getpid()}).encode())
                else:
                    self.answer(404, b"{}")

        self._listener = Listener((host, port), Handler)

    def start(self) -> None:
        threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        ).start()

    def stop(self, patience_seconds: float) -> None:
        """Take no more requests, and wait a while for those under way."""
        self._listener.shutdown()
        self._accept_waiting()
        self._listener.server_close()
        self._listener.wait_idle(patience_seconds)

    def _accept_waiting(self) -> None:
        """Serve who already waits in the queue: closing the port would turn them away."""
        self._listener.socket.setblocking(False)
        while True:
            try:
                connection, caller = self._listener.get_request()
            except OSError:
                return
            connection.setblocking(True)
            self._listener.process_request(connection, caller)

    def _serve(self, request: Answering) -> None:
        watch = telemetry.Stopwatch()
        operation = self._routes.get(request.path)
        if operation is None:
            request.answer(404, b"{}")
            return
        headers = {name.lower(): value for name, value in request.headers.items()}
        with telemetry.serving("POST", request.path, request.path, headers) as span:
            status, answer = self._perform(operation, request)
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                telemetry.failed(span, str(answer.get("error", "")))
            seconds = watch.seconds()
            telemetry.SERVED.labels("POST", request.path, str(status)).observe(
                seconds, {"trace_id": telemetry.current_trace_id()}
            )
            logs.event(
                "request served",
                route=request.path,
                code=status,
                milliseconds=round(seconds * 1000, 1),
                **({"reason": answer["error"]} if status >= 400 else {}),
            )
            try:
                request.answer(status, json.dumps(answer).encode())
            except OSError:
                logs.event("caller gone", route=request.path)

    @staticmethod
    def _perform(operation: Operation, request: Answering) -> tuple[int, dict[str, Any]]:
        try:
            return 200, operation(json.loads(request.body()))
        except (BadRequest, ValueError, KeyError) as error:
            return 400, {"error": str(error)}
        except Unavailable as error:
            return 503, {"error": str(error)}
