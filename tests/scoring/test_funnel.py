from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from drill_facts import (
    PAGE,
    SLOW_DB,
    at,
    changed,
    fact,
    finding,
    good_run,
    measured,
    only,
    plus,
    without,
)

from scoring.expectation import Culprit, Expectation
from scoring.finding import ExpectedFinding
from scoring.form import to_json
from scoring.funnel import PHASES, PhaseResult, StepResult, judge_funnel, phases
from scoring.timeline import Kind, Timeline
from scoring.verdict import Verdict, worst

HUMAN = [p for p in PHASES if p not in ("paged", "postmortem")]


def verdicts(timeline: Timeline, expectation: Expectation = SLOW_DB) -> dict[str, Verdict]:
    return {name: phase.verdict for name, phase in phases(timeline, expectation).items()}


def step_of(timeline: Timeline, step: str, expectation: Expectation = SLOW_DB) -> StepResult:
    return next(s for s in judge_funnel(timeline, expectation) if s.step == step)


# --- phases: the clock --------------------------------------------------------------------------


def test_a_good_run_meets_every_phase_and_its_postmortem_is_pending() -> None:
    found = phases(good_run(), SLOW_DB)

    assert {name: phase.verdict for name, phase in found.items()} == {
        **dict.fromkeys(PHASES, Verdict.MET),
        "postmortem": Verdict.PENDING,
    }
    assert list(PHASES) == list(found)
    assert pytest.approx(0.5) == found["acked"].seconds_from_page
    assert pytest.approx(8.5) == found["mitigated"].seconds_from_page
    assert pytest.approx(14.5) == found["recovered"].seconds_from_page
    # Page to mitigation 9 s, and 1.25 times the recomputed 5 s.
    assert pytest.approx(9.0 + 6.25) == found["recovered"].target_seconds


@pytest.mark.parametrize(
    ("phase", "kind", "step", "late"),
    [
        ("acked", Kind.ACKNOWLEDGED, "", 49),
        ("red", Kind.FINDING, "red", 79),
        ("trace", Kind.FINDING, "trace", 109),
        ("profile", Kind.FINDING, "profile", 139),
        ("blame", Kind.FINDING, "blame", 169),
    ],
)
def test_a_phase_after_its_target_is_missed(phase: str, kind: str, step: str, late: float) -> None:
    timeline = only(
        good_run(), lambda f: f.kind != kind or f.data.get("step", "") not in (step, "")
    )
    timeline = only(timeline, lambda f: f.kind != kind or bool(step))

    found = phases(plus(timeline, fact(kind, late, step=step)), SLOW_DB)[phase]

    assert found.verdict is Verdict.MISSED
    assert "0.5 s late" == found.reason


def test_what_never_happened_is_missed_once_the_run_is_over() -> None:
    found = phases(without(good_run(), Kind.ACKNOWLEDGED), SLOW_DB)["acked"]

    assert (Verdict.MISSED, "it did not happen") == (found.verdict, found.reason)
    assert found.at is None


def test_what_is_not_due_yet_is_pending_while_the_run_goes_on() -> None:
    running = only(good_run(), lambda f: f.happened_at <= at(18.6))

    found = verdicts(running)

    assert found["paged"] is Verdict.MET
    assert {Verdict.PENDING} == {found[p] for p in HUMAN}


def test_what_was_due_is_missed_while_the_run_goes_on() -> None:
    running = only(good_run(), lambda f: f.happened_at <= at(18.6))

    found = phases(running, SLOW_DB, now=at(60))

    assert found["acked"].verdict is Verdict.MISSED
    assert found["red"].verdict is Verdict.PENDING


def test_a_run_cut_short_holds_nothing_against_the_responder() -> None:
    cut = plus(
        only(good_run(), lambda f: f.happened_at <= at(18.6)),
        fact(Kind.RUN_ABORTED, 19, reason="burn rate above the limit"),
    )

    assert {Verdict.NOT_APPLICABLE} == {verdicts(cut)[p] for p in HUMAN}


