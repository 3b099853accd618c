"""Is anything left broken when the run that broke it is killed?

Every row is a real run on the real sandbox whose process is ended at a moment drawn uniformly
between its first undo record and its last recovery. Then the target itself is read: toxics,
switched-off proxies, drained regions, databases failed over, versions that are live.

    python bench/kills.py [--kills 100] [--only HOW] [--minutes 28] [--fresh]
                          [--write docs/measured/kills.md]

How a run ends: `killed` (SIGKILL); `frozen` (SIGSTOP, continued after the takeover); `locked`
(SIGKILL while the store's file is locked); `full` (SIGKILL while the store's disk is full; needs
the right to mount); `alone` (the sentinel is killed as well, then `gameday recover` is typed).
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from target import KEPT, Target, commit

LEASE = 5.0
ALLOWED = LEASE + 2.0
STAYS = 1.5
"""Seconds past the lease after which the target is read again: what comes late comes by then."""

FAULTS: dict[str, dict[str, Any]] = {
    "toxic": {
        "experiment": "slow-downstream",
        "with": {"service": "inventory", "downstream": "db", "latency": "20ms"},
    },
    "proxy off": {
        "experiment": "broken-downstream",
        "with": {"service": "inventory", "downstream": "db", "mode": "down"},
    },
    "deploy": {
        "experiment": "deploy-change",
        "with": {"service": "checkout", "kind": "harmless", "seed": 7},
    },
}
DURATIONS = {"frozen": "12s"}
"""Longer than the lease: a toxic's time to live must not do the sentinel's work."""

KINDS = ("toxic", "proxy off", "deploy", "toxic + drained region", "toxic + failover")
SHARES = {"killed": 1.0, "frozen": 0.3, "locked": 0.1, "full": 0.1, "alone": 0.1}
"""Runs per way of ending, as a share of --kills."""


@dataclass
class Row:
    """One run that was ended."""

    how: str
    number: int
    kind: str
    after_seconds: float
    in_place: list[str]
    orderly_after: float | None
    left: list[str]
    code: str

    @property
    def is_right(self) -> bool:
        """Return whether nothing was left, in time."""
        limit = ALLOWED if self.how != "alone" else float("inf")
        return self.orderly_after is not None and self.orderly_after <= limit and not self.left


class Store:
    """The run's store, read from outside."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def undos(self) -> list[tuple[str, str, str | None]]:
        """Return (run, stored at, proven at) of every undo, oldest first."""
        try:
            with sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5) as found:
                query = "select run, stored_at, proven_at from undos order by stored_at"
                return found.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep everybody else from writing."""
        holder = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.rollback()
            holder.close()


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill the disk that a folder lies on."""
    filler = folder / "filler"
    try:
        with filler.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
    except OSError:
        pass
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Yield a folder on a small disk; None where this user may not mount one."""
    folder = KEPT / "kills-disk"
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def scenario(target: Target, how: str, kind: str) -> str:
    """Write the scenario of a kind of run; return its path."""
    fault = {**FAULTS[kind.split(" + ")[0]], "duration": DURATIONS.get(how, "4s")}
    regions = ["eu-west"] if kind != "deploy" else ["eu-west", "us-east"]
    return str(
        target.scenario(kind.replace(" ", "-").replace("+", "and"), [fault], regions=regions)
    )


def first_undo(store: Store, known: set[str], run: subprocess.Popen[str]) -> str:
    """Wait for the first undo of a new run; return the run's id."""
    while True:
        new = [r for r, _, _ in store.undos() if r not in known]
        if new:
            return new[0]
        if run.poll() is not None:
            assert run.stderr is not None
            sys.exit(f"the run ended before it changed anything: {run.stderr.read()}")
        time.sleep(0.005)


def mitigate(target: Target, kind: str, run: str) -> None:
    """Do what a responder does in this kind of run."""
    if kind.endswith("drained region"):
        target.mitigate(run, "drain-region", region="us-east")
    elif kind.endswith("failover"):
        target.mitigate(run, "failover-db", region="eu-west")


