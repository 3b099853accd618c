"""Is everybody woken who must be, and nobody without a cause? Thousands of simulated nights.

Every seed draws what happens to the alerts, the people, the processes, the disk and the pager of
one night; the engine, its dispatcher and PagerDuty's driver are the real ones, before a fake of its
API, in virtual time (`gameday.testing.waking`). Then 1,500 incidents at once meet a pager that
takes 120 calls a minute, and a SEV-1 comes 60 s later.

    python bench/pager.py [--seeds 10000] [--from 0] [--processes 2]
                          [--write docs/measured/pager.md]
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gameday.testing.flood import flood
from gameday.testing.waking import Night, night

REPOSITORY = Path(__file__).resolve().parent.parent
INCIDENTS, PER_MINUTE, LATER = 1_500, 120, timedelta(seconds=60)
WITHIN = timedelta(seconds=30)


def played(seed: int) -> Night:
    """Play one night in a process of a pool."""
    logging.disable(logging.CRITICAL)
    found = night(seed)
    found.did = dict(found.did)
    return found


def commit() -> str:
    """Return the short name of the commit that is measured."""
    said = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True
    )
    return said.stdout.strip() or "unknown"


def table(first: int, nights: list[Night], seconds: float) -> tuple[str, bool]:
    """Return (the table, whether everything held)."""
    did: Counter[str] = Counter()
    for one in nights:
        did.update(one.did)
    bad = [one for one in nights if one.violations]
    logging.disable(logging.CRITICAL)
    found = flood(INCIDENTS, per_minute=PER_MINUTE, later=LATER, waits=2 * WITHIN)
    after = found.delivered_after
    rows = {
        "nights played": f"{len(nights)}, seeds {first} to {first + len(nights) - 1}",
        "nights in which somebody who had to be awake was not woken, or without cause": len(bad),
        "phones that rang": sum(one.wakes for one in nights),
        **{f"happened: {name}": count for name, count in sorted(did.items())},
        f"{INCIDENTS} incidents, {PER_MINUTE} calls a minute: a SEV-1 after 60 s delivered in": (
            "never" if after is None else f"{after.total_seconds():.1f} s"
        ),
        "pages delivered until then and 60 s on": found.delivered,
        "calls answered 429": found.refused,
    }
    now = datetime.now(UTC)
    load = os.getloadavg()[0]
    lines = [
        "# Who is woken, and when",
        "",
        f"Commit {commit()}, {now:%Y-%m-%d %H:%M} UTC,"
        f" `python bench/pager.py --from {first} --seeds {len(nights)}`; {seconds:.0f} s,"
        f" load average {load:.1f} at the end.",
        "",
        "| what | measured |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    lines += [f"\nSeed {one.seed}: {'; '.join(one.violations)}" for one in bad[:10]]
    holds = not bad and after is not None and after <= WITHIN
    return "\n".join(lines) + "\n", holds


def main() -> int:
    """Play the nights, print the table, and return 0 where everything held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    began = time.monotonic()
    with multiprocessing.Pool(chosen.processes) as pool:
        seeds = range(chosen.first, chosen.first + chosen.seeds)
        nights = list(pool.imap(played, seeds, chunksize=10))
    said, holds = table(chosen.first, nights, time.monotonic() - began)
    print(said)
    if chosen.write:
        chosen.write.write_text(said, encoding="utf-8")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
