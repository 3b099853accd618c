"""Pages that came late, for something else, again and again, or outside the fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from drill_facts import (
    ALERT,
    PAGE,
    SLOW_DB,
    at,
    changed,
    default_rubric,
    fact,
    good_run,
    measured,
    only,
    plus,
    without,
)

from scoring.expectation import Expectation
from scoring.paging import PAGE_CHECKS, PageCheck
from scoring.scorecard import judge
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict, Verdict

SILENT = replace(SLOW_DB, alert=None, culprit=None, mitigations=())
CART = {"alert": "CartBudgetBurn", "slo": "cart-latency", "service": "cart", "severity": "page"}


def page(
    seconds: float, fact_id: str = "", *, long: str = "1h", fired: float | None = None
) -> Fact:
    began = at(seconds - 0.5 if fired is None else fired).isoformat()
    return fact(Kind.PAGE_RECEIVED, seconds, fact_id, **{**PAGE, "long": long}, starts_at=began)


def fired(seconds: float, long: str = "1h") -> Fact:
    return fact(Kind.ALERT_FIRED, seconds, f"fired-{long}@{seconds}", **{**PAGE, "long": long})


def check(timeline: Timeline, name: str, expectation: Expectation = SLOW_DB) -> PageCheck:
    return judge(timeline, expectation, default_rubric()).pages[name]


def verdicts(timeline: Timeline, expectation: Expectation = SLOW_DB) -> set[Verdict]:
    return {check(timeline, name, expectation).verdict for name in PAGE_CHECKS}


# --- all of them --------------------------------------------------------------------------------


def test_in_a_good_run_the_pager_did_all_right() -> None:
    assert {Verdict.MET} == verdicts(good_run())


def test_what_the_pager_did_wrong_costs_points_and_not_the_run() -> None:
    wrong = plus(good_run(), fact(Kind.PAGE_RECEIVED, 20, "cart", **CART))

    found = judge(wrong, SLOW_DB, default_rubric())

    line = next(one for one in found.score.lines if one.criterion == "only-ours")
    assert (RunVerdict.PASSED, 99.0, 100.0) == (
        found.verdict,
        found.score.points,
        found.score.max,
    )
    assert (Verdict.MISSED, ("cart",)) == (line.verdict, line.evidence)
    assert "CartBudgetBurn of cart" in found.pages["only_ours"].reason


def test_every_check_has_a_line_in_the_default_rubric() -> None:
    assert set(PAGE_CHECKS) <= {criterion.check for criterion in default_rubric().criteria}


def test_pages_of_a_run_that_goes_on_are_pending_and_what_is_wrong_already_is_missed() -> None:
    going_on = only(good_run(), lambda f: f.happened_at <= at(20))

    assert {Verdict.PENDING} == verdicts(going_on)
    assert Verdict.MISSED == check(plus(going_on, page(19.9, fired=-30)), "within_fault").verdict


def test_where_no_page_came_there_is_nothing_to_check() -> None:
    unpaged = without(good_run(), Kind.PAGE_RECEIVED)

    assert {Verdict.NOT_APPLICABLE} == verdicts(unpaged)


def test_where_no_page_could_have_come_nothing_is_known() -> None:
    deaf = without(good_run(), Kind.PAGE_RECEIVED, Kind.ALERT_FIRED, Kind.PIPELINE_BEAT)

    assert {Verdict.UNKNOWN} == verdicts(deaf)


def test_a_run_that_was_refused_has_no_pages_to_check() -> None:
    refused = Timeline.of(
        [fact(Kind.STEADY_STATE_CHECKED, 0, met=False), fact(Kind.RUN_ENDED, 1, verdict="refused")]
    )

    assert {Verdict.NOT_APPLICABLE} == verdicts(refused)
    assert {Verdict.NOT_APPLICABLE} == verdicts(refused, SILENT)


# --- late ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrives", "plan", "verdict"),
    [
        (23.0, {}, Verdict.MET),
        (23.1, {}, Verdict.MISSED),
        (23.9, {"evaluation_seconds": 1.0}, Verdict.MET),
        (52.0, {"evaluation_seconds": 1.0, "group_wait_seconds": 30.0}, Verdict.MET),
        (55.0, {"evaluation_seconds": 1.0, "group_wait_seconds": 30.0}, Verdict.MISSED),
    ],
)
def test_a_page_is_late_beyond_group_wait_one_evaluation_and_five_seconds(
    arrives: float, plan: dict[str, float], verdict: Verdict
) -> None:
    run = plus(without(good_run(), Kind.PAGE_RECEIVED), page(arrives, "late", fired=18))

    found = check(changed(run, "plan.made@-11", **plan), "on_time")

    assert verdict == found.verdict
    assert ("alert.fired@18", "late") == found.evidence


def test_a_late_page_says_by_how_much() -> None:
    run = plus(without(good_run(), Kind.PAGE_RECEIVED), page(28, fired=18))

    assert (
        "it came 10.0 s after its alert had fired, 5.0 s too late" == check(run, "on_time").reason
    )


def test_whether_a_page_was_late_is_unknown_where_nobody_knows_when_its_alert_fired() -> None:
    undated = changed(without(good_run(), Kind.ALERT_FIRED), "page.received@18.5", starts_at=None)

    assert Verdict.UNKNOWN == check(undated, "on_time").verdict


# --- for something else -------------------------------------------------------------------------


@pytest.mark.parametrize("collateral", ["CartBudgetBurn", "cart-latency", "cart"])
def test_a_page_for_something_else_is_explained_by_the_scenarios_collateral(
    collateral: str,
) -> None:
    wrong = plus(good_run(), fact(Kind.PAGE_RECEIVED, 20, **CART))
    expected = replace(SLOW_DB, collateral=(collateral,))

    assert Verdict.MISSED == check(wrong, "only_ours").verdict
    assert Verdict.MET == check(wrong, "only_ours", expected).verdict


def test_a_ticket_for_something_else_wakes_nobody() -> None:
    ticket = fact(Kind.PAGE_RECEIVED, 20, **{**CART, "severity": "ticket"})

    assert Verdict.MET == check(plus(good_run(), ticket), "only_ours").verdict


def test_a_page_that_names_nothing_is_still_one_for_something_else() -> None:
    found = check(plus(good_run(), fact(Kind.PAGE_RECEIVED, 20, severity="page")), "only_ours")

    assert "a page came for something else: a page without a name" == found.reason


def test_silence_is_broken_by_a_page_for_something_else_too() -> None:
    quiet = only(
        good_run(),
        lambda f: (
            not 0 < (f.happened_at - at(0)).total_seconds() < 35 or f.kind == Kind.PIPELINE_BEAT
        ),
    )
    silent = plus(quiet, measured("burn_rate", 38, values={}), measured("pipeline", 39, alive=True))
    foreign = plus(silent, fact(Kind.PAGE_RECEIVED, 20, **CART))

    assert Verdict.MET == check(silent, "only_ours", SILENT).verdict
    assert Verdict.MISSED == check(foreign, "only_ours", SILENT).verdict
    assert Verdict.MET == check(plus(silent, fired(9), page(9.5)), "only_ours", SILENT).verdict
    deaf = check(without(silent, Kind.PIPELINE_BEAT, Kind.MEASUREMENT), "only_ours", SILENT)
    assert (Verdict.UNKNOWN, "silent, but the pipeline was not proven alive") == (
        deaf.verdict,
        deaf.reason,
    )
    others = {check(silent, n, SILENT).verdict for n in PAGE_CHECKS if n != "only_ours"}
    assert {Verdict.NOT_APPLICABLE} == others


# --- again and again ----------------------------------------------------------------------------


def test_a_branch_that_fires_again_flaps_and_two_branches_do_not() -> None:
    both = plus(good_run(), fired(20, "6h"))
    again = plus(both, fired(22), fired(26))

    assert Verdict.MET == check(both, "steady").verdict
    assert ("alert.fired@18", "fired-6h@20") == check(both, "steady").evidence
    assert (Verdict.MISSED, "its 1h branch fired 3 times") == (
        check(again, "steady").verdict,
        check(again, "steady").reason,
    )
    assert ("alert.fired@18", "fired-1h@22", "fired-1h@26") == check(again, "steady").evidence


def test_a_page_that_is_repeated_is_no_second_firing() -> None:
    repeated = plus(good_run(), page(40, fired=18))

    assert Verdict.MET == check(repeated, "steady").verdict


def test_pages_tell_of_flapping_where_prometheus_could_not_be_read() -> None:
    unread = without(good_run(), Kind.ALERT_FIRED)

    assert Verdict.MISSED == check(plus(unread, page(25)), "steady").verdict
    assert Verdict.UNKNOWN == check(unread, "steady").verdict


# --- outside the fault --------------------------------------------------------------------------


def reset(timeline: Timeline, seconds: float | None) -> Timeline:
    return changed(timeline, "measured-detection@40", resets_predicted_seconds=seconds)


@pytest.mark.parametrize(
    ("pages", "verdict", "reason"),
    [
        ([page(-3)], Verdict.MISSED, "a page came before the fault"),
        ([page(0.5, fired=0)], Verdict.MET, ""),
        # The mitigation worked at 27.5 s; the alert is to be silent 5 s × 1.25 later, from 33.75 s.
        ([page(34, long="6h", fired=33.5)], Verdict.MET, ""),
        ([page(34, long="6h", fired=33.75)], Verdict.MET, ""),
        ([page(34.5, long="6h", fired=34)], Verdict.MISSED, "when the fault was over"),
        # What fired in time and is told again later is no page outside the fault.
        ([page(39, fired=18)], Verdict.MET, ""),
    ],
)
def test_a_page_belongs_to_the_time_of_its_fault(
    pages: Sequence[Fact], verdict: Verdict, reason: str
) -> None:
    found = check(plus(good_run(), *pages), "within_fault")

    assert verdict == found.verdict
    assert reason in found.reason


def test_a_page_that_does_not_say_when_it_fired_counts_from_its_arrival() -> None:
    undated = fact(Kind.PAGE_RECEIVED, 39, "undated", **PAGE)

    found = check(plus(good_run(), undated), "within_fault")

    assert (Verdict.MISSED, ("undated",)) == (found.verdict, found.evidence)


def test_without_a_mitigation_the_fault_is_over_when_it_was_taken_out() -> None:
    unmitigated = reset(without(good_run(), Kind.MITIGATION_APPLIED), 38.0)

    def verdict(*pages: Fact) -> Verdict:
        return check(plus(unmitigated, *pages), "within_fault").verdict

    # Taken out at 36 s; silent from 38 × 1.25 s after the injection.
    assert Verdict.MET == verdict(page(47, long="6h"))
    assert Verdict.MISSED == verdict(page(48.5, long="6h"))


def test_a_fault_of_two_parts_is_over_when_the_last_was_taken_out() -> None:
    unmitigated = reset(without(good_run(), Kind.MITIGATION_APPLIED), 10.0)
    two = plus(unmitigated, fact(Kind.FAULT_RECOVERED, 20, undo="u0", by="expired"))

    assert Verdict.MET == check(plus(two, page(30.5, long="6h")), "within_fault").verdict


def test_a_page_after_the_fault_is_unknown_where_nobody_knows_when_it_had_to_be_silent() -> None:
    unknown = reset(good_run(), None)

    assert Verdict.MET == check(unknown, "within_fault").verdict
    assert Verdict.UNKNOWN == check(plus(unknown, page(39)), "within_fault").verdict


def test_a_fault_that_never_ended_has_no_pages_after_it() -> None:
    endless = without(good_run(), Kind.MITIGATION_APPLIED, Kind.FAULT_RECOVERED)

    assert Verdict.MET == check(plus(endless, page(44)), "within_fault").verdict


def test_a_page_before_any_fault_waits_for_one() -> None:
    early = Timeline.of([fact(Kind.RUN_STARTED, -12), fact(Kind.PAGE_RECEIVED, -3, **ALERT)])

    assert Verdict.PENDING == check(early, "within_fault").verdict
