"""What the recordings of every SLI say of the same events, by the real Prometheus engine.

The expected numbers are counted by hand in each case's comment.
"""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameday.model.slo import Ratio, Raw, Reading, Slices, Slo, Threshold
from gameday.rules.slo_rules import prometheus_rules
from scoring.slo import Objective, workbook_windows

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MONTH = 30 * DAY


def slo(*, period: timedelta = MONTH, **changes: Any) -> Slo:
    values: dict[str, Any] = {
        "id": "checkout",
        "service": "shop",
        "objective": Objective(0.9, period),
        "windows": workbook_windows(period),
    }
    return Slo(**{**values, **changes})


def recorded(
    folder: Path,
    slo: Slo,
    series: dict[str, str],
    expected: dict[str, float | None],
    *,
    at: str = "60m",
    interval: str = "1m",
    time_scale: float = 1,
) -> None:
    """Check what these series are recorded as; None: as nothing."""
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("promtool is not here; `make setup` installs Prometheus")
    (folder / "rules.yaml").write_text(prometheus_rules(slo, time_scale=time_scale))
    cases = [
        {
            "expr": f"round(max({name}), 1e-6)",
            "eval_time": at,
            "exp_samples": [] if value is None else [{"value": value}],
        }
        for name, value in expected.items()
    ]
    test = {
        "interval": interval,
        "input_series": [{"series": s, "values": v} for s, v in series.items()],
        "promql_expr_test": cases,
    }
    (folder / "test.yaml").write_text(
        yaml.safe_dump(
            {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": [test]}
        )
    )
    done = subprocess.run(
        [tool, "test", "rules", "test.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr


RATE = "slo:sli_error:ratio_rate"

# 100 events a minute, 20 of them bad.
COUNTED = {'all{code="200"}': "0+80x60", 'all{code="500"}': "0+20x60"}
GOOD, BAD = 'all{code!~"5.."}', 'all{code=~"5.."}'

SAME = {
    "good of all": (slo(good_query=GOOD, total_query="all"), COUNTED),
    "bad of all": (slo(bad_query=BAD, total_query="all"), COUNTED),
    "expressions, good": (
        slo(
            measured=Ratio(
                good=f"sum by (code) (rate({GOOD}[{{{{.window}}}}])) # comment",
                total="sum(rate(all[{{.window}}]))",
                reading=Reading.WINDOWED,
            )
        ),
        COUNTED,
    ),
    "expressions, bad": (
        slo(
            measured=Ratio(
                bad=f"increase({BAD}[{{{{.window}}}}])",
                total="increase(all[{{.window}}])",
                reading=Reading.WINDOWED,
            )
        ),
        COUNTED,
    ),
    # Now 10 events of which 8 are good, then 30 of which 24 are: both 20 % bad.
    "gauges, good": (
        slo(measured=Ratio(good="fresh", total="queued", reading=Reading.GAUGE)),
        {"fresh": "8x29 24x30", "queued": "10x29 30x30"},
    ),
    "gauges, bad": (
        slo(measured=Ratio(bad="sum(old)", total="queued", reading=Reading.GAUGE)),
        {'old{a="1"}': "1x60", 'old{a="2"}': "1x60", "queued": "10x60"},
    ),
    "raw success over a window": (
        slo(measured=Raw("avg_over_time(up[{{.window}}])")),
        {"up": "0.8x60"},
    ),
    "raw failure over a window": (
        slo(measured=Raw("avg_over_time(down[{{.window}}])", is_success=False)),
        {"down": "0.2x60"},
    ),
    "raw success now": (slo(measured=Raw("share")), {"share": "0.8x60"}),
    "raw failure now": (slo(measured=Raw("share", is_success=False)), {"share": "0.2x60"}),
    # Five series, of which one is always too slow.
    "a threshold of several series": (
        slo(measured=Threshold("lag", "<", 500)),
        {f'lag{{a="{n}"}}': f"{v}x60" for n, v in enumerate((1, 2, 499, 3, 500))},
    ),
    # Each slice has its 20 % bad, and the ratios are averaged.
    "averaged slices": (
        slo(measured=Slices(Ratio(bad=BAD, total="all"), 5 * MINUTE)),
        COUNTED,
    ),
}


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("kind", SAME)
def test_a_fifth_that_is_bad_is_a_fifth_whatever_the_sli(tmp_path: Path, kind: str) -> None:
    slo, series = SAME[kind]

    recorded(tmp_path, slo, series, {f"{RATE}1h": 0.2, f"{RATE}5m": 0.2, f"{RATE}30d": 0.2})


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("kind", SAME)
def test_where_nothing_is_measured_nothing_is_recorded(tmp_path: Path, kind: str) -> None:
    slo, _ = SAME[kind]

    recorded(
        tmp_path,
        slo,
        {"unrelated": "1x60"},
        {
            f"{RATE}5m": None,
            f"{RATE}30d": None,
            "slo:period_error_budget_remaining:ratio": None,
            "slo:objective:ratio": 0.9,
        },
    )


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    ("slo", "series"),
    [
        (slo(good_query=GOOD, total_query="all"), {'all{code="200"}': "5x60"}),
        (slo(bad_query=BAD, total_query="all"), {'all{code="500"}': "5x60"}),
        (
            slo(measured=Ratio(good="fresh", total="queued", reading=Reading.GAUGE)),
            {"fresh": " ".join(["NaN"] * 61), "queued": "0x60"},
        ),
        (slo(measured=Raw("share")), {"share": " ".join(["NaN"] * 61)}),
        (slo(measured=Threshold("lag", ">", 3)), {"lag": " ".join(["NaN"] * 61)}),
    ],
    ids=["good", "bad", "gauges", "raw", "threshold"],
)
def test_no_traffic_and_no_number_are_neither_good_nor_bad(
    tmp_path: Path, slo: Slo, series: dict[str, str]
) -> None:
    recorded(tmp_path, slo, series, {f"{RATE}5m": None, f"{RATE}1h": None})


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    ("slo", "series", "ratio"),
    [
        (slo(good_query=GOOD, total_query="all"), {'all{code="500"}': "0+5x60"}, 1),
        (slo(bad_query=BAD, total_query="all"), {'all{code="200"}': "0+5x60"}, 0),
        (
            slo(measured=Ratio(good="fresh", total="queued", reading=Reading.GAUGE)),
            {"queued": "3x60"},
            1,
        ),
    ],
    ids=["good", "bad", "gauges"],
)
def test_a_counter_that_was_never_born_counted_nothing(
    tmp_path: Path, slo: Slo, series: dict[str, str], ratio: float
) -> None:
    recorded(tmp_path, slo, series, {f"{RATE}5m": ratio})


def gauges(good: str, total: str) -> Slo:
    return slo(measured=Ratio(good=good, total=total, reading=Reading.GAUGE))


def windowed(good: str, total: str) -> Slo:
    return slo(measured=Ratio(good=good, total=total, reading=Reading.WINDOWED))


NAN = " ".join(["NaN"] * 61)


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    ("slo", "series", "ratio"),
    [
        # One of two series is 0/0: one of two is up.
        (
            gauges("up_num / up_den", "count(up_num)"),
            {
                'up_num{a="1"}': "1x60",
                'up_den{a="1"}': "1x60",
                'up_num{a="2"}': "0x60",
                'up_den{a="2"}': "0x60",
            },
            0.5,
        ),
        # One of two pods was never asked: of what the other one was, 20 % were bad.
        (
            windowed(
                "rate(ok[{{.window}}]) / rate(asked[{{.window}}]) * rate(asked[{{.window}}])",
                "rate(asked[{{.window}}])",
            ),
            {
                'ok{a="1"}': "0+80x60",
                'asked{a="1"}': "0+100x60",
                'ok{a="2"}': "0x60",
                'asked{a="2"}': "0x60",
            },
            0.2,
        ),
        # A counter that begins anew half-way.
        (
            slo(good_query="ok", total_query="asked"),
            {"ok": "0+80x30 0+80x29", "asked": "0+100x30 0+100x29"},
            0.2,
        ),
        (slo(measured=Raw("share")), {'share{a="1"}': "0.8x60", 'share{a="2"}': NAN}, 0.2),
        (
            slo(measured=Raw("avg_over_time(share[{{.window}}])")),
            {'share{a="1"}': "0.8x60", 'share{a="2"}': NAN},
            0.2,
        ),
        (
            slo(measured=Threshold("lag", "<", 500)),
            {'lag{a="1"}': "900x60", 'lag{a="2"}': "1x60", 'lag{a="3"}': NAN},
            0.5,
        ),
        (gauges("fresh", "queued"), {"fresh": "4x60", "queued": "8x60", 'fresh{a="2"}': NAN}, 0.5),
    ],
    ids=["0/0", "idle pod", "reset", "raw", "raw over a window", "threshold", "gauges"],
)
def test_what_is_not_a_number_takes_nothing_else_with_it(
    tmp_path: Path, slo: Slo, series: dict[str, str], ratio: float
) -> None:
    recorded(tmp_path, slo, series, {f"{RATE}5m": ratio, f"{RATE}1h": ratio, f"{RATE}30d": ratio})


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    ("slo", "series"),
    [
        # What was seen is sampled, and for the last quarter of an hour nothing was.
        (
            windowed(
                "increase(seen[{{.window}}]) * increase(ok[{{.window}}])"
                " / increase(sampled[{{.window}}])",
                "increase(seen[{{.window}}])",
            ),
            {"seen": "0+10x60", "ok": "0+4x45 180x15", "sampled": "0+5x45 225x15"},
        ),
        (
            gauges("fresh / queued * queued", "waiting"),
            {"fresh": "4x45 0x15", "queued": "5x45 0x15", "waiting": "5x60"},
        ),
    ],
    ids=["windowed", "gauges"],
)
def test_where_the_good_ones_are_not_known_nothing_is_recorded_and_the_period_goes_on(
    tmp_path: Path, slo: Slo, series: dict[str, str]
) -> None:
    recorded(tmp_path, slo, series, {f"{RATE}5m": None, f"{RATE}30d": 0.2})


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    ("op", "values", "bad"),
    [
        ("<", (4, 5, 6), (0, 1, 1)),
        ("<=", (4, 5, 6), (0, 0, 1)),
        (">", (4, 5, 6), (1, 1, 0)),
        (">=", (4, 5, 6), (1, 0, 0)),
    ],
)
def test_a_threshold_is_held_as_it_is_written(
    tmp_path: Path, op: str, values: tuple[int, ...], bad: tuple[int, ...]
) -> None:
    for value, expected in zip(values, bad, strict=True):
        recorded(
            tmp_path,
            slo(measured=Threshold("lag", op, 5)),
            {"lag": f"{value}x60"},
            {f"{RATE}5m": expected},
        )


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    ("bad_per_minute", "is_strict", "expected"),
    [(4, False, 0), (5, False, 0), (6, False, 1), (5, True, 1), (4, True, 0), (100, False, 1)],
)
def test_a_slice_is_bad_as_a_whole(
    tmp_path: Path, bad_per_minute: int, is_strict: bool, expected: float
) -> None:
    # 100 events a minute, and a slice may hold 5 % that are bad.
    counters = {
        'all{code="200"}': f"0+{100 - bad_per_minute}x60",
        'all{code="500"}': f"0+{bad_per_minute}x60",
    }
    sli = Slices(Ratio(good=GOOD, total="all"), 5 * MINUTE, 0.95, is_strict=is_strict)

    recorded(tmp_path, slo(measured=sli), counters, {f"{RATE}5m": expected, f"{RATE}1h": expected})


