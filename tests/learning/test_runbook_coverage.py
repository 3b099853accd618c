"""Which alerts have a runbook that somebody keeps, and which drill last exercised each."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gameday.learning.runbook_coverage import coverage_of
from gameday.model.alerting_rule import AlertingRule
from gameday.model.runbook import Owner, Runbook
from gameday.model.runbook_coverage import CoveredAlert, DrilledAlerts, Standing
from scoring.verdict import RunVerdict

OWNED = Owner("On-call", "shop", "#shop")
DOWN = Runbook("down", "runbooks/down.md", "", alert="Down", owner=OWNED)
NOBODYS = Runbook("full", "runbooks/full.md", "", alert="Full")


def rule(name: str, url: str = "", line: int = 1) -> AlertingRule:
    annotations = {"runbook_url": url} if url else {}
    return AlertingRule(name, "rules.yaml", line, annotations=annotations)


def only(*rules: AlertingRule, runbooks: tuple[Runbook, ...] = (DOWN, NOBODYS)) -> CoveredAlert:
    (alert,) = coverage_of(rules, runbooks, ()).alerts
    return alert


@pytest.mark.parametrize(
    ("name", "url", "standing", "runbook"),
    [
        ("Down", "https://runbooks.example/down", Standing.COVERED, "runbooks/down.md"),
        ("Down", "https://e.example/x/blob/main/Down.md?a#b", Standing.COVERED, "runbooks/down.md"),
        ("Down", "", Standing.COVERED, "runbooks/down.md"),
        ("Down", "runbooks/down.md", Standing.UNREACHABLE, "runbooks/down.md"),
        ("Full", "", Standing.NO_OWNER, "runbooks/full.md"),
        ("Lost", "", Standing.NO_RUNBOOK, ""),
        ("Lost", "https://wiki.example/lost", Standing.ELSEWHERE, "https://wiki.example/lost"),
    ],
)
def test_an_alert_stands_by_its_runbook(
    name: str, url: str, standing: Standing, runbook: str
) -> None:
    alert = only(rule(name, url))

    assert (standing, runbook) == (alert.standing, alert.runbook)


def test_the_rules_of_one_name_are_one_alert_with_all_their_places() -> None:
    alert = only(rule("Down", line=3), rule("Down", "https://e.example/down", line=9))

    assert ("rules.yaml:3", "rules.yaml:9") == alert.places
    assert ("On-call", True) == (alert.owner, alert.is_covered)


def test_of_two_runbooks_of_one_name_the_folder_of_the_address_decides() -> None:
    other = Runbook("down", "runbooks/db/down.md", "", owner=OWNED)

    alert = only(rule("Down", "https://e.example/db/down"), runbooks=(DOWN, other))

    assert "runbooks/db/down.md" == alert.runbook


def test_a_runbook_of_no_alert_is_told() -> None:
    assert ["runbooks/full.md"] == coverage_of([rule("Down")], [DOWN, NOBODYS], ()).idle


def drill(run: str, day: int, *alerts: str) -> DrilledAlerts:
    at = datetime(2026, 11, day, tzinfo=UTC)
    return DrilledAlerts(run, "slow-db", at, RunVerdict.MISSED, frozenset(alerts))


def test_the_newest_drill_that_made_it_fire_is_the_last_that_exercised_it() -> None:
    drills = [drill("a", 1, "Down"), drill("b", 3, "Down"), drill("c", 9, "Full")]

    found = coverage_of([rule("Down"), rule("Lost")], [DOWN], drills)

    down, lost = found.alerts
    assert ("b", None) == (down.exercised and down.exercised.run, lost.exercised)
    assert [lost] == found.never_exercised == found.lacking
