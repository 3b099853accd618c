"""The command line without a sandbox: exit codes, errors, stdout for data, stderr for talk."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameday.cli.app import run
from gameday.house.run.opening import open_store
from gameday.ports import Undo

REPOSITORY = Path(__file__).resolve().parents[2]
SLOW_DB = REPOSITORY / "scenarios" / "slow-db.yaml"

BROKEN = {
    "an unknown field": (
        lambda text: text.replace("steadyState:", "steadyStat:"),
        "spec.steadyStat",
        "steadyState",
    ),
    "a wrong unit": (lambda text: text.replace("duration: 5m", "duration: 5x"), "duration", "5x"),
    "a missing SLO": (
        lambda text: text.replace("slo: checkout-latency", "slo: checkout-latenzy"),
        "spec.slo",
        "checkout-latency",
    ),
    "an unknown parameter": (
        lambda text: text.replace("latency: 400ms", "latenzy: 400ms"),
        "latenzy",
        "latency",
    ),
    "tabs": (lambda text: text.replace("  target:", "\ttarget:"), "", "tab"),
    "an alias bomb": (
        lambda _: (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"b{i}: &b{i} [{','.join(['*a' if i == 0 else f'*b{i - 1}'] * 9)}]\n"
                for i in range(9)
            )
        ),
        "",
        "alias",
    ),
    "ten megabytes of noise": (lambda _: "x" * 10_000_000, "", "larger"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", ["run", "plan", "validate"])
def test_a_broken_scenario_ends_with_2_and_says_where(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    breaks, field, word = BROKEN[name]
    path = tmp_path / "broken.yaml"
    path.write_text(breaks(SLOW_DB.read_text()))

    code = run([command, str(path)])

    output = capsys.readouterr()
    said = output.err if command != "validate" else output.out
    assert code == 2
    assert f"{path}:" in said
    assert field in said
    assert word in said
    assert "Traceback" not in said


def test_every_shipped_file_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(REPOSITORY / n) for n in ("scenarios", "experiments", "slos", "runbooks")]

    assert run(["validate", *folders]) == 0


def test_an_unknown_scenario_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["plan", "slow-bd"])

    assert code == 2
    assert "slow-db" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", str(SLOW_DB), "--no-such-thing"]) == 2


def test_an_open_fault_of_an_earlier_run_refuses_the_next_and_names_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    undo = Undo("u1", "experiment", "r1", "slow", "gameday recover r1", {})
    with open_store() as store:
        store.open_run(
            "r1", scenario="s", target="sandbox", started_at=datetime.now(UTC), documents={}
        )
        store.save_undo(undo)

    code = run(["run", str(SLOW_DB)])

    assert code == 3
    assert "gameday recover r1" in capsys.readouterr().err


def test_no_runs_is_an_empty_list_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []

    assert run(["runs"]) == 0
    assert "no runs yet" in capsys.readouterr().err


def test_where_nothing_was_played_the_last_run_is_how_to_play_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["show"]) == 2
    assert "gameday run scenarios/slow-db.yaml" in capsys.readouterr().err


def test_one_file_is_not_called_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("{")

    assert run(["validate", str(broken)]) == 2
    assert "1 file, 1 problem\n" in capsys.readouterr().err


def test_a_run_that_does_not_exist_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "nope"]) == 2
    assert "gameday runs" in capsys.readouterr().err


def test_a_sandbox_that_is_not_up_is_6(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sandbox", "status"]) == 6
    assert "gameday sandbox up" in capsys.readouterr().err


def test_nothing_open_is_nothing_to_recover(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recover"]) == 0
    assert capsys.readouterr().out == ""


def test_the_rules_of_an_slo_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["slo", "rules", "checkout-latency"]) == 0
    assert "alert: CheckoutLatencyBudgetBurn" in capsys.readouterr().out


def test_a_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "scenario"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["spec"]


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from gameday.cli.app import run; run(['--help']);"
        "heavy = {'sqlalchemy', 'fastapi', 'chaoslib', 'httpx', 'pydantic', 'kubernetes'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