@pytest.mark.usefixtures("monitoring")
def test_the_period_weighs_events_not_minutes(tmp_path: Path) -> None:
    # 30 minutes of 10 events, all good; then 30 minutes of 100, half of them bad. Of the
    # 3,300 events 1,500 are bad: 5/11. By minutes it would be 25 %. The rates are recorded each
    # minute over the five before it, so the edge in the middle smears: half a per cent.
    series = {'all{code="200"}': "0+10x30 350+50x29", 'all{code="500"}': "0+0x30 50+50x29"}

    recorded(
        tmp_path,
        slo(good_query=GOOD, total_query="all"),
        series,
        {f"round({RATE}30d, 0.02)": 0.46, f"({RATE}30d > bool 0.44) * 1": 1},
    )


# A period of 10 hours has steps of 50 seconds. After one hour of 20 % bad, at 90 % promised, twice
# the budget's rate has been spent for a tenth of the period: a fifth of the budget.
SHORT = slo(period=10 * timedelta(hours=1), good_query=GOOD, total_query="all")


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize(
    ("at", "held", "left"), [("60m", 0.1, 0.8), ("300m", 0.5, 0.0), ("600m", 1.0, -1.0)]
)
def test_the_budget_left_counts_only_what_is_held(
    tmp_path: Path, at: str, held: float, left: float
) -> None:
    series = {'all{code="200"}': "0+80x600", 'all{code="500"}': "0+20x600"}

    recorded(
        tmp_path,
        SHORT,
        series,
        {
            "slo:current_burn_rate:ratio": 2,
            "slo:period_burn_rate:ratio": 2,
            "round(slo:period_coverage:ratio, 0.02)": held,
            "round(slo:period_error_budget_remaining:ratio, 0.05)": left,
            "slo:error_budget:ratio": 0.1,
        },
        at=at,
    )


