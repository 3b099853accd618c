"""What a first drill is about is taken from what was seen, asked for, or refused; never made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from surveyed import FAILING, METRIC, alert, surveyed

from gameday.drafts.choice import Choice, EventCounters, Question, Wishes, choose
from gameday.drafts.findings import findings
from gameday.errors import UsageError
from gameday.rules.burn_alert import UnreadAlert
from gameday.rules.loaded import LoadedRule

WISHES = Wishes("bookshop", objective_ratio=0.99)


def chosen(*rules: LoadedRule, wishes: Wishes = WISHES, **seen: object) -> Choice:
    found = choose(surveyed(*rules, **seen), wishes)  # type: ignore[arg-type]  # of a fake
    assert isinstance(found, Choice), found
    return found


def asked(*rules: LoadedRule, wishes: Wishes = WISHES, **seen: object) -> list[Question]:
    found = choose(surveyed(*rules, **seen), wishes)  # type: ignore[arg-type]  # of a fake
    assert isinstance(found, tuple), found
    return list(found)


def taken(found: Choice) -> LoadedRule | None:
    return found.alert.rule if found.alert is not None else None


def test_the_only_service_and_its_only_alert_are_taken() -> None:
    found = chosen(FAILING, alert("Other", "up == 0"))

    assert ("pages", "haproxy", "proxy") == (found.service, found.source.preset, found.source.label)
    assert FAILING == taken(found)
    assert {"alertname": "PagesFailing"} == found.page


def test_of_several_services_it_is_asked_which() -> None:
    (question,) = asked(services={"haproxy": ("blog", "pages")})

    assert ("--service", ("blog", "pages")) == (question.flag, question.choices)


def test_a_service_that_is_not_there_is_refused_with_the_nearest() -> None:
    wishes = Wishes("x", service="page", objective_ratio=0.99)

    with pytest.raises(UsageError, match="did you mean 'pages'"):
        choose(surveyed(FAILING), wishes)


def test_a_service_that_two_presets_read_is_asked_about() -> None:
    (question,) = asked(services={"haproxy": ("pages",), "prometheus": ("pages",)})

    assert ("--preset", ("haproxy", "prometheus")) == (question.flag, question.choices)


def test_a_prometheus_without_metrics_of_a_preset_is_refused_with_what_was_looked_for() -> None:
    with pytest.raises(UsageError, match=METRIC):
        choose(surveyed(services={}), WISHES)


def test_metrics_that_tell_no_services_apart_are_refused_with_the_label() -> None:
    with pytest.raises(UsageError, match=r"the label proxy.*--service-label"):
        choose(surveyed(services={"haproxy": ()}), WISHES)


def test_alerts_of_the_service_that_could_not_be_taken_are_named() -> None:
    (note,) = chosen(alert("Down", 'up{proxy="pages"} == 0')).notes

    assert "Down; --alert takes one all the same" in note


def test_every_branch_of_an_alert_is_told() -> None:
    slow = FAILING.query.replace("1h", "6h").replace("5m", "30m").replace("0.1", "0.05")

    found = chosen(alert("Burn", f"({FAILING.query}) or ({slow})"))

    assert (
        "Burn: fires above 10 % bad over 1h and over 5m (a burn rate of 10), or 5 % bad over 6h and"
        " over 30m (a burn rate of 5)"
    ) == dict(findings(found, surveyed()))["alert"]


def test_of_several_alerts_that_page_it_is_asked_which() -> None:
    other = alert("PagesBurning", FAILING.query)

    (question,) = asked(FAILING, other)

    assert ("--alert", ("PagesFailing", "PagesBurning")) == (question.flag, question.choices)


def test_an_alert_that_wakes_nobody_or_is_of_another_service_is_not_meant() -> None:
    ticket = alert("Ticket", FAILING.query, labels={"severity": "ticket"})
    other = alert("Blog", FAILING.query.replace("pages", "blog"))

    assert FAILING == taken(chosen(ticket, other, FAILING))


def test_without_an_alert_gamedays_own_rules_are_proposed() -> None:
    found = chosen(alert("Down", 'up{proxy="pages"} == 0'))

    assert (None, {}) == (found.alert, found.page)
    assert "gameday's own rules" in dict(findings(found, surveyed()))["alert"]


def test_the_alert_that_is_named_is_taken_though_it_cannot_be_read() -> None:
    down = alert("Down", 'up{proxy="pages"} == 0')
    wishes = Wishes("x", alert="Down", objective_ratio=0.99)

    found = chosen(FAILING, down, wishes=wishes)

    assert down == taken(found)
    assert isinstance(found.alert, UnreadAlert)
    assert "cannot be read" in dict(findings(found, surveyed()))["alert"]


def test_an_alert_that_is_not_in_force_is_refused_with_the_nearest() -> None:
    wishes = Wishes("x", alert="PagesFailin", objective_ratio=0.99)

    with pytest.raises(UsageError, match="did you mean 'PagesFailing'"):
        choose(surveyed(FAILING), wishes)


def test_a_page_is_told_from_a_ticket_of_the_same_name_by_as_little_as_it_takes() -> None:
    page = alert("Burn", FAILING.query, labels={"sloth_severity": "page", "team": "web"})
    ticket = alert("Burn", "x", labels={"sloth_severity": "ticket", "team": "web"})

    found = chosen(ticket, page)

    assert {"alertname": "Burn", "sloth_severity": "page"} == found.page


def test_an_alert_that_tells_services_apart_itself_is_narrowed_to_the_one() -> None:
    every = alert(
        "Failing",
        f'sum by (proxy) (rate({METRIC}{{code="5xx"}}[5m])) / sum by (proxy) (rate({METRIC}[5m]))'
        " > 0.05",
    )

    found = chosen(every)

    assert {"alertname": "Failing", "proxy": "pages"} == found.page
    assert (
        EventCounters(f'{METRIC}{{proxy="pages"}}', good=f'{METRIC}{{code!="5xx",proxy="pages"}}')
        == found.counters
    )


def test_the_good_events_are_counted_where_one_condition_makes_the_bad_ones() -> None:
    found = chosen(FAILING)

    assert f'{METRIC}{{code!="5xx",proxy="pages"}}' == found.counters.good
    assert "" == found.counters.bad


def test_an_alert_of_two_counters_of_their_own_keeps_them() -> None:
    rule = alert(
        "Failing",
        'sum(rate(failed{proxy="pages"}[5m])) / sum(rate(tried{proxy="pages"}[5m])) > 0.05',
    )

    found = chosen(rule)

    assert ('failed{proxy="pages"}', "") == (found.counters.bad, found.counters.good)


def test_the_presets_counters_are_taken_where_the_alert_counts_no_events() -> None:
    rule = alert("Burn", 'max(avg_over_time(unwell{proxy="pages"}[5m])) > 0.1')

    assert f'{METRIC}{{proxy="pages"}}' == chosen(rule).counters.total


def test_the_promise_is_read_out_of_the_rule_where_it_stands_there() -> None:
    rule = alert("Burn", FAILING.query.replace("0.1", "(14.4 * 0.001)"))

    assert 0.999 == chosen(rule, wishes=Wishes("x")).objective_ratio


def test_a_promise_that_stands_nowhere_is_asked_for_and_not_made_up() -> None:
    (question,) = asked(FAILING, wishes=Wishes("x"))

    assert "--objective" == question.flag


def test_every_question_that_is_left_is_asked_at_once() -> None:
    other = alert("PagesBurning", FAILING.query)

    questions = asked(FAILING, other, wishes=Wishes("x"))

    assert ["--alert", "--objective"] == [q.flag for q in questions]


def test_a_condition_that_no_slo_can_say_is_a_notice() -> None:
    rule = alert("Failing", f"{FAILING.query} and sum(rate(b[5m])) > 1")

    (note,) = chosen(rule).notes

    assert "b over 5m > 1" in note


def test_what_was_seen_is_told_with_the_burn_rate_and_whom_the_alert_reaches() -> None:
    rule = alert(FAILING.name, FAILING.query, timedelta(minutes=2), {"team": "web"})
    routes = {
        "route": {
            "receiver": "all",
            "routes": [{"receiver": "web-oncall", "matchers": ['team="web"']}],
        }
    }
    survey = surveyed(rule, routes=routes)
    found = chosen(rule)

    told = dict(findings(found, survey))

    assert (
        "PagesFailing: fires above 10 % bad over 1h and over 5m (a burn rate of 10), for 2m"
        == told["alert"]
    )
    assert "PagesFailing goes to 'web-oncall', by the labels its rule has" == told["page"]


TOLD_APART = {"datacenter": ("eu", "us"), "zone": ("a", "b", "c")}


def test_regions_are_those_of_the_only_label_that_tells_some_apart() -> None:
    found = chosen(FAILING, labels={"datacenter": ("eu", "us"), "zone": ("a",)})

    assert found.regions is not None
    assert ("datacenter", ("eu", "us")) == (found.regions.label, found.regions.names)
    assert () == found.notes


def test_of_several_labels_that_tell_regions_apart_it_is_asked_which() -> None:
    (question,) = asked(FAILING, labels=TOLD_APART)

    assert ("--region-label", ("datacenter", "zone", "none")) == (question.flag, question.choices)


@pytest.mark.parametrize(("label", "names"), [("zone", ("a", "b", "c")), ("none", None)])
def test_who_says_which_label_is_not_asked(label: str, names: tuple[str, ...] | None) -> None:
    found = chosen(FAILING, labels=TOLD_APART, wishes=replace(WISHES, region_label=label))

    assert names == (found.regions.names if found.regions is not None else None)


def test_a_label_that_is_asked_for_may_be_called_anything_and_hold_one_value() -> None:
    wishes = replace(WISHES, region_label="cell")

    found = chosen(FAILING, labels={"cell": ("", "c1")}, wishes=wishes)

    assert found.regions is not None
    assert ("c1",) == found.regions.names


def test_a_label_that_no_request_bears_is_refused() -> None:
    wishes = replace(WISHES, region_label="cell")

    with pytest.raises(UsageError, match="no requests of 'pages' bear a label 'cell'"):
        choose(surveyed(FAILING, labels={"cell": ("",)}), wishes)


def test_regions_that_only_the_nodes_have_are_said_and_not_made_up() -> None:
    found = chosen(FAILING, places=(("eu", "us"),))

    (note,) = found.notes
    assert None is found.regions
    assert "the nodes are in eu, us, and no label of the metrics of pages" in note


def test_nodes_of_one_place_are_nothing_to_say() -> None:
    assert () == chosen(FAILING, places=(("eu",), ("eu-1",))).notes
