"""What runs are worth: each as an expert would give it, with the reason beside the number.

Of a hundred points the default rubric gives thirty to the system and seventy to the response: 39
for reading right and soon (RED 5, traces 14, profile 10, blame 10), 5 for the acknowledgement, 10
for the mitigation, 8 for ending it, 3 for doing no harm, 5 for the runbook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from drill_facts import (
    PAGE,
    SLOW_DB,
    burning,
    changed,
    default_rubric,
    fact,
    finding,
    good_run,
    measured,
    only,
    plus,
    without,
)

from scoring.funnel import TARGETS
from scoring.scorecard import Scorecard, judge
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict

CHECKS = ("read-red", "find-hop", "read-profile", "check-changes")
DRILL = replace(SLOW_DB, first_checks=CHECKS)

PAGED = 18.5
"""When the page comes, in seconds from the fault."""

BY_THE_SYSTEM = (
    *(Kind.RUN_STARTED, Kind.PIPELINE_BEAT, Kind.PLAN_MADE, Kind.STEADY_STATE_CHECKED),
    *(Kind.UNDO_STORED, Kind.FAULT_INJECTED, Kind.ALERT_FIRED),
    *(Kind.PAGE_RECEIVED, Kind.PAGE_DELIVERED),
)


def paged(responder: str = "human") -> Timeline:
    """Return the run until the page was delivered."""
    started = fact(Kind.RUN_STARTED, -12, "start", responder=responder, time_scale=60)
    alone = only(good_run(), lambda f: f.kind in BY_THE_SYSTEM and f.kind != Kind.RUN_STARTED)
    return Timeline.of([started, *alone])


def read_right(late: float) -> list[Fact]:
    """Return a response that read everything right, this many seconds after each target."""

    def due(phase: str) -> float:
        target = TARGETS[phase]
        assert target is not None
        return PAGED + target.total_seconds() + late

    return [
        fact(Kind.ACKNOWLEDGED, due("acked"), by="on-call"),
        fact(Kind.LINK_OPENED, due("acked"), link="red"),
        finding("red", due("red"), moved=["duration"], region="eu-west"),
        finding("trace", due("trace"), service="inventory", downstream="db", region="eu-west"),
        finding("profile", due("profile"), off_cpu=True),
        finding("blame", due("blame"), explained=False),
        *(fact(Kind.RUNBOOK_STEP, due("blame"), step, step=step, done=True) for step in CHECKS),
    ]


def mitigation(second: float, name: str = "failover-db", **parameters: Any) -> list[Fact]:
    asked = {"name": name, "parameters": {"region": "eu-west", **parameters}, "by": "on-call"}
    return [
        fact(Kind.MITIGATION_STARTED, second, f"{name}-started@{second}", **asked),
        fact(Kind.MITIGATION_APPLIED, second + 0.5, f"{name}@{second}", ok=True, **asked),
    ]


def cleared(second: float) -> list[Fact]:
    """Return how it ends once a mitigation of this second has made users well."""
    return [
        *burning(0, round(second), 50.0),
        *burning(round(second) + 1, round(second) + 12, 0.5),
        fact(Kind.FAULT_READ, second + 1, "read", undo="u1", present=True),
        fact(Kind.ALERT_RESOLVED, second + 6, **PAGE),
        fact(Kind.FAULT_READ, second + 6.5, "read-again", undo="u1", present=True),
        *over(second + 12, resets=5.5),
    ]


def over(second: float, resets: float | None = None) -> list[Fact]:
    """Return how a run ends; ``resets`` after its mitigation the alert had to clear."""
    theory = {"predicted_seconds": 17.5, "upper_seconds": 18.1}
    return [
        fact(Kind.FAULT_RECOVERED, second, undo="u1", by="conductor"),
        fact(Kind.RECOVERY_PROVEN, second + 0.5, undo="u1"),
        measured("detection", second + 1, **theory, resets_predicted_seconds=resets),
    ]


def right(late: float = -10) -> Timeline:
    """Return a run in which a person did all of it, this many seconds after each target."""
    second = PAGED + 180 + late
    return plus(paged(), *read_right(late), *mitigation(second), *cleared(second))


NOTHING_DONE = plus(paged(), *burning(0, 310, 50.0), *over(310))
NOBODY_ON_CALL = plus(paged("none"), *burning(0, 30, 50.0), *over(30))
ABORTED = plus(
    only(
        right(), lambda f: f.happened_at <= right().of_kind(Kind.MITIGATION_APPLIED)[0].happened_at
    ),
    fact(Kind.RUN_ABORTED, 190, reason="stopped by hand", by="facilitator"),
    *over(191),
)
FAILED = plus(right(), fact(Kind.RECOVERY_STUCK, 400, undo="u2", command="c"))
REFUSED = Timeline.of([fact(Kind.STEADY_STATE_CHECKED, 0, met=False)])
ELSEWHERE = Timeline.of(
    [
        *(
            replace(f, data={**f.data, "detail": {**f.data["detail"], "region": "us-east"}})
            if f.data.get("step") in ("red", "trace") and f.kind == Kind.FINDING
            else f
            for f in plus(paged(), *read_right(-10))
        ),
        *mitigation(188, region="us-east"),
        *burning(0, 310, 50.0),
        *over(310),
    ]
)
TYPO = plus(
    paged(),
    *read_right(-10),
    *(
        replace(f, data={**f.data, "ok": False, "detail": "no region 'eu-wset'"})
        if f.kind == Kind.MITIGATION_APPLIED
        else f
        for f in mitigation(188, region="eu-wset")
    ),
    *burning(0, 310, 50.0),
    *over(310),
)
ONE_STEP = only(right(), lambda f: f.kind != Kind.RUNBOOK_STEP or f.id == "read-red")
ALL_HINTS = plus(
    right(),
    *(
        fact(Kind.HINT_ASKED, 19, f"hint-{step}", step=step, by="on-call")
        for step in ("red", "trace", "profile", "blame")
    ),
)
DEFAULTS = plus(
    paged(),
    fact(Kind.ACKNOWLEDGED, 19, by="on-call"),
    finding("red", 20),
    *(finding(step, 21) for step in ("trace", "profile", "blame")),
    *burning(0, 310, 50.0),
    *over(310),
)
DRAINED = plus(
    without(right(), Kind.MEASUREMENT),
    *mitigation(60, "drain-region", region="us-east"),
    *burning(0, 61, 50.0),
    *burning(61, 188, 100.0),
    *burning(189, 200, 0.5),
    *(f for f in over(200, resets=5.5) if f.kind == Kind.MEASUREMENT),
)
UNREAD = plus(
    paged(),
    fact(Kind.ACKNOWLEDGED, 19, by="on-call"),
    *mitigation(25),
    *cleared(25),
)


@pytest.mark.parametrize(
    ("run", "system", "response", "verdict", "reason"),
    [
        pytest.param(
            right(), 100.0, 100.0, RunVerdict.PASSED, "all of it right, and in time", id="right"
        ),
        pytest.param(
            NOTHING_DONE,
            100.0,
            0.0,
            RunVerdict.MISSED,
            "the page was in time and complete, which is the system's; somebody was to answer it"
            " and did nothing, which is worth nothing",
            id="nothing done",
        ),
        pytest.param(
            ABORTED,
            None,
            None,
            RunVerdict.ABORTED,
            "what was broken off shows how neither half would have done",
            id="aborted",
        ),
        pytest.param(
            FAILED, None, None, RunVerdict.FAILED, "gameday failed, nobody else", id="failed"
        ),
        pytest.param(REFUSED, None, None, RunVerdict.REFUSED, "nothing was played", id="refused"),
        pytest.param(
            NOBODY_ON_CALL,
            100.0,
            None,
            RunVerdict.PASSED,
            "the system did its part; a response that was not asked for is no good response",
            id="nobody on call",
        ),
        pytest.param(
            ELSEWHERE,
            100.0,
            47.1,
            RunVerdict.MISSED,
            "RED and traces name the region that is well, and it is mitigated in vain (37 of 70"
            " lost); profile and blame are the same in either region, and nothing got worse",
            id="wrong region",
        ),
        pytest.param(
            TYPO,
            100.0,
            73.1,
            RunVerdict.MISSED,
            "everything was found; a mitigation that was refused ends nothing, and there is none"
            " whose harm could be asked for (18 of 67 lost)",
            id="typo",
        ),
        pytest.param(
            ONE_STEP,
            100.0,
            94.6,
            RunVerdict.PASSED,
            "one first check of four is a quarter of the runbook's five points",
            id="one runbook step",
        ),
        pytest.param(
            right(4),
            100.0,
            98.4,
            RunVerdict.PASSED,
            "four seconds late everywhere is hardly late: 1.15 of the 21 points for speed are lost",
            id="late by 4 s",
        ),
        pytest.param(
            right(240),
            100.0,
            78.4,
            RunVerdict.PASSED,
            "four minutes late everywhere is slow, and still all of it right: of the 21 points for"
            " speed 5.9 are left",
            id="late by 4 min",
        ),
        pytest.param(
            ALL_HINTS,
            100.0,
            72.1,
            RunVerdict.PASSED,
            "what the machine read is half of what a person reads: 19.5 of 39 points",
            id="every hint",
        ),
        pytest.param(
            DEFAULTS,
            100.0,
            7.5,
            RunVerdict.MISSED,
            "who reads nothing and submits what stands there has acknowledged, and no more",
            id="nothing read",
        ),
        pytest.param(
            DRAINED,
            100.0,
            95.7,
            RunVerdict.PASSED,
            "draining the healthy region took users who were well with it: points, not the drill",
            id="made it worse",
        ),
        pytest.param(
            UNREAD,
            100.0,
            37.1,
            RunVerdict.MISSED,
            "the right mitigation by luck ends it (26 of 70); that the cause was found is what the"
            " drill is about",
            id="mitigated without looking",
        ),
    ],
)
def test_a_run_is_worth_what_an_expert_would_give_it(
    run: Timeline, system: float | None, response: float | None, verdict: RunVerdict, reason: str
) -> None:
    found = card(run)

    assert (verdict, system, response) == (found.verdict, *percents(found)), reason


def card(run: Sequence[Fact] | Timeline) -> Scorecard:
    return judge(Timeline.of(run), DRILL, default_rubric())


def percents(found: Scorecard) -> tuple[float | None, float | None]:
    system, response = found.score.system, found.score.response
    assert system is not None and response is not None
    return system.percent, response.percent


def why(run: Timeline, criterion: str) -> str:
    return next(one.reason for one in card(run).score.lines if one.criterion == criterion)


@pytest.mark.parametrize(
    ("run", "half", "reason"),
    [
        (NOBODY_ON_CALL, "response", "nobody was to answer the page"),
        (ABORTED, "system", "the run was aborted"),
        (FAILED, "response", "the run failed"),
        (REFUSED, "response", "the run was refused"),
        (NOTHING_DONE, "response", ""),
    ],
    ids=["nobody on call", "aborted", "failed", "refused", "nothing done"],
)
def test_a_number_that_is_not_given_says_why(run: Timeline, half: str, reason: str) -> None:
    assert reason == getattr(card(run).score, half).reason


@pytest.mark.parametrize("run", [ABORTED, FAILED, REFUSED], ids=["aborted", "failed", "refused"])
def test_a_run_that_was_broken_off_has_no_points_to_make_a_percentage_of(run: Timeline) -> None:
    found = card(run).score

    assert (0.0, 0.0, None) == (found.points, found.max, found.percent)
    assert {(0.0, 0.0)} == {(one.points, one.max) for one in found.lines}


@pytest.mark.parametrize(
    ("run", "criterion", "reason"),
    [
        (ELSEWHERE, "red", "names region 'us-east', not 'eu-west'"),
        (ELSEWHERE, "mitigated", "'failover-db' was applied to us-east, where the fault is not"),
        (ELSEWHERE, "trace-time", "it was not read right"),
        (TYPO, "mitigated", "'failover-db' failed: no region 'eu-wset'"),
        (TYPO, "harmless", "nothing was done that could"),
        (ONE_STEP, "runbook", "1 of 4 first checks were done"),
        (right(4), "acked", "4.0 s late, which leaves 88% of the points"),
        (right(240), "mitigated-time", "240.0 s late, which leaves 43% of the points"),
        (
            DRAINED,
            "harmless",
            "drain-region (region us-east) made it worse: burn rate 50 before, 100 after",
        ),
    ],
)
def test_a_lost_point_says_why(run: Timeline, criterion: str, reason: str) -> None:
    assert reason == why(run, criterion)


def test_a_late_response_is_worth_less_the_later_it_is_and_never_nothing() -> None:
    found = [percents(card(right(late)))[1] for late in (0, 1, 10, 60, 240, 3000)]

    assert 100.0 == found[0]
    assert found == sorted(found, reverse=True) and len(set(found)) == len(found)
    assert (found[-1] or 0) > 70


# --- the times behind the points ------------------------------------------------------------------


def test_a_response_is_told_in_times_and_counts() -> None:
    wrong = finding("trace", 40, service="storefront", region="eu-west")
    found = card(plus(DRAINED, wrong, fact(Kind.HINT_ASKED, 41, step="trace"))).response

    assert found is not None
    assert (20.0, 20.0, 50.0) == (found.acked_seconds, found.evidence_seconds, found.right_seconds)
    assert (1, 1, 1) == (found.wrong_turns, found.hints, found.harmful)
    trace = next(step for step in found.steps if step.step == "trace")
    assert (80.0, 1, 1) == (trace.right_seconds, trace.wrong_turns, trace.hints)


def test_a_response_that_never_came_has_no_times() -> None:
    found = card(NOTHING_DONE).response

    assert found is not None
    assert (None, None, None) == (found.acked_seconds, found.evidence_seconds, found.right_seconds)


@pytest.mark.parametrize("run", [NOBODY_ON_CALL, REFUSED], ids=["nobody on call", "no page"])
def test_where_nobody_could_respond_there_is_no_response(run: Timeline) -> None:
    assert card(run).response is None


def test_the_first_right_finding_is_timed_and_the_last_one_counts() -> None:
    wavered = plus(right(), finding("trace", 120, service="storefront", region="eu-west"))
    again = plus(
        wavered, finding("trace", 150, service="inventory", downstream="db", region="eu-west")
    )

    assert "it was not read right" == why(wavered, "trace-time")
    assert "" == why(again, "trace-time")


def test_a_step_with_nothing_to_compare_is_timed_by_its_first_finding() -> None:
    free = replace(DRILL, culprit=None)

    lines = judge(right(4), free, default_rubric()).score.lines

    assert {"trace": "not_applicable", "trace-time": "missed"} == {
        one.criterion: one.verdict for one in lines if one.criterion in ("trace", "trace-time")
    }


def test_a_mitigation_chosen_rightly_and_refused_is_a_step_missed() -> None:
    chosen = plus(TYPO, finding("mitigate", 187, mitigation="failover-db"))

    step = next(s for s in card(chosen).funnel if s.step == "mitigate")

    assert ("missed", "'failover-db' failed: no region 'eu-wset'") == (step.verdict, step.reason)


def test_a_run_aborted_before_the_page_is_no_response_either() -> None:
    early = changed(
        Timeline.of(
            [
                fact(Kind.RUN_STARTED, -1, "start", responder="human"),
                fact(Kind.FAULT_INJECTED, 0, undo="u1", fault="x"),
                fact(Kind.RUN_ABORTED, 3, reason="stopped"),
            ]
        ),
        "start",
        time_scale=True,
    )

    assert (None, None) == percents(card(early))
    assert card(early).response is None
