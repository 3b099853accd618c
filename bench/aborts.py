"""How long from the abort to the last fault recovered?

Every row is a real run on the real sandbox with a fault in place, aborted at a random moment by
`gameday abort`, by Ctrl-C, or by the abort order alone (what a console's button gives). Timed from
the moment the order is given until the target itself no longer shows the fault, read every 10 ms.

    python bench/aborts.py [--aborts 60] [--write docs/measured/aborts.md]
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from kills import Store, first_undo
from target import Target, commit

FAULT = {
    "experiment": "slow-downstream",
    "with": {"service": "inventory", "downstream": "db", "latency": "20ms"},
    "duration": "60s",
}
WAYS = ("order", "command", "ctrl-c")


def toxics(target: Target) -> int:
    """Return how many toxics there are."""
    proxies = target.ask(f"{target.state['proxy_url']}/proxies")
    return sum(len(proxy["toxics"]) for proxy in proxies.values())


def play(target: Target, store: Store, way: str, number: int) -> float:
    """Abort one run; return the seconds until its fault was gone."""
    path = target.scenario("abort", [FAULT], regions=["eu-west"])
    known = {r for r, _, _ in store.undos()}
    with target.start("run", str(path)) as process:
        run = first_undo(store, known, process)
        while not toxics(target):
            time.sleep(0.01)
        time.sleep(random.Random(number).uniform(0.2, 2.0))
        command = None
        given = time.monotonic()
        if way == "ctrl-c":
            process.send_signal(signal.SIGINT)
        elif way == "command":
            command = target.start("abort", run)
        else:
            from gameday.house.run.opening import open_store
            from gameday.house.run.orders import abort
            from gameday.settings import Settings

            settings = Settings.from_environment(target.environment)
            with open_store(settings) as opened:
                given = time.monotonic()
                abort(opened, settings, run, reason="bench")
        while toxics(target):
            time.sleep(0.01)
        took = time.monotonic() - given
        code = process.wait(60)
        wanted = 130 if way == "ctrl-c" else 4
        if code != wanted:
            sys.exit(f"{way} #{number} ended with exit code {code}, not {wanted}")
        if command is not None and command.wait(60) != 0:
            sys.exit(f"gameday abort ended with exit code {command.returncode}")
    return took


def main() -> int:
    """Abort runs and print the distribution; 1 where it misses what the design asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--aborts", type=int, default=60)
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    target = Target("aborts")
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    try:
        target.gameday("recover")
        store = Store(target.folder / "state" / "gameday.db")
        for number in range(options.aborts):
            way = WAYS[number % len(WAYS)]
            took[way].append(play(target, store, way, number))
            print(f"{way} #{number}: {took[way][-1]:.3f} s", file=sys.stderr, flush=True)
    finally:
        target.down()
    lines = [
        "| aborted by | runs | median s | p90 s | p99 s | slowest s |",
        "|---|---|---|---|---|---|",
    ]
    named = {
        "order": "an order in the store (a console's button)",
        "command": "`gameday abort`, its own start included",
        "ctrl-c": "Ctrl-C",
    }
    everything = [s for found in took.values() for s in found]
    for name, found in [*((named[w], took[w]) for w in WAYS), ("**all**", everything)]:
        if found:
            cuts = [statistics.median(found), *(percentile(found, p) for p in (90, 99)), max(found)]
            lines.append(
                f"| {name} | {len(found)} | " + " | ".join(f"{c:.3f}" for c in cuts) + " |"
            )
    text = "\n".join(lines)
    print(text)
    if options.write:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        options.write.write_text(
            f"# From an abort to the last fault recovered\n\nCommit {commit()}, {stamp}, "
            f"`python bench/aborts.py --aborts {options.aborts}`. The fault is a toxic on the "
            "hop to the database; its end is read from the proxy itself, every 10 ms.\n\n"
            f"{text}\n"
        )
    fine = statistics.median(everything) < 1 and percentile(everything, 99) < 3
    return 0 if fine else 1


def percentile(values: list[float], percent: int) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


if __name__ == "__main__":
    sys.exit(main())
