"""Our `rate()` against the binary that everybody else calls Prometheus."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.counters import Counters, CounterSeries, milliseconds

pytestmark = pytest.mark.usefixtures("monitoring")

BORN = 1_767_225_600.0  # 2026-01-01T00:00:00Z, so that no clock is asked
WINDOWS = (5, 30, 60)


def _series(rng: random.Random) -> list[CounterSeries]:
    """Return counters as a shop has them: own phases, restarts, late births, gaps."""
    found: list[CounterSeries] = []
    for number in range(8):
        phase = round(rng.random(), 3)
        first = rng.randrange(20, 80) if number % 3 == 1 else 0
        restart = rng.randrange(30, 90) if number % 3 == 2 else None
        gap = range(60, 68) if number % 4 == 3 else range(0)
        value, samples = float(rng.randrange(0, 3)), []
        for second in range(first, 120):
            if second == restart:
                value = 0.0
            value += rng.randrange(0, 4)
            if second not in gap:
                samples.append((BORN + second + phase, value))
        found.append(samples)
    return found


@pytest.fixture(scope="module")
def counters() -> list[CounterSeries]:
    return _series(random.Random(7))


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, counters: list[CounterSeries]
) -> Iterator[str]:
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        pytest.skip("Prometheus is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    lines = ["# TYPE seen counter"]
    lines += [
        f'seen_total{{number="{number}"}} {value} {at:.3f}'
        for number, samples in enumerate(counters)
        for at, value in samples
    ]
    (folder / "metrics.txt").write_text("\n".join([*lines, "# EOF\n"]))
    (folder / "prometheus.yml").write_text("{}\n")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "data"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--web.listen-address=127.0.0.1:{port}",
                "--storage.tsdb.path=data",
                "--storage.tsdb.retention.time=100y",
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(url, folder)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_until_ready(url: str, folder: Path) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())


def _ask(url: str, query: str, at: int) -> float | None:
    arguments = urllib.parse.urlencode({"query": query, "time": f"{at / 1000:.3f}"})
    with urllib.request.urlopen(f"{url}/api/v1/query?{arguments}", timeout=5) as answer:
        result = json.load(answer)["data"]["result"]
    return float(result[0]["value"][1]) if result else None


def _left_open(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/api/v1/status/buildinfo", timeout=5) as answer:
        version = str(json.load(answer)["data"]["version"])
    return int(version.split(".")[0]) >= 3


def test_our_sum_of_rates_is_that_of_prometheus(
    prometheus: str, counters: list[CounterSeries]
) -> None:
    ours = Counters.of(counters, left_open=_left_open(prometheus))
    rng = random.Random(11)
    edges = [milliseconds(at) for at, _ in counters[0][40:80:10]]  # a sample exactly on the edge
    instants = [milliseconds(BORN) + rng.randrange(-2_000, 130_000) for _ in range(100)] + edges

    differences = []
    for at in instants:
        for window in WINDOWS:
            theirs = _ask(prometheus, f"sum(rate(seen_total[{window}s]))", at)
            mine = ours.rate(at, window * 1000)
            if theirs is None or mine is None:
                same = theirs is mine
            else:
                same = mine == pytest.approx(theirs, rel=1e-9)
            if not same:
                differences.append((at, window, theirs, mine))

    assert [] == differences