def test_where_silence_is_expected_no_phase_applies() -> None:
    silent = replace(SLOW_DB, alert=None)

    assert {Verdict.NOT_APPLICABLE} == set(verdicts(good_run(), silent).values())


def test_a_step_that_the_target_has_no_instrument_for_does_not_apply() -> None:
    blind = plus(good_run(), fact(Kind.PLAN_MADE, -11, absent=["trace", "profile"]))

    found = phases(blind, SLOW_DB)

    assert {name for name, p in found.items() if p.verdict is Verdict.NOT_APPLICABLE} == {
        "trace",
        "profile",
    }
    assert "the target has no instrument for it" == step_of(blind, "trace").reason
    assert Verdict.MET == found["mitigated"].verdict


def test_without_a_responder_only_the_page_is_judged() -> None:
    alone = changed(good_run(), "run.started@-12", responder="none")

    found = verdicts(alone)

    assert found["paged"] is Verdict.MET
    assert {Verdict.NOT_APPLICABLE} == {found[p] for p in HUMAN}


@pytest.mark.parametrize("age", [3500, 3700])
def test_a_postmortem_has_an_hour(age: float) -> None:
    drafted = plus(good_run(), fact(Kind.POSTMORTEM_DRAFTED, age, path="x.md"))

    expected = Verdict.MET if age < 3600 else Verdict.MISSED

    assert expected == verdicts(drafted)["postmortem"]
    assert Verdict.MISSED == phases(good_run(), SLOW_DB, now=at(7200))["postmortem"].verdict


# --- phases: the page ---------------------------------------------------------------------------


def test_an_alert_without_a_page_is_a_page_missed() -> None:
    found = phases(without(good_run(), Kind.PAGE_RECEIVED), SLOW_DB)

    assert (Verdict.MISSED, "the alert fired, no page came") == (
        found["paged"].verdict,
        found["paged"].reason,
    )
    assert found["acked"].verdict is Verdict.NOT_APPLICABLE


def test_a_page_that_is_not_there_yet_is_pending_and_so_is_all_that_follows() -> None:
    started = only(good_run(), lambda f: f.happened_at <= at(5))

    assert {Verdict.PENDING} == set(verdicts(started).values())


def test_no_alert_and_no_page_by_the_end_is_missed() -> None:
    silent = only(good_run(), lambda f: not 0 < (f.happened_at - at(0)).total_seconds() < 35)

    assert verdicts(silent)["paged"] is Verdict.MISSED


def test_no_page_in_a_run_cut_short_is_held_against_nobody() -> None:
    cut = plus(
        only(good_run(), lambda f: f.happened_at <= at(5)), fact(Kind.RUN_ABORTED, 6, reason="x")
    )

    assert {Verdict.NOT_APPLICABLE} == set(verdicts(cut).values())


def test_a_page_that_nobody_could_have_read_about_is_unknown() -> None:
    blind = plus(
        only(good_run(), lambda f: not 0 < (f.happened_at - at(0)).total_seconds() < 35),
        fact(Kind.MEASUREMENT_FAILED, 50, what="alerts", error="connection refused"),
    )

    assert {Verdict.UNKNOWN} == set(verdicts(blind).values())


def test_nothing_at_all_is_pending() -> None:
    assert {Verdict.PENDING} == set(verdicts(Timeline()).values())


@pytest.mark.parametrize(
    "other",
    [
        {"slo": "another"},
        {"severity": "ticket"},
        {"alert": "KnownNeighbour"},
    ],
)
def test_alerts_that_are_not_awaited_are_not_looked_at(other: dict[str, Any]) -> None:
    expectation = replace(SLOW_DB, collateral=("KnownNeighbour",))
    others = [
        fact(Kind.ALERT_FIRED, 2, **{**PAGE, **other}),
        fact(Kind.PAGE_RECEIVED, 2.5, **{**PAGE, **other}),
    ]

    found = phases(Timeline.of([*others, *good_run()]), expectation)["paged"]

    assert at(18.5) == found.at


