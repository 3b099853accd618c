"""Theory against a real Prometheus: error ratios × SLO targets, each cell an SLO of its own.

A scripted error source counts good and bad events; a real Prometheus (and Alertmanager) evaluates
the rules that `gameday slo rules` writes; when each branch had to fire and to clear comes from
`scoring.detection` alone. A cell holds if measured and predicted differ by at most one scrape plus
one evaluation, and a cell below the threshold if it keeps silent for two long windows.

The windows are full and clean: the source runs without an error for a whole long window before any
fault. Time is compressed 120 times, so that the 6 h branch's long window lasts 3 minutes. The fast
branch's short window is 10 m here and not the usual 5 m: at 120 that would be 2.5 s, of which a
scrape per second leaves two or three samples; 10 m become the 5 s that the sandbox has at 60.

    python bench/detection_grid.py [--short] [--write docs/measured/detection-grid.md]
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gameday.drivers.prometheus import Prometheus
from gameday.model.signals import AlertState
from gameday.rules.slo_rules import prometheus_rules
from gameday.testing.monitored import Cell, ErrorSource, Monitored, monitored
from scoring.detection import ErrorShape, Timing, predict_shape
from scoring.slo import BurnWindow, Objective, nominal

REPOSITORY = Path(__file__).resolve().parent.parent
SECOND, MINUTE, HOUR = (timedelta(seconds=s) for s in (1, 60, 3600))
MONTH = timedelta(days=30)

STAGGER = 0.37
"""Seconds between the onsets of two cells, so that they meet the scrapes at all phases."""


@dataclass(frozen=True, slots=True)
class Grid:
    """What is measured.

    Attributes:
        ratios: target → error ratios, above and below the page's threshold.
        windows: nominal.
        lasts: how long a fault that must be seen lasts, real time.
        shapes: further faults by name, on the first target; real time.
    """

    time_scale: float
    windows: tuple[BurnWindow, ...]
    ratios: dict[float, tuple[float, ...]]
    lasts: timedelta
    shapes: Mapping[str, ErrorShape] = field(default_factory=dict)

    @property
    def longest(self) -> timedelta:
        """Return the longest long window, real time."""
        return max(w.long for w in self.windows) / self.time_scale


WHOLE = Grid(
    time_scale=120,
    windows=(
        BurnWindow(HOUR, 10 * MINUTE, 14.4),
        BurnWindow(6 * HOUR, 30 * MINUTE, 6),
    ),
    # A page fires above 6 × (1 − target): 0.6 %, 6 % and 30 %; its fast branch above 14.4 ×.
    ratios={
        0.999: (1.0, 0.5, 0.1, 0.05, 0.02, 0.01, 0.005, 0.003),
        0.99: (1.0, 0.6, 0.3, 0.2, 0.1, 0.05, 0.03),
        0.95: (1.0, 0.9, 0.8, 0.5, 0.4, 0.25, 0.15),
    },
    lasts=240 * SECOND,
    # Beside the constant ones, on the first target: what rises, what passes, what comes and goes.
    shapes={
        "ramp": ErrorShape.ramp(0.5, 120 * SECOND, 240 * SECOND),
        "spike": ErrorShape.spike(0.2, 120 * SECOND),
        "intermittent": ErrorShape.intermittent(
            1.0, on=10 * SECOND, off=50 * SECOND, duration=240 * SECOND
        ),
    },
)

SHORT = Grid(
    time_scale=240,
    windows=(BurnWindow(HOUR, 20 * MINUTE, 14.4),),
    ratios={0.999: (1.0, 0.02, 0.01)},
    lasts=20 * SECOND,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One branch of one cell. Seconds; None: it must not fire, or did not."""

    target: float
    fault: str
    branch: str
    must_fire: int
    firings: int
    detects: float | None
    detected: float | None
    resets: float | None
    did_reset: float | None

    def holds(self, limit: float) -> bool:
        """Return whether theory and measurement agree: how often, first firing, last end."""
        if self.firings != self.must_fire:
            return False
        pairs = ((self.detects, self.detected), (self.resets, self.did_reset))
        return not self.must_fire or all(
            theory is not None and seen is not None and abs(seen - theory) <= limit
            for theory, seen in pairs
        )


def cells_of(grid: Grid, onset: datetime) -> dict[str, Cell]:
    """Return the cells by SLO id; those that must keep silent fail for two long windows."""
    faults: list[tuple[str, float, ErrorShape]] = []
    for target, ratios in grid.ratios.items():
        lowest = min(w.burn_rate for w in grid.windows) * Objective(target, MONTH).budget_ratio
        for ratio in ratios:
            lasts = grid.lasts if ratio > lowest else 2 * grid.longest
            name = f"t{target * 1000:g}-e{ratio * 10000:g}"
            faults.append((name, target, ErrorShape.constant(ratio, lasts)))
    first = next(iter(grid.ratios))
    faults += [(name, first, shape) for name, shape in grid.shapes.items()]
    return {
        id: Cell(
            Cell.promised(id, Objective(target, MONTH), grid.windows),
            shape,
            onset + timedelta(seconds=STAGGER * number),
        )
        for number, (id, target, shape) in enumerate(faults)
    }


