"""``gameday slo rules`` and ``slo list``: data on stdout, talk on stderr, exit codes."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml

from gameday.cli.app import run

DOCUMENT = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: NAME, annotations: {gameday/traces: "https://t/{service}"}}
spec:
  service: shop
  indicator:
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: GOOD}}}
        total: {metricSource: {type: Prometheus, spec: {query: all_total}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""


def nowhere() -> str:
    """Return a URL at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a", "b"):
        text = DOCUMENT.replace("NAME", name).replace("GOOD", "good_total")
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_slo_is_printed_as_a_rule_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["slo", "rules", "a.yaml", "--time-scale", "60"])

    (group,) = yaml.safe_load(capsys.readouterr().out)["groups"]
    assert "slo-a" == group["name"]


def test_a_folder_is_one_rule_file_with_a_group_per_slo(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["slo", "rules", ".", "checkout-latency"])

    groups = yaml.safe_load(capsys.readouterr().out)["groups"]
    assert ["slo-a", "slo-b", "slo-checkout-latency"] == [g["name"] for g in groups]


def test_links_are_filled_in_per_branch_and_the_command_line_comes_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["slo", "rules", "a.yaml", "--dashboard", "https://d/{slo}?from=now-{window}"]

    assert 0 == run([*command, "--runbook", "https://r/{{.x}}/{severity}"])

    (group,) = yaml.safe_load(capsys.readouterr().out)["groups"]
    said = [r["annotations"] for r in group["rules"] if "alert" in r]
    assert "https://d/a?from=now-1h" == said[0]["dashboard_url"]
    assert "https://d/a?from=now-6h" == said[1]["dashboard_url"]
    assert 'https://r/{{ "{{" }}.x}}/page' == said[0]["runbook_url"]
    assert "https://t/shop" == said[0]["traces_url"]


def test_files_are_written_where_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["slo", "rules", "a.yaml", "b.yaml", "--out", "out", "--tests"])

    output = capsys.readouterr()
    assert ("", "10 files of 2 SLOs in out\n") == (output.out, output.err)
    assert 10 == len(list(Path("out").iterdir()))


def test_tests_without_a_folder_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == run(["slo", "rules", "a.yaml", "--tests"])
    assert "say where with --out DIR" in capsys.readouterr().err


def test_a_wrong_expression_ends_with_2_and_says_where(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "a.yaml"
    path.write_text(path.read_text().replace("good_total", "'sum(rate(good[5m])'"))

    assert 2 == run(["slo", "rules", "a.yaml"])

    output = capsys.readouterr()
    assert "" == output.out
    assert "a.yaml:10: " in output.err
    assert "has a '(' at character 4 that is not closed" in output.err


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "1e12"])
def test_a_time_scale_that_makes_no_sense_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], scale: str
) -> None:
    assert 2 == run(["slo", "rules", "a.yaml", "--time-scale", scale])
    assert "Traceback" not in capsys.readouterr().err


def test_a_server_that_is_not_there_ends_with_6(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 6 == run(["slo", "rules", "a.yaml", "--prometheus", nowhere()])
    assert "does not answer" in capsys.readouterr().err


def test_nobody_is_asked_where_nobody_shall_be(folder: Path) -> None:
    command = ["slo", "rules", "a.yaml", "--no-check", "--prometheus", nowhere()]

    assert 0 == run(command)


def test_the_list_says_how_each_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["slo", "list", "--json"])

    found = json.loads(capsys.readouterr().out)
    (shipped,) = [s for s in found if s["id"] == "checkout-latency"]
    assert ("counter ratio", 0.99, 30) == (
        shipped["sli"],
        shipped["target"],
        shipped["period_days"],
    )
    assert 0 == run(["slo", "list"])
    assert "counter ratio" in capsys.readouterr().out
