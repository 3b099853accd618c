"""``gameday programme check``: the answer, its exit code, and what it never does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.cli.app import run

ROOT = Path(__file__).parents[2]
PROGRAMME = """\
apiVersion: gameday/v1
kind: Programme
metadata: {name: p, owner: "#sre"}
spec:
  errorBudgetLeftAbove: 20%
  blackouts:
    - {name: year-end, from: 2026-12-18, until: 2027-01-04, timezone: UTC, targets: [kubernetes]}
    - {name: eu-day, from: 2026-12-24, until: 2026-12-24, timezone: UTC, regions: [eu-west]}
  targets:
    sandbox: {disposable: true}
    kubernetes/prod: {production: true, approvers: [sre-lead]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "programme.yaml").write_text(PROGRAMME)
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(["programme", "check", *arguments, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def grounds(found: dict[str, Any]) -> list[str]:
    return [refusal["ground"] for target in found["targets"] for refusal in target["refusals"]]


def test_without_a_programme_any_run_may_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["programme", "check"]) == 0

    out, err = capsys.readouterr()
    assert "sandbox: a run may start" in out
    assert "there is no programme.yaml here" in err


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--target", "sandbox", "--at", "2026-12-20T12:00Z"], 0, []),
        (["--target", "sandbox", "--at", "2026-12-24T12:00:00+01:00"], 3, ["blackout"]),
        (["--target", "sandbox", "--at", "2026-12-24T12:00Z", "--region", "us-east"], 0, []),
        (
            ["--target", "kubernetes/prod", "--at", "2026-12-24T12:00Z"],
            3,
            ["blackout", "blackout", "approval"],
        ),
        (["--target", "kubernetes/prod", "--at", "2026-06-01T12:00Z"], 3, ["approval"]),
        (
            ["--target=kubernetes/prod", "--at=2026-06-01T12:00Z", "--approved-by=sre-lead"],
            0,
            [],
        ),
        (["--target", "kubernetes/other", "--at", "2026-06-01T12:00Z"], 3, ["target"]),
        # Every target of the programme: one of them needs an approval.
        (["--at", "2026-06-01T12:00Z"], 3, ["approval"]),
    ],
)
@pytest.mark.usefixtures("here")
def test_the_answer_and_the_exit_code_say_the_same(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, expected: list[str]
) -> None:
    assert (code, expected) == (
        (found := answer(capsys, *arguments))[0],
        grounds(found[1]),
    )
    assert (code == 0) == found[1]["may_start"]


def test_reasons_are_printed_with_what_to_do(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["programme", "check", "--target", "kubernetes/prod", "--at=2026-06-01T12:00Z"]) == 3

    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "kubernetes/prod: a run may not start",
        "  approval: kubernetes/prod needs an approval; ask sre-lead, then start with "
        "--approved-by NAME",
    ]
    assert "no error budget was asked for" in err


@pytest.mark.usefixtures("here")
def test_a_budget_nobody_counts_is_unknown_and_no_permission_in_production(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slo = ["--slo", "checkout-latency", "--approved-by", "sre-lead"]

    sandbox = answer(capsys, *slo, "--target", "sandbox")[1]["targets"][0]
    production = answer(capsys, *slo, "--target", "kubernetes/prod")[1]["targets"][0]

    unknown = "error budget of checkout-latency is unknown: no Prometheus is known"
    assert any(notice.startswith(unknown) for notice in sandbox["notices"])
    assert any(r["message"].startswith(unknown) for r in production["refusals"])


@pytest.mark.usefixtures("here")
def test_a_prometheus_that_does_not_answer_leaves_the_budget_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = answer(
        capsys, str(ROOT / "scenarios/slow-db.yaml"), "--prometheus", "http://127.0.0.1:1"
    )[1]

    (notice,) = found["targets"][0]["notices"]
    assert "Prometheus at http://127.0.0.1:1 does not answer" in notice
    assert found["targets"][0]["regions"] == ["eu-west"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at", "tomorrow"], "'tomorrow' is neither a day nor an instant"),
        (["--at", "2026-12-24"], "add a time and its offset"),
        (["--at", "2026-12-24T12:00"], "add a time and its offset"),
        (["--target", "sandbocks"], "did you mean 'sandbox'"),
        (["--slo", "checkout-latenci"], "checkout-latency"),
        (["no-such-scenario"], "there is no scenario"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_makes_no_sense_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["programme", "check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_programme_that_cannot_be_read_is_no_permission(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "programme.yaml").write_text(PROGRAMME.replace("blackouts", "blackout"))

    assert run(["programme", "check"]) == 2
    assert "unknown field 'blackout' (did you mean 'blackouts'?)" in capsys.readouterr().err


def test_the_file_is_validated_and_its_schema_printed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "programme.yaml"]) == 0
    (here / "programme.yaml").write_text(PROGRAMME.replace("20%", "20"))
    assert run(["validate", "programme.yaml"]) == 2
    assert "programme.yaml:5: spec.errorBudgetLeftAbove" in capsys.readouterr().out
    assert run(["schema", "programme"]) == 0
    assert "Blackout" in json.loads(capsys.readouterr().out)["$defs"]


def test_the_shipped_programme_lets_the_demo_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)

    assert run(["programme", "check", "scenarios/slow-db.yaml"]) == 0
    assert "sandbox: a run may start" in capsys.readouterr().out
