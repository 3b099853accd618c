"""When did the alert fire? Two independent paths, and one stamp of the page's arrival.

Fifty SLOs lose everything at fifty instants. For each alert the first `ALERTS` sample that gameday
reads from Prometheus is compared with the webhook's `startsAt`, which travelled through
Alertmanager; and the arrival that gameday recorded with the stamp of a small proxy in front of it,
taken when the request's head was in.

    python bench/alert_instants.py [--alerts 50] [--write docs/measured/alert-instants.md]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
from fastapi import FastAPI, Request

from gameday.drivers.clock import SystemClock
from gameday.drivers.database import Database
from gameday.drivers.prometheus import Prometheus
from gameday.incidents.engine import Engine
from gameday.incidents.terms import Terms
from gameday.ledger import Ledger
from gameday.rules.slo_rules import prometheus_rules
from gameday.server.listening import free_port, listening
from gameday.testing.monitored import Cell, ErrorSource, Monitored, monitored
from gameday.testing.served import PatientServer
from scoring.detection import ErrorShape
from scoring.slo import BurnWindow, Objective
from scoring.timeline import Kind

REPOSITORY = Path(__file__).resolve().parent.parent
SECOND, MINUTE, HOUR = (timedelta(seconds=s) for s in (1, 60, 3600))
TIME_SCALE = 60
FAST = BurnWindow(HOUR, 5 * MINUTE, 14.4)
NINES = Objective(0.999, timedelta(days=30))
ARRIVAL = 0.050
"""Seconds by which two stamps of one arrival may differ."""

APART = 0.9
"""Mean seconds between two onsets; drawn, so that they meet scrapes and evaluations anywhere."""


class RecordingProxy:
    """Passes webhooks on, and stamps each when its head has arrived.

    Attributes:
        stamps: arrival of the first webhook that told of a firing alert, by SLO.
        url: where Alertmanager sends to.
    """

    def __init__(self, upstream: str) -> None:
        self.stamps: dict[str, datetime] = {}
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                arrived_at = datetime.now(UTC)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = client.post(upstream + self.path, content=body)
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)
                for alert in json.loads(body)["alerts"]:
                    if alert["status"] == "firing":
                        proxy.stamps.setdefault(alert["labels"].get("slo", ""), arrived_at)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        client = httpx.Client(trust_env=False, timeout=10)
        self._client = client
        self._server = PatientServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def passing(self) -> Iterator[RecordingProxy]:
        """Pass webhooks on for as long as the context lasts."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
            self._client.close()


@dataclass(frozen=True, slots=True)
class Row:
    """One alert. None: it was not seen on that path."""

    slo: str
    onset: datetime
    fired_at: datetime | None
    starts_at: datetime | None
    arrived_at: datetime | None
    stamped_at: datetime | None

    @property
    def paths_apart(self) -> float | None:
        """Return the webhook's startsAt minus the first ALERTS sample, in seconds."""
        return _apart(self.starts_at, self.fired_at)

    @property
    def stamps_apart(self) -> float | None:
        """Return the arrival gameday recorded minus the proxy's stamp, in seconds."""
        return _apart(self.arrived_at, self.stamped_at)

    def holds(self, interval: timedelta) -> bool:
        """Return whether both pairs agree."""
        paths, stamps = self.paths_apart, self.stamps_apart
        return (
            paths is not None
            and stamps is not None
            and abs(paths) <= interval.total_seconds()
            and abs(stamps) <= ARRIVAL
        )


def _apart(one: datetime | None, other: datetime | None) -> float | None:
    return None if one is None or other is None else (one - other).total_seconds()


def cells_of(alerts: int, begins: datetime) -> dict[str, Cell]:
    """Return the SLOs, each of which loses everything for ten seconds at an instant of its own."""
    rng, cells, onset = random.Random(7), {}, begins
    for number in range(alerts):
        id = f"service-{number:02d}"
        onset += timedelta(seconds=2 * APART * rng.random())
        outage = ErrorShape.constant(1.0, 10 * SECOND)
        cells[id] = Cell(Cell.promised(id, NINES, (FAST,)), outage, onset)
    return cells


