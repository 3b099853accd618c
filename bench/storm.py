"""Does the service keep up with a storm, and does it lose anything when it is killed in it?

One service process on SQLite (synchronous=FULL) and the load on the same machine: webhooks with
distinct fingerprints at a fixed rate, and somebody who follows a deeplink all the while, from a
process of its own. Half-way the service is killed (SIGKILL) and started again; what was not
acknowledged is sent again, as Alertmanager does. At the end the store is read: every acknowledged
alert has to be there, once.

    python bench/storm.py [--seconds 60] [--rate 1000] [--per-webhook 10] [--services 20]
                          [--no-kill] [--write docs/measured/storm.md]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from target import commit

PORT = 18731
SENDERS = 16
"""Webhooks under way at once; one client with hundreds waiting spends its time on its own queue."""

LINK_EVERY = 0.05
"""Seconds between two openings of the deeplink."""


@dataclass
class Seen:
    """What the load saw."""

    acknowledged: list[str] = field(default_factory=list)
    ack_seconds: list[float] = field(default_factory=list)
    link_seconds: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    links_failed: int = 0
    down_seconds: float = 0.0


def alert(number: int, services: int) -> dict[str, object]:
    service = number // 10 % services
    return {
        "status": "firing",
        "fingerprint": f"{number:016x}",
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "labels": {
            "alertname": "SloBurnRate",
            "service": f"service-{service:02d}",
            "slo": "latency",
            "severity": "page",
            "long_window": "1h",
            "short_window": "5m",
            "pod": f"pod-{number}",
        },
        "annotations": {"summary": f"service-{service:02d} burns its error budget"},
        "generatorURL": "http://prometheus.invalid/graph",
    }


def start(state: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gameday", "serve", "--port", str(PORT)],
        env={**os.environ, "GAMEDAY_STATE": str(state)},
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{PORT}/readyz", trust_env=False).status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.05)
    raise SystemExit("the service did not start")


def token(state: Path, role: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gameday", "token", "create", "--role", role],
        env={**os.environ, "GAMEDAY_STATE": str(state)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


async def deliver(http: httpx.AsyncClient, body: bytes, names: list[str], seen: Seen) -> None:
    """Send one webhook until it is acknowledged, as Alertmanager does."""
    while True:
        began = time.perf_counter()
        try:
            answer = await http.post("/hooks/alertmanager", content=body)
            if answer.status_code == 200:
                seen.ack_seconds.append(time.perf_counter() - began)
                seen.acknowledged += names
                return
            seen.refused[str(answer.status_code)] += 1
        except httpx.HTTPError as error:
            seen.refused[type(error).__name__] += 1
        await asyncio.sleep(0.25)


async def work(
    base: str,
    headers: dict[str, str],
    waiting: asyncio.Queue[tuple[bytes, list[str]]],
    seen: Seen,
) -> None:
    """Deliver what waits, one at a time, over a connection of its own."""
    async with httpx.AsyncClient(
        base_url=base, headers=headers, timeout=15, trust_env=False
    ) as http:
        while True:
            body, names = await waiting.get()
            await deliver(http, body, names, seen)
            waiting.task_done()


def follow(link: str, is_over: Any, told: Any) -> None:
    """Open a deeplink again and again: in a process of its own, as a person's browser is one.

    In the process of the load it would wait for that one's own queue, too.
    """
    path = urlsplit(link).path
    seconds: list[float] = []
    failed = 0
    http = HTTPConnection("127.0.0.1", PORT, timeout=15)
    while not is_over.is_set():
        began = time.perf_counter()
        try:
            http.request("GET", path)
            answer = http.getresponse()
            answer.read()
            if answer.status == 302:
                seconds.append(time.perf_counter() - began)
            else:
                failed += 1
        except (OSError, HTTPException):
            failed += 1
            http.close()
        time.sleep(LINK_EVERY)
    told.put((seconds, failed))


async def storm(options: argparse.Namespace, state: Path) -> tuple[Seen, float]:
    hook, reader = token(state, "webhook"), token(state, "observer")
    seen = Seen()
    process = await asyncio.to_thread(start, state)
    bearer = {"authorization": f"Bearer {hook}", "content-type": "application/json"}
    base = f"http://127.0.0.1:{PORT}"
    async with (
        httpx.AsyncClient(base_url=base, headers=bearer, timeout=15, trust_env=False) as http,
        httpx.AsyncClient(base_url=base, timeout=15, trust_env=False) as person,
    ):
        first = [alert(0, options.services)]
        await deliver(
            http, json.dumps({"version": "4", "alerts": first}).encode(), ["0" * 16], seen
        )
        own = {"authorization": f"Bearer {reader}"}
        row = (await person.get("/api/incidents", headers=own)).json()["incidents"][0]
        shown = (await person.get(f"/api/incidents/{row['id']}", headers=own)).json()
        is_over, told = multiprocessing.Event(), multiprocessing.SimpleQueue()
        following = multiprocessing.Process(
            target=follow, args=(shown["links"]["red"], is_over, told)
        )
        following.start()
        total = round(options.seconds * options.rate)
        waiting: asyncio.Queue[tuple[bytes, list[str]]] = asyncio.Queue()
        workers = [asyncio.create_task(work(base, bearer, waiting, seen)) for _ in range(SENDERS)]
        killing: asyncio.Task[subprocess.Popen[bytes]] | None = None
        began = time.perf_counter()
        for number in range(1, total + 1, options.per_webhook):
            due = began + (number - 1) / options.rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            numbers = range(number, min(number + options.per_webhook, total + 1))
            alerts = [alert(n, options.services) for n in numbers]
            body = json.dumps({"version": "4", "status": "firing", "alerts": alerts}).encode()
            waiting.put_nowait((body, [f"{n:016x}" for n in numbers]))
            if killing is None and not options.no_kill and number > total / 2:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killing = asyncio.create_task(restart(state, seen))
        await waiting.join()
        took = time.perf_counter() - began
        is_over.set()
        seen.link_seconds, seen.links_failed = await asyncio.to_thread(told.get)
        following.join()
        for task in workers:
            task.cancel()
        if killing is not None:
            process = await killing
    process.terminate()
    process.wait(timeout=20)
    return seen, took


async def restart(state: Path, seen: Seen) -> subprocess.Popen[bytes]:
    began = time.perf_counter()
    process = await asyncio.to_thread(start, state)
    seen.down_seconds = time.perf_counter() - began
    return process


def stored(state: Path) -> tuple[Counter[str], int]:
    """Return (how often each fingerprint is on disk, how many incidents there are)."""
    with sqlite3.connect(state / "gameday.db") as database:
        facts = database.execute(
            "select json_extract(fact, '$.data.fingerprint') from facts "
            "where kind = 'page.received'"
        )
        found = Counter(row[0] for row in facts)
        (incidents,) = database.execute("select count(*) from incidents").fetchone()
    return found, incidents


def centile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1000, help="alerts per second")
    parser.add_argument("--per-webhook", type=int, default=10)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        seen, took = asyncio.run(storm(options, state))
        found, incidents = stored(state)
    sent = set(seen.acknowledged)
    lost = sent - found.keys()
    doubled = [name for name, times in found.items() if times > 1]
    p99 = centile(seen.link_seconds, 0.99)
    rate = len(seen.acknowledged) / took
    rows = [
        ("alerts acknowledged", f"{len(seen.acknowledged)}"),
        ("in", f"{took:.1f} s"),
        ("alerts per second, the restart included", f"{rate:.0f}"),
        (
            "webhook answered, median / p99",
            f"{statistics.median(seen.ack_seconds) * 1000:.1f} / "
            f"{centile(seen.ack_seconds, 0.99):.1f} ms",
        ),
        (
            "deeplink redirected, median / p99 / worst",
            f"{centile(seen.link_seconds, 0.5):.1f} / "
            f"{p99:.1f} / {max(seen.link_seconds) * 1000:.1f} ms of {len(seen.link_seconds)}",
        ),
        ("deeplinks that failed while it was down", f"{seen.links_failed}"),
        ("killed and ready again after", "—" if options.no_kill else f"{seen.down_seconds:.1f} s"),
        (
            "tries that were not acknowledged",
            ", ".join(f"{n} {k}" for k, n in seen.refused.items()) or "0",
        ),
        ("acknowledged and lost", f"{len(lost)}"),
        ("stored twice", f"{len(doubled)}"),
        ("incidents for services", f"{incidents} for {options.services}"),
    ]
    table = "\n".join(["| what | measured |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
    print(table)
    if options.write:
        when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        command = f"python bench/storm.py --seconds {options.seconds:g} --rate {options.rate:g}"
        load = os.getloadavg()
        options.write.write_text(
            "# A storm of alerts, and a kill in the middle of it\n\n"
            f"Commit {commit()}, {when}, `{command}`; {os.cpu_count()} cores, load average "
            f"{before:.1f} before and {load[0]:.1f} at the end; SQLite, synchronous=FULL, "
            f"{options.per_webhook} alerts per webhook, the load and whoever follows the deeplink "
            "on the same machine, each in a process of its own.\n\n" + table + "\n",
            encoding="utf-8",
        )
    holds = not lost and not doubled and incidents == options.services
    return 0 if holds and p99 < 50 and rate >= options.rate * 0.98 else 1


if __name__ == "__main__":
    sys.exit(main())
