"""What a drill goes by: the rules that are in force, and how their alerts are told from others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gameday.errors import PermanentDriverError
from gameday.house.targets.alert_in_force import alert_in_force
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.rules.loaded import LoadedRule, LoadedRules
from scoring.slo import BurnWindow, Objective, Severity, workbook_windows

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MONTH = timedelta(days=30)


def slo(*windows: BurnWindow) -> Slo:
    return Slo(
        id="served",
        service="pages",
        objective=Objective(0.99, MONTH),
        windows=windows or workbook_windows(MONTH),
        bad_query='answers{code="5xx"}',
        total_query="answers",
    )


def system(alerts: dict[str, Any], time_scale: float = 1) -> System:
    spec = {
        "metrics": {"prometheus": {"url": "http://prom"}},
        "alerts": alerts,
        "pages": {"alertmanager": {"url": "http://am"}},
        "red": {"preset": "haproxy"},
        "disposable": True,
        "timeScale": time_scale,
    }
    return System.model_validate({"metadata": {"name": "pages"}, "spec": spec})


def branch(long: str, short: str, factor: str = "14.4") -> str:
    share = 'sum(rate(answers{{code="5xx"}}[{0}])) / sum(rate(answers[{0}])) > ({1} * 0.01)'
    return f"({share.format(long, factor)} and {share.format(short, factor)})"


def alert(query: str, *, for_: timedelta = timedelta(0), **labels: str) -> LoadedRule:
    return LoadedRule("Failing", query, True, labels, for_)


NAMED = {"page": {"alertname": "Failing"}}


def test_the_windows_are_the_rules_as_if_time_were_not_compressed() -> None:
    rules = LoadedRules.of([alert(branch("1m", "5s"), for_=timedelta(seconds=2))])

    found = alert_in_force(system(NAMED, time_scale=60), slo(), rules)

    pages = [w for w in found.slo.windows if w.severity is Severity.PAGE]
    assert [BurnWindow(HOUR, 5 * MINUTE, 14.4, Severity.PAGE, 2 * MINUTE)] == pages
    assert ("", False, ()) == (found.slo.unread, found.slo.is_joint, found.notices)


def test_a_rule_with_several_ways_to_fire_does_not_tell_which_it_was() -> None:
    query = f"{branch('1h', '5m')} or {branch('6h', '30m', '6')}"
    found = alert_in_force(system(NAMED), slo(), LoadedRules.of([alert(query)]))

    assert found.slo.is_joint
    assert found.named is not None
    assert {"long_window": "1h", "short_window": "5m", "burn_rate": "14.4"} == {
        name: value
        for name, value in found.named.told({"alertname": "Failing"}).items()
        if name in ("long_window", "short_window", "burn_rate")
    }


def test_several_rules_are_one_alert_each_told_by_its_labels() -> None:
    page = {"severity": "critical", "slo": "served"}
    fast = alert(branch("1h", "5m", "14"), **page, long="1h", short="5m")
    slow = alert(branch("6h", "30m", "7"), **page, long="6h", short="30m")
    ticket = alert(branch("1d", "2h", "2"), slo="served", severity="warning", long="1d", short="2h")
    found = alert_in_force(system({"rules": "pyrra"}), slo(), LoadedRules.of([fast, slow, ticket]))

    assert found.named is not None
    assert {"alertname": "Failing", "slo": "served"} == found.named.labels
    told = [found.named.told({**r.labels, "alertname": r.name}) for r in (slow, ticket)]
    assert [("page", "6h"), ("ticket", "1d")] == [(t["severity"], t["long_window"]) for t in told]
    assert not found.named.is_meant({"alertname": "Failing", "slo": "served", "long": "3d"})
    assert [(HOUR, 14), (6 * HOUR, 7), (24 * HOUR, 2)] == [
        (w.long, w.burn_rate) for w in found.slo.windows
    ]


def test_where_the_slo_says_otherwise_the_rule_is_used_and_both_are_said() -> None:
    stated = slo(BurnWindow(HOUR, 5 * MINUTE, 14.4))
    rules = LoadedRules.of([alert(branch("30m", "5m", "10"))])

    found = alert_in_force(system(NAMED), stated, rules)

    assert (
        "the SLO served says 1h/5m at burn rate 14.4, and the rule says 30m/5m at burn rate 10"
        == (found.differs)
    )
    assert (f"{found.differs}: the rule's are used",) == found.notices
    assert [30 * MINUTE] == [w.long for w in found.slo.windows]


def test_what_cannot_be_read_is_unknown_unless_the_slo_states_it() -> None:
    rules = LoadedRules.of([alert("deriv(answers[1h]) > 1")])
    reason = "the alert Failing cannot be read: deriv(…) is not followed"

    unknown = alert_in_force(system(NAMED), slo(), rules)
    stated = alert_in_force(system(NAMED), slo(BurnWindow(HOUR, MINUTE, 10)), rules)

    assert reason == unknown.slo.unread
    assert (f"when the alert must fire is unknown: {reason}",) == unknown.notices
    assert "" == stated.slo.unread
    assert unknown.named is not None
    assert "long_window" not in unknown.named.told({"alertname": "Failing"})


def test_our_own_rules_are_told_by_our_own_labels() -> None:
    labels = {"slo": "served", "service": "pages", "severity": "page", "time_scale": "1"}
    ours = alert(branch("1h", "5m"), **labels, long_window="1h", short_window="5m")

    found = alert_in_force(system({"rules": "auto"}), slo(), LoadedRules.of([ours]))

    assert (None, slo()) == (found.named, found.slo)


def test_an_alert_that_is_not_loaded_is_no_reason_to_guess() -> None:
    none = LoadedRules.of([])

    with pytest.raises(PermanentDriverError, match="no alerting rule 'Failing'"):
        alert_in_force(system(NAMED), slo(), none)
    with pytest.raises(PermanentDriverError, match="no alert that pages for served of pages"):
        alert_in_force(system({"rules": "auto"}), slo(), none)


def test_what_the_prediction_takes_for_granted_is_said() -> None:
    other = branch("1h", "5m").replace("answers", "requests").replace("0.01", "0.001")
    rules = LoadedRules.of([alert(f"{other} and sum(rate(requests[5m])) > 1")])

    found = alert_in_force(system(NAMED), slo(), rules)

    assert (
        "Failing fires only while requests over 5m > 1; the prediction takes that to hold",
        'Failing counts requests, requests{code="5xx"}, and served other counters: the prediction'
        " rests on those of the SLO",
        "Failing is written for an objective of 0.999, and served promises 0.99: burn rates are"
        " those of the SLO",
    ) == found.notices
