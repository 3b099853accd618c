from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from drill_facts import (
    PAGE,
    REHEARSED,
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
from hypothesis import given
from hypothesis import strategies as st

from scoring.alerting import Detection
from scoring.expectation import Expectation
from scoring.form import to_json
from scoring.rubric import Criterion, Rubric
from scoring.scorecard import HalfScore, Score, Scorecard, ScoreLine, judge
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict, Verdict

GOLDEN = Path(__file__).parent / "golden"
SILENT = replace(SLOW_DB, alert=None, culprit=None, mitigations=())


def card(timeline: Timeline, expectation: Expectation = SLOW_DB) -> Scorecard:
    return judge(timeline, expectation, default_rubric())


def detection(timeline: Timeline, expectation: Expectation = SLOW_DB) -> Detection:
    return card(timeline, expectation).detection


def line(timeline: Timeline, criterion: str, expectation: Expectation = SLOW_DB) -> ScoreLine:
    lines = card(timeline, expectation).score.lines
    return next(found for found in lines if found.criterion == criterion)


def halves(found: Scorecard) -> tuple[HalfScore | None, HalfScore | None]:
    return found.score.system, found.score.response


def percents(found: Scorecard) -> tuple[float | None, float | None]:
    system, response = halves(found)
    assert system is not None and response is not None
    return system.percent, response.percent


def quiet_run() -> Timeline:
    """Return a run in which nothing fired, read to its end."""
    silent = only(
        good_run(),
        lambda f: (
            not 0 < (f.happened_at - at(0)).total_seconds() < 35 or f.kind == Kind.PIPELINE_BEAT
        ),
    )
    return plus(silent, measured("burn_rate", 38, values={}))


def blind_run() -> Timeline:
    """Return a run whose Prometheus was lost at 5 s and never answered again."""
    lost = only(
        good_run(),
        lambda f: (
            not 5 < (f.happened_at - at(0)).total_seconds() < 35 and f.kind != Kind.MEASUREMENT
        ),
    )
    failures = [
        fact(Kind.MEASUREMENT_FAILED, s, what="alerts", error="refused") for s in (6, 11, 16, 34)
    ]
    return plus(lost, *failures)


# --- the whole ----------------------------------------------------------------------------------


def test_a_good_run_passes_with_all_its_points() -> None:
    found = card(good_run())

    assert RunVerdict.PASSED == found.verdict
    assert (HalfScore(30.0, 30.0, 100.0), HalfScore(70.0, 70.0, 100.0)) == halves(found)
    assert (100.0, 100.0, None) == (found.score.points, found.score.max, found.score.percent)
    assert all(one.evidence for one in found.score.lines)


def test_judging_again_gives_the_same_card() -> None:
    assert card(good_run()) == card(good_run())


def test_writing_down_the_end_of_the_run_changes_nothing() -> None:
    ended = plus(good_run(), fact(Kind.RUN_ENDED, 41, verdict="passed"))

    assert card(good_run()) == card(ended)


@pytest.mark.parametrize("kind", [Kind.PAGE_RECEIVED, Kind.FINDING, Kind.MITIGATION_APPLIED])
def test_a_run_that_lacks_something_required_is_missed(kind: str) -> None:
    assert RunVerdict.MISSED == card(without(good_run(), kind)).verdict


def test_a_run_that_lacks_only_what_is_not_required_still_passes() -> None:
    found = card(without(good_run(), Kind.ACKNOWLEDGED, Kind.RUNBOOK_STEP))

    assert (RunVerdict.PASSED, (100.0, 85.7)) == (found.verdict, percents(found))


def test_an_unknown_required_criterion_keeps_a_run_from_passing() -> None:
    found = card(without(good_run(), Kind.FAULT_READ))

    assert RunVerdict.UNKNOWN == found.verdict
    assert (82.0, (100.0, 100.0)) == (found.score.max, percents(found))


def test_one_miss_is_a_miss_whatever_is_unknown_beside_it() -> None:
    found = card(without(good_run(), Kind.FAULT_READ, Kind.PAGE_DELIVERED))

    assert (RunVerdict.MISSED, "page: the page reached nobody") == (found.verdict, found.reason)


def test_a_verdict_names_all_that_it_rests_on() -> None:
    found = card(without(good_run(), Kind.FAULT_READ))

    why = "the fault was not read back while the alert cleared"
    assert f"mitigated: {why}; recovered: {why}" == found.reason
    assert "" == card(good_run()).reason


def test_what_is_required_and_not_due_yet_is_unknown() -> None:
    written = Rubric(
        "x", (Criterion("written", "It is written", 1, phase="postmortem", required=True),)
    )

    found = judge(good_run(), SLOW_DB, written)

    assert (RunVerdict.UNKNOWN, "written: not due yet") == (found.verdict, found.reason)


HINT = fact(Kind.HINT_ASKED, 21, "hint", step="trace", by="on-call")
WRONG = fact(
    Kind.FINDING, 20.8, "wrong", step="trace", summary="?", detail={"service": "storefront"}
)


@pytest.mark.parametrize("before", [(), (WRONG,)], ids=["nothing", "a wrong finding"])
def test_a_step_read_after_a_hint_has_half_its_points_and_says_why(before: tuple[Fact]) -> None:
    found = line(plus(good_run(), *before, HINT), "trace")

    assert (Verdict.MET, 5.0, 10.0) == (found.verdict, found.points, found.max)
    assert "a hint was asked for before, which leaves 50% of the points" == found.reason
    assert "hint" in found.evidence


def test_a_hint_costs_nothing_after_the_right_finding_and_nothing_of_another_step() -> None:
    late = plus(good_run(), replace(HINT, happened_at=at(22.5)))

    assert 10.0 == line(late, "trace").points
    assert halves(card(good_run())) == halves(card(late))
    assert 7.0 == line(plus(good_run(), HINT), "profile").points


def test_a_wrong_finding_after_a_hint_is_as_wrong_as_any() -> None:
    [right] = [f for f in good_run().of_kind(Kind.FINDING) if f.data["step"] == "trace"]
    wrong = changed(good_run(), right.id, detail=WRONG.data["detail"])

    assert line(wrong, "trace") == line(plus(wrong, HINT), "trace")


def test_a_run_read_with_every_hint_still_passes() -> None:
    hints = [
        fact(Kind.HINT_ASKED, 19.5, f"h-{step}", step=step, by="on-call")
        for step in ("red", "trace", "profile", "blame")
    ]

    found = card(plus(good_run(), *hints))

    # Half of what is read (39 of 70), and all of the rest.
    assert (RunVerdict.PASSED, (100.0, 72.1)) == (found.verdict, percents(found))


def planned(faults: int) -> Timeline:
    """Return the good run, which put in one fault, with this many in its plan."""
    plan = good_run().first(Kind.PLAN_MADE)
    assert plan is not None
    return changed(good_run(), plan.id, faults=[{"experiment": "slow"}] * faults)


def test_a_run_that_ended_before_every_fault_came_has_not_passed() -> None:
    found = card(planned(2))

    assert (RunVerdict.UNKNOWN, "1 of 2 faults were put in place") == (found.verdict, found.reason)
    assert RunVerdict.PASSED == card(planned(1)).verdict


def test_a_miss_stays_a_miss_though_not_every_fault_came() -> None:
    assert RunVerdict.MISSED == card(without(planned(2), Kind.FINDING)).verdict


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ([fact(Kind.RUN_ABORTED, 42, reason="x")], RunVerdict.ABORTED),
        ([fact(Kind.RUN_ENDED, 42, verdict="aborted")], RunVerdict.ABORTED),
        ([fact(Kind.INJECTION_FAILED, 42, fault="x", error="y")], RunVerdict.FAILED),
        ([fact(Kind.RECOVERY_STUCK, 42, undo="u2", command="c")], RunVerdict.FAILED),
        ([fact(Kind.RECOVERY_STUCK, 35, undo="u1", command="c")], RunVerdict.PASSED),
    ],
)
def test_how_a_run_ended_comes_before_its_score(facts: list[Fact], verdict: RunVerdict) -> None:
    assert verdict == card(plus(good_run(), *facts)).verdict


