"""Whole game days on the real sandbox, played by the command line as a person would."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gameday.http.keys import auth_for
from gameday.sandbox.state import SandboxState

pytestmark = pytest.mark.sandbox

REPOSITORY = Path(__file__).resolve().parents[2]
SLOW_DB = REPOSITORY / "scenarios" / "slow-db.yaml"
RULES = "slo-checkout-latency"

FAULT_WITHIN = 120
"""Seconds: a run waits a minute for its steady state, beside what else it does before."""


@dataclass
class Shell:
    """A terminal whose gameday knows the sandbox of these tests."""

    environment: dict[str, str]
    sandbox: SandboxState
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def gameday(
        self, *arguments: str, expect: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "gameday", *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=REPOSITORY,
        )
        if expect is not None:
            assert expect == done.returncode, done.stderr + done.stdout
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "gameday", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=REPOSITORY,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """End what still runs, as it would bar the next run."""
        for process in self.started:
            if process.poll() is None:
                self.gameday("abort", "--reason", "the test is over")
                process.kill()
                process.wait()

    def toxics(self) -> list[Any]:
        url = f"{self.sandbox.proxy_url}/proxies"
        proxies = httpx.get(url, auth=auth_for(url)).json()
        return [toxic for proxy in proxies.values() for toxic in proxy["toxics"]]


@pytest.fixture
def any_shell(sandbox: SandboxState) -> Iterator[Shell]:
    """Return a terminal on a sandbox that nothing has changed; what happened before is in it."""
    environment = {**os.environ, "GAMEDAY_STATE": str(Path(sandbox.folder).parent)}
    found = Shell(environment, sandbox)
    found.gameday("recover")
    yield found
    found.end()
    assert found.toxics() == []


@pytest.fixture
def shell(any_shell: Shell) -> Shell:
    """Return a terminal on a sandbox that is as new: nothing changed, no history."""
    any_shell.gameday("sandbox", "reset", "--history", expect=0)
    return any_shell


def scenario(folder: Path, **changes: Any) -> str:
    """Write slow-db with some fields of its spec replaced; return the path."""
    document = yaml.safe_load(SLOW_DB.read_text())
    document["spec"].update(changes)
    path = folder / "slow-db.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)


@pytest.mark.row
def test_bad_minutes_of_an_earlier_drill_are_forgotten_unless_told_to_keep_them(
    shell: Shell, tmp_path: Path
) -> None:
    faults = yaml.safe_load(SLOW_DB.read_text())["spec"]["faults"]
    brief = {
        "faults": [fault | {"duration": "2s"} for fault in faults],
        "expect": {"errorRatio": 0.5, "alert": "none"},
        "responder": "none",
    }
    # A machine that is busy may answer slowly for a moment: whoever may wait gets the usual minute.
    (tmp_path / "kept").mkdir()
    steady = {"for": "1s", "burnRateBelow": 1}
    impatient = scenario(tmp_path / "kept", steadyState=steady | {"within": "2s"}, **brief)
    patient = scenario(tmp_path, steadyState=steady, **brief)
    first = shell.gameday("run", patient, "--json")

    kept = shell.gameday("run", impatient, "--keep-history", expect=3)
    second = shell.gameday("run", patient, "--json")

    assert "steady state not met" in kept.stderr
    assert "history forgotten" in second.stderr
    assert "fault injected" in second.stderr
    assert json.loads(first.stdout)["verdict"] == json.loads(second.stdout)["verdict"] == "passed"


def test_slow_db_is_played_from_fault_to_scorecard(shell: Shell, tmp_path: Path) -> None:
    report = tmp_path / "report"

    done = shell.gameday("run", str(SLOW_DB), "--json", "--report", str(report), expect=0)

    result = json.loads(done.stdout)
    assert result["verdict"] == "passed"
    assert 0.8 <= result["detection"]["ratio"] <= 1.5
    assert result["detection"]["paged_at"] is not None
    steps = {step["step"]: step for step in result["funnel"]}
    assert list(steps) == ["red", "trace", "profile", "blame", "mitigate"]
    assert {step["verdict"] for step in steps.values()} == {"met"}
    assert all(step["finding"]["found_at"] for step in steps.values())
    assert all(steps[name]["opened_at"] for name in ("red", "trace", "profile"))
    assert result["phases"]["acked"]["at"] is not None
    assert result["phases"]["mitigated"]["verdict"] == "met"
    assert result["phases"]["recovered"]["verdict"] == "met"
    assert result["recovery"] == {"open": 0}
    patches = [task["patch"] for task in result["tasks"] if task["patch"]]
    assert patches
    for patch in patches:
        applied = subprocess.run(
            ["git", "apply", "--check", "-"], input=patch, text=True, cwd=REPOSITORY
        )
        assert applied.returncode == 0
    assert {"scorecard.html", "scorecard.md", "postmortem.md", "junit.xml"} <= {
        p.name for p in report.iterdir()
    }

    # Judged again from the store, without the sandbox: the same verdict.
    again = json.loads(shell.gameday("score", "last", "--json", expect=0).stdout)
    assert result["score"] == again["score"]
    listed = json.loads(shell.gameday("runs", "--json", expect=0).stdout)
    assert result["run"] == listed[0]["run"]
    assert "passed" in shell.gameday("show", "last", expect=0).stdout


@pytest.mark.row
def test_a_missing_alert_rule_makes_the_run_missed(shell: Shell) -> None:
    rules = shell.gameday("slo", "rules", "checkout-latency", "--time-scale", "60", expect=0).stdout
    document = yaml.safe_load(rules)
    for group in document["groups"]:
        group["rules"] = [rule for rule in group["rules"] if "alert" not in rule]
    url = f"{shell.sandbox.control_url}/rules/{RULES}"
    httpx.put(url, content=yaml.safe_dump(document), auth=auth_for(url)).raise_for_status()
    try:
        done = shell.gameday("run", str(SLOW_DB), "--json", expect=1)
    finally:
        httpx.put(url, content=rules, auth=auth_for(url)).raise_for_status()

    result = json.loads(done.stdout)
    assert result["verdict"] == "missed"
    assert result["detection"]["verdict"] == "missed"
    assert result["detection"]["fired_at"] is None
    assert result["recovery"] == {"open": 0}


@pytest.mark.row
def test_what_a_stopped_prometheus_did_not_measure_is_unknown(shell: Shell) -> None:
    run = shell.start("run", str(SLOW_DB), "--json")
    wait_for(lambda: shell.toxics() or run.poll() is not None, "the fault", FAULT_WITHIN)
    component = f"{shell.sandbox.control_url}/components/prometheus"
    httpx.post(f"{component}/stop", auth=auth_for(component)).raise_for_status()
    try:
        output, talk = run.communicate(timeout=200)
    finally:
        httpx.post(f"{component}/start", auth=auth_for(component)).raise_for_status()

    assert run.returncode == 1, talk
    result = json.loads(output)
    assert result["verdict"] == "unknown"
    assert result["detection"]["verdict"] == "unknown"
    assert result["phases"]["recovered"]["verdict"] != "met"
    assert "passed" not in {line["verdict"] for line in result["score"]["lines"]}
    assert result["recovery"] == {"open": 0}


@pytest.mark.row
def test_a_runbook_without_the_fix_is_not_mitigated_and_scored_so(
    shell: Shell, tmp_path: Path
) -> None:
    text = (REPOSITORY / "runbooks" / "checkout-latency.md").read_text()
    gone = ("**failover-db**", "`gameday mitigate failover-db")
    lines = [line for line in text.splitlines() if not any(words in line for words in gone)]
    runbook = tmp_path / "lacking.md"
    runbook.write_text("\n".join(lines) + "\n")

    done = shell.gameday("run", scenario(tmp_path, runbook=str(runbook)), "--json", expect=1)

    result = json.loads(done.stdout)
    steps = {step["step"]: step for step in result["funnel"]}
    assert steps["trace"]["verdict"] == "met"
    assert steps["mitigate"]["verdict"] == "missed"
    assert result["phases"]["mitigated"]["verdict"] == "missed"
    assert "fix-missing" in {task["kind"] for task in result["tasks"]}


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("start", marks=pytest.mark.long),
        pytest.param("steady", marks=pytest.mark.long),
        pytest.param("injecting", marks=pytest.mark.row),
        pytest.param("burning", marks=pytest.mark.row),
        pytest.param("answering", marks=pytest.mark.long),
    ],
)
def test_an_interruption_recovers_and_ends_with_130(shell: Shell, moment: str) -> None:
    run = shell.start("run", str(SLOW_DB), "--json")
    draw = random.Random(moment)
    if moment == "start":
        time.sleep(draw.uniform(0.1, 0.6))
    elif moment == "steady":
        time.sleep(draw.uniform(3, 8))
    else:
        wait_for(lambda: shell.toxics() or run.poll() is not None, "the fault", FAULT_WITHIN)
        waits = {"injecting": (0, 0.1), "burning": (1, 3), "answering": (5, 9)}
        time.sleep(draw.uniform(*waits[moment]))
    run.send_signal(signal.SIGINT)
    time.sleep(draw.uniform(0, 0.3))
    if run.poll() is None:
        run.send_signal(signal.SIGINT)  # an impatient person presses twice

    _, talk = run.communicate(timeout=60)

    assert run.returncode == 130, talk
    assert "Traceback" not in talk
    assert shell.toxics() == []
    assert shell.gameday("recover").stdout == ""
    assert shell.gameday("sandbox", "status").returncode == 0


@pytest.mark.row
def test_a_run_goes_on_when_nobody_reads_and_ends_with_its_terminal(shell: Shell) -> None:
    run = shell.start("run", str(SLOW_DB))
    assert run.stdout is not None and run.stderr is not None
    run.stderr.readline()
    run.stdout.close()
    run.stderr.close()
    wait_for(lambda: shell.toxics() or run.poll() is not None, "the fault", FAULT_WITHIN)
    time.sleep(2)  # it has said that the fault is in place, and one thing or the other since
    assert run.poll() is None

    run.send_signal(signal.SIGHUP)

    assert run.wait(60) == 130
    assert shell.toxics() == []
    (last, *_) = json.loads(shell.gameday("runs", "--json").stdout)
    assert last["verdict"] == "aborted"


def test_the_experiment_runs_on_its_own_with_chaos_toolkit(
    any_shell: Shell, tmp_path: Path
) -> None:
    shell = any_shell
    chaos = Path(sys.executable).parent / "chaos"
    done = subprocess.run(
        [str(chaos), "run", str(REPOSITORY / "experiments" / "slow-downstream.yaml")],
        capture_output=True,
        text=True,
        env=shell.environment,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert journal["status"] == "completed"
    assert [entry["status"] for entry in journal["run"]] == ["succeeded"]
    assert shell.toxics() == []


@pytest.mark.long
def test_a_wrong_expectation_changes_the_score_and_not_the_findings(
    shell: Shell, tmp_path: Path
) -> None:
    expect = yaml.safe_load(SLOW_DB.read_text())["spec"]["expect"]
    expect["culprit"] = {"service": "storefront", "downstream": "checkout"}

    done = shell.gameday("run", scenario(tmp_path, expect=expect), "--json", expect=1)

    result = json.loads(done.stdout)
    trace = next(step for step in result["funnel"] if step["step"] == "trace")
    assert trace["verdict"] == "missed"
    assert "inventory" in str(trace["finding"])
    assert "db" in str(trace["finding"])
