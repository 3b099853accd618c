"""A loopback address behind which a Service of the cluster answers, through the API server.

The drivers for Prometheus, Jaeger, Pyroscope and Toxiproxy speak plain HTTP to an address; inside
a cluster those tools have none that an operator's machine reaches. A door stands for one of them:
what is sent to it goes to the API server's service proxy with the kubeconfig's credentials, so
that whoever may use the cluster needs no ingress, no port-forward and no credentials in a URL.

A door lasts as long as its process. What must outlive it (an undo) names the Service instead, and
has a door of its own opened where it is used.

Everybody on this machine reaches a door, and so does every page in a browser; what passes through
it bears the operator's credentials. So a door asks for a token (`gameday.http.guard`), which only
the process that opened it knows, and whom that tells it (`gameday.http.keys`).
"""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from gameday.drivers.kubernetes.cluster import Cluster
from gameday.errors import DriverError
from gameday.http import keys
from gameday.http.guard import HEADERS, LoopbackGuard, RequestHead

__all__ = ["ServiceDoor"]

LONGEST_BODY = 32 * 1024 * 1024

PATIENCE = timedelta(seconds=40)
"""Longer than any question that is asked through a door; the caller gives up first."""


class ServiceDoor:
    """One Service behind a free loopback port; open until `close`.

    Args:
        token: that it asks for; this process bears it from now on.
        reads: POSTs that only read, as the beginning of their paths.
        is_readable: whether the key that only reads opens what only reads, for the responder and
            a browser.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        service: str,
        port: int | str,
        token: str,
        reads: tuple[str, ...] = (),
        is_readable: bool = False,
    ) -> None:
        """Open it; nothing is asked of the cluster yet."""
        self.prefix = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy"
        guard = LoopbackGuard(token, reads=reads, is_readable=is_readable)
        self._server = _Server(("127.0.0.1", 0), _handler(cluster, self.prefix, guard))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        keys.learn({self.url: token})
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> ServiceDoor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take no more requests; those under way end by themselves."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a caller that hung up is no error of ours."""


def _handler(cluster: Cluster, prefix: str, guard: LoopbackGuard) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _pass_on(self) -> None:
            said = urlsplit(self.path)
            asked = RequestHead(
                method=self.command,
                path=unquote(said.path),
                query=said.query,
                headers={name.lower(): value for name, value in self.headers.items()},
                server=self.request.getsockname()[:2],
            )
            reply = guard.reply(asked)
            if reply is not None:
                self._refuse_rest()
                self._answer(reply.status, reply.body, dict(reply.headers))
                return
            if _leaves(self.path):
                self._refuse_rest()
                self._answer(400, b'{"error": "such a path leads out of the Service"}', {})
                return
            length = int(self.headers.get("Content-Length") or 0)
            if length > LONGEST_BODY:
                self._answer(413, b'{"error": "the body is too large"}', {})
                return
            body = self.rfile.read(length) if length else None
            # Pages that went through the API server name their parts by the whole way.
            path = self.path.removeprefix(prefix) or "/"
            try:
                answer = cluster.exchange(
                    self.command,
                    prefix + path,
                    body=body,
                    content_type=self.headers.get("Content-Type") or "application/json",
                    timeout=PATIENCE,
                )
            except DriverError as error:
                self._answer(502, json.dumps({"error": str(error)}).encode(), {})
                return
            kept = {k: answer.headers[k] for k in ("content-type",) if k in answer.headers}
            if "location" in answer.headers:
                kept["location"] = answer.headers["location"].removeprefix(prefix)
            self._answer(answer.status, answer.body, kept)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

        def _refuse_rest(self) -> None:
            # A body is not read: where one comes, the connection ends, and who sent it is told so.
            has_body = self.headers.get("Content-Length", "0") != "0"
            self.close_connection = has_body or "Transfer-Encoding" in self.headers

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"content-type": "application/json", **HEADERS, **headers}.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("connection", "close")
            if status != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    return Handler


def _leaves(path: str) -> bool:
    """Return whether a path could lead elsewhere than below a prefix it is put behind."""
    named = unquote(path.partition("?")[0]).replace("\\", "/")
    return not named.startswith("/") or any(p in (".", "..") for p in named.split("/"))
