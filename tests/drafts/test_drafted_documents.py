"""The drafts: what `gameday validate` says of them, and that they say what was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyed import FAILING, METRIC, alert, surveyed

from gameday.drafts.blanks import Blank, blanks
from gameday.drafts.choice import Choice, Wishes, choose
from gameday.drafts.documents import documents, names_of
from gameday.drafts.survey import Survey
from gameday.rules.found_alerts import counts_as
from gameday.spec import Catalogue, read_scenario, read_slos, read_system, validate_file
from gameday.spec.catalogue import shipped
from scoring.slo import BurnWindow

WISHES = Wishes("bookshop", owner="web", objective_ratio=0.99)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

RULES = {
    "a rule that is read": (FAILING,),
    "a rule with a wait": (alert(FAILING.name, FAILING.query, 2 * MINUTE),),
    "a rule of one window": (alert("F", FAILING.query.partition(" and ")[0]),),
    "a rule that is not read": (alert("F", 'up{proxy="pages"} == 0'),),
    "a wait that OpenSLO cannot say": (alert(FAILING.name, FAILING.query, timedelta(seconds=30)),),
    "no rule": (),
}


def drafted(survey: Survey, wishes: Wishes = WISHES) -> tuple[Choice, dict[str, str]]:
    names = {rule.name for rule in survey.rules.alerts}
    found = choose(survey, replace(wishes, alert=wishes.alert or "".join(names)))
    assert isinstance(found, Choice), found
    return found, documents(found, survey)


def written(folder: Path, texts: dict[str, str]) -> list[Path]:
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


@pytest.mark.parametrize("name", RULES)
def test_every_draft_is_valid(name: str, tmp_path: Path) -> None:
    _, texts = drafted(surveyed(*RULES[name]))
    paths = written(tmp_path, texts)
    catalogue = Catalogue((tmp_path, shipped()))

    assert [] == [p for path in paths for p in validate_file(path, catalogue=catalogue)]


@given(
    service=st.text(min_size=1, max_size=80).filter(lambda text: text.strip()),
    owner=st.text(max_size=20),
    page=st.text(min_size=1, max_size=40).filter(lambda text: text.strip()),
)
def test_whatever_services_alerts_and_teams_are_called_the_drafts_say_it(
    service: str, owner: str, page: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("drafts")
    rule = alert(page, FAILING.query, labels={"service": service})
    survey = surveyed(rule, services={"haproxy": (service,)})
    wishes = Wishes("bookshop", alert=page, owner=owner, objective_ratio=0.99)
    found, texts = drafted(survey, wishes)

    paths = written(folder, texts)

    catalogue = Catalogue((folder, shipped()))
    assert [] == [p for path in paths for p in validate_file(path, catalogue=catalogue)]
    (slo,) = read_slos(folder / f"slos/{names_of(found)['slo']}.yaml")
    system = read_system(folder / "systems/bookshop.yaml")
    assert (service, {"alertname": page}) == (slo.service, system.spec.alerts.page)
    assert owner == system.metadata.owner


def test_the_slo_counts_as_the_alert_does_and_leaves_the_windows_to_it(tmp_path: Path) -> None:
    found, texts = drafted(surveyed(FAILING))
    written(tmp_path, texts)

    (slo,) = read_slos(tmp_path / "slos/pages-availability.yaml")

    assert f'{METRIC}{{proxy="pages"}}' == slo.total_query
    assert f'{METRIC}{{code!="5xx",proxy="pages"}}' == slo.good_query
    assert ("web", 0.99) == (slo.owner, slo.objective.target_ratio)
    assert found.alert is not None
    assert counts_as(slo, found.alert)
    assert "alertPolicies" not in texts["slos/pages-availability.yaml"]


def test_what_could_not_be_read_of_the_alert_is_left_to_people(tmp_path: Path) -> None:
    rule = alert("F", 'up{proxy="pages"} == 0', 90 * timedelta(seconds=1))
    _, texts = drafted(surveyed(rule))
    written(tmp_path, texts)

    (blank,) = blanks(texts["slos/pages-availability.yaml"])
    (slo,) = read_slos(tmp_path / "slos/pages-availability.yaml")

    assert blank.what.startswith("its windows and threshold, for the alert F cannot be read")
    assert (BurnWindow(HOUR, 5 * MINUTE, 14.4, for_=2 * MINUTE),) == slo.windows


def test_without_an_alert_the_system_names_gamedays_rules(tmp_path: Path) -> None:
    _, texts = drafted(surveyed())
    written(tmp_path, texts)

    system = read_system(tmp_path / "systems/bookshop.yaml")
    (slo,) = read_slos(tmp_path / "slos/pages-availability.yaml")

    assert ("gameday", None) == (system.spec.alerts.rules, system.spec.alerts.page)
    assert "PagesAvailabilityBudgetBurn" == slo.alert_name()
    assert f"alert: {slo.alert_name()}" in texts["runbooks/pages-availability.md"]


def test_how_the_tools_are_asked_is_written_and_secrets_are_only_named(tmp_path: Path) -> None:
    access = {
        "bearerToken": {"env": "TOKEN"},
        "headers": {"X-Scope-OrgID": "books"},
        "ca": "ca.pem",
    }
    survey = surveyed(FAILING, access=access)
    _, texts = drafted(survey)
    written(tmp_path, texts)

    spec = read_system(tmp_path / "systems/bookshop.yaml").spec

    assert (survey.prometheus, survey.alertmanager) == (
        spec.metrics.prometheus,
        spec.pages.alertmanager,
    )


def test_another_label_of_services_is_written(tmp_path: Path) -> None:
    _, texts = drafted(surveyed(service_label="backend"))
    written(tmp_path, texts)

    assert "backend" == read_system(tmp_path / "systems/bookshop.yaml").spec.metrics.service_label


def test_the_first_fault_may_stand_longer_than_its_alert_and_people_need(tmp_path: Path) -> None:
    _, texts = drafted(surveyed(FAILING))
    written(tmp_path, texts)
    catalogue = Catalogue((tmp_path, shipped()))

    scenario = read_scenario(tmp_path / "scenarios/pages-first-drill.yaml", catalogue=catalogue)

    # Half of all requests fail: a fifth of the hour until a tenth of it is bad; 5 min until the
    # short window is clean again, and 10 for people.
    assert timedelta(minutes=12 + 5 + 10) == scenario.spec.faults[0].duration


def test_what_is_left_to_people_is_found_by_line() -> None:
    text = "a\n# FILL IN: this\nb FILL IN:  that \nfill in: not meant"

    assert (Blank(2, "this"), Blank(3, "that")) == blanks(text)


def test_every_draft_but_the_slo_leaves_something_to_people() -> None:
    _, texts = drafted(surveyed(FAILING))

    whole = [path for path, text in texts.items() if not blanks(text)]

    assert ["slos/pages-availability.yaml"] == whole


@given(names=st.lists(st.text(min_size=1, max_size=20).filter(str.strip), min_size=2, max_size=12))
def test_whatever_regions_are_called_the_system_names_them(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("drafts")
    told = tuple(sorted(set(names)))
    wishes = replace(WISHES, region_label="dc")

    written(folder, drafted(surveyed(FAILING, labels={"dc": told}), wishes)[1])

    regions = read_system(folder / "systems/bookshop.yaml").spec.regions
    assert regions is not None
    assert ("dc", told) == (regions.label, regions.names)