@pytest.mark.usefixtures("monitoring")
def test_compressed_time_keeps_the_nominal_names_and_says_so(tmp_path: Path) -> None:
    # An hour's window lasts a minute: 20 % bad in the last minute, none before.
    series = {'all{code="200"}': "0+10x240 2408+8x59", 'all{code="500"}': "0+0x240 2+2x59"}
    sloth = 'sloth_id="shop-checkout",sloth_service="shop",sloth_slo="checkout"'

    recorded(
        tmp_path,
        slo(good_query=GOOD, total_query="all"),
        series,
        {
            f'{RATE}1h{{{sloth},sloth_window="1h",time_scale="60"}}': 0.2,
            f'{RATE}5m{{{sloth},sloth_window="5m",time_scale="60"}}': 0.2,
            f'sloth_slo_info{{{sloth},time_scale="60",sloth_objective="90"}}': 1,
        },
        at="5m",
        interval="1s",
        time_scale=60,
    )


def names(slo: Slo) -> list[str]:
    (group,) = yaml.safe_load(prometheus_rules(slo))["groups"]
    return [r["record"] for r in group["rules"] if "record" in r]


def test_no_name_is_recorded_twice_even_where_the_period_is_a_window() -> None:
    for kind in (*(s for s, _ in SAME.values()), slo(good_query="a", total_query="b", period=DAY)):
        found = names(kind)

        assert sorted(set(found)) == sorted(found)


def test_what_a_recording_reads_of_ours_stands_before_it() -> None:
    for slo_, _ in SAME.values():
        (group,) = yaml.safe_load(prometheus_rules(slo_))["groups"]
        seen: set[str] = set()
        ours = names(slo_)
        for rule in group["rules"]:
            read = {n for n in ours if f"({n}{{" in rule["expr"]}
            assert read <= seen, rule
            seen.add(rule.get("record", ""))


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_the_coverage_looks_at_the_period_in_steps_of_at_least_a_second(scale: float) -> None:
    text = prometheus_rules(slo(good_query="a", total_query="b"), time_scale=scale)

    assert ("[30d:1h]" if scale == 1 else "[12h:1m]") in text
    assert ")) / 720, 1)" in text
    assert "[1h:5s]" in prometheus_rules(
        slo(good_query="a", total_query="b", period=timedelta(hours=1), windows=SHORT.windows[:1])
    )
    assert "[24s:1s])) / 24" in prometheus_rules(
        slo(good_query="a", total_query="b", period=timedelta(hours=4)), time_scale=600
    )
