"""How long do the rules of thousands of SLOs take, and how much memory?

Every row writes that many OpenSLO documents into a folder, one file each, and runs `gameday slo
rules FOLDER --out RULES` in a process of its own: start-up, reading, checking the PromQL (with
promtool, where it is installed) and writing are all in the time.

    python bench/slo_rules.py [--rows 1000 2500 5000 10000] [--write docs/measured/slo-rules.md]

Ends with 1 when 10,000 SLOs take 20 s or more, or when memory grows faster than their number.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from target import commit

LIMIT_SECONDS = 20
LIMIT_AT = 10_000
SLOPE_TOLERANCE = 1.6  # tables grow in steps; what grows with the square would double

DOCUMENT = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: {name}
  displayName: Requests to {service} are answered in time
  labels: {{team: [team-{team}]}}
  annotations:
    gameday/owner: team-{team}
    gameday/runbook: runbooks/{name}.md
    gameday/dashboard: https://grafana.example/d/red?var-service={{service}}&from=now-{{window}}
spec:
  description: The share of requests to {service} that users got an answer to in time.
  service: {service}
  indicator:
    metadata:
      name: {name}-in-time
    spec:
      ratioMetric:
        counter: true
        {part}:
          metricSource:
            type: Prometheus
            spec:
              query: http_requests_total{{service="{service}",route="/{team}",code{match}"5.."}}
        total:
          metricSource:
            type: Prometheus
            spec:
              query: http_requests_total{{service="{service}",route="/{team}"}}
  timeWindow:
    - duration: {period}
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - target: {target}
"""


@dataclass(frozen=True)
class Row:
    """One measurement."""

    slos: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    written_mib: float


def documents(folder: Path, count: int) -> None:
    """Write that many documents, none like another."""
    for number in range(count):
        part, match = (("good", "!~"), ("bad", "=~"))[number % 2]
        text = DOCUMENT.format(
            name=f"service-{number}-in-time",
            service=f"service-{number}",
            team=number % 97,
            part=part,
            match=match,
            period=("30d", "28d", "7d")[number % 3],
            target=(0.99, 0.995, 0.999)[number // 3 % 3],
        )
        (folder / f"slo-{number}.yaml").write_text(text, encoding="utf-8")


def measure(count: int) -> Row:
    """Generate the rules of that many SLOs in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="gameday-slo-rules-"))
    try:
        (folder / "slos").mkdir()
        documents(folder / "slos", count)
        command = [sys.executable, "-m", "gameday", "slo", "rules", "slos", "--out", "rules"]
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        # wait4 tells the peak of this child alone; promtool, its own child, is not in it.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"gameday slo rules ended with {process.returncode}")
        written = [p.stat().st_size for p in (folder / "rules").iterdir()]
        if len(written) != count:
            sys.exit(f"{len(written)} files for {count} SLOs")
        cpu = usage.ru_utime + usage.ru_stime
        return Row(count, seconds, cpu, usage.ru_maxrss / 1024, sum(written) / 1024**2)
    finally:
        shutil.rmtree(folder)


def verdicts(rows: list[Row]) -> list[str]:
    """Return what is not as it should be; empty where all is well."""
    said = [
        f"{r.slos} SLOs took {r.seconds:.1f} s, the limit is {LIMIT_SECONDS} s"
        for r in rows
        if r.slos >= LIMIT_AT and r.seconds >= LIMIT_SECONDS
    ]
    for earlier, before, after in zip(rows, rows[1:], rows[2:], strict=False):
        first = (before.peak_mib - earlier.peak_mib) / (before.slos - earlier.slos)
        then = (after.peak_mib - before.peak_mib) / (after.slos - before.slos)
        if then > SLOPE_TOLERANCE * first:
            said.append(
                f"memory grows by {1024 * then:.1f} KiB per SLO up to {after.slos}, and by"
                f" {1024 * first:.1f} KiB up to {before.slos}"
            )
    return said


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| SLOs | s | CPU s | ms per SLO | peak MiB | rules MiB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r.slos} | {r.seconds:.1f} | {r.cpu_seconds:.1f} | {1000 * r.seconds / r.slos:.2f}"
        f" | {r.peak_mib:.0f} | {r.written_mib:.0f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure every row, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 2500, 5000, 10_000])
    parser.add_argument("--write", type=Path, help="also write the table into this file")
    options = parser.parse_args()
    rows = []
    load = os.getloadavg()[0]
    for count in sorted(options.rows):
        rows.append(measure(count))
        print(f"{count}: {rows[-1].seconds:.1f} s, {rows[-1].peak_mib:.0f} MiB", file=sys.stderr)
    said = verdicts(rows)
    text = table(rows) + "\n\n" + ("\n".join(said) if said else "Within the limit, memory linear.")
    print(text)
    if options.write:
        arguments = " ".join(sys.argv[1:])
        options.write.write_text(
            "# The rules of thousands of SLOs\n\n"
            f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC,"
            f" `python bench/slo_rules.py {arguments}`, {os.cpu_count()} cores,"
            f" load {load:.1f} at the start.\n\n{text}\n\n"
            "One file per SLO is read and one is written; the PromQL of all of them is parsed by\n"
            "promtool. Memory is the peak of gameday's own process.\n",
            encoding="utf-8",
        )
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
