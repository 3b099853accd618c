"""Is everybody woken who must be, and nobody without a cause? Thousands of simulated nights.

Every seed draws what happens to the alerts, the people, the processes, the disk and the pager of
one night; the engine, its dispatcher and PagerDuty's driver are the real ones, before a fake of its
API, in virtual time (`gameday.testing.waking`). Then 1,500 incidents at once meet a pager that
takes 120 calls a minute, each of another service or all of ten, and a SEV-1 comes 60 s later; and
the disk is full for ten minutes as soon as alerts are on it.

    python bench/pager.py [--seeds 10000] [--from 0] [--processes 2] [--minutes 60] [--fresh]
                          [--write docs/measured/pager.md]

The nights are kept, in the user's cache, until what they run is changed (a digest of the modules
that a night imports): stopped, or out of time, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from target import KEPT, commit, what_ran

from gameday.testing.flood import flood, sent_on_a_full_disk
from gameday.testing.waking import night

INCIDENTS, PER_MINUTE, LATER = 1_500, 120, timedelta(seconds=60)
WITHIN = timedelta(seconds=30)

Row = dict[str, Any]
"""One night as it is kept."""


def played(seed: int) -> dict[str, Any]:
    """Play one night in a process of a pool and return its row."""
    logging.disable(logging.CRITICAL)
    found = night(seed)
    return {
        "seed": seed,
        "violations": found.violations,
        "did": dict(found.did),
        "wakes": found.wakes,
        "shared": found.shared,
        "told": found.told,
        "slowest": found.slowest.total_seconds(),
    }


def play(seeds: range, *, kept: Path, processes: int, minutes: float | None) -> list[Row]:
    """Return the rows of these seeds, as many as there is time for; those kept are not played."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    # The last line may have been cut short by whatever stopped it.
    rows = {row["seed"]: row for line in lines if line.endswith("}") and (row := json.loads(line))}
    missing = [seed for seed in seeds if seed not in rows]
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    with multiprocessing.Pool(processes) as pool, kept.open("a", encoding="utf-8") as file:
        for row in pool.imap_unordered(played, missing, chunksize=1):
            rows[row["seed"]] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
            if ends is not None and time.monotonic() > ends:
                pool.terminate()
                break
    return [rows[seed] for seed in seeds if seed in rows]


def storms() -> tuple[dict[str, Any], bool]:
    """Return (what came of floods and full disks, whether it is as promised)."""
    logging.disable(logging.CRITICAL)
    said: dict[str, Any] = {}
    holds = True
    for services in (None, 10):
        found = flood(
            INCIDENTS, per_minute=PER_MINUTE, later=LATER, waits=2 * WITHIN, services=services
        )
        after = found.delivered_after
        of = f"{INCIDENTS} incidents of {services or 'as many'} services"
        said |= {
            f"{of}, {PER_MINUTE} calls a minute: a SEV-1 after 60 s delivered in": (
                "never" if after is None else f"{after.total_seconds():.1f} s"
            ),
            f"{of}: pages delivered until then and 60 s on": found.delivered,
            f"{of}: calls answered 429": found.refused,
        }
        holds = holds and after is not None and after <= WITHIN and not found.refused
    for services in (40, 2):
        sent = sent_on_a_full_disk(40, services=services)
        twice = sum(times > 1 for times in sent.values())
        of = f"a full disk for ten minutes, 40 incidents of {services} services"
        said |= {f"{of}: pages sent": len(sent), f"{of}: sent twice": twice}
        holds = holds and not twice
    return said, holds


def table(seeds: range, nights: list[Row], others: dict[str, Any]) -> str:
    """Return what came of it as Markdown."""
    did: Counter[str] = Counter()
    for one in nights:
        did.update(one["did"])
    bad = [one for one in nights if one["violations"]]
    rows = {
        "nights played": f"{len(nights)} of {len(seeds)}, seeds from {seeds.start}",
        "nights in which somebody who had to be awake was not woken, or without cause": len(bad),
        "phones that rang": sum(one["wakes"] for one in nights),
        "of these about several incidents at once": sum(one["shared"] for one in nights),
        "incidents that these told of": sum(one["told"] for one in nights),
        "longest that somebody was not called, trouble left out": (
            f"{max((one['slowest'] for one in nights), default=0):.0f} s"
        ),
        **{f"happened: {name}": count for name, count in sorted(did.items())},
        **others,
    }
    lines = [
        "# Who is woken, and when",
        "",
        f"Commit {commit()}, code {what_ran()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC,"
        f" `python bench/pager.py --from {seeds.start} --seeds {len(seeds)}`;"
        f" load average {os.getloadavg()[0]:.1f} at the end.",
        "",
        "| what | measured |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    lines += [f"\nSeed {one['seed']}: {'; '.join(one['violations'])}" for one in bad[:10]]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Play what is missing, print the table; 0: all held, 1: not, 3: nights are still missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--minutes", type=float, help="stop after this long and print what there is"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the nights played before")
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    played(chosen.first)  # what a night imports by and by is code that decides as well
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / f"pager-{what_ran()}.jsonl"
    if chosen.fresh:
        kept.unlink(missing_ok=True)
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    others, holds = storms()
    nights = play(seeds, kept=kept, processes=chosen.processes, minutes=chosen.minutes)
    said = table(seeds, nights, others)
    print(said)
    if chosen.write:
        chosen.write.write_text(said, encoding="utf-8")
    if not holds or any(one["violations"] for one in nights):
        return 1
    if len(nights) < len(seeds):
        print(f"{len(seeds) - len(nights)} nights are missing: run this again", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
