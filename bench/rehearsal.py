"""Are the promises of a run kept, whatever goes wrong? Thousands of runs in a simulated world.

Every seed draws a scenario, a responder and what goes wrong at which outside call. The run is
played by the real conductor and watched by the real sentinel, in virtual time (docs/rehearsal.md).
Every fiftieth seed is played twice: its timeline must be the same, byte for byte.

    python bench/rehearsal.py [--seeds 20000] [--from 0] [--processes 2]
                              [--write docs/measured/rehearsal.md]
    python bench/rehearsal.py --seed 4711 --verbose

A stopped table goes on with --from; rows of seeds are independent of each other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gameday.testing.drawing import possible
from gameday.testing.rehearsal import Rehearsed, rehearse

REPOSITORY = Path(__file__).resolve().parent.parent
CHUNK = 100
AGAIN_EVERY = 50


@dataclass
class Tally:
    """What came of a number of rehearsals.

    Attributes:
        hits: (process and call, way) → how often it came to pass.
        virtual: seconds of virtual time.
        digests: first seed of a chunk → digest of its timelines.
    """

    runs: int = 0
    again: int = 0
    virtual: float = 0.0
    calls: int = 0
    by_hand: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take the numbers of another tally in."""
        self.runs += other.runs
        self.again += other.again
        self.virtual += other.virtual
        self.calls += other.calls
        self.by_hand += other.by_hand
        self.outcomes.update(other.outcomes)
        self.hits.update(other.hits)
        self.violations += other.violations
        self.digests |= other.digests

    def digest(self) -> str:
        """Return one digest over all timelines, in the order of their seeds."""
        whole = "".join(self.digests[first] for first in sorted(self.digests))
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


def replay(seed: int) -> str:
    """Return the one command that plays a seed again."""
    return f"python bench/rehearsal.py --seed {seed} --verbose"


def play(seeds: range) -> Tally:
    """Play a chunk of seeds."""
    tally = Tally()
    digest = hashlib.sha256()
    for seed in seeds:
        report = rehearse(seed)
        violations = list(report.violations)
        if seed % AGAIN_EVERY == 0:
            tally.again += 1
            if rehearse(seed).timeline != report.timeline:
                violations.append("the same seed gave another timeline")
        digest.update(report.timeline.encode())
        tally.runs += 1
        tally.virtual += report.seconds
        tally.calls += sum(report.calls.values())
        tally.by_hand += bool(report.by_hand)
        tally.outcomes[report.outcome or "no end", report.sentinel] += 1
        for _, failure in report.happened:
            call = getattr(failure, "call", "(any moment)")
            tally.hits[f"{failure.process}: {call}", str(failure.way)] += 1
        tally.violations += [(seed, violation) for violation in violations]
    tally.digests[seeds.start] = digest.hexdigest()
    return tally


