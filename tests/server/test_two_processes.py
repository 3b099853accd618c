"""Two `gameday serve` on one real PostgreSQL, a storm over both, and a kill in the middle of it."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Lock, Thread
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from test_service_process import alert, bearing, cli, free_port, serving, token, until

from gameday.testing.served import PatientServer

pytestmark = pytest.mark.served

SERVICES = 12
ALERTS = 1_200
PER_WEBHOOK = 10


@contextmanager
def receiver() -> Iterator[tuple[str, Callable[[], list[dict[str, Any]]]]]:
    """Yield the URL of a pager that takes everything, and what it was told so far."""
    told: list[dict[str, Any]] = []
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                told.append(body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = PatientServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()

    def so_far() -> list[dict[str, Any]]:
        with lock:
            return list(told)

    yield f"http://127.0.0.1:{server.server_port}/page", so_far
    server.shutdown()
    server.server_close()


def webhook(first: int) -> dict[str, Any]:
    return {
        "version": "4",
        "alerts": [
            {
                **alert(number),
                "labels": {
                    "service": f"service-{number % SERVICES}",
                    "slo": "latency",
                    "severity": "page",
                },
            }
            for number in range(first, first + PER_WEBHOOK)
        ],
    }


@pytest.mark.row
def test_a_storm_over_two_processes_and_a_kill_lose_nothing_and_page_once(
    postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres()
    ports = [free_port(), free_port()]
    with receiver() as (pager, told):
        monkeypatch.setenv("GAMEDAY_DATABASE_URL", url)
        monkeypatch.setenv("GAMEDAY_WEBHOOK_URL", pager)
        hook, reader = token("webhook"), token("observer")
        with (
            serving(ports[0]) as doomed,
            serving(ports[1]),
            bearing(ports[0], hook) as one,
            bearing(ports[1], hook) as other,
        ):
            acknowledged: list[str] = []

            def deliver(first: int) -> None:
                body = webhook(first)
                # As Alertmanager does: until somebody says that it is on disk.
                for door in ((one, other) if first // PER_WEBHOOK % 2 else (other, one)) * 60:
                    try:
                        if door.post("/hooks/alertmanager", json=body).status_code == 200:
                            acknowledged.extend(a["fingerprint"] for a in body["alerts"])
                            return
                    except httpx.HTTPError:
                        continue

            with ThreadPoolExecutor(8) as pool:
                sent = [pool.submit(deliver, first) for first in range(0, ALERTS, PER_WEBHOOK)]
                until(lambda: len(acknowledged) > ALERTS / 3)
                doomed.send_signal(signal.SIGKILL)
                doomed.wait()
                doubtful = claimed(url)
                for one_sent in sent:
                    one_sent.result()

            with bearing(ports[1], reader) as http:

                def shown() -> list[dict[str, Any]]:
                    rows = http.get("/api/incidents").json()["incidents"]
                    return [http.get(f"/api/incidents/{r['id']}").json() for r in rows]

                until(
                    lambda: all(
                        any(f["kind"] == "page.delivered" for f in incident["timeline"])
                        for incident in shown()
                    )
                )
                incidents = shown()
            listed = json.loads(cli("incident", "list", "--json", **environment(url)).stdout)

    stored = fingerprints(url)
    assert ALERTS == len(acknowledged) == len(stored)
    assert {1} == set(stored.values())
    assert SERVICES == len(incidents) == len({i["service"] for i in incidents})
    assert [[]] * SERVICES == [i["also"] for i in incidents]
    assert {i["id"] for i in incidents} == {i["id"] for i in listed}
    pages = Counter(str(p["key"]) for p in told() if p["type"] == "incident.page")
    assert {i["id"] for i in incidents} <= pages.keys()
    # What the killed one had claimed it may have sent without writing that down, and then the
    # other sends it again: at least once. Everything else is sent once.
    twice = {key for key, times in pages.items() if times > 1}
    assert twice <= doubtful
    assert max(pages.values()) <= 2


def environment(url: str) -> dict[str, str]:
    return {**os.environ, "GAMEDAY_DATABASE_URL": url}


def claimed(url: str) -> set[str]:
    """Return the keys of the pages that somebody had claimed and not finished."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        keys = [str(k) for k in connection.scalars(sa.text("select key from claims"))]
    engine.dispose()
    found = set()
    for key in keys:
        incident, _, rest = key.partition("/")
        level = rest.rpartition("/")[2]
        found |= {incident} if level == "1" else {incident, f"{incident}/{level}"}
    return found


def fingerprints(url: str) -> Counter[str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        facts = connection.scalars(sa.text("select fact from facts where kind = 'page.received'"))
        found = Counter(str(json.loads(f)["data"]["fingerprint"]) for f in facts)
    engine.dispose()
    return found


def test_two_processes_on_one_sqlite_file_show_what_either_was_told_and_page_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports = [free_port(), free_port()]
    with receiver() as (pager, told):
        monkeypatch.setenv("GAMEDAY_WEBHOOK_URL", pager)
        hook, reader = token("webhook"), token("observer")
        with (
            serving(ports[0]),
            serving(ports[1]),
            bearing(ports[0], hook) as one,
            bearing(ports[1], hook) as other,
            bearing(ports[1], reader) as http,
        ):
            for number, door in enumerate((one, other) * 10):
                body = webhook(number * PER_WEBHOOK)
                assert 200 == door.post("/hooks/alertmanager", json=body).status_code
            until(lambda: len(told()) >= SERVICES)
            rows = http.get("/api/incidents").json()["incidents"]
            firings = sum(http.get(f"/api/incidents/{r['id']}").json()["firing"] for r in rows)

    assert SERVICES == len(rows)
    assert 20 * PER_WEBHOOK == firings
    pages = Counter(str(p["key"]) for p in told() if p["type"] == "incident.page")
    assert dict.fromkeys((r["id"] for r in rows), 1) == pages
