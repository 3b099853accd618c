"""What a plan calls late is what the judge calls late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameday import plan
from gameday.house.run.judgement import expectation
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from gameday.ports import PlannedFault, Undo
from scoring.alerting import Detection, detect
from scoring.run_facts import RunFacts
from scoring.slo import Objective, workbook_windows
from scoring.timeline import Fact, Kind, Timeline
from scoring.timing import Timing
from scoring.verdict import Verdict

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
PERIOD = timedelta(days=30)
SLO = Slo(
    id="checkout-latency",
    service="storefront",
    objective=Objective(0.99, PERIOD),
    good_query="good",
    total_query="total",
    windows=workbook_windows(PERIOD),
)

ONE, FIFTEEN, SIXTY = (timedelta(seconds=n) for n in (1, 15, 60))

TABLE = [
    pytest.param(scale, ratio, Timing(scrape, evaluation, wait), within, id=str(number))
    for number, (scale, ratio, scrape, evaluation, wait, within) in enumerate(
        [
            # The margin decides.
            (60, 0.5, ONE, ONE, 0 * ONE, "theory"),
            (1, 0.2, FIFTEEN, FIFTEEN, 0 * ONE, "theory"),
            (1, 0.5, SIXTY, SIXTY, 0 * ONE, "theory"),
            # The unluckiest phase of the evaluation grid decides.
            (60, 1.0, FIFTEEN, FIFTEEN, 0 * ONE, "theory"),
            (600, 1.0, ONE, ONE, 0 * ONE, "theory"),
            (1000, 0.8, ONE, FIFTEEN, 0 * ONE, "theory"),
            # Alertmanager's wait makes the page late, never the alert.
            (60, 0.5, ONE, ONE, SIXTY, "theory"),
            (60, 0.5, ONE, ONE, 0 * ONE, "90s"),
        ]
    )
]


def planned(scale: float, ratio: float, timing: Timing, within: str) -> plan.Plan:
    spec = {
        "slo": SLO.id,
        "faults": [{"experiment": "slow", "duration": "1d"}],
        "expect": {"errorRatio": ratio, "alert": {"within": within}},
    }
    scenario = Scenario.model_validate({"metadata": {"name": "late"}, "spec": spec})
    undo = Undo("u1", "experiment", "r", "slow", "gameday recover r")
    return plan.make(
        scenario,
        SLO,
        run="r",
        target=plan.TargetProfile("shop", scale, (), timing),
        faults=[PlannedFault("slow", "s.yaml", {}, 0 * ONE, timedelta(days=1), undo)],
    )


def fact(kind: Kind, second: float, **data: Any) -> Fact:
    at = START + timedelta(seconds=second)
    return Fact(f"{kind}@{second}", kind, at, at, "test", data=data)


def judged(made: plan.Plan, fires_after: float) -> Detection:
    """Return what the judge says of an alert that fired this many seconds after the fault.

    The counters say exactly what theory says.
    """
    prediction = made.prediction
    assert prediction.page_detects_after is not None
    assert prediction.page_detects_at_latest is not None
    said = {
        "what": "detection",
        "predicted_seconds": prediction.page_detects_after.total_seconds(),
        "upper_seconds": prediction.page_detects_at_latest.total_seconds(),
    }
    alert = {"severity": "page", "long": "1h", "slo": SLO.id}
    facts = [
        fact(Kind.PLAN_MADE, -1, **made.record().to_json()),
        fact(Kind.FAULT_INJECTED, 0),
        *(fact(Kind.PIPELINE_BEAT, 5 * n) for n in range(int(2 * fires_after / 5) + 5)),
        fact(Kind.ALERT_FIRED, fires_after, **alert),
        fact(Kind.MEASUREMENT, 3 * fires_after, **said),
    ]
    return detect(RunFacts(Timeline.of(facts), expectation(made.scenario, SLO)))


@pytest.mark.parametrize(("scale", "ratio", "timing", "within"), TABLE)
def test_a_plan_calls_an_alert_late_from_when_on_the_judge_does(
    scale: float, ratio: float, timing: Timing, within: str
) -> None:
    made = planned(scale, ratio, timing, within)
    due = made.record().due_seconds
    assert due is not None

    just, late = judged(made, due - 0.001), judged(made, due + 0.001)

    assert (pytest.approx(due), Verdict.MET) == (just.within_seconds, just.verdict)
    assert Verdict.MISSED == late.verdict


def test_no_alert_is_late_before_the_unluckiest_evaluation_could_have_seen_it() -> None:
    made = planned(1000, 0.8, Timing(ONE, FIFTEEN), "theory")

    assert made.prediction.page_detects_after is not None
    assert made.prediction.page_detects_at_latest == made.detection_due
    assert made.detection_due > 1.25 * made.prediction.page_detects_after


def test_an_alert_that_never_came_was_due_when_the_plan_said_where_no_counter_was_read() -> None:
    made = planned(1000, 0.8, Timing(ONE, FIFTEEN), "theory")
    due = made.record().due_seconds
    assert due is not None

    def silent(until: float) -> Verdict:
        facts = [
            fact(Kind.PLAN_MADE, -1, **made.record().to_json()),
            fact(Kind.FAULT_INJECTED, 0),
            *(fact(Kind.PIPELINE_BEAT, second) for second in range(int(until))),
            fact(Kind.MEASUREMENT, until, what="alerts"),
        ]
        return detect(RunFacts(Timeline.of(facts), expectation(made.scenario, SLO))).verdict

    assert (Verdict.PENDING, Verdict.MISSED) == (silent(due - 0.5), silent(due + 0.5))
