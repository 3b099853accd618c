"""The postmortem draft: measured, blameless, honest about what is missing."""

from __future__ import annotations

from dataclasses import replace

from gameday.learning.postmortem import draft
from gameday.model.result import RunResult
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from gameday.testing.results import run_result
from scoring.timeline import Kind, Timeline

PARTS = [
    "Summary",
    "Impact",
    "Timeline",
    "Detection",
    "Root cause",
    "Trigger",
    "Mitigation and recovery",
    "What went well",
    "What went wrong",
    "What is not known",
    "Where luck helped",
    "Surprises",
    "Action items",
]


def test_it_is_a_draft_with_every_part_in_order(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    text = draft(result, timeline, scenario, slo)

    assert "| Status | Draft |" in text
    assert PARTS == [line[3:] for line in text.splitlines() if line.startswith("## ")]


def test_impact_is_what_was_measured(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    text = draft(result, timeline, scenario, slo)

    assert "3.1 % of the error budget of the whole period was spent" in text
    assert "260 of 640 events were bad (40.6 %)" in text
    assert "Prometheus held 0.2 % of the history" in text


def test_impact_is_unknown_where_nothing_was_measured(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    unmeasured = Timeline.of(f for f in timeline if f.kind != Kind.MEASUREMENT)

    text = draft(result, unmeasured, scenario, slo)

    assert "Unknown: the raw counters of checkout-latency could not be read." in text


def test_people_do_not_appear_in_it(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    def named(timeline: Timeline) -> Timeline:
        facts = []
        for fact in timeline:
            data = dict(fact.data)
            if fact.kind == Kind.ACKNOWLEDGED:
                data["by"] = "Ada Byron"
            if data.get("step") == "blame":
                data["summary"] = "last changed by ada@example.org"
                data["detail"] = {"explained": True, "commit": "a" * 40, "author": "Ada Byron"}
            facts.append(replace(fact, data=data))
        return Timeline.of(facts)

    text = draft(result, named(timeline), scenario, slo)

    assert "Ada" not in text
    assert "ada@" not in text
    assert "`aaaaaaaaaaaa` went live before the onset" in text


def test_the_cause_is_told_as_a_failure_of_the_system(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    text = draft(result, timeline, scenario, slo)

    assert "inventory in eu-west depends on db for every request" in text
    assert "No change explains it" in text


def test_a_run_without_a_mitigation_says_so(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    unmitigated = Timeline.of(f for f in timeline if f.kind != Kind.MITIGATION_APPLIED)

    text = draft(result, unmitigated, scenario, slo)

    assert "No mitigation worked." in text


def test_what_was_applied_after_the_mitigation_that_counted_is_not_credited(
    result: RunResult, timeline: Timeline, scenario: Scenario, slo: Slo
) -> None:
    (counted,) = timeline.of_kind(Kind.MITIGATION_APPLIED)
    drained = replace(counted, id="late", data={**counted.data, "name": "drain-region"})

    text = draft(result, Timeline.of([*timeline, drained]), scenario, slo)

    assert "`failover-db` (region eu-west) was applied at" in text
    assert "drain-region` (region eu-west) was applied at" not in text


def test_an_empty_run_still_gives_a_draft(scenario: Scenario, slo: Slo) -> None:
    text = draft(run_result(), Timeline(), scenario, slo)

    assert "Nothing was recorded." in text
