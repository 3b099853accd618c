"""Whether a run may begin: every reason against it at once, each with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gameday import plan
from gameday.errors import Ground, PlanRefused, Refusal, TemporaryDriverError
from gameday.governance.admission import Admitted, NotAdmitted, Situation, judge
from gameday.governance.permission import Permission, Start
from gameday.model.scenario import Scenario
from gameday.model.slo import Slo
from gameday.ports import Order, OrderKind, PlannedFault, Undo
from scoring.detection import Timing
from scoring.slo import Objective, workbook_windows

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ALLOWED = Permission(Start("sandbox", (), NOW))
DENIED = replace(ALLOWED, refusals=(Refusal(Ground.BUDGET, "too little is left", "wait"),))
STOP = Order(OrderKind.STOP, None, "real incident 42", "ada", NOW)
LEFTOVER = Undo("gd-r1-1", "experiment", "r1", "slow db", "gameday recover r1")
STRAY = Undo("gd-r2-1", "experiment", "r2", "toxic on db", "gameday recover --strays")
UNFIT = Refusal(Ground.MISFIT, "kill-pod acts on kubernetes", "kill-service kills one here")
UNSEEN = TemporaryDriverError("Prometheus does not answer")


def made() -> plan.Plan:
    month, second = timedelta(days=30), timedelta(seconds=1)
    fault = {"experiment": "slow", "duration": "5m"}
    undo = Undo("u1", "experiment", "run", "slow", "gameday recover run")
    return plan.make(
        Scenario.model_validate(
            {"metadata": {"name": "slow-db"}, "spec": {"slo": "checkout", "faults": [fault]}}
        ),
        Slo(
            id="checkout",
            service="storefront",
            objective=Objective(0.99, month),
            good_query="good",
            total_query="total",
            windows=workbook_windows(month),
        ),
        run="run",
        target=plan.TargetProfile("sandbox", 60, (), Timing(second, second)),
        faults=[PlannedFault("slow", "s.yaml", {}, timedelta(0), 300 * second, undo)],
    )


FREE = Situation(target="sandbox", permission=ALLOWED, plan=made())


def refused(situation: Situation) -> NotAdmitted:
    found = judge(situation)
    assert isinstance(found, NotAdmitted)
    return found


def grounds(situation: Situation) -> list[Ground]:
    return [refusal.ground for refusal in refused(situation).refusals]


def test_a_run_that_nothing_speaks_against_is_admitted_with_its_plan_and_on_whose_word() -> None:
    found = judge(replace(FREE, notices=("who else is paged is not known",)))

    assert Admitted(made(), ALLOWED, ("who else is paged is not known",)) == found


@pytest.mark.parametrize(
    ("changes", "ground", "sentence"),
    [
        (
            {"stop": STOP},
            Ground.STOP,
            "all runs are stopped since 2026-11-23 08:00 UTC by ada (real incident 42); "
            "`gameday stop --lift` lets them begin again",
        ),
        (
            {"is_busy": True},
            Ground.LOCK,
            "another run is being played on sandbox; wait for it to end (`gameday runs`), or end "
            "it (`gameday abort`)",
        ),
        (
            {"leftovers": (LEFTOVER,)},
            Ground.LEFTOVER,
            "run r1 left a fault in place: slow db; recover it first: `gameday recover r1`",
        ),
        (
            {"strays": (STRAY,)},
            Ground.STRAY,
            "sandbox still has something of run r2, which is not in this store: toxic on db; if "
            "nobody else plays there, take it out: `gameday recover --strays`",
        ),
        ({"said": (UNFIT,)}, Ground.MISFIT, str(UNFIT)),
        ({"permission": DENIED}, Ground.BUDGET, "too little is left; wait"),
    ],
)
def test_each_reason_says_what_and_what_to_do(
    changes: dict[str, object], ground: Ground, sentence: str
) -> None:
    (refusal,) = refused(replace(FREE, **changes)).refusals  # type: ignore[arg-type]  # by name

    assert (ground, sentence) == (refusal.ground, str(refusal))
    assert refusal.remedy


def test_all_reasons_are_given_at_once_and_what_concerns_every_run_comes_first() -> None:
    everything = replace(
        FREE,
        stop=STOP,
        leftovers=(LEFTOVER,),
        strays=(STRAY,),
        said=(Refusal(Ground.PLAN, "too short", "longer"), UNFIT),
        permission=DENIED,
        plan=None,
    )

    assert [
        Ground.STOP,
        Ground.LEFTOVER,
        Ground.STRAY,
        Ground.MISFIT,
        Ground.BUDGET,
        Ground.PLAN,
    ] == grounds(everything)


def test_what_the_run_that_is_being_played_has_in_place_is_not_for_anybody_to_recover() -> None:
    busy = replace(FREE, is_busy=True, leftovers=(LEFTOVER,), strays=(STRAY,))

    assert [Ground.LOCK] == grounds(busy)


def test_what_this_store_knows_of_is_no_stray() -> None:
    both = replace(FREE, leftovers=(LEFTOVER,), strays=(replace(LEFTOVER, description="toxic"),))

    assert [Ground.LEFTOVER] == grounds(both)


def test_a_refused_run_still_says_what_it_would_do_and_what_nobody_looked_at() -> None:
    found = refused(replace(FREE, stop=STOP, notices=("known",), unseen=(UNSEEN,)))

    assert made() == found.plan
    assert ("known", "not looked at: Prometheus does not answer") == found.notices


def test_what_could_not_be_looked_at_is_no_permission() -> None:
    with pytest.raises(TemporaryDriverError, match="Prometheus does not answer"):
        judge(replace(FREE, plan=None, unseen=(UNSEEN,)))


def test_the_error_of_a_refused_run_has_a_line_for_each_reason() -> None:
    error = refused(replace(FREE, stop=STOP, said=(UNFIT,))).error()

    assert isinstance(error, PlanRefused)
    assert 2 == len(str(error).splitlines())
    assert (Ground.STOP, Ground.MISFIT) == tuple(r.ground for r in error.refusals)