@pytest.mark.parametrize(
    ("met", "verdict"),
    [(True, RunVerdict.FAILED), (False, RunVerdict.REFUSED), (None, RunVerdict.REFUSED)],
)
def test_a_run_without_a_fault_was_refused_unless_its_state_was_steady(
    met: bool | None, verdict: RunVerdict
) -> None:
    found = card(Timeline.of([fact(Kind.STEADY_STATE_CHECKED, 0, met=met)]))

    assert (verdict, Verdict.NOT_APPLICABLE) == (found.verdict, found.detection.verdict)
    assert RunVerdict.REFUSED == card(Timeline()).verdict


def test_a_run_without_a_fault_has_no_percentage() -> None:
    refused = Timeline.of(
        [fact(Kind.STEADY_STATE_CHECKED, 0, met=False), fact(Kind.RUN_ENDED, 1, verdict="refused")]
    )

    assert (None, None) == percents(card(refused))


# --- detection ----------------------------------------------------------------------------------


def test_detection_is_measured_against_the_recomputed_theory() -> None:
    found = detection(good_run())

    assert Verdict.MET == found.verdict
    assert (18.0, 17.5, 18.3) == (found.seconds, found.predicted_seconds, found.planned_seconds)
    assert pytest.approx(18 / 17.5) == found.ratio
    assert pytest.approx(17.5 * 1.25) == found.within_seconds
    assert (True, True, 1.0, 0.02) == (
        found.windows_full,
        found.windows_clean,
        found.history_ratio,
        found.budget_spent_ratio,
    )