def test_a_page_from_before_the_injection_does_not_count() -> None:
    early = Timeline.of([fact(Kind.PAGE_RECEIVED, -5, **PAGE), *good_run()])

    assert at(18.5) == phases(early, SLOW_DB)["paged"].at


# --- phases: mitigated and recovered --------------------------------------------------------------


def outcome(
    timeline: Timeline, expectation: Expectation = SLOW_DB
) -> tuple[PhaseResult, PhaseResult]:
    found = phases(timeline, expectation)
    return found["mitigated"], found["recovered"]


def test_an_alert_that_clears_because_the_fault_ran_out_was_not_mitigated() -> None:
    expired = plus(
        without(good_run(), Kind.FAULT_READ, Kind.FAULT_RECOVERED),
        fact(Kind.FAULT_READ, 28, "read-1", undo="u1", present=True),
        fact(Kind.FAULT_RECOVERED, 30, undo="u1", by="expired"),
    )

    mitigated, recovered = outcome(expired)

    assert mitigated.verdict is Verdict.MISSED
    assert recovered.verdict is Verdict.MISSED
    assert "the fault was gone before the alert cleared" == recovered.reason
    assert "fault.recovered@30" in recovered.evidence


def test_a_fault_read_as_gone_after_the_mitigation_was_not_mitigated() -> None:
    gone = changed(good_run(), "read-1", present=False)

    assert [Verdict.MISSED] * 2 == [p.verdict for p in outcome(gone)]


def test_a_fault_first_seen_gone_after_the_alert_had_cleared_leaves_a_doubt() -> None:
    gone = changed(good_run(), "read-2", present=False)

    assert [Verdict.UNKNOWN] * 2 == [p.verdict for p in outcome(gone)]


def test_a_fault_that_was_not_read_back_leaves_a_doubt() -> None:
    unread = without(good_run(), Kind.FAULT_READ)
    unreadable = changed(changed(good_run(), "read-1", present=None), "read-2", present=None)
    unnoticed = without(unread, Kind.FAULT_RECOVERED)

    for timeline in (unread, unreadable, unnoticed):
        assert [Verdict.UNKNOWN] * 2 == [p.verdict for p in outcome(timeline)]


def test_a_mitigation_may_take_the_cause_itself_away_if_the_target_says_so() -> None:
    rolled_back = plus(
        without(good_run(), Kind.FAULT_READ, Kind.FAULT_RECOVERED),
        fact(Kind.FAULT_READ, 20, "early", undo="u1", present=True, by="mitigation"),
        fact(Kind.FAULT_RECOVERED, 28, undo="u1", by="mitigation"),
    )

    assert [Verdict.MET] * 2 == [p.verdict for p in outcome(rolled_back)]


def test_one_of_two_faults_still_in_place_is_enough() -> None:
    both = plus(
        good_run(),
        fact(Kind.FAULT_READ, 28, "other", undo="u2", present=False),
        fact(Kind.FAULT_READ, 20, "before", undo="u3", present=True),
    )

    assert [Verdict.MET] * 2 == [p.verdict for p in outcome(both)]


def test_an_alert_that_never_clears_was_mitigated_but_not_recovered() -> None:
    mitigated, recovered = outcome(without(good_run(), Kind.ALERT_RESOLVED))

    assert mitigated.verdict is Verdict.MET
    assert (Verdict.MISSED, "it did not happen") == (recovered.verdict, recovered.reason)


def test_an_alert_clears_with_its_last_branch() -> None:
    slow = {**PAGE, "long": "6h", "short": "30m"}
    both = plus(good_run(), fact(Kind.ALERT_FIRED, 25, **slow))

    assert outcome(both)[1].at is None
    assert outcome(plus(both, fact(Kind.ALERT_RESOLVED, 34, **slow)))[1].at == at(34)


