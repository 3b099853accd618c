"""Small HTTP servers that stand before a real tool and break one thing of it.

What they do not break they hand on, so that all else is as the tool itself says it.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import httpx

from gameday.testing.served import PatientServer


@dataclass(frozen=True, slots=True)
class Asked:
    """What a front was asked.

    Attributes:
        query: the PromQL in it; empty: it asks for something else.
    """

    path: str
    query: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What a front answers instead of the tool."""

    status: int
    body: bytes
    kind: str = "application/json"

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Said:
        return cls(status, json.dumps(value).encode())


Break = Callable[[Asked], Said | None]
"""Answers in the place of the tool, or does not (None)."""


@contextlib.contextmanager
def front(
    tool: str, broken: Break = lambda _: None, *, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Stand before a tool for as long as the context lasts; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            query = parse_qs(parts.query).get("query", [""])[0]
            headers = {k.lower(): v for k, v in self.headers.items()}
            said = broken(Asked(unquote_plus(parts.path), query, headers))
            if said is None:
                got = httpx.get(f"{tool}{self.path}", trust_env=False, timeout=10)
                kind = got.headers.get("content-type", "")
                said = Said(got.status_code, got.content, kind)
            with contextlib.suppress(OSError):
                self.send_response(said.status)
                self.send_header("Content-Type", said.kind)
                self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(PatientServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing: who was asked may have had enough."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def raw(answer: Callable[[Any], None]) -> Iterator[str]:
    """Take connections and do with each what is asked for; yield the address."""
    import socket

    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    taken: list[socket.socket] = []

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            taken.append(connection)
            threading.Thread(target=quietly, args=(connection,), daemon=True).start()

    def quietly(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        for connection in taken:
            connection.close()
        listener.close()


def silent() -> contextlib.AbstractContextManager[str]:
    """Take connections and never answer."""
    return raw(lambda _: None)


def trickling() -> contextlib.AbstractContextManager[str]:
    """Begin an answer and send it byte by byte, faster than any wait for one byte ends."""

    def answer(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.1)

    return raw(answer)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates of an authority of their own.

    Attributes:
        ca: the authority's.
        folder: holds NAME.pem and NAME.key of each that was made.
    """

    ca: Path
    folder: Path

    def server(self, name: str, *, asks: bool = False) -> ssl.SSLContext:
        """Return what a server shows that has this certificate.

        Args:
            asks: whether it wants one of the client, of the same authority.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context


def certificates(folder: Path) -> Certificates:
    """Make an authority, and ``good``, ``expired`` and ``other`` (for another name) of it."""
    folder.mkdir(exist_ok=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority")
    for name, alternative, days in (
        ("good", "IP:127.0.0.1", "2"),
        ("expired", "IP:127.0.0.1", "-1"),
        ("other", "DNS:prometheus.example", "2"),
    ):
        (folder / "ext").write_text(f"subjectAltName={alternative}")
        request = ("-keyout", f"{name}.key", "-out", "request", "-subj", f"/CN={name}")
        openssl("req", *key, *request)
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext")
        openssl("x509", "-req", "-in", "request", *signed, "-days", days, "-out", f"{name}.pem")
    return Certificates(folder / "ca.pem", folder)
