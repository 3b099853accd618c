"""The sandbox's control API in memory, as far as faults speak to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from gameday.testing.served import PatientServer


def _first() -> list[dict[str, Any]]:
    return [{"service": "orders", "revision": "base", "region": None}]


@dataclass
class ControlApi:
    """What is deployed where, with one version of orders live everywhere.

    Attributes:
        deploys: all there were, oldest first; one without a region went to every region.
        components: what the supervisor says of its processes.
        refuses: a region in which no release starts.
    """

    deploys: list[dict[str, Any]] = field(default_factory=_first)
    components: list[dict[str, Any]] = field(default_factory=list)
    refuses: str = ""

    def live(self) -> dict[str, str]:
        """Return the revision of orders that serves each region."""
        found = {}
        for deploy in self.deploys:
            for region in [deploy["region"]] if deploy["region"] else ["eu-west", "us-east"]:
                found[str(region)] = str(deploy["revision"])
        return found

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        match method, path:
            case "GET", "/status":
                return 200, {"components": self.components}
            case "GET", _:
                return 200, {"deploys": self.deploys}
            case _, "/changes":
                return 200, {"revision": f"new{body['seed']}", "function": "price"}
        if body["region"] == self.refuses:
            return 409, {"error": "the release does not start"}
        self.deploys.append(body)
        return 200, {"ok": True}


@contextmanager
def controlling(api: ControlApi) -> Iterator[str]:
    """Yield the URL at which a control API is served on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            status, said = api.answer(self.command, self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = PatientServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