def test_firing_later_than_theory_allows_is_missed() -> None:
    quick = changed(good_run(), "measured-detection@40", predicted_seconds=14.0, upper_seconds=14.5)

    found = detection(quick)

    assert (Verdict.MISSED, "it fired after 18.0 s, 0.5 s too late") == (
        found.verdict,
        found.reason,
    )


def test_firing_within_the_unluckiest_phase_of_the_grid_is_not_late() -> None:
    # With its margin the prediction allows 17.5 s; the theory itself, up to 18.1 s.
    quick = changed(good_run(), "measured-detection@40", predicted_seconds=14.0, upper_seconds=18.1)

    found = detection(quick)

    assert (Verdict.MET, 18.1) == (found.verdict, found.within_seconds)


def test_a_declared_time_replaces_the_theory() -> None:
    strict = replace(SLOW_DB, within=timedelta(seconds=15))
    untold = without(good_run(), Kind.MEASUREMENT)

    assert Verdict.MISSED == detection(good_run(), strict).verdict
    assert Verdict.MET == detection(untold, replace(SLOW_DB, within=timedelta(seconds=20))).verdict


def test_firing_without_a_recomputed_theory_is_unknown() -> None:
    found = detection(without(good_run(), Kind.MEASUREMENT))

    assert (Verdict.UNKNOWN, None) == (found.verdict, found.ratio)
    assert "could not be recomputed" in found.reason


def test_firing_though_the_counters_say_it_need_not_is_unknown() -> None:
    found = detection(changed(good_run(), "measured-detection@40", predicted_seconds=None))

    assert Verdict.UNKNOWN == found.verdict
    assert "it fired; by the counters it did not have to" == found.reason


def test_an_alert_rule_that_is_gone_is_a_detection_missed() -> None:
    found = card(quiet_run())

    assert (Verdict.MISSED, "it did not fire") == (found.detection.verdict, found.detection.reason)
    assert RunVerdict.MISSED == found.verdict
    assert (0.0, None) == percents(found)


def test_an_alert_that_the_fault_could_not_raise_is_told_apart() -> None:
    weak = changed(quiet_run(), "measured-detection@40", predicted_seconds=None)

    found = detection(weak)

    assert (Verdict.MISSED, "it did not fire; by the counters it did not have to") == (
        found.verdict,
        found.reason,
    )


