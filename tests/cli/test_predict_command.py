"""``gameday slo predict``: theory for one fault or a grid, and nonsense refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.cli.app import run

NINES = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: orders}
spec:
  service: orders
  indicator:
    metadata: {name: orders-answered}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: 'answered_total{code="200"}'}}}
        total: {metricSource: {type: Prometheus, spec: {query: 'answered_total'}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: TARGET}]
"""


@pytest.fixture
def nines(tmp_path: Path) -> str:
    path = tmp_path / "orders.yaml"
    path.write_text(NINES.replace("TARGET", "0.999"))
    return str(path)


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code = run(["slo", "predict", *arguments, "--json"])

    assert 0 == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = run(["slo", "predict", *arguments])

    assert 0 == code
    return capsys.readouterr().out


def test_a_total_outage_is_predicted_branch_by_branch(
    nines: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(capsys, nines, "--error-ratio", "100%", "--fault-duration", "10m")

    (case,) = found["cases"]
    # 99.9 %, SRE Workbook ch. 5: 0.001 × 3600 × 14.4, and 300 × (1 − 0.0144); likewise for 6 h.
    assert [("1h", "5m", 51.84, 295.68, 0.02), ("6h", "30m", 129.6, 1789.2, 0.05)] == [
        (
            b["long"],
            b["short"],
            b["detects_after_s"],
            b["resets_after_s"],
            pytest.approx(b["budget_spent_ratio"]),
        )
        for b in case["branches"][:2]
    ]
    page = case["page"]
    assert (51.84, 1789.2) == (page["detects_after_s"], page["resets_after_s"])
    assert (51.84, 1) == (page["limit_after_s"], page["firings"])
    assert {"error_ratio_up_to": pytest.approx(0.006), "outage_up_to_s": 51.84} == (
        found["never_seen"]
    )


def test_the_pipeline_and_compressed_time_are_added(
    nines: str, capsys: pytest.CaptureFixture[str]
) -> None:
    delays = ("--scrape", "1s", "--evaluation", "1s", "--group-wait", "30s")

    found = asked(capsys, nines, "--error-ratio", "0.1", "--time-scale", "60", *delays)

    fast = found["cases"][0]["branches"][0]
    # 518.4 s / 60, a second of window lost to sampling (× 0.144), half a scrape and evaluation.
    assert pytest.approx(8.64 - 0.144 + 1) == fast["detects_after_s"]
    assert pytest.approx(8.64 - 0.144 + 31) == found["cases"][0]["page"]["detects_after_s"]
    assert pytest.approx(8.64) == fast["limit_after_s"]


def test_a_grid_marks_what_is_never_seen(nines: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, nines)

    rows = {line.split()[0]: line for line in text.splitlines() if " %  " in line}
    assert "52s / 4m56s" in printed(
        capsys, nines, "--error-ratio", "100%", "--error-ratio", "5%", "--fault-duration", "2m"
    )
    assert "17m17s" in rows["5"]
    assert 5 == rows["0.5"].count("never")
    assert "error ratio of 0.6 % or less" in text
    assert "a total outage of 51.8 s or less" in text


def test_one_fault_reads_as_a_table_and_a_sentence(
    nines: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = printed(capsys, nines, "--error-ratio", "5%", "--fault-duration", "1h")
    unseen = printed(capsys, nines, "--error-ratio", "5%", "--fault-duration", "1m")

    assert "orders: 99.9 % over 30 d" in seen
    assert "17 min 17 s" in seen
    assert "3 min 34 s" in seen
    assert "No page ever tells of this fault." not in seen
    assert "No page ever tells of this fault." in unseen


def test_an_intermittent_fault_flaps(nines: str, capsys: pytest.CaptureFixture[str]) -> None:
    pulses = ("--shape", "intermittent", "--error-ratio", "100%", "--fault-duration", "2h")

    found = asked(capsys, nines, *pulses)
    text = printed(capsys, nines, *pulses)

    assert [12, 1] == [b["firings"] for b in found["cases"][0]["branches"][:2]]
    assert "The page flaps: it fires 3 times." in text


@pytest.mark.parametrize(
    ("shape", "detects"),
    [
        # Half an hour's ramp to 60 %: t²/6000 s of errors reach 51.84 s. (51.84 × 6000)^½
        (["ramp", "--error-ratio", "60%", "--fault-duration", "30m"], 557.709),
        (["ramp", "--error-ratio", "60%", "--rise", "30m"], 557.709),
        (["0s=0%,30m=60%,40m=60%"], 557.709),
        (["spike", "--error-ratio", "60%", "--fault-duration", "1h"], 557.709),
    ],
)
def test_a_shape_is_predicted(
    nines: str, shape: list[str], detects: float, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(capsys, nines, "--shape", *shape)

    assert pytest.approx(detects, abs=0.01) == found["cases"][0]["page"]["detects_after_s"]


def test_a_fault_that_does_not_end_has_no_reset_unless_it_is_constant(
    nines: str, capsys: pytest.CaptureFixture[str]
) -> None:
    endless = ("--error-ratio", "60%", "--error-ratio", "50%")
    ramp = printed(capsys, nines, *endless, "--shape", "ramp", "--rise", "30m")
    flat = printed(capsys, nines, *endless)

    assert "9m18s / —" in ramp
    assert "1m26s / 29m42s" in flat


def test_a_page_that_cannot_fire_is_said_to_be_blind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half.yaml"
    half.write_text(NINES.replace("TARGET", "0.25"))

    text = printed(capsys, str(half))

    assert "The page never sees any fault: every threshold is 100 % or more." in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--error-ratio", "0"], "a fault without errors is none"),
        (["--error-ratio", "99"], "did you mean 99%?"),
        (["--error-ratio", "many"], "'many' is not a ratio"),
        (["--error-ratio", "nan"], "not a ratio"),
        (["--error-ratio", "-1"], "not a ratio"),
        (["--baseline", "120%"], "--baseline: '120%' is more than everything"),
        (["--fault-duration", "0s"], "a fault lasts for a while"),
        (["--fault-duration", "5"], "has no unit"),
        (["--scrape", "1 fortnight"], "--scrape: '1 fortnight' has the unknown unit"),
        (["--shape", "spyke"], "did you mean 'spike'?"),
        (["--shape", "0s=1%,x"], "'x' is no point"),
        (["--shape", "1s=5%"], "begins with a point at 0 s"),
        (["--shape", "0s=5%", "--error-ratio", "5%"], "leave out --error-ratio"),
        (["--shape", "ramp", "--rise", "9m", "--fault-duration", "5m"], "no longer than it lasts"),
        (["--shape", "intermittent", "--off", "0s"], "must be above 0"),
        (["--time-scale", "0"], "must be above 0"),
        (["--time-scale", "nan"], "must be above 0"),
        (["--time-scale", "inf"], "must be above 0"),
    ],
)
def test_nonsense_is_refused_with_what_to_write_instead(
    nines: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["slo", "predict", nines, *arguments])

    output = capsys.readouterr()
    assert (2, "") == (code, output.out)
    assert says in output.err


def test_an_slo_nobody_knows_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["slo", "predict", "checkout-latenzy"])
    assert "checkout-latency" in capsys.readouterr().err