def test_a_resolved_webhook_alone_is_no_recovery() -> None:
    # Alertmanager resolves what it no longer hears of, as when Prometheus is down.
    blind = plus(
        without(good_run(), Kind.ALERT_RESOLVED),
        fact(Kind.PAGE_RESOLVED, 33, **PAGE),
        fact(Kind.MEASUREMENT_FAILED, 45, what="alerts", error="connection refused"),
    )

    recovered = outcome(blind)[1]

    assert (Verdict.UNKNOWN, "the alerts could not be read") == (
        recovered.verdict,
        recovered.reason,
    )


def test_a_reading_that_succeeds_again_ends_the_blindness() -> None:
    seen = plus(
        without(good_run(), Kind.ALERT_RESOLVED),
        fact(Kind.MEASUREMENT_FAILED, 45, what="alerts", error="connection refused"),
        measured("burn_rate", 46, values={}),
    )

    assert outcome(seen)[1].verdict is Verdict.MISSED


def test_an_alert_known_from_its_page_alone_has_an_unknown_recovery() -> None:
    assert (
        outcome(without(good_run(), Kind.ALERT_FIRED, Kind.ALERT_RESOLVED))[1].verdict
        is Verdict.UNKNOWN
    )


def test_recovering_too_late_is_missed() -> None:
    late = only(good_run(), lambda f: f.kind not in (Kind.ALERT_RESOLVED, Kind.FAULT_RECOVERED))
    late = plus(late, fact(Kind.ALERT_RESOLVED, 33.9, **PAGE))

    assert outcome(late)[1].verdict is Verdict.MISSED


def test_recovering_is_judged_by_a_declared_time_where_there_is_one() -> None:
    strict = replace(SLOW_DB, recovered_within=timedelta(seconds=14))

    recovered = outcome(good_run(), strict)[1]

    assert (Verdict.MISSED, 14.0) == (recovered.verdict, recovered.target_seconds)


def test_recovering_is_not_late_before_the_unluckiest_phase_of_the_grid() -> None:
    known = outcome(good_run())[1].target_seconds
    coarse = changed(good_run(), "measured-detection@40", resets_upper_seconds=9.0)

    recovered = outcome(coarse)[1]

    # 5.0 s with the margin are 6.25 s.
    assert known is not None
    assert known + 9.0 - 6.25 == recovered.target_seconds


def test_recovering_without_a_computed_reset_is_unknown() -> None:
    uncounted = changed(good_run(), "measured-detection@40", resets_predicted_seconds=None)

    recovered = outcome(uncounted)[1]

    assert (Verdict.UNKNOWN, None) == (recovered.verdict, recovered.target_seconds)


def test_clearing_without_any_mitigation_is_missed() -> None:
    untouched = without(good_run(), Kind.MITIGATION_STARTED, Kind.MITIGATION_APPLIED)

    mitigated, recovered = outcome(untouched)

    assert (Verdict.MISSED, Verdict.MISSED) == (mitigated.verdict, recovered.verdict)
    assert "the alert cleared, but not by a mitigation" == recovered.reason


def test_clearing_before_the_mitigation_is_missed() -> None:
    early = plus(without(good_run(), Kind.ALERT_RESOLVED), fact(Kind.ALERT_RESOLVED, 26, **PAGE))

    assert outcome(early)[1].verdict is Verdict.MISSED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ok": False}, "'failover-db' failed"),
        ({"ok": False, "detail": "no such region"}, "'failover-db' failed: no such region"),
        ({"name": "drain-region"}, "'drain-region' is not a mitigation expected here"),
        (
            {"parameters": {"region": "us-east"}},
            "'failover-db' was applied to us-east, where the fault is not",
        ),
    ],
)
def test_a_mitigation_counts_if_it_worked_is_expected_and_in_its_place(
    change: dict[str, Any], reason: str
) -> None:
    other = changed(good_run(), "mitigation.applied@27.5", **change)

    mitigated = outcome(other)[0]

    assert mitigated.verdict is Verdict.MISSED
    assert reason == mitigated.reason


def test_any_mitigation_counts_where_none_is_named() -> None:
    free = replace(SLOW_DB, mitigations=())
    other = changed(good_run(), "mitigation.applied@27.5", name="drain-region")

    assert outcome(other, free)[0].verdict is Verdict.MET


