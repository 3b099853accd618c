"""A gate in front of an API server, simulated or real, that lets things go wrong on demand."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from gameday.drivers.kubernetes.transport import Answer, NoAnswer, Transport
from gameday.testing.served import PatientServer


@dataclass(slots=True)
class Trouble:
    """What goes wrong, how often.

    Attributes:
        pattern: searched for in ``METHOD target``; the method of a watch is WATCH.
        answer: given instead; None: no answer at all.
        is_late: whether the request is carried out, and only its answer replaced.
        then: done before answering; what a third party does at that very moment.
    """

    pattern: str
    answer: Answer | None = None
    times: int = 1
    is_late: bool = False
    then: Callable[[], None] | None = None


def status(code: int, message: str = "", **details: Any) -> Answer:
    """Return an answer that says no, as API servers do."""
    headers = {"retry-after": str(details["retry_after"])} if "retry_after" in details else {}
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": details.get("reason", ""),
        "message": message,
        "details": {"causes": details.get("causes", [])},
    }
    return Answer(code, headers, json.dumps(body).encode())


@dataclass
class Troubled:
    """A server's transport with troubles on the way."""

    inner: Transport
    troubles: list[Trouble]
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = self.inner.server
        self.authority = self.inner.authority
        self._lock = threading.Lock()

    def ask(
        self, method: str, target: str, *, body: bytes | None, content_type: str, timeout_s: float
    ) -> Answer:
        """See `Transport`."""
        trouble = self._next(f"{method} {target}")
        if trouble is None or trouble.is_late:
            answer = self.inner.ask(
                method, target, body=body, content_type=content_type, timeout_s=timeout_s
            )
            if trouble is None:
                return answer
        return self._happens(trouble)

    def stream(
        self, target: str, *, timeout_s: float, accept: str
    ) -> tuple[Answer, Iterator[bytes]]:
        """See `Transport`."""
        trouble = self._next(f"WATCH {target}")
        if trouble is None:
            return self.inner.stream(target, timeout_s=timeout_s, accept=accept)
        return self._happens(trouble), iter(())

    def close(self) -> None:
        """See `Transport`."""
        self.inner.close()

    def _happens(self, trouble: Trouble) -> Answer:
        if trouble.then:
            trouble.then()
        if trouble.answer is None:
            raise NoAnswer("ConnectionResetError: in trouble")
        return trouble.answer

    def _next(self, request: str) -> Trouble | None:
        with self._lock:
            self.asked.append(request)
            for trouble in self.troubles:
                if trouble.times > 0 and re.search(trouble.pattern, request):
                    trouble.times -= 1
                    return trouble
        return None


class Address:
    """An address behind which another server may come to answer; fulfils `Transport`."""

    def __init__(self, leads_to: Transport) -> None:
        self.leads_to = leads_to
        self.server = leads_to.server
        self.authority = leads_to.authority

    def ask(
        self, method: str, target: str, *, body: bytes | None, content_type: str, timeout_s: float
    ) -> Answer:
        """See `Transport`."""
        return self.leads_to.ask(
            method, target, body=body, content_type=content_type, timeout_s=timeout_s
        )

    def stream(
        self, target: str, *, timeout_s: float, accept: str
    ) -> tuple[Answer, Iterator[bytes]]:
        """See `Transport`."""
        return self.leads_to.stream(target, timeout_s=timeout_s, accept=accept)

    def close(self) -> None:
        """See `Transport`."""


@contextmanager
def serving(transport: Transport) -> Iterator[str]:
    """Yield the URL at which a transport is served over HTTP on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # in one piece: two would wait for each other (Nagle)

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            try:
                if "watch=true" in self.path:
                    self._stream()
                    return
                answer = transport.ask(
                    self.command,
                    self.path,
                    body=body,
                    content_type=self.headers.get("Content-Type", ""),
                    timeout_s=30,
                )
                self._reply(answer)
            except (NoAnswer, ConnectionError):
                self.close_connection = True  # as if the server had gone

        def _reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name in ("retry-after", "content-type"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _stream(self) -> None:
            answer, pieces = transport.stream(
                self.path, timeout_s=30, accept=self.headers.get("Accept", "")
            )
            if answer.status >= 300:
                self._reply(answer)
                return
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = PatientServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(folder: Path, url: str, *, context: str = "sim", token: str = "") -> str:
    """Write a kubeconfig with one context for the server at a URL; return its path."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": url}}],
        "users": [{"name": context, "user": {"token": token} if token else {}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    path = folder / f"{context}.kubeconfig"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)