def length(target: Target, store: Store, how: str, kind: str) -> float:
    """Return the seconds from the first undo to the last recovery of a run left in peace."""
    known = {r for r, _, _ in store.undos()}
    with target.start("run", scenario(target, how, kind)) as process:
        run = first_undo(store, known, process)
        mitigate(target, kind, run)
        process.wait()
        undos = [(s, p) for r, s, p in store.undos() if r == run]
    begun = min(datetime.fromisoformat(s) for s, _ in undos)
    ended = max(datetime.fromisoformat(p) for _, p in undos if p)
    return (ended - begun).total_seconds()


def play(
    target: Target,
    store: Store,
    how: str,
    number: int,
    lengths: dict[tuple[str, str], float],
    sooner: float,
) -> Row | None:
    """End one run and see what it leaves; None where it had ended before its moment came."""
    draw = random.Random(f"{how} {number}")
    kind = KINDS[number % len(KINDS)]
    moment = draw.uniform(0, lengths[how, kind]) * sooner
    known = {r for r, _, _ in store.undos()}
    with target.start("run", scenario(target, how, kind)) as process, ExitStack() as trouble:
        run = first_undo(store, known, process)
        begun = time.monotonic()
        if " + " in kind and moment > 1.0:
            mitigate(target, kind, run)
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        in_place = target.out_of_order()
        if process.poll() is not None:
            return None
        if how == "locked":
            trouble.enter_context(store.locked())
        if how == "full":
            trouble.enter_context(full(store._path.parent))
        if how == "alone":
            for child in psutil.Process(process.pid).children():
                if "gameday.cli.sentinel" in child.cmdline():
                    child.kill()
        process.send_signal(signal.SIGSTOP if how == "frozen" else signal.SIGKILL)
        ended = time.monotonic()
        if how == "alone":
            process.wait()
            said = target.gameday("recover")
            left = target.out_of_order()
            took = None if left or said.returncode else time.monotonic() - ended
        else:
            took, left = target.orderly_after(ended, ALLOWED + 10)
        if how == "frozen":
            time.sleep(max(0.0, ended + LEASE + 1.0 - time.monotonic()))
            process.send_signal(signal.SIGCONT)
        time.sleep(max(0.0, ended + LEASE + STAYS - time.monotonic()))
        left = left or target.out_of_order()
        process.kill()
    wait_for_the_sentinel()
    target.gameday("recover")  # what the store could not be told is told now
    return Row(how, number, kind, round(moment, 2), in_place, took, left, commit())


def wait_for_the_sentinel() -> None:
    """Return once no sentinel of an earlier run is at work."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        names = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
        if not any("gameday.cli.sentinel" in name for name in names):
            return
        time.sleep(0.1)


def table(rows: list[Row]) -> str:
    """Return the rows' totals as Markdown, and each row that is wrong."""
    lines = [
        "| the run is | kind of run | runs | with something in place | nothing left in time "
        "| median s | slowest s |",
        "|---|---|---|---|---|---|---|",
    ]
    for how in SHARES:
        for kind in KINDS:
            found = [r for r in rows if r.how == how and r.kind == kind]
            if found:
                lines.append(_line(how, kind, found))
        found = [r for r in rows if r.how == how]
        if found:
            lines.append(_line(f"**{how}**", "**all**", found))
    for row in rows:
        if not row.is_right:
            lines.append(f"\nWRONG: {asdict(row)}")
    right = sum(r.is_right for r in rows)
    lines.append(f"\nnothing left broken: {right} of {len(rows)}")
    return "\n".join(lines)


def _line(how: str, kind: str, found: list[Row]) -> str:
    took = [r.orderly_after for r in found if r.orderly_after is not None]
    middle = f"{statistics.median(took):.2f}" if took else "—"
    slowest = f"{max(took):.2f}" if took else "—"
    loud = sum(bool(r.in_place) for r in found)
    right = sum(r.is_right for r in found)
    return f"| {how} | {kind} | {len(found)} | {loud} | {right} | {middle} | {slowest} |"