def test_a_wrong_mitigation_leaves_time_for_the_right_one() -> None:
    tried = changed(
        only(good_run(), lambda f: f.happened_at <= at(27.5)),
        "mitigation.applied@27.5",
        name="drain-region",
    )

    assert outcome(tried)[0].verdict is Verdict.PENDING


# --- findings: the truth --------------------------------------------------------------------------


def test_every_finding_of_a_good_run_is_right() -> None:
    found = judge_funnel(good_run(), SLOW_DB)

    assert {"red", "trace", "profile", "blame", "mitigate"} == {s.step for s in found}
    assert {Verdict.MET} == {s.verdict for s in found}
    assert at(19.2) == found[0].opened_at
    assert ExpectedFinding(service="inventory", downstream="db") == found[1].expected


def test_a_link_opened_by_nobody_known_is_not_the_responders_opening() -> None:
    preview = fact(Kind.LINK_OPENED, 18.5, "preview", link="red", attributed=False)
    timeline = Timeline.of([preview, *good_run()])

    assert at(19.2) == judge_funnel(timeline, SLOW_DB)[0].opened_at


DEPLOY = replace(
    SLOW_DB,
    culprit=Culprit("checkout", region="us-east", function="Order.price", commit="0123456789ab"),
)


@pytest.mark.parametrize(
    ("step", "expectation", "detail", "reason"),
    [
        ("red", SLOW_DB, {}, "it does not say which of rate, errors and duration moved"),
        ("red", DEPLOY, {"moved": ["errors"], "region": "eu-west"}, "names region"),
        ("red", DEPLOY, {"moved": ["errors"], "region": None}, ""),
        ("trace", SLOW_DB, {"service": "checkout", "downstream": "db"}, "names service 'checkout'"),
        ("trace", SLOW_DB, {"service": "inventory"}, "names downstream None, not 'db'"),
        ("trace", DEPLOY, {"service": "checkout", "downstream": ""}, "names region None"),
        ("trace", DEPLOY, {"service": "checkout", "region": "us-east"}, ""),
        ("profile", SLOW_DB, {"function": "recv"}, ""),
        ("profile", SLOW_DB, {"waiting_in": "SELECT stock"}, ""),
        ("profile", SLOW_DB, {}, "names neither a function nor what is waited for"),
        ("profile", DEPLOY, {"function": "price"}, ""),
        ("profile", DEPLOY, {"function": "shop.checkout.Order.price"}, ""),
        ("profile", DEPLOY, {"function": "Order.prices"}, "names function 'Order.prices'"),
        ("profile", DEPLOY, {"off_cpu": True}, "names function None"),
        ("blame", SLOW_DB, {"explained": True, "commit": "abc"}, "accuses abc"),
        ("blame", SLOW_DB, {}, "accuses a change"),
        ("blame", DEPLOY, {"explained": True, "commit": "0123456"}, ""),
        ("blame", DEPLOY, {"explained": True, "commit": "0123456789abcdef"}, ""),
        ("blame", DEPLOY, {"explained": True, "commit": "012345"}, "names commit '012345'"),
        ("blame", DEPLOY, {"explained": True, "commit": "fffffff"}, "names commit 'fffffff'"),
        ("blame", DEPLOY, {"explained": False}, "names commit ''"),
        (
            "blame",
            DEPLOY,
            {"explained": True, "commit": None, "commits": ["f" * 40, "0123456789abcdef"]},
            "lists 2 commits, '0123456789ab' among them, and names none",
        ),
        (
            "blame",
            DEPLOY,
            {"explained": True, "commit": None, "commits": ["f" * 40]},
            "lists 1 commit, and not '0123456789ab', and names none",
        ),
        ("mitigate", SLOW_DB, {"mitigation": None}, "chose None, not failover-db"),
    ],
)
def test_a_finding_is_compared_with_the_culprit(
    step: str, expectation: Expectation, detail: dict[str, Any], reason: str
) -> None:
    timeline = plus(good_run(), finding(step, 26, **detail))

    found = step_of(timeline, step, expectation)

    assert reason in found.reason and bool(reason) == bool(found.reason)
    assert (Verdict.MISSED if reason else Verdict.MET) == found.verdict


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("red", {"region": "us-east"}),
        ("trace", {"service": "checkout", "downstream": None, "region": "us-east"}),
        ("profile", {"function": "Order.price"}),
        ("blame", {"commit": "0123456789ab"}),
        ("mitigate", {"mitigation": ["failover-db"]}),
    ],
)
def test_a_step_shows_what_had_to_be_found(step: str, expected: dict[str, Any]) -> None:
    assert expected == step_of(good_run(), step, DEPLOY).expected.to_json()