def test_an_alert_that_could_not_be_read_when_due_is_unknown_and_so_is_all_else() -> None:
    found = card(blind_run())

    assert (Verdict.UNKNOWN, RunVerdict.UNKNOWN) == (found.detection.verdict, found.verdict)
    assert {Verdict.UNKNOWN} == {one.verdict for one in found.score.lines}
    assert (None, None) == percents(found)


def test_a_page_tells_when_its_alert_fired_if_prometheus_cannot() -> None:
    found = detection(without(good_run(), Kind.ALERT_FIRED))
    undated = changed(without(good_run(), Kind.ALERT_FIRED), "page.received@18.5", starts_at=None)

    assert (at(18), Verdict.MET) == (found.fired_at, found.verdict)
    assert detection(undated).fired_at is None


def test_a_failed_reading_before_the_alert_was_due_hides_nothing() -> None:
    recovered = plus(
        quiet_run(),
        fact(Kind.MEASUREMENT_FAILED, 3, what="alerts", error="refused"),
        fact(Kind.MEASUREMENT_FAILED, 4, what="counters", error="refused"),
        measured("burn_rate", 9, values={}),
    )

    assert Verdict.MISSED == detection(recovered).verdict


def test_a_blindness_that_begins_after_the_alert_was_due_hides_nothing() -> None:
    late = plus(
        only(quiet_run(), lambda f: f.data.get("what") != "burn_rate"),
        fact(Kind.MEASUREMENT_FAILED, 30, what="alerts", error="refused"),
    )

    assert Verdict.MISSED == detection(late).verdict


def test_a_blindness_over_the_instant_hides_it_though_later_readings_succeed() -> None:
    over = plus(quiet_run(), fact(Kind.MEASUREMENT_FAILED, 20, what="alerts", error="refused"))

    assert Verdict.UNKNOWN == detection(over).verdict


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ([], Verdict.PENDING),
        ([fact(Kind.RUN_ABORTED, 6, reason="x")], Verdict.NOT_APPLICABLE),
        ([fact(Kind.RUN_ENDED, 6, verdict="missed")], Verdict.MISSED),
    ],
)
def test_an_alert_that_is_not_due_yet_depends_on_whether_the_run_goes_on(
    facts: list[Fact], verdict: Verdict
) -> None:
    started = only(good_run(), lambda f: f.happened_at <= at(5))

    assert verdict == detection(plus(started, *facts)).verdict
    assert verdict == detection(without(plus(started, *facts), Kind.PLAN_MADE)).verdict


# --- silence ------------------------------------------------------------------------------------


def test_silence_passes_if_the_pipeline_was_proven_alive() -> None:
    proven = plus(quiet_run(), measured("pipeline", 39, alive=True))

    found = card(proven, SILENT)

    assert (RunVerdict.PASSED, Verdict.MET) == (found.verdict, found.detection.verdict)
    # The alert's 15, and one for no other page: what else the rubric asks needs a page of ours.
    assert (16.0, 16.0) == (found.score.points, found.score.max)


@pytest.mark.parametrize("facts", [[], [measured("pipeline", 39, alive=False)]])
def test_silence_of_a_pipeline_not_proven_alive_is_unknown(facts: list[Fact]) -> None:
    found = card(plus(quiet_run(), *facts), SILENT)

    assert (RunVerdict.UNKNOWN, Verdict.UNKNOWN) == (found.verdict, found.detection.verdict)


def test_silence_is_broken_by_a_page_and_not_by_a_ticket() -> None:
    def with_alert(severity: str) -> Timeline:
        fired = fact(Kind.ALERT_FIRED, 9, **{**PAGE, "severity": severity})
        return plus(quiet_run(), fired, measured("pipeline", 38, alive=True))

    assert Verdict.MISSED == detection(with_alert("page"), SILENT).verdict
    assert Verdict.MET == detection(with_alert("ticket"), SILENT).verdict