def chunks(first: int, number: int) -> Iterator[range]:
    """Return the seeds in chunks whose borders do not depend on where one begins."""
    end = first + number
    while first < end:
        border = min(end, (first // CHUNK + 1) * CHUNK)
        yield range(first, border)
        first = border


def table(tally: Tally, seconds: float, processes: int) -> str:
    """Return the numbers as Markdown."""
    per_run = 1000 * seconds * processes / max(1, tally.runs + tally.again)
    lines = [
        f"{tally.runs:,} seeds in {seconds:.0f} s on {processes} processes "
        f"({per_run:.1f} ms each), {tally.again:,} of them played twice; "
        f"{tally.virtual / 3600:,.0f} h of virtual time, {tally.calls:,} outside calls, "
        f"{sum(tally.hits.values()):,} of them went wrong; "
        f"`gameday recover` was needed in {tally.by_hand:,} runs.",
        "",
        f"**{len(tally.violations)} promises broken.** "
        f"Digest of all timelines: `{tally.digest()}`.",
        "",
        "| how the run ended | its sentinel | runs |",
        "|---|---|---|",
    ]
    for (outcome, sentinel), number in tally.outcomes.most_common():
        lines.append(f"| {outcome} | {sentinel} | {number:,} |")
    ways = sorted({way for _, way in tally.hits})
    lines += ["", "| what went wrong | " + " | ".join(ways) + " |", "|---" * (len(ways) + 1) + "|"]
    pairs = possible()
    for call in sorted({call for call, _ in tally.hits} | {call for call, _ in pairs}):
        cells = [
            f"{tally.hits[call, way]:,}" if tally.hits[call, way] or (call, way) in pairs else ""
            for way in ways
        ]
        lines.append(f"| {call} | " + " | ".join(cells) + " |")
    never = sorted(pair for pair in pairs if not tally.hits[pair])
    lines += ["", f"{len(pairs)} pairs of call and way are possible, {len(never)} never came."]
    for seed, violation in tally.violations:
        lines.append(f"\nseed {seed}: {violation}\n`{replay(seed)}`")
    return "\n".join(lines)


def told(report: Rehearsed, verbose: bool) -> str:
    """Return one rehearsal for people."""
    lines = [f"seed {report.seed}: {report.outcome}, sentinel {report.sentinel}"]
    drawn = report.drawn
    lines += [f"drawn: {f}" for f in (*drawn.failures, *drawn.moments)]
    lines += [f"{second:9.3f} s  {failure}" for second, failure in report.happened]
    if verbose:
        lines += [
            "",
            drawn.scenario,
            f"on call: {drawn.character}; somebody else's fault: {drawn.theirs}; "
            f"Ctrl-C: {drawn.interrupts}; kills in vain: {drawn.kills_in_vain}; "
            f"by hand after: {drawn.hand_after}; pager out: {drawn.pager_is_out}; "
            f"elsewhere: {drawn.elsewhere}",
            "",
        ]
        for line in report.timeline.splitlines():
            if line.startswith("{"):
                fact = json.loads(line)
                at, data = fact["recorded_at"][11:23], json.dumps(fact["data"])[:120]
                lines.append(f"{at}  {fact['id']}  {fact['kind']:22} {fact['source']:12} {data}")
            else:
                lines.append(line)
    lines += [f"BROKEN {violation}" for violation in report.violations]
    return "\n".join(lines)


def write(path: Path, text: str, options: argparse.Namespace, load: float) -> None:
    """Write the table with where it comes from.

    Args:
        load: of the machine when it began, by others.
    """
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=REPOSITORY
    ).stdout.strip()
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    command = f"python bench/rehearsal.py --seeds {options.seeds}"
    path.write_text(
        "# Whole runs in a simulated world\n\n"
        f"Commit {head}, {stamp}, `{command}`, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, load {load:.1f} when it began.\n\n{text}\n"
    )


def main() -> int:
    """Play the seeds and print the table; 0 if every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="play this one alone, and tell what happened")
    parser.add_argument("--verbose", action="store_true", help="with the whole timeline")
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    if options.seed is not None:
        report = rehearse(options.seed)
        print(told(report, options.verbose))
        return int(bool(report.violations))

    tally, began, load = Tally(), time.monotonic(), os.getloadavg()[0]
    work = chunks(options.first, options.seeds)
    with multiprocessing.Pool(options.processes) as pool:
        for number, part in enumerate(pool.imap_unordered(play, work), start=1):
            tally.add(part)
            for seed, violation in part.violations:
                print(f"seed {seed}: {violation}\n    {replay(seed)}", file=sys.stderr)
            if number % 20 == 0:
                print(f"{tally.runs:,} of {options.seeds:,}", file=sys.stderr)
    text = table(tally, time.monotonic() - began, options.processes)
    print(text)
    if options.write:
        write(options.write, text, options, load)
    return int(bool(tally.violations))


if __name__ == "__main__":
    sys.exit(main())
