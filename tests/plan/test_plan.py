"""Plans and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from gameday import plan
from gameday.errors import Ground, PlanRefused, Refusal
from gameday.model.plan_record import ReachRecord
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from gameday.ports import PlannedFault, Undo
from scoring.detection import Timing
from scoring.slo import Objective, workbook_windows

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
SLO = Slo(
    id="checkout-latency",
    service="storefront",
    objective=Objective(0.99, 30 * DAY),
    good_query="good",
    total_query="total",
    windows=workbook_windows(30 * DAY),
)


def planned(
    *,
    duration: float = 300,
    time_scale: float = 60,
    reaches: Sequence[plan.Reach | None] = (),
    slo: Slo = SLO,
    **spec: Any,
) -> plan.Plan:
    scenario = Scenario.model_validate(
        {
            "metadata": {"name": "slow-db"},
            "spec": {
                "regions": ["eu-west"],
                "slo": "checkout-latency",
                "faults": [{"experiment": "slow", "duration": f"{duration:g}s"}],
                **spec,
            },
        }
    )
    undo = Undo("u1", "experiment", "run", "slow", "gameday recover run")
    fault = PlannedFault("slow", "s.yaml", {}, timedelta(0), timedelta(seconds=duration), undo)
    return plan.make(
        scenario,
        slo,
        run="run",
        target=plan.TargetProfile(
            "sandbox", time_scale, ("eu-west", "us-east"), Timing(SECOND, SECOND)
        ),
        faults=[fault],
        reaches=reaches,
    )


def test_one_region_of_two_failing_pages_after_the_formula_and_the_pipeline() -> None:
    made = planned()

    # 1 % / 50 % × 60 s × 14.4 = 17.28 s, and half a scrape and half an evaluation (1 s each), less
    # the share of the window (28.8 %) of the scrape interval that rate() does not see.
    assert made.error_ratio == 0.5
    assert made.prediction.page_detects_after == timedelta(seconds=17.992)
    assert made.detection_due == timedelta(seconds=17.992) * 1.25


def test_a_declared_error_ratio_wins_over_the_blast_radius() -> None:
    assert planned(expect={"errorRatio": 0.25}).error_ratio == 0.25


def test_a_fault_too_short_to_page_is_refused_with_what_to_change() -> None:
    with pytest.raises(PlanRefused, match="needs 18 s to fire; let them last longer"):
        planned(duration=5)


def test_uncompressed_time_is_named_as_the_reason() -> None:
    with pytest.raises(PlanRefused, match="time is not compressed on this target"):
        planned(time_scale=1)


def test_too_small_an_error_ratio_never_fires() -> None:
    with pytest.raises(PlanRefused, match="the alert never fires"):
        planned(expect={"errorRatio": 0.01})


def test_an_unknown_region_and_a_crossed_blast_radius_are_both_named() -> None:
    with pytest.raises(PlanRefused) as refused:
        planned(regions=["mars", "eu-west"], blastRadius={"regions": 1})

    unknown, crossed = refused.value.refusals
    assert (
        Refusal(
            Ground.PLAN,
            "slow-db: region 'mars' does not exist on sandbox",
            "it has eu-west, us-east",
        )
        == unknown
    )
    assert str(crossed).startswith(
        "slow-db: the faults touch 2 regions, blastRadius.regions allows 1; name fewer with"
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"regions": ["mars"]},
        {"regions": ["eu-west", "us-east"], "blastRadius": {"regions": 1}},
        {"expect": {"errorRatio": 0.01}},
        {"expect": {"alert": None}},
        {"expect": {"recovered": {"within": "1s"}}},
        {"blastRadius": {"pods": 1}},
        {"blastRadius": {"namespaces": ["bank"]}},
    ],
)
def test_every_reason_against_a_plan_says_what_to_change(asked: dict[str, Any]) -> None:
    with pytest.raises(PlanRefused) as refused:
        planned(reaches=[Counted(("shop/a", "shop/b"), 10)], **asked)

    assert all(reason.remedy for reason in refused.value.refusals)


def test_silence_that_theory_contradicts_is_refused() -> None:
    with pytest.raises(PlanRefused, match="the alert must fire"):
        planned(expect={"alert": None})


def test_silence_is_planned_for_as_long_as_the_fault_lasts() -> None:
    made = planned(expect={"alert": None, "errorRatio": 0.0}, duration=60)

    assert made.detection_due is None
    assert made.silent_for == timedelta(seconds=60)


def test_a_recovery_target_below_the_reset_is_refused() -> None:
    with pytest.raises(PlanRefused, match="write `within: theory`"):
        planned(expect={"recovered": {"within": "1s"}})


def test_the_record_of_a_plan_names_every_branch_and_every_undo() -> None:
    shown = planned().record()

    assert [b.long for b in shown.branches] == ["1h", "6h", "1d", "3d"]
    assert shown.faults[0].undo_command == "gameday recover run"


def test_without_regions_the_whole_service_is_expected_to_fail() -> None:
    assert planned(regions=[]).error_ratio == 1.0


def test_a_declared_detection_time_is_the_deadline() -> None:
    made = planned(expect={"alert": {"within": "30s"}})

    assert made.detection_due == timedelta(seconds=30)


def test_a_recovery_target_that_can_be_met_is_planned() -> None:
    made = planned(expect={"recovered": {"within": "10m"}})

    assert [w.long for w in made.page_windows] == [timedelta(minutes=1), timedelta(minutes=6)]
    assert made.real_objective.period == timedelta(hours=12)


@dataclass(frozen=True)
class Counted:
    pods: tuple[str, ...]
    of: int
    namespaces: tuple[str, ...] = ("shop",)
    uncounted: tuple[str, ...] = ()


def reaching(*reaches: Counted | None, **radius: Any) -> plan.Plan:
    return planned(blastRadius=radius, reaches=reaches)


def test_faults_within_the_blast_radius_are_planned_with_what_was_counted() -> None:
    made = reaching(Counted(("shop/a",), 10), None, pods="10%", namespaces=["shop"])

    assert (ReachRecord(("shop/a",), 10), None) == made.record().reaches


def test_what_nobody_counts_is_said_and_is_not_a_count_of_nothing() -> None:
    made = reaching(Counted((), 0, (), ("'stop' is no fault of gameday's",)), pods=1).record()

    assert (None,) == made.reaches
    assert [("'stop' is no fault of gameday's",)] == [f.uncounted for f in made.faults]


@pytest.mark.parametrize(
    ("pods", "said"),
    [("10%", "touch 2 of 10 pods, blastRadius.pods allows 1"), (1, "blastRadius.pods allows 1")],
)
def test_faults_that_touch_more_pods_than_allowed_are_refused(pods: Any, said: str) -> None:
    with pytest.raises(PlanRefused, match=said):
        reaching(Counted(("shop/a", "shop/b"), 10), pods=pods)


def test_a_pod_that_two_faults_touch_counts_once() -> None:
    assert reaching(Counted(("shop/a",), 10), Counted(("shop/a",), 10), pods=1)


def test_faults_in_another_namespace_are_refused() -> None:
    with pytest.raises(PlanRefused, match=r"'bank', blastRadius\.namespaces allows shop"):
        reaching(Counted(("bank/a",), 10, ("bank",)), namespaces=["shop"])


def test_silence_needs_as_much_history_as_keeps_every_page_branch_below_its_threshold() -> None:
    made = planned(duration=2, expect={"alert": None, "errorRatio": 0.5})

    # The branch of six hours at burn rate 6: 2 s × (50 % − 6 %) / 6 %.
    assert timedelta(seconds=2 * 0.44 / 0.06) == pytest.approx(
        made.silent_history, abs=SECOND / 1e3
    )
    held = made.silent_history.total_seconds()
    for window in made.page_windows:
        threshold = window.burn_rate * 0.01
        assert 2 * 0.5 / (held + 0.01 + 2) < threshold
    assert any(2 * 0.5 / (held - 0.01 + 2) > w.burn_rate * 0.01 for w in made.page_windows)


@pytest.mark.parametrize(
    "spec",
    [{}, {"expect": {"alert": None, "errorRatio": 0.05}}],
    ids=["an alert is expected", "too little is bad for any branch"],
)
def test_where_no_history_is_too_short_none_is_awaited(spec: dict[str, Any]) -> None:
    assert timedelta(0) == planned(**spec).silent_history


def test_of_an_alert_that_cannot_be_read_nothing_is_predicted_and_the_run_is_planned() -> None:
    made = planned(slo=replace(SLO, unread="the alert X cannot be read"), duration=3)
    limited = planned(
        slo=replace(SLO, unread="the alert X cannot be read"), expect={"alert": {"within": "90s"}}
    )

    record = made.record()
    assert (None, None, ()) == (record.predicted_seconds, record.due_seconds, record.branches)
    assert "the alert X cannot be read" == record.unpredicted
    assert 3 * SECOND == made.awaited_for
    assert 90 * SECOND == limited.awaited_for == limited.detection_due