def test_silence_that_could_not_be_heard_is_unknown() -> None:
    assert Verdict.UNKNOWN == detection(blind_run(), SILENT).verdict


# --- page and runbook ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "lacks"),
    [
        ({"links": {"red": "r", "traces": "t", "profile": "", "runbook": "b"}}, "link profile"),
        ({"burn_rate": None, "window": ""}, "burn_rate, window"),
        (None, "service, slo, burn_rate, window, link red"),
    ],
)
def test_a_page_that_lacks_something_names_it(page: dict[str, Any] | None, lacks: str) -> None:
    delivered = good_run().first(Kind.PAGE_DELIVERED)
    assert delivered is not None
    whole = {**delivered.data["page"], **page} if page is not None else None

    found = line(changed(good_run(), delivered.id, page=whole), "page")

    assert Verdict.MISSED == found.verdict
    assert lacks in found.reason


def test_a_page_that_reached_nobody_is_missed_unless_nobody_was_to_get_it() -> None:
    undelivered = without(good_run(), Kind.PAGE_DELIVERED)
    alone = changed(undelivered, "run.started@-12", responder="none")

    assert Verdict.MISSED == line(undelivered, "page").verdict
    assert Verdict.NOT_APPLICABLE == line(alone, "page").verdict
    assert RunVerdict.PASSED == card(alone).verdict


FOUR_CHECKS = replace(SLOW_DB, first_checks=("read-red", "find-hop", "read-profile", "changes"))


def test_the_runbook_is_worth_the_share_of_its_first_checks_that_was_done() -> None:
    two = plus(good_run(), fact(Kind.RUNBOOK_STEP, 26.5, "two", step="find-hop", done=True))

    one_of_four = line(good_run(), "runbook", FOUR_CHECKS)

    assert (Verdict.MISSED, 1.25, "1 of 4 first checks were done") == (
        one_of_four.verdict,
        one_of_four.points,
        one_of_four.reason,
    )
    assert 2.5 == line(two, "runbook", FOUR_CHECKS).points
    assert 5.0 == line(good_run(), "runbook").points


def test_a_first_check_that_could_not_be_done_is_asked_of_nobody() -> None:
    undone = fact(Kind.RUNBOOK_STEP, 26.5, "no", step="find-hop", done=False)
    two = replace(SLOW_DB, first_checks=("read-red", "find-hop"))

    assert 5.0 == line(plus(good_run(), undone), "runbook", two).points
    none = line(changed(good_run(), "runbook.step@26", done=False), "runbook")
    assert (Verdict.NOT_APPLICABLE, "none of its first checks could be done") == (
        none.verdict,
        none.reason,
    )


@pytest.mark.parametrize(
    ("checks", "verdict"), [(None, Verdict.UNKNOWN), ((), Verdict.NOT_APPLICABLE)]
)
def test_a_runbook_that_is_not_known_or_has_no_first_checks_counts_for_nothing(
    checks: tuple[str, ...] | None, verdict: Verdict
) -> None:
    assert verdict == line(good_run(), "runbook", replace(SLOW_DB, first_checks=checks)).verdict


def test_the_runbook_waits_for_the_page_and_is_not_due_before_the_mitigation() -> None:
    running = only(good_run(), lambda f: f.happened_at <= at(19))

    assert Verdict.PENDING == line(running, "runbook").verdict
    assert Verdict.NOT_APPLICABLE == line(quiet_run(), "runbook").verdict


ANY_STEP = Rubric("old", (Criterion("runbook", "Steps were worked through", 5, check="runbook"),))


