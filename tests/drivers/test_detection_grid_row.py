"""One row of the long tables in `bench/`, on a real Prometheus and Alertmanager."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sandbox

REPOSITORY = Path(__file__).resolve().parents[2]


def printed(*command: str) -> str:
    """Run a script of `bench/` and return its table; it ends with 1 if a row does not hold."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_real_prometheus_fires_and_clears_when_theory_says() -> None:
    table = printed("bench/detection_grid.py", "--short")

    assert "3 of 3 rows hold (limit 2 s)" in table
    assert 1 == table.count("| silent | silent |")


def test_two_paths_agree_on_when_an_alert_fired_and_two_stamps_on_its_arrival() -> None:
    table = printed("bench/alert_instants.py", "--alerts", "5")

    assert "of the first sample: 5 of 5" in table
    assert "of the proxy's stamp: 5 of 5" in table
