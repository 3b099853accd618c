"""Windows and thresholds out of the expression of a rule, and why where there are none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gameday.model.slo import Slo
from gameday.model.system import RuleAuthor
from gameday.rules.burn_alert import Branch, BurnAlert, UnreadAlert, read_alert
from gameday.rules.expression import parsed
from gameday.rules.found_alerts import alerts_of, named_alerts
from gameday.rules.loaded import LoadedRule, LoadedRules
from scoring.slo import Objective, workbook_windows

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MONTH = timedelta(days=30)
BAD, TOTAL = 'hits{code="5xx"}', "hits"


def ratio(window: str, bad: str = BAD, total: str = TOTAL) -> str:
    return f"sum(rate({bad}[{window}])) / sum(rate({total}[{window}]))"


def read(query: str, **recordings: str) -> BurnAlert | UnreadAlert:
    """Return an alert with this expression as it is read, among these recordings."""
    rules = [LoadedRule("Burns", query, is_alert=True)]
    rules += [LoadedRule(n.replace("__", ":"), e, is_alert=False) for n, e in recordings.items()]
    loaded = LoadedRules.of(rules)
    return read_alert(loaded.alerts[0], loaded)


def told(query: str, **recordings: str) -> list[tuple[timedelta, timedelta, float]]:
    found = read(query, **recordings)
    assert isinstance(found, BurnAlert), found.reason
    return [(b.long, b.short, b.threshold_ratio) for b in found.branches]


FAST = (HOUR, 5 * MINUTE, 0.0144)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"{ratio('1h')} > 14.4 * 0.001 and {ratio('5m')} > 14.4 * 0.001", [FAST]),
        (f"{ratio('5m')} > (14.4*0.001) and {ratio('1h')} > (14.4*(1-0.999))", [FAST]),
        (f"0.0144 < {ratio('1h')} and 0.0144 <= {ratio('5m')}", [FAST]),
        (f"({ratio('1h')}) / 0.001 > 14.4 and ({ratio('5m')}) / (1 - 0.999) > 14.4", [FAST]),
        (f"1 - {ratio('1h')} > 0.0144 and {ratio('5m')} < 0.9856", [FAST]),
        (
            "sum(increase(bad[1h])) > 0.0144 * sum(increase(hits[1h])) and"
            " (sum(rate(hits[5m])) - sum(rate(good[5m]))) / sum(rate(hits[5m])) > 0.0144",
            [FAST],
        ),
        (
            f"clamp_max({ratio('1h')}, 1) > 0.0144 and max(sum by (x) (rate(bad[5m]))"
            " / (sum by (x) (rate(hits[5m])) > 0) > 0.0144) without (x)",
            [FAST],
        ),
        (f"{ratio('1h')} > 0.02", [(HOUR, HOUR, 0.02)]),
        ("1 - avg_over_time(probe_success[1h]) > 0.1", [(HOUR, HOUR, 0.1)]),
        ("1 - histogram_fraction(0, 0.5, sum(rate(h[1h]))) > 0.02", [(HOUR, HOUR, 0.02)]),
        (
            f"({ratio('6h')} > 0.006 and {ratio('30m')} > 0.006)"
            f" or ({ratio('1h')} > 0.0144 and {ratio('5m')} > 0.0144)",
            [FAST, (6 * HOUR, 30 * MINUTE, 0.006)],
        ),
    ],
)
def test_windows_and_threshold_are_read_out_of_the_expression(
    query: str, expected: list[tuple[timedelta, timedelta, float]]
) -> None:
    assert expected == [(a, b, pytest.approx(c)) for a, b, c in told(query)] == told(query)


def test_a_recording_is_followed_to_what_it_records_whatever_it_is_called() -> None:
    found = told(
        "burn:last_week > 0.1 and burn:ratio_rate1h > 0.1",
        burn__last_week="burn:part / burn:all",
        burn__part=f"sum(rate({BAD}[1m]))",
        burn__all=f"sum(rate({TOTAL}[1m]))",
        burn__ratio_rate1h=ratio("5s"),
    )

    assert [(MINUTE, timedelta(seconds=5), 0.1)] == found


def test_a_budget_that_is_recorded_is_a_number_too() -> None:
    query = f"{ratio('1h')} > on () group_left () (10 * slo:error_budget:ratio)"

    assert [(HOUR, HOUR, pytest.approx(0.1))] == told(
        query, slo__error_budget__ratio="vector(1 - 0.99)"
    )


def test_burn_rate_and_objective_are_told_where_the_expression_says_both() -> None:
    both = read(f"{ratio('1h')} > (14.4 * (1-0.999))")
    one = read(f"{ratio('1h')} > 0.0144")

    assert isinstance(both, BurnAlert) and isinstance(one, BurnAlert)
    assert [(14.4, 0.999)] == [(b.factor, b.objective_ratio) for b in both.branches]
    assert [(None, None)] == [(b.factor, b.objective_ratio) for b in one.branches]
    assert 14.4 == one.branches[0].burn_rate(0.999)


def test_a_condition_on_traffic_is_said_and_taken_to_hold() -> None:
    found = read(f"{ratio('1h')} > 0.02 and sum(rate(hits[5m])) > 1")

    assert isinstance(found, BurnAlert)
    assert ("hits over 5m > 1",) == found.assumes


def test_a_recording_of_another_group_may_be_one_interval_old() -> None:
    fast, slow = timedelta(seconds=30), timedelta(seconds=60)
    rules = [
        LoadedRule("Burns", "job:r > 0.1", True, group=("f", "alerts"), interval=fast),
        LoadedRule("job:r", ratio("1h"), False, group=("f", "recordings"), interval=slow),
    ]
    loaded = LoadedRules.of(rules)

    found = read_alert(loaded.alerts[0], loaded)

    assert isinstance(found, BurnAlert)
    assert slow == found.age


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("hits > 1 b", "invalid promql query"),
        ("up == 0", "it compares no share of bad events with a threshold"),
        ("absent(hits)", "it compares no share of bad events with a threshold"),
        ("slo:ratio1h > 0.1", "slo:ratio1h is recorded by no rule that is loaded here"),
        (
            "histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) > 0.5",
            "a quantile is no share of the events: it does not say how many were bad",
        ),
        (
            f"{ratio('1h')} > 0.1 and {ratio('5m')} > 0.2",
            "its windows have different thresholds (0.1 over 1h, 0.2 over 5m)",
        ),
        (
            f"{ratio('1h')} > 0.1 and {ratio('5m')} > 0.1 and {ratio('1m')} > 0.1",
            "one branch has 3 windows (1m, 5m, 1h), and the theory knows a long and a short one",
        ),
        (
            "sum(rate(bad[1h])) / sum(rate(hits[5m])) > 0.1",
            "its two sides look back differently: 1h and 5m",
        ),
        (f"{ratio('1h')} > 3", "its threshold, 3, is no share of bad events"),
        (
            f"{ratio('1h')} > bool 0.1",
            "it compares with `bool`, which is true whatever the outcome",
        ),
        (
            "rate(bad[5m] offset 1h) / rate(hits[5m] offset 1h) > 0.1",
            "it looks back from another time than now",
        ),
        ("predict_linear(disk[1h], 3600) > 0.9", "predict_linear(…) is not followed"),
        (
            f"({ratio('1h')}) + ({ratio('1h', 'other')}) > 0.1",
            "the sum of two shares is no share of the events",
        ),
        ("error_ratio > 0.1 and up > 0", "it compares no share of bad events with a threshold"),
        ("(" * 4000 + "1" + ")" * 4000, "it is nested more than 200 levels deep"),
        ("-" * 5000 + "hits", "it has more than 1000 operators"),
    ],
)
def test_what_cannot_be_read_is_unknown_and_says_what_of_which_rule(query: str, why: str) -> None:
    found = read(query)

    assert isinstance(found, UnreadAlert)
    assert f"the alert Burns cannot be read: {why}" == found.reason


def test_a_window_in_a_window_is_neither_of_the_two() -> None:
    found = read("avg_over_time(r:five[1h]) > 0.1", r__five=ratio("5m"))

    assert isinstance(found, UnreadAlert)
    assert "r:five looks back over 5m already, and is looked at over 1h" in found.reason


def test_recordings_of_one_name_that_differ_are_not_chosen_between() -> None:
    rules = [
        LoadedRule("Burns", "job:r > 0.1", True),
        LoadedRule("job:r", ratio("1h"), False, {"job": "a"}),
        LoadedRule("job:r", ratio("2h"), False, {"job": "b"}),
    ]
    loaded = LoadedRules.of(rules)
    one = LoadedRule("Burns", 'job:r{job="b"} > 0.1', True)

    found, chosen = read_alert(loaded.alerts[0], loaded), read_alert(one, loaded)

    assert isinstance(found, UnreadAlert) and isinstance(chosen, BurnAlert)
    assert "the rules that record job:r differ from each other" in found.reason
    assert [Branch(2 * HOUR, 2 * HOUR, 0.1)] == list(chosen.branches)


def test_recordings_that_record_each_other_are_not_followed_for_ever() -> None:
    found = read("a:x > 0.1", a__x="b:x", b__x="a:x")

    assert isinstance(found, UnreadAlert)
    assert "recorded from recordings without end" in found.reason


def test_an_alert_that_keeps_firing_is_not_held_against_a_reset_of_theory() -> None:
    rule = LoadedRule("Burns", f"{ratio('1h')} > 0.1", True, keeps_firing=10 * MINUTE)

    found = read_alert(rule, LoadedRules.of([rule]))

    assert isinstance(found, UnreadAlert)
    assert "it keeps firing for 10m after its condition has ended" in found.reason


def test_labels_and_brackets_mean_the_same_however_they_are_written() -> None:
    assert parsed('hits{b="2",a="1"}') == parsed('({__name__="hits", a="1", b="2"})')


# --- which alerts are an SLO's ------------------------------------------------------------------


def slo(**changes: object) -> Slo:
    told = {"total_query": TOTAL, "bad_query": BAD, "windows": workbook_windows(MONTH), **changes}
    return Slo(id="served", service="pages", objective=Objective(0.99, MONTH), **told)  # type: ignore[arg-type]


def test_an_alert_on_the_slos_own_counters_is_its_own_whatever_it_is_called() -> None:
    page = LoadedRule("A", f"{ratio('1h')} > 0.1", True, {"severity": "critical"})
    ticket = LoadedRule("B", f"{ratio('6h')} > 0.1", True, {"severity": "warning"})
    other = LoadedRule("C", f"{ratio('1h', total='visits')} > 0.1", True, {"severity": "page"})

    found = alerts_of(slo(), LoadedRules.of([page, ticket, other]))

    assert ([page], [ticket]) == ([a.rule for a in found.page], [a.rule for a in found.ticket])


def test_sloths_alert_is_found_by_the_slo_and_service_its_series_bear() -> None:
    labels = 'sloth_id="pages-served", sloth_service="pages", sloth_slo="served"'
    mine = LoadedRule("A", f"slo:x{{{labels}}} > 0.1", True, {"sloth_severity": "page"})
    other = LoadedRule(
        "A", f"slo:x{{{labels.replace('pages', 'shop')}}} > 0.1", True, {"sloth_severity": "page"}
    )
    recorded = LoadedRule("slo:x", "rate(a[1h]) / rate(b[1h])", False)
    loaded = LoadedRules.of([mine, other, recorded])

    assert [mine] == [a.rule for a in alerts_of(slo(), loaded, RuleAuthor.SLOTH).page]
    assert [] == list(alerts_of(slo(), loaded, RuleAuthor.PYRRA).page)


def test_pyrras_absence_alert_is_no_page_of_the_burn_rate() -> None:
    burns = LoadedRule(
        "ErrorBudgetBurn",
        f"{ratio('1h')} > (14 * (1-0.99)) and {ratio('5m')} > (14 * (1-0.99))",
        True,
        {"slo": "served", "long": "1h", "short": "5m", "severity": "critical"},
        for_=2 * MINUTE,
    )
    absent = LoadedRule(
        "SLOMetricAbsent", "absent(hits) == 1", True, {"slo": "served", "severity": "critical"}
    )

    found = alerts_of(slo(), LoadedRules.of([burns, absent]))

    assert [(burns, RuleAuthor.PYRRA)] == [(a.rule, a.author) for a in found.page]


def test_an_alert_of_the_slo_that_cannot_be_read_is_found_all_the_same() -> None:
    rule = LoadedRule("A", f"deriv({BAD}[1h]) > 0.1 and hits > 1", True)

    (found,) = alerts_of(slo(), LoadedRules.of([rule])).page

    assert isinstance(found, UnreadAlert)


def test_a_named_alert_goes_by_all_its_labels_and_those_it_may_get_from_its_series() -> None:
    one = LoadedRule("A", "x", True, {"team": "web"})
    other = LoadedRule("A", "x", True, {"team": "db"})
    loaded = LoadedRules.of([one, other])

    found = named_alerts({"alertname": "A", "team": "web", "region": "eu"}, loaded)

    assert [one] == [a.rule for a in found.page]


def test_rules_are_read_as_prometheus_lists_them() -> None:
    groups = [
        {
            "name": "g",
            "file": "f",
            "interval": 15,
            "rules": [
                {
                    "type": "alerting",
                    "name": "A",
                    "query": "x > 1",
                    "duration": 120,
                    "keepFiringFor": 60,
                    "labels": {"severity": "page"},
                },
                {"type": "recording", "name": "a:b", "query": "x"},
                {"type": "recording"},
            ],
        },
        "nonsense",
    ]

    found = LoadedRules.told(groups)

    recorded = LoadedRule("a:b", "x", False, group=("f", "g"), interval=15 * MINUTE / 60)
    assert {"a:b": (recorded,)} == found.recordings
    assert [(2 * MINUTE, MINUTE, ("f", "g"))] == [
        (r.for_, r.keeps_firing, r.group) for r in found.alerts
    ]