def test_a_rubric_may_ask_for_any_step_of_the_runbook() -> None:
    def judged(timeline: Timeline) -> tuple[Verdict, str, float]:
        (found,) = judge(timeline, SLOW_DB, ANY_STEP).score.lines
        return found.verdict, found.reason, found.points

    skipped = changed(good_run(), "runbook.step@26", done=False)
    running = only(good_run(), lambda f: f.happened_at <= at(19))

    assert (Verdict.MET, "", 5.0) == judged(good_run())
    assert (Verdict.MISSED, "no step of the runbook was done", 0.0) == judged(skipped)
    assert "no step was ticked" == judged(without(good_run(), Kind.RUNBOOK_STEP))[1]
    assert Verdict.PENDING == judged(running)[0]
    assert Verdict.NOT_APPLICABLE == judged(quiet_run())[0]


# --- points -------------------------------------------------------------------------------------

judged_lines = st.lists(
    st.tuples(st.sampled_from(list(Verdict)), st.integers(1, 20)), min_size=1, max_size=8
)


def score(lines: list[tuple[Verdict, int]]) -> Score:
    return Score.of(
        "drawn",
        (
            ScoreLine(
                f"c{number}",
                "",
                verdict,
                points if verdict is Verdict.MET else 0,
                points if verdict.counts else 0,
                False,
                "",
                (),
            )
            for number, (verdict, points) in enumerate(lines)
        ),
    )


@given(lines=judged_lines, points=st.integers(1, 20))
def test_what_does_not_count_never_changes_the_percentage(
    lines: list[tuple[Verdict, int]], points: int
) -> None:
    for verdict in (Verdict.UNKNOWN, Verdict.PENDING, Verdict.NOT_APPLICABLE):
        assert score(lines).percent == score([*lines, (verdict, points)]).percent


@given(lines=judged_lines)
def test_turning_a_pass_into_an_unknown_never_raises_the_percentage(
    lines: list[tuple[Verdict, int]],
) -> None:
    worse = [(Verdict.UNKNOWN if v is Verdict.MET else v, p) for v, p in lines]

    assert (score(worse).percent or 0) <= (score(lines).percent or 0)


@given(missing=st.sets(st.sampled_from(sorted({f.id for f in good_run()}))))
def test_taking_facts_away_never_makes_a_better_run(missing: set[str]) -> None:
    poorer = only(good_run(), lambda f: f.id not in missing)

    found = card(poorer)

    assert found.score.points <= 100
    assert all(e in {f.id for f in poorer} for one in found.score.lines for e in one.evidence)
    if found.verdict is RunVerdict.PASSED:
        assert all(
            one.verdict in (Verdict.MET, Verdict.NOT_APPLICABLE)
            for one in found.score.lines
            if one.required
        )


def test_a_criterion_that_judges_several_things_needs_them_all() -> None:
    both = Rubric(
        "both", (Criterion("trace", "Trace", 10, phase="trace", step="trace", required=True),)
    )
    wrong = changed(good_run(), "finding.recorded@22", detail={"service": "checkout"})

    (found,) = judge(wrong, SLOW_DB, both).score.lines

    assert (Verdict.MISSED, 0.0, 10.0) == (found.verdict, found.points, found.max)
    assert "names service 'checkout', not 'inventory'" == found.reason


# --- golden -------------------------------------------------------------------------------------


def holds(stored: object, found: object) -> bool:
    """Return whether all that was stored is found again; what has been added since may stand by."""
    if isinstance(stored, dict) and isinstance(found, dict):
        return all(key in found and holds(value, found[key]) for key, value in stored.items())
    if isinstance(stored, list) and isinstance(found, list):
        return len(stored) == len(found) and all(map(holds, stored, found))
    return stored == found


@pytest.mark.parametrize(
    ("name", "expected"),
    [("slow-db-v1", SLOW_DB), ("slow-db-v2", SLOW_DB), ("slow-db-v3", REHEARSED)],
)
def test_a_stored_timeline_still_gets_the_card_it_got(name: str, expected: Expectation) -> None:
    stored = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    timeline = Timeline.of(Fact.from_json(raw) for raw in stored["facts"])

    # As with every run, the rubric it was scored on is kept beside it.
    found = judge(timeline, expected, Rubric.from_mapping(stored["rubric"]))

    assert holds(stored["card"], json.loads(json.dumps(to_json(found))))