async def measure(alerts: int, folder: Path) -> tuple[list[Row], Monitored]:
    """Play the alerts on real servers, gameday's webhook at the end, and return their rows."""
    source = ErrorSource(cells_of(alerts, datetime.now(UTC) + timedelta(days=1)))
    rules = {id: prometheus_rules(c.slo, time_scale=TIME_SCALE) for id, c in source.cells.items()}
    store = Database(f"sqlite:///{folder / 'runs.db'}")
    clock = SystemClock()
    began = clock.now()
    store.open_run("bench", scenario="none", target="none", started_at=began, documents={})
    ledger = Ledger("bench", store=store, clock=clock)
    engine = Engine(
        store.of_run("bench"),
        clock=clock,
        terms=Terms(run="bench", is_disposable=True, heard=ledger.heard),
    )
    listener = free_port()
    gameday_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with engine.running(), listening(_hook(engine), listener):
        with contextlib.ExitStack() as open_:
            proxy = open_.enter_context(RecordingProxy(gameday_url).passing())
            open_.enter_context(source.serving())
            # A thread, for it waits: the webhook's loop has to go on.
            servers = await asyncio.to_thread(
                open_.enter_context,
                monitored(
                    folder / "servers",
                    source,
                    rules=rules,
                    pages_url=f"{proxy.url}/hooks/alertmanager/hook",
                ),
            )
            for id, cell in cells_of(alerts, clock.now() + 5 * SECOND).items():
                source.cells[id] = cell
            last = max(cell.onset for cell in source.cells.values())
            await clock.sleep(last + 12 * SECOND - clock.now())
            prometheus = Prometheus(servers.prometheus_url)
            rows = []
            for id, cell in source.cells.items():
                states = await prometheus.alerts(slo=id, since=began, until=clock.now())
                rows.append(_row(id, cell, [s.fired_at for s in states], ledger, proxy))
            return rows, servers


def _hook(engine: Engine) -> FastAPI:
    """The webhook of a run, and nothing else of it."""
    app = FastAPI()

    @app.post("/hooks/alertmanager/hook")
    async def hook(request: Request) -> dict[str, int]:
        arrived_at = engine.now()
        return {"recorded": await engine.hook(await request.json(), arrived_at=arrived_at)}

    return app


def _row(
    id: str, cell: Cell, fired: Sequence[datetime | None], ledger: Ledger, proxy: RecordingProxy
) -> Row:
    pages = [f for f in ledger.timeline.of_kind(Kind.PAGE_RECEIVED) if f.data.get("slo") == id]
    page = pages[0] if pages else None
    stamp = page.data.get("starts_at") if page else None
    return Row(
        slo=id,
        onset=cell.onset,
        fired_at=min((at for at in fired if at is not None), default=None),
        starts_at=datetime.fromisoformat(stamp) if stamp else None,
        arrived_at=page.happened_at if page else None,
        stamped_at=proxy.stamps.get(id),
    )


def table(rows: Sequence[Row], interval: timedelta) -> str:
    """Return the rows as Markdown, with counts and spreads."""

    def clock(at: datetime | None) -> str:
        return "—" if at is None else at.strftime("%H:%M:%S.%f")[:-3]

    def shown(value: float | None) -> str:
        return "—" if value is None else f"{value * 1000:+.1f}"

    lines = [
        "| SLO | onset | first firing sample | startsAt − sample, ms | page − firing, ms"
        " | recorded − stamped arrival, ms | verdict |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        cells = [
            row.slo,
            clock(row.onset),
            clock(row.fired_at),
            shown(row.paths_apart),
            shown(_apart(row.stamped_at, row.fired_at)),
            shown(row.stamps_apart),
            "holds" if row.holds(interval) else "**does not hold**",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    paths = [abs(r.paths_apart) for r in rows if r.paths_apart is not None]
    stamps = [abs(r.stamps_apart) for r in rows if r.stamps_apart is not None]
    within = sum(p <= interval.total_seconds() for p in paths)
    near = sum(s <= ARRIVAL for s in stamps)
    lines += [
        "",
        f"startsAt within one evaluation ({interval.total_seconds():g} s) of the first sample: "
        f"{within} of {len(rows)}{_spread(paths)}.",
        "",
        f"recorded arrival within {ARRIVAL * 1000:g} ms of the proxy's stamp: "
        f"{near} of {len(rows)}{_spread(stamps)}.",
    ]
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle, most = statistics.median(values) * 1000, max(values) * 1000
    return f" (median {middle:.1f} ms, largest {most:.1f} ms)"


def main() -> int:
    """Measure, print the table; 0 if every alert holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--alerts", type=int, default=50)
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="alert-instants-") as folder:
        rows, servers = asyncio.run(measure(options.alerts, Path(folder)))
    text = table(rows, servers.interval)
    print(text)
    if options.write:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=REPOSITORY
        ).stdout.strip()
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        command = " ".join(["python", "bench/alert_instants.py", *sys.argv[1:]])
        what = ", ".join(servers.versions.values())
        options.write.write_text(
            "# When an alert fired, by two paths, and when its page arrived, by two stamps\n\n"
            f"Commit {head}, {when}, `{command}`, {time.monotonic() - started:.0f} s; {what}.\n\n"
            f"{text}\n"
        )
    return 0 if all(row.holds(servers.interval) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
