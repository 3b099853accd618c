"""Which events an alert is about is read out of its rule, through what it records."""

from __future__ import annotations

import pytest
from surveyed import alert

from gameday.drafts.shares import EventShare, grouped_by, selectors_of, share_of
from gameday.rules.expression import LabelMatcher, Selector
from gameday.rules.loaded import LoadedRule, LoadedRules

PART = Selector("answers_total", frozenset({LabelMatcher("code", "=~", "5..")}))
ALL = Selector("answers_total", frozenset())
SHARE = 'sum(rate(answers_total{code=~"5.."}[5m])) / sum(rate(answers_total[5m]))'

# Query → whether the part it counts is the good one.
TOLD = {
    "plain": (f"{SHARE} > 0.05", False),
    "one of two windows": (f"{SHARE} > 0.05 and {SHARE.replace('5m', '1h')} > 0.05", False),
    "beside another condition": (f"up == 1 and {SHARE} > 0.05", False),
    "percent": (f"100 * {SHARE} > 5", False),
    "percent behind": (f"({SHARE}) * 100 > 5", False),
    "one less": (f"1 - {SHARE} > 0.05", True),
    "below": (f"{SHARE} < 0.95", True),
    "per service": (
        'sum by (a) (rate(answers_total{code=~"5.."}[5m])) /'
        " sum by (a) (rate(answers_total[5m])) > 0.05",
        False,
    ),
    "compared within": (f"max without (w) ({SHARE} > 0.05)", False),
    "recorded": ("errors:ratio_rate5m > 0.05", False),
}

UNTOLD = {
    "no share": "up == 0",
    "a count": "sum(rate(errors_total[5m])) > 1",
    "recorded nowhere": "others:ratio_rate5m > 0.05",
    "no PromQL": "((( and > [",
}


def loaded(rule: LoadedRule) -> LoadedRules:
    recording = LoadedRule("errors:ratio_rate5m", SHARE, is_alert=False)
    return LoadedRules.of([rule, recording])


@pytest.mark.parametrize("name", TOLD)
def test_the_events_of_a_share_are_told_apart(name: str) -> None:
    query, is_good = TOLD[name]
    rule = alert("A", query)

    assert EventShare(PART, ALL, is_good) == share_of(rule, loaded(rule))


@pytest.mark.parametrize("name", UNTOLD)
def test_what_is_no_share_of_events_is_none(name: str) -> None:
    rule = alert("A", UNTOLD[name])

    assert None is share_of(rule, loaded(rule))


def test_every_selector_of_a_rule_is_found() -> None:
    assert {PART, ALL} == set(selectors_of(alert("A", f"{SHARE} > 0.1 and {SHARE} > 0.2")))
    assert () == selectors_of(alert("A", "((("))


def test_the_labels_that_an_alert_tells_its_series_apart_by_are_found() -> None:
    assert {"a", "b"} == grouped_by(alert("A", "sum by (a, b) (x) > 1 and sum by (a) (y) > 1"))
