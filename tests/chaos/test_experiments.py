"""The experiments that are shipped, as `chaos` sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from chaoslib.activity import get_all_activities_in_experiment
from chaoslib.experiment import ensure_experiment_is_valid

from gameday.testing.proxy import running_proxy

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FILES = sorted(EXPERIMENTS.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_it_is_a_valid_experiment(file: Path) -> None:
    ensure_experiment_is_valid(yaml.safe_load(file.read_text()))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_it_uses_every_parameter_and_no_other(file: Path) -> None:
    experiment = yaml.safe_load(file.read_text())
    used: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for entry in value.values():
                collect(entry)
        elif isinstance(value, str) and value.startswith("${"):
            used.add(value[2:-1])

    for activity in get_all_activities_in_experiment(experiment):
        collect(activity)

    assert set(experiment["configuration"]) == used


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_whatever_ends_it_early_its_rollbacks_are_played(file: Path) -> None:
    experiment = yaml.safe_load(file.read_text())

    assert ("rollbacks" in experiment) is ("runtime" in experiment)
    if "rollbacks" in experiment:
        assert {"rollbacks": {"strategy": "always"}} == experiment["runtime"]


@pytest.mark.served
def test_chaos_run_alone_injects_and_leaves_nothing_behind(tmp_path: Path) -> None:
    proxy = "inventory-db-eu-west"
    with running_proxy([proxy]) as url:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "chaos"), "--no-version-check"),
                *("run", "--var", "hold:float=0.1", "--var", "latency=80ms"),
                str(EXPERIMENTS / "slow-downstream.yaml"),
            ],
            cwd=tmp_path,
            env={"TOXIPROXY_URL": url, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        left = httpx.get(f"{url}/proxies").json()[proxy]["toxics"]

    assert 0 == done.returncode, done.stderr
    assert [] == left
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert ("completed", False) == (journal["status"], journal["deviated"])
    assert [80] == [r["output"]["toxic"]["attributes"]["latency"] for r in journal["run"]]
    assert [[proxy]] == [r["output"] for r in journal["rollbacks"]]
