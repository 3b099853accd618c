"""The rule file of an SLO: what it says, and what Prometheus makes of it."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameday.errors import UsageError
from gameday.model.slo import Slo, Threshold
from gameday.rules.slo_rules import (
    never_fires,
    number,
    prometheus_duration,
    prometheus_rules,
    rules_of_many,
    watchdog_rules,
)
from scoring.slo import BurnWindow, Objective, workbook_windows

MONTH = timedelta(days=30)
GOOD = 'http_seconds_bucket{service="storefront",code!~"5..",le="0.1"}'
TOTAL = 'http_seconds_count{service="storefront"}'


def slo(**changes: Any) -> Slo:
    values: dict[str, Any] = {
        "id": "checkout-latency",
        "service": "storefront",
        "objective": Objective(0.99, MONTH),
        "good_query": GOOD,
        "total_query": TOTAL,
        "windows": workbook_windows(MONTH),
        "runbook": "runbooks/checkout-latency.md",
    }
    return Slo(**{**values, **changes})


def alert_of(text: str) -> dict[str, Any]:
    """Return the first alert of a rule file."""
    return next(r for r in rules_of(text) if "alert" in r)


def rules_of(text: str) -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(text)["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(days=1) / 60, "24m"),
        (timedelta(hours=2) / 60, "2m"),
        (timedelta(hours=1), "1h"),
        (timedelta(days=3) / 60, "1h12m"),
        (timedelta(minutes=5) / 60, "5s"),
        (timedelta(minutes=5) / 720, "417ms"),
        (timedelta(seconds=90.5), "1m30s500ms"),
        (timedelta(days=30), "30d"),
    ],
)
def test_durations_are_written_as_prometheus_writes_them(
    duration: timedelta, expected: str
) -> None:
    assert expected == prometheus_duration(duration)


def test_a_window_below_a_millisecond_is_refused() -> None:
    with pytest.raises(UsageError, match="smaller time scale"):
        prometheus_duration(timedelta(microseconds=10))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_time_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="time scale"):
        prometheus_rules(slo(), time_scale=scale)


def test_numbers_carry_no_needless_zero() -> None:
    assert ("60", "14.4", "1", "0.001") == (number(60.0), number(14.4), number(1), number(0.001))


def test_there_is_one_group_and_its_recordings_stand_before_its_alerts() -> None:
    kinds = ["record" if "record" in r else "alert" for r in rules_of(prometheus_rules(slo()))]

    assert sorted(kinds, reverse=True) == kinds
    assert 5 == kinds.count("alert")


def test_every_window_is_recorded_once_with_its_labels() -> None:
    recorded = [
        r
        for r in rules_of(prometheus_rules(slo(), time_scale=60))
        if r.get("record", "").startswith("slo:sli_error:")
    ]

    assert ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"] == [
        r["labels"]["sloth_window"] for r in recorded
    ]
    assert {
        "slo": "checkout-latency",
        "service": "storefront",
        "sloth_id": "storefront-checkout-latency",
        "sloth_service": "storefront",
        "sloth_slo": "checkout-latency",
        "sloth_window": "1h",
        "time_scale": "60",
    } == recorded[2]["labels"]
    assert "[1m]" in recorded[2]["expr"]


def test_time_compression_shrinks_ranges_but_not_names_thresholds_or_labels() -> None:
    alert = alert_of(prometheus_rules(slo(), time_scale=60))

    assert "ratio_rate1h{" in alert["expr"]
    assert "> (14.4 * 0.01)" in alert["expr"]
    assert {
        "slo": "checkout-latency",
        "service": "storefront",
        "severity": "page",
        "sloth_id": "storefront-checkout-latency",
        "sloth_service": "storefront",
        "sloth_severity": "page",
        "sloth_slo": "checkout-latency",
        "long_window": "1h",
        "short_window": "5m",
        "burn_rate": "14.4",
        "time_scale": "60",
    } == alert["labels"]
    assert "for" not in alert


def test_for_is_compressed_too() -> None:
    branch = BurnWindow(timedelta(hours=1), timedelta(minutes=5), 14.4, for_=timedelta(minutes=2))

    alert = alert_of(prometheus_rules(slo(windows=(branch,)), time_scale=60))

    assert "2s" == alert["for"]


def test_the_threshold_follows_the_objective_without_float_noise() -> None:
    text = prometheus_rules(slo(objective=Objective(0.999, MONTH)))

    assert "(14.4 * 0.001)" in text


def test_deeplinks_become_annotations_and_their_braces_stay_text() -> None:
    links = {"red": "http://d/?x={{y}}", "runbook": "http://r"}

    alert = rules_of(prometheus_rules(slo(), deeplinks=links))[-1]

    assert 'http://d/?x={{ "{{" }}y}}' == alert["annotations"]["dashboard_url"]
    assert "http://r" == alert["annotations"]["runbook_url"]


def test_branches_that_can_never_fire_are_named_in_the_file() -> None:
    loose = slo(objective=Objective(0.9, MONTH))

    assert [14.4] == [w.burn_rate for w in never_fires(loose)]
    assert "# Can never fire: 1h/5m at burn rate 14.4" in prometheus_rules(loose)
    assert "Can never fire" not in prometheus_rules(slo())


def test_the_watchdog_always_fires() -> None:
    (rule,) = rules_of(watchdog_rules())

    assert ("Watchdog", "vector(1)") == (rule["alert"], rule["expr"])


def alerts_of(slo: Slo, **options: Any) -> list[dict[str, Any]]:
    return [r for r in rules_of(prometheus_rules(slo, **options)) if "alert" in r]


def test_missing_data_is_a_ticket_after_half_an_hour() -> None:
    alert = alerts_of(slo(owner="shop"), time_scale=60)[-1]

    assert "CheckoutLatencyNoData" == alert["alert"]
    assert (
        'absent(slo:sli_error:ratio_rate5m{slo="checkout-latency",service="storefront"})'
        == alert["expr"]
    )
    assert "30s" == alert["for"]
    assert {
        "slo": "checkout-latency",
        "service": "storefront",
        "severity": "ticket",
        "sloth_id": "storefront-checkout-latency",
        "sloth_service": "storefront",
        "sloth_severity": "ticket",
        "sloth_slo": "checkout-latency",
        "time_scale": "60",
    } == alert["labels"]
    assert "for more than 30m there has been no data" in alert["annotations"]["summary"]
    assert "shop" == alert["annotations"]["owner"]


def test_missing_data_is_told_when_the_slo_says_or_never() -> None:
    assert "2h" == alerts_of(slo(no_data_after=timedelta(hours=2)))[-1]["for"]
    assert 4 == len(alerts_of(slo(no_data_after=None)))
    assert [] == alerts_of(slo(windows=()))


def test_a_guard_asks_for_events_in_the_long_window_of_pages_only() -> None:
    guarded = slo(min_events=120, min_bad_events=6)

    page, _, ticket, *_ = alerts_of(guarded, time_scale=60)

    of = '{slo="checkout-latency",service="storefront"}'
    events = f"max by (slo, service) (slo:sli_total:increase1h{of})"
    ratio = f"max by (slo, service) (slo:sli_error:ratio_rate1h{of})"
    lines = page["expr"].split("\n")
    # At the same traffic a minute holds a sixtieth of the events of an hour.
    assert [f"({events} >= 2)", f"({ratio} * {events} >= 0.1)"] == lines[4::2]
    assert "increase" not in ticket["expr"]
    recorded = [r for r in rules_of(prometheus_rules(guarded)) if "record" in r]
    counted = {r["record"]: r["expr"] for r in recorded if "increase" in r["record"]}
    assert {
        "slo:sli_total:increase1h": f"sum(increase({TOTAL}[1h]))",
        "slo:sli_total:increase6h": f"sum(increase({TOTAL}[6h]))",
    } == counted


def test_links_of_the_slo_are_filled_in_and_those_given_come_first() -> None:
    links = {
        "red": "https://d/{service}/{slo}?w={window}&s={short_window}&r={range}",
        "traces": "https://t/{burn_rate}/{severity}/{owner}/{other}/{{service}}",
    }

    page, *_, missing = alerts_of(
        slo(links=links, owner="shop"), time_scale=60, deeplinks={"profile": "https://p/{window}"}
    )

    assert (
        "https://d/storefront/checkout-latency?w=1h&s=5m&r=1m"
        == (page["annotations"]["dashboard_url"])
    )
    assert (
        'https://t/14.4/page/shop/{other}/{{ "{{" }}service}}'
        == (page["annotations"]["traces_url"])
    )
    assert "https://p/1h" == page["annotations"]["profile_url"]
    assert "https://p/5m" == missing["annotations"]["profile_url"]
    (other, *_) = alerts_of(slo(links=links), deeplinks={"red": "https://mine"})
    assert "https://mine" == other["annotations"]["dashboard_url"]


def test_what_was_bad_is_said_in_the_slis_own_terms() -> None:
    page, *_ = alerts_of(slo(measured=Threshold("lag", "<", 3)))

    assert "of the time was bad over 1h" in page["annotations"]["summary"]


def test_branches_that_fire_while_the_promise_is_kept_are_named_in_the_file() -> None:
    week = timedelta(days=7)
    text = prometheus_rules(slo(objective=Objective(0.99, week), windows=workbook_windows(week)))

    assert "# May fire in a period that keeps its promise: 1d/2h at burn rate 0.7 is" in text
    assert "May fire" not in prometheus_rules(slo())


def test_many_slos_are_one_file_with_a_group_each() -> None:
    other = slo(id="other", service='a"b\\c')

    text = "".join(rules_of_many([slo(), other], time_scale=60))

    groups = yaml.safe_load(text)["groups"]
    assert ["slo-checkout-latency", "slo-other"] == [g["name"] for g in groups]
    assert 'service="a\\"b\\\\c"' in groups[1]["rules"][-1]["expr"]
    assert groups[0] == yaml.safe_load(prometheus_rules(slo(), time_scale=60))["groups"][0]


def promtool(*arguments: str, folder: Path) -> None:
    tool = shutil.which("promtool")
    if not tool:
        pytest.skip("there is no promtool beside this prometheus")
    done = subprocess.run(
        [tool, *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("scale", [1.0, 60.0, 7.0])
def test_promtool_accepts_the_file(tmp_path: Path, scale: float) -> None:
    (tmp_path / "slo.yaml").write_text(prometheus_rules(slo(), time_scale=scale))
    (tmp_path / "watchdog.yaml").write_text(watchdog_rules())

    promtool("check", "rules", "slo.yaml", "watchdog.yaml", folder=tmp_path)


def alert_case(
    eval_time: str, *severities: tuple[str, str, str, str], ratio: str
) -> dict[str, Any]:
    """Return one expectation: these branches, and no other, fire at this time."""
    return {
        "eval_time": eval_time,
        "alertname": "CheckoutLatencyBudgetBurn",
        "exp_alerts": [
            {
                "exp_labels": {
                    "slo": "checkout-latency",
                    "service": "storefront",
                    "severity": severity,
                    "sloth_id": "storefront-checkout-latency",
                    "sloth_service": "storefront",
                    "sloth_severity": severity,
                    "sloth_slo": "checkout-latency",
                    "long_window": long,
                    "short_window": short,
                    "burn_rate": rate,
                    "time_scale": "60",
                },
                "exp_annotations": {
                    "title": "checkout-latency",
                    "summary": f"storefront: {ratio} of events were bad over {long}; that spends"
                    f" the error budget of checkout-latency more than {rate} times too fast.",
                    "runbook_url": "runbooks/checkout-latency.md",
                },
            }
            for severity, long, short, rate in severities
        ],
    }


def run_cases(folder: Path, tests: list[dict[str, Any]]) -> None:
    (folder / "slo.yaml").write_text(prometheus_rules(slo(), time_scale=60))
    document = {"rule_files": ["slo.yaml"], "evaluation_interval": "1s", "tests": tests}
    (folder / "test.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    promtool("test", "rules", "test.yaml", folder=folder)


BORN_GOOD = 'http_seconds_bucket{service="storefront",code="200",le="0.1"}'

FAST = ("page", "1h", "5m", "14.4")
SLOW = ("page", "6h", "30m", "6")
DAY = ("ticket", "1d", "2h", "3")
THREE_DAYS = ("ticket", "3d", "6h", "1")


@pytest.mark.usefixtures("monitoring")
def test_half_the_requests_bad_pages_when_theory_says_and_clears_by_the_short_window(
    tmp_path: Path,
) -> None:
    # 10 requests/s; all good for ten minutes, which fills the fast branch;
    # then half are bad. The fast branch needs 14.4 % of 60 s at 50 %: 17.3 s.
    samples = [
        {"series": BORN_GOOD, "values": "0+10x600 6005+5x30 6165+10x60"},
        {"series": TOTAL, "values": "0+10x600 6010+10x30 6320+10x60"},
    ]
    start = 600
    run_cases(
        tmp_path,
        [
            {
                "interval": "1s",
                "input_series": samples,
                "alert_rule_test": [alert_case(f"{start - 1}s", ratio="0%")],
                "promql_expr_test": [
                    {
                        "expr": 'count(ALERTS{long_window="1h",alertstate="firing"}) or vector(0)',
                        "eval_time": f"{start + offset}s",
                        "exp_samples": [{"value": firing}],
                    }
                    for offset, firing in ((17, 0), (19, 1), (30, 1), (37, 0))
                ],
            }
        ],
    )


@pytest.mark.usefixtures("monitoring")
def test_no_traffic_and_a_good_counter_never_born_are_told_apart(tmp_path: Path) -> None:
    silent = [{"series": TOTAL, "values": "5x600"}, {"series": BORN_GOOD, "values": "5x600"}]
    broken = [{"series": TOTAL, "values": "0+10x600"}]
    nothing = [{"series": "up", "values": "1x600"}]
    run_cases(
        tmp_path,
        [
            {
                "interval": "1s",
                "input_series": silent,
                "alert_rule_test": [alert_case("500s", ratio="")],
                "promql_expr_test": [
                    {
                        "expr": "slo:sli_error:ratio_rate5m",
                        "eval_time": "500s",
                        "exp_samples": [],
                    }
                ],
            },
            {
                "interval": "1s",
                "input_series": broken,
                "alert_rule_test": [
                    alert_case("500s", FAST, SLOW, DAY, THREE_DAYS, ratio="100%"),
                ],
            },
            {
                "interval": "1s",
                "input_series": nothing,
                "alert_rule_test": [alert_case("500s", ratio="")],
            },
        ],
    )


def test_alerts_are_labelled_in_sloths_words_too() -> None:
    alerts = [r for r in rules_of(prometheus_rules(slo())) if "alert" in r]

    assert {"page", "ticket"} == {a["labels"]["sloth_severity"] for a in alerts}
    for alert in alerts:
        assert alert["labels"]["severity"] == alert["labels"]["sloth_severity"]
        assert ("storefront-checkout-latency", "storefront", "checkout-latency") == tuple(
            alert["labels"][name] for name in ("sloth_id", "sloth_service", "sloth_slo")
        )


def test_an_slos_own_labels_reach_its_alerts_and_take_no_name_of_ours() -> None:
    text = prometheus_rules(slo(labels={"team": "shop", "severity": "high", "alertname": "x"}))

    for rule in (r for r in rules_of(text) if "alert" in r):
        labels = rule["labels"]
        assert ("shop", "high", "x") == tuple(
            labels[name] for name in ("team", "exported_severity", "exported_alertname")
        )
        assert labels["severity"] in ("page", "ticket")
        assert "alertname" not in labels