def main() -> int:
    """Play what is missing, print the table; 0: all right, 1: not, 3: rows are still missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--only", choices=list(SHARES))
    parser.add_argument("--minutes", type=float, default=28, help="stop before this; go on later")
    parser.add_argument("--fresh", action="store_true", help="forget the rows played before")
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / "kills.jsonl"
    if options.fresh:
        kept.unlink(missing_ok=True)
    here = commit()
    lines = kept.read_text().splitlines() if kept.exists() else []
    rows = [r for r in (Row(**json.loads(line)) for line in lines) if r.code == here]
    done = {(r.how, r.number) for r in rows}
    wanted = [
        (how, number)
        for how, share in SHARES.items()
        for number in range(round(options.kills * share))
        if how == (options.only or how)
    ]
    waiting = [key for key in wanted if key not in done]
    deadline = time.monotonic() + options.minutes * 60
    if waiting and options.minutes > 0:
        with small_disk() as disk:
            _play_all(waiting, disk, deadline, rows, kept)
    rows = [r for r in rows if (r.how, r.number) in wanted]
    text = table(rows)
    print(text)
    missing = len(wanted) - len(rows)
    if missing:
        print(f"{missing} rows are still to be played: run this again", file=sys.stderr)
    if options.write:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        options.write.write_text(
            "# Is anything left broken when the run that broke it is killed?\n\n"
            f"Commit {here}, {stamp}, `python bench/kills.py --kills {options.kills}`, "
            f"{len(rows)} of {len(wanted)} rows. In time: within the heartbeat lease "
            f"({LEASE:g} s) plus 2 s of the moment the process is ended, and still so "
            f"{LEASE + STAYS:g} s after it; *alone* means that the sentinel is killed too and "
            f"`gameday recover` is typed.\n\n{text}\n"
        )
    if not all(r.is_right for r in rows):
        return 1
    return 3 if missing else 0


def _play_all(
    waiting: list[tuple[str, int]],
    disk: Path | None,
    deadline: float,
    rows: list[Row],
    kept: Path,
) -> None:
    target = Target("kills", database=f"sqlite:///{disk / 'gameday.db'}" if disk else None)
    store = Store((disk or target.folder / "state") / "gameday.db")
    try:
        target.gameday("recover")
        target.gameday("sandbox", "reset")
        lengths: dict[tuple[str, str], float] = {}
        for how in dict.fromkeys(how for how, _ in waiting):
            for kind in KINDS:
                known = [s for (h, k), s in lengths.items() if k == kind and not DURATIONS.get(how)]
                lengths[how, kind] = known[0] if known else length(target, store, how, kind)
            shown = ", ".join(f"{kind} {lengths[how, kind]:.1f} s" for kind in KINDS)
            print(f"{how}, first undo to last recovery: {shown}", file=sys.stderr)
        for how, number in waiting:
            if time.monotonic() > deadline - 60:
                break
            if how == "full" and disk is None:
                print("full: not played, this user may not mount a disk", file=sys.stderr)
                continue
            # A run may end before its moment comes, since not all take equally long: sooner, then.
            row, sooner = None, 1.0
            while row is None:
                row = play(target, store, how, number, lengths, sooner)
                sooner *= 0.8
            rows.append(row)
            with kept.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            took = "—" if row.orderly_after is None else f"{row.orderly_after:.2f} s"
            word = "right" if row.is_right else f"WRONG, left: {row.left}"
            print(
                f"{how} #{number} {row.kind} at {row.after_seconds:.2f} s, "
                f"{len(row.in_place)} in place: orderly after {took}, {word}",
                file=sys.stderr,
                flush=True,
            )
    finally:
        target.gameday("sandbox", "down")


if __name__ == "__main__":
    sys.exit(main())