def test_without_a_declared_culprit_only_red_is_judged() -> None:
    free = replace(SLOW_DB, culprit=None, mitigations=())

    found = {s.step: s.verdict for s in judge_funnel(good_run(), free)}

    assert found.pop("red") is Verdict.MET
    assert {Verdict.NOT_APPLICABLE} == set(found.values())


def test_swapping_the_culprit_changes_the_verdict_and_not_the_finding() -> None:
    swapped = replace(SLOW_DB, culprit=Culprit("storefront", "checkout"))

    right, wrong = step_of(good_run(), "trace"), step_of(good_run(), "trace", swapped)

    assert right.finding == wrong.finding
    assert (Verdict.MET, Verdict.MISSED) == (right.verdict, wrong.verdict)


def test_the_latest_finding_of_a_step_counts() -> None:
    corrected = plus(
        changed(good_run(), "finding.recorded@22", detail={"service": "checkout"}),
        finding("trace", 26, service="inventory", downstream="db"),
    )

    assert step_of(corrected, "trace").verdict is Verdict.MET


def test_a_step_without_a_finding_is_missed_at_the_end_and_pending_before() -> None:
    over = only(good_run(), lambda f: f.data.get("step") != "trace")
    running = only(good_run(), lambda f: f.happened_at <= at(19))

    assert (Verdict.MISSED, "no finding was given") == (
        step_of(over, "trace").verdict,
        step_of(over, "trace").reason,
    )
    assert step_of(running, "trace").verdict is Verdict.PENDING


def test_where_silence_is_expected_no_step_applies() -> None:
    silent = replace(SLOW_DB, alert=None)

    assert {Verdict.NOT_APPLICABLE} == {s.verdict for s in judge_funnel(good_run(), silent)}


def test_phases_and_steps_travel_as_json() -> None:
    phase = to_json(phases(good_run(), SLOW_DB)["acked"])
    missing = to_json(phases(good_run(), SLOW_DB)["postmortem"])
    step = to_json(step_of(good_run(), "blame"))
    unfound = to_json(step_of(without(good_run(), Kind.FINDING), "red"))

    assert ("2026-03-02T10:00:19+00:00", "met") == (phase["at"], phase["verdict"])
    assert (None, 3600.0) == (missing["at"], missing["target_seconds"])
    assert (None, {"explained": False}) == (step["opened_at"], step["expected"])
    assert {"explained": False, "commit": None} == step["finding"]["detail"]
    assert unfound["finding"] is None and unfound["opened_at"] == at(19.2).isoformat()


@pytest.mark.parametrize(
    ("together", "verdict"),
    [
        ([Verdict.MET, Verdict.MET], Verdict.MET),
        ([Verdict.MET, Verdict.UNKNOWN], Verdict.UNKNOWN),
        ([Verdict.UNKNOWN, Verdict.MISSED], Verdict.MISSED),
        ([Verdict.PENDING, Verdict.MET], Verdict.PENDING),
        ([Verdict.NOT_APPLICABLE, Verdict.MET], Verdict.MET),
        ([Verdict.NOT_APPLICABLE], Verdict.NOT_APPLICABLE),
        ([], Verdict.NOT_APPLICABLE),
    ],
)
def test_verdicts_together_are_as_good_as_the_worst(
    together: list[Verdict], verdict: Verdict
) -> None:
    assert verdict == worst(together)
