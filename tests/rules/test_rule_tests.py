"""Generated tests of generated rules, played by the real promtool; and rules that are wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameday.model.slo import Ratio, Raw, Reading, Slices, Slo, Threshold
from gameday.rules.rule_tests import rule_tests
from gameday.rules.slo_rules import prometheus_rules
from gameday.spec import Catalogue
from scoring.slo import BurnWindow, Objective, Severity, workbook_windows

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
MONTH = 30 * DAY


def slo(period: timedelta = MONTH, target: float = 0.99, **changes: Any) -> Slo:
    values: dict[str, Any] = {
        "id": "checkout",
        "service": "shop",
        "objective": Objective(target, period),
        "windows": workbook_windows(period),
    }
    if "measured" not in changes:
        values |= {"total_query": "all_total", "good_query": 'all_total{code!~"5.."}'}
    return Slo(**{**values, **changes})


OWN = (
    BurnWindow(30 * MINUTE, 90 * timedelta(seconds=1), 20, Severity.PAGE, 2 * MINUTE),
    BurnWindow(6 * HOUR, 30 * MINUTE, 2.5, Severity.TICKET, HOUR),
)
COUNTERS = Ratio(total="all_total", bad='all_total{code=~"5.."}')
KINDS = {
    "good of all": slo(),
    "bad of all": slo(good_query="", bad_query='all_total{code=~"5.."}'),
    "two metrics": slo(good_query='x_bucket{le="0.1"}', total_query="x_count"),
    "28 days": slo(28 * DAY),
    "own windows": slo(windows=OWN),
    "7 days": slo(7 * DAY),
    "99.9 %": slo(target=0.999),
    "90 %, where the fast page cannot fire": slo(target=0.9),
    "a guard of low traffic": slo(min_events=1000, min_bad_events=20),
    "no word about missing data": slo(no_data_after=None),
    "a threshold": slo(measured=Threshold("max(lag)", "<", 500)),
    "a threshold from below": slo(measured=Threshold('lag{job="a"}', ">=", 0.5)),
    "a threshold of an expression": slo(measured=Threshold("sum(lag) / sum(size)", "<=", 2)),
    "slices": slo(measured=Slices(COUNTERS, MINUTE, 0.95)),
    "slices strictly above": slo(measured=Slices(COUNTERS, 2 * MINUTE, 0.5, is_strict=True)),
    "slices of a threshold": slo(measured=Slices(Threshold("lag", "<", 3), MINUTE, 1.0)),
    "averaged slices": slo(measured=Slices(COUNTERS, MINUTE)),
    "gauges": slo(measured=Ratio(total="queued", good="fresh", reading=Reading.GAUGE)),
    "expressions": slo(
        measured=Ratio(
            total="sum(rate(b[{{.window}}])) + 0",
            good="sum(rate(a[{{.window}}]))",
            reading=Reading.WINDOWED,
        )
    ),
    "raw, over a window": slo(measured=Raw("avg_over_time(up[{{.window}}])")),
    "raw, now": slo(measured=Raw("avg(broken)", is_success=False)),
    "selectors nobody can make up": slo(good_query='x{a=~"[[:alpha:]]+"}', total_query="x"),
}


def promtool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("promtool is not here; `make setup` installs Prometheus")
    return subprocess.run(
        [tool, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def write(folder: Path, slo: Slo, *, time_scale: float = 1.0, only: str | None = None) -> list[str]:
    """Write rules and tests; return the names of the tests."""
    (folder / "slo.rules.yaml").write_text(prometheus_rules(slo, time_scale=time_scale))
    names = []
    for window, text in rule_tests(slo, rule_file="slo.rules.yaml", time_scale=time_scale).items():
        if only in (None, window):
            (folder / f"slo.{window}.test.yaml").write_text(text)
            names.append(f"slo.{window}.test.yaml")
    return names


WHOLE = {"bad of all": 1.0, "a threshold": 60.0, "slices": 1.0, "own windows": 1.0, "28 days": 1.0,
         "7 days": 60.0}  # fmt: skip
"""Kinds whose slow branches are played too, and the time scale of each."""


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("kind", KINDS)
def test_rules_pass_promtools_check_and_their_own_tests(tmp_path: Path, kind: str) -> None:
    scale = WHOLE.get(kind, 60.0 if list(KINDS).index(kind) % 2 else 1.0)
    names = write(tmp_path, KINDS[kind], time_scale=scale, only=None if kind in WHOLE else "")

    for arguments in (["check", "rules", "slo.rules.yaml"], ["test", "rules", *names]):
        done = promtool(tmp_path, *arguments)
        assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.usefixtures("monitoring")
def test_the_shipped_slo_passes_its_own_tests(tmp_path: Path) -> None:
    for id in Catalogue.around().slos():
        names = write(tmp_path, Catalogue.around().slo(id), time_scale=60)

        done = promtool(tmp_path, "test", "rules", *names)

        assert 0 == done.returncode, done.stdout + done.stderr


MUTATIONS = {
    "a threshold twice as high": (r"> \((\d+(?:\.\d+)?) \*", r"> (2 * \1 *"),
    "a threshold half as high": (r"> \((\d+(?:\.\d+)?) \*", r"> (0.5 * \1 *"),
    "a window twice as long": (r"\[1h\]", "[2h]"),
    "a window half as long": (r"\[1h\]", "[30m]"),
    "a short window that is long": (r"\[5m\]", "[1h]"),
    "any of the two windows": ("\n      and\n", "\n      or\n"),
    "good taken for bad": ("1 - ", "0 + "),
    "another severity": ("severity: page", "severity: ticket"),
    "a wait nobody asked for": ("    labels:\n      slo: checkout\n      service: shop\n"
                                "      severity", "    for: 10m\n    labels:\n"
                                "      slo: checkout\n      service: shop\n      severity"),
    "no word about missing data": (r"absent\(", "vector(0) > ("),
    "missing data told at once": (r"for: 30m", "for: 1m"),
}  # fmt: skip


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("name", MUTATIONS)
def test_wrong_rules_fail_their_tests(tmp_path: Path, name: str) -> None:
    pattern, instead = MUTATIONS[name]
    names = write(tmp_path, slo(), only="")
    path = tmp_path / "slo.rules.yaml"
    right = path.read_text()
    wrong = re.sub(pattern, instead, right)
    assert wrong != right
    path.write_text(wrong)

    done = promtool(tmp_path, "test", "rules", *names)

    assert 0 != done.returncode, done.stdout
    assert "parse error" not in done.stdout + done.stderr


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("kind", ["bad of all", "a threshold", "slices", "expressions", "7 days"])
def test_a_doubled_threshold_fails_whatever_the_sli(tmp_path: Path, kind: str) -> None:
    names = write(tmp_path, KINDS[kind], only="")
    path = tmp_path / "slo.rules.yaml"
    path.write_text(re.sub(r"> \((\d+(?:\.\d+)?) \*", r"> (5 * \1 *", path.read_text()))

    for name in names:
        done = promtool(tmp_path, "test", "rules", name)
        assert 0 != done.returncode, f"{name}: {done.stdout}"


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    "guard", [{"min_events": 1000}, {"min_bad_events": 20}], ids=lambda g: next(iter(g))
)
def test_a_guard_that_is_not_there_fails(tmp_path: Path, guard: dict[str, int]) -> None:
    names = write(tmp_path, slo(**guard), only="")
    (tmp_path / "slo.rules.yaml").write_text(prometheus_rules(slo()))

    done = promtool(tmp_path, "test", "rules", *names)

    assert 0 != done.returncode
    assert "exp: {} 0E+00" in done.stdout + done.stderr


def test_branches_with_longer_windows_have_files_of_their_own() -> None:
    files = rule_tests(slo(), rule_file="x.yaml")

    assert ["", "6h", "1d", "3d"] == list(files)
    intervals = {n: yaml.safe_load(t)["evaluation_interval"] for n, t in files.items()}
    assert {"": "30s", "6h": "3m", "1d": "12m", "3d": "36m"} == intervals


def test_a_test_says_what_it_rests_on() -> None:
    text = rule_tests(KINDS["expressions"], rule_file="x.yaml")[""]

    assert "# What the SLI's own expressions return cannot be made up" in text
    assert "# What the SLI's" not in rule_tests(slo(), rule_file="x.yaml")[""]


def test_a_branch_is_tested_below_its_threshold_in_an_outage_and_after_it() -> None:
    tests = yaml.safe_load(rule_tests(slo(), rule_file="x.yaml")[""])["tests"]

    page = "the page over 1h and 5m at burn rate 14.4"
    assert [
        f"{page} stays silent at 0.9 of its threshold",
        f"{page} fires when 0.576 of everything is bad, and resets",
        "data that ends is told, and data that comes is not",
    ] == [t["name"] for t in tests]
    values = [e["exp_samples"][0]["value"] for e in tests[1]["promql_expr_test"]]
    assert [0, 0, 1, 1, 1, 0] == values


def test_an_slo_without_its_counters_shares_no_metric_with_another() -> None:
    other = replace(slo(), id="other", service="else")

    assert 'slo="other"' not in rule_tests(slo(), rule_file="x")[""]
    assert "OtherBudgetBurn" in rule_tests(other, rule_file="x")[""]
