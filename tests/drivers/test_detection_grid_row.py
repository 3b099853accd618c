"""One row of the long tables in `bench/`, on a real Prometheus and Alertmanager."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

# In one worker: both mostly wait for alerts, and do so at the same time.
pytestmark = [
    pytest.mark.row,
    pytest.mark.usefixtures("monitoring"),
    pytest.mark.xdist_group("bench-rows"),
]

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = {
    "grid": ("bench/detection_grid.py", "--short"),
    "instants": ("bench/alert_instants.py", "--alerts", "5"),
}


@pytest.fixture(scope="module")
def tables() -> Mapping[str, str]:
    """What the scripts of `bench/` print; they end with 1 if a row does not hold."""
    running = {
        name: subprocess.Popen(
            [sys.executable, *command],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in COMMANDS.items()
    }
    found = {}
    for name, process in running.items():
        found[name], _ = process.communicate(timeout=240)
        assert process.returncode == 0, found[name]
    return found


def test_a_real_prometheus_fires_and_clears_when_theory_says(tables: Mapping[str, str]) -> None:
    assert "3 of 3 rows hold (limit 2 s)" in tables["grid"]
    assert 1 == tables["grid"].count("| silent | silent |")


def test_two_paths_agree_on_when_an_alert_fired_and_two_stamps_on_its_arrival(
    tables: Mapping[str, str],
) -> None:
    assert "of the first sample: 5 of 5" in tables["instants"]
    assert "of the proxy's stamp: 5 of 5" in tables["instants"]
