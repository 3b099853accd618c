"""A page of somebody else in the victim's browser, and all that it tries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gameday.testing.served import PatientServer

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8").split(";\n", 1)[1]
"""What runs in the page, as an object of functions."""

REBOUND = "rebound.example"
"""A name of the attacker's, which leads to loopback once its page is there."""

PAYLOAD = {
    "name": "evil",
    "type": "latency",
    "attributes": {"latency": 900},
    "service": "inventory",
    "revision": "HEAD",
    "region": "eu-west",
    "regions": ["eu-west"],
    "role": "standby",
    "kind": "compute",
    "seed": 666,
    "url": "http://127.0.0.1:9/evil",
    "text": "evil",
    "tags": ["evil"],
    "enabled": False,
    "status": "firing",
    "version": "4",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Evil", "service": "evil", "slo": "evil", "severity": "page"},
            "annotations": {},
            "startsAt": "2026-11-27T12:00:00Z",
            "fingerprint": "evil",
        }
    ],
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "evil"}}]},
            "scopeSpans": [
                {"spans": [{"traceId": "e" * 32, "spanId": "e" * 16, "name": "evil", "kind": 1}]}
            ],
        }
    ],
}
"""A body that many APIs could do something with."""

FORM = {"text": "evil", "token": "evil", "csrf": "evil", "word": "resolve", "sure": "yes"}


@dataclass(frozen=True, slots=True)
class Route:
    """What an API takes, at an address."""

    method: str
    url: str

    @property
    def is_get(self) -> bool:
        return self.method == "GET"


def calls_of(routes: Sequence[Route], *, ways: Sequence[str]) -> list[dict[str, str]]:
    """Return the requests that a page's script makes of these."""
    return [
        {"way": way, "method": r.method, "url": r.url}
        for r in routes
        for way in (("no-cors get", "cors") if r.is_get else ways)
    ]


ALL_WAYS = (
    "no-cors text",
    "no-cors form",
    "no-cors multipart",
    "cors",
    "cors simple",
    "cors bearer",
)
QUICK_WAYS = ("no-cors text", "cors")


@dataclass
class Attacker:
    """A page of somebody else, open in a tab.

    Attributes:
        answers: (method, URL, status) of all that came back, readable for the page or not.
        read: what the page itself could read of it.
    """

    page: Any
    patience_ms: int = 4000

    def __post_init__(self) -> None:
        self.answers: list[tuple[str, str, int]] = []
        self.read: list[str] = []
        self.page.context.on("response", self._note)

    def _note(self, response: Any) -> None:
        self.answers.append((response.request.method, response.url, response.status))

    def call(self, calls: Sequence[Mapping[str, str]]) -> None:
        """Ask all of this by script."""
        self.read += self._do("call", calls=calls, atOnce=96)

    def embed(self, *, gets: Sequence[str], posts: Sequence[str], streams: Sequence[str]) -> None:
        """Have all of this in the page: pictures, scripts, frames, forms, streams."""
        self.read += self._do("embed", gets=gets, posts=posts, streams=streams)

    def leave_for(self, home: str, url: str, *, form: Mapping[str, str] | None = None) -> None:
        """Lead the victim there, as a link or a form of the page does."""
        self.page.goto(home)
        with self.page.expect_navigation(wait_until="commit"):
            self._do("leave", url=url, form=form)

    def _do(self, what: str, **said: Any) -> Any:
        known = {"payload": PAYLOAD, "form": FORM, "patience": self.patience_ms}
        script = SCRIPT.strip().removesuffix(";")
        return self.page.evaluate(f"(said) => {script}.{what}(said)", known | said)

    def rebind(self, url: str) -> None:
        """Be, for the browser, a page of that very server: by a name that leads there now."""
        parts = urlsplit(url)
        home = f"http://{REBOUND}:{parts.port}/"
        self.page.route(home, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
        self.page.goto(home)
        self.page.unroute(home)


PAGE = "<!doctype html><title>evil</title><body>You have won."


@contextmanager
def served() -> Iterator[int]:
    """Serve the page on a port of loopback, under whatever name it is asked for; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PAGE.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.send_header("referrer-policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with PatientServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def shown(found: Sequence[Any]) -> str:
    """Return what was found, for a failure."""
    return json.dumps(list(found)[:40], indent=1)
