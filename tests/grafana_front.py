"""A Grafana as far as gameday knows it: its data sources, and its proxy in front of real tools."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

import httpx

from gameday.testing.served import PatientServer

TOKEN = "glsa_of-a-service-account"
PROXY = "/api/datasources/proxy/uid/"


@dataclass(frozen=True, slots=True)
class Source:
    """A data source: its UID, its type, and the tool that is behind it."""

    uid: str
    type: str
    tool: str


@dataclass(slots=True)
class Grafana:
    """What it has and was asked.

    Attributes:
        sources: by name.
        lists: whether the token may list them.
        passed: the paths that were handed on.
    """

    sources: Mapping[str, Source]
    lists: bool = True
    url: str = ""
    passed: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        if token != f"Bearer {TOKEN}":
            return _said(401, {"message": "Invalid API key"})
        if urlsplit(path).path == "/api/datasources":
            if not self.lists:
                return _said(403, {"message": "You'll need additional permissions"})
            told = [
                {"uid": one.uid, "name": name, "type": one.type}
                for name, one in self.sources.items()
            ]
            return _said(200, told)
        uid, _, rest = path.removeprefix(PROXY).partition("/")
        found = next((s for s in self.sources.values() if s.uid == unquote(uid)), None)
        if not path.startswith(PROXY) or found is None:
            return _said(404, {"message": "Data source not found"})
        self.passed.append(urlsplit(rest).path)
        headers = {"content-type": "application/x-www-form-urlencoded"} if body else {}
        got = httpx.request(
            method, f"{found.tool}/{rest}", content=body, headers=headers, trust_env=False
        )
        return got.status_code, got.content


def _said(status: int, value: object) -> tuple[int, bytes]:
    return status, json.dumps(value).encode()


@contextlib.contextmanager
def serving(grafana: Grafana) -> Iterator[Grafana]:
    """Serve on a free port of loopback until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            token = self.headers.get("authorization", "")
            status, said = grafana.answer(self.command, self.path, token, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    class Server(PatientServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    grafana.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
