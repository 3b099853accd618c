"""How the trouble of a run ended: the response's part and the system's, told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from drill_facts import (
    PAGE,
    SLOW_DB,
    at,
    changed,
    default_rubric,
    fact,
    good_run,
    only,
    plus,
    without,
)

from scoring.expectation import Expectation
from scoring.scorecard import ScoreLine, judge
from scoring.timeline import Kind, Timeline
from scoring.verdict import Verdict

COUNTED = "measured-detection@40"


def line(criterion: str, run: Timeline, expectation: Expectation = SLOW_DB) -> ScoreLine:
    lines = judge(run, expectation, default_rubric()).score.lines
    return next(one for one in lines if one.criterion == criterion)


def said(criterion: str, run: Timeline, expectation: Expectation = SLOW_DB) -> tuple[Verdict, str]:
    found = line(criterion, run, expectation)
    return found.verdict, found.reason


def clearing(second: float) -> Timeline:
    """Return the good run with its alert cleared at this second; mitigated at 27.5."""
    others = without(good_run(), Kind.ALERT_RESOLVED)
    kept = only(others, lambda f: f.kind != Kind.FAULT_RECOVERED)
    return plus(kept, fact(Kind.ALERT_RESOLVED, second, **PAGE))


def test_an_alert_that_clears_later_than_theory_allows_is_the_systems_miss() -> None:
    slow = clearing(33.9)

    assert (Verdict.MISSED, "it took 6.4 s, 0.1 s longer than it may") == said("reset", slow)
    assert (Verdict.MET, "") == said("recovered", slow)


def test_an_alert_that_cleared_within_its_declared_time_was_not_late() -> None:
    declared = replace(SLOW_DB, recovered_within=timedelta(seconds=16))

    assert (Verdict.MET, "") == said("reset", clearing(33.9), declared)
    strict = replace(SLOW_DB, recovered_within=timedelta(seconds=15))
    assert Verdict.MISSED == said("reset", clearing(33.9), strict)[0]


def test_a_slow_response_is_not_held_against_the_alert() -> None:
    impatient = replace(SLOW_DB, recovered_within=timedelta(seconds=1))

    assert (Verdict.MET, "") == said("reset", good_run(), impatient)


def test_an_alert_that_never_clears_is_the_systems_miss_where_the_counters_are_well() -> None:
    firing = without(good_run(), Kind.ALERT_RESOLVED)
    burning = changed(firing, COUNTED, resets_predicted_seconds=None)

    assert (Verdict.MISSED, "it did not clear, and by the counters it had to") == said(
        "reset", firing
    )
    assert (Verdict.NOT_APPLICABLE, "by the counters it had no reason to clear") == said(
        "reset", burning
    )
    uncounted = only(firing, lambda f: f.id != COUNTED)
    assert (Verdict.UNKNOWN, "by when it had to clear could not be computed") == said(
        "reset", uncounted
    )
    assert Verdict.MISSED == said("recovered", firing)[0]


def test_without_a_theory_the_reset_is_unknown() -> None:
    uncounted = changed(good_run(), COUNTED, resets_predicted_seconds=None)

    assert (Verdict.UNKNOWN, "by when it had to clear could not be computed") == said(
        "reset", uncounted
    )


def test_alerts_that_could_not_be_read_leave_the_reset_unknown() -> None:
    blind = plus(
        without(good_run(), Kind.ALERT_RESOLVED),
        fact(Kind.MEASUREMENT_FAILED, 45, what="alerts", error="refused"),
    )

    assert (Verdict.UNKNOWN, "the alerts could not be read") == said("reset", blind)


def test_an_alert_that_cleared_before_the_mitigation_was_not_reset_by_it() -> None:
    early = clearing(26)

    assert Verdict.NOT_APPLICABLE == said("reset", early)[0]
    assert (Verdict.MISSED, "the alert cleared, but not by a mitigation") == said(
        "recovered", early
    )


def test_where_nothing_was_mitigated_no_reset_is_asked_for() -> None:
    untouched = without(good_run(), Kind.MITIGATION_STARTED, Kind.MITIGATION_APPLIED)
    running = only(good_run(), lambda f: f.happened_at <= at(25))

    assert (Verdict.NOT_APPLICABLE, "nothing was mitigated that it could clear by") == said(
        "reset", untouched
    )
    assert Verdict.PENDING == said("reset", running)[0]


@pytest.mark.parametrize("criterion", ["mitigated", "recovered"])
@pytest.mark.parametrize(
    ("run", "verdict", "reason"),
    [
        (good_run(), Verdict.MET, ""),
        (
            changed(good_run(), "read-1", present=False),
            Verdict.MISSED,
            "the fault was gone before the alert cleared",
        ),
        (
            without(good_run(), Kind.FAULT_READ),
            Verdict.UNKNOWN,
            "the fault was not read back while the alert cleared",
        ),
    ],
    ids=["in place", "gone", "not read"],
)
def test_a_mitigation_counts_only_while_the_fault_is_in_place(
    criterion: str, run: Timeline, verdict: Verdict, reason: str
) -> None:
    assert (verdict, reason) == said(criterion, run)


def test_a_mitigation_that_is_not_known_to_have_counted_has_no_time_either() -> None:
    unread = without(good_run(), Kind.FAULT_READ)

    assert Verdict.UNKNOWN == said("mitigated-time", unread)[0]


def test_harm_is_not_asked_about_where_nothing_was_done() -> None:
    untouched = without(good_run(), Kind.MITIGATION_STARTED, Kind.MITIGATION_APPLIED)

    assert (Verdict.NOT_APPLICABLE, "nothing was done that could") == said("harmless", untouched)