def rows_of(cell: Cell, grid: Grid, states: Sequence[AlertState], interval: timedelta) -> list[Row]:
    """Return one row per branch of a cell: what theory says and what Prometheus did."""
    objective = cell.slo.objective.scaled(grid.time_scale)
    windows = [w.scaled(grid.time_scale) for w in grid.windows]
    timing = Timing(scrape=interval, evaluation=interval)
    predicted = predict_shape(objective, windows, cell.shape, timing=timing)
    lasts = cell.shape.lasts
    assert lasts is not None
    rows = []
    for declared, branch in zip(grid.windows, predicted.branches, strict=True):
        fired = [
            s
            for s in states
            if s.fired_at is not None and s.labels.get("long_window") == nominal(declared.long)
        ]
        first, last = (fired[0], fired[-1]) if fired else (None, None)
        rows.append(
            Row(
                target=cell.slo.objective.target_ratio,
                fault=_fault(cell, grid),
                branch=f"{nominal(declared.long)}/{nominal(declared.short)}",
                must_fire=branch.firings,
                firings=len(fired),
                detects=_seconds(branch.detects_after),
                detected=_since(cell.onset, first.fired_at if first else None),
                resets=_seconds(branch.resets_after),
                did_reset=_since(cell.onset + lasts, last.resolved_at if last else None),
            )
        )
    return rows


def _fault(cell: Cell, grid: Grid) -> str:
    """Return a cell's fault in words: ``50 %``, ``ramp to 50 %``."""
    highest = f"{max(r for _, r in cell.shape.points) * 100:g} %"
    return f"{cell.slo.id} to {highest}" if cell.slo.id in grid.shapes else highest


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _since(begin: datetime, at: datetime | None) -> float | None:
    return None if at is None else (at - begin).total_seconds()


def measure(grid: Grid) -> tuple[list[Row], Monitored]:
    """Play the grid on real servers and return its rows."""
    later = datetime.now(UTC) + timedelta(days=1)
    source = ErrorSource(cells_of(grid, later))
    rules = {
        id: prometheus_rules(cell.slo, time_scale=grid.time_scale)
        for id, cell in source.cells.items()
    }
    with (
        tempfile.TemporaryDirectory(prefix="detection-grid-") as folder,
        source.serving(),
        monitored(Path(folder) / "servers", source, rules=rules) as servers,
    ):
        began = datetime.now(UTC)
        # Full before the fault: the longest window, and some scrapes to begin with.
        onset = began + grid.longest + 5 * SECOND
        for id, cell in cells_of(grid, onset).items():
            source.cells[id] = cell
        last = max(cell.onset for cell in source.cells.values())
        silent, seen = (
            2 * grid.longest,
            grid.lasts + max(w.short for w in grid.windows) / (grid.time_scale),
        )
        ends = last + max(silent, seen) + 4 * SECOND
        _wait_until(ends)
        prometheus = Prometheus(servers.prometheus_url)

        async def read() -> list[Row]:
            rows: list[Row] = []
            for id, cell in source.cells.items():
                states = await prometheus.alerts(slo=id, since=began, until=datetime.now(UTC))
                rows += rows_of(cell, grid, states, servers.interval)
            return rows

        return asyncio.run(read()), servers


def _wait_until(ends: datetime) -> None:
    while (left := (ends - datetime.now(UTC)).total_seconds()) > 0:
        print(f"{left:.0f} s to go", file=sys.stderr)
        time.sleep(min(left, 30))


def table(rows: Sequence[Row], limit: float) -> str:
    """Return the rows as Markdown, with a count."""

    def shown(value: float | None) -> str:
        return "silent" if value is None else f"{value:.2f}"

    def apart(theory: float | None, seen: float | None) -> str:
        return "—" if theory is None or seen is None else f"{seen - theory:+.2f}"

    lines = [
        "| target | errors | branch | must fire s | fired s | diff | must clear s | cleared s"
        " | diff | firings | verdict |",
        "|---" * 11 + "|",
    ]
    for row in rows:
        cells = [
            f"{row.target * 100:g} %",
            row.fault,
            row.branch,
            shown(row.detects),
            shown(row.detected),
            apart(row.detects, row.detected),
            shown(row.resets) if row.detects is not None else "—",
            shown(row.did_reset) if row.detected is not None else "—",
            apart(row.resets, row.did_reset),
            f"{row.firings} of {row.must_fire}",
            "holds" if row.holds(limit) else "**does not hold**",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    apart_by = [
        abs(seen - theory)
        for row in rows
        for theory, seen in ((row.detects, row.detected), (row.resets, row.did_reset))
        if theory is not None and seen is not None
    ]
    held = sum(row.holds(limit) for row in rows)
    largest = f"; largest difference {max(apart_by):.2f} s" if apart_by else ""
    lines += ["", f"{held} of {len(rows)} rows hold (limit {limit:g} s){largest}."]
    lines += [
        "",
        "Fired: first, after the onset; cleared: last, after the end of the fault; real seconds.",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table; 0 if every row holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="three cells, under a minute")
    parser.add_argument("--write", type=Path, help="write the table here")
    options = parser.parse_args()
    grid = SHORT if options.short else WHOLE
    started = time.monotonic()
    rows, servers = measure(grid)
    limit = 2 * servers.interval.total_seconds()
    text = table(rows, limit)
    print(text)
    if options.write:
        options.write.write_text(
            "# Theory against a real Prometheus\n\n" + stamp(servers, started) + f"\n\n{text}\n"
        )
    return 0 if all(row.holds(limit) for row in rows) else 1


def stamp(servers: Monitored, started: float) -> str:
    """Return what was run, on what, when and for how long."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=REPOSITORY
    ).stdout.strip()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    command = " ".join(["python", "bench/" + Path(sys.argv[0]).name, *sys.argv[1:]])
    what = ", ".join(servers.versions.values())
    return f"Commit {head}, {when}, `{command}`, {time.monotonic() - started:.0f} s; {what}."


if __name__ == "__main__":
    sys.exit(main())
