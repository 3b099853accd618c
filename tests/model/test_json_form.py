"""Results and plans as JSON: one form, read back whole, whoever wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import slow_db_run

from gameday.errors import StoreError
from gameday.model.json_form import described
from gameday.model.plan_record import (
    BranchRecord,
    FaultRecord,
    PlanRecord,
    ReachRecord,
    recorded,
)
from gameday.model.result import RunResult
from scoring.form import to_json
from scoring.slo import Severity
from scoring.timeline import Kind

GOLDEN = Path(__file__).parent / "golden"


def stored(name: str) -> Any:
    """Return what a gameday of the past has stored."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def holds(old: object, new: object) -> bool:
    """Return whether all that was stored is said again; what has been added since may stand by."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and holds(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(holds, old, new))
    return old == new


def plan() -> PlanRecord:
    return PlanRecord(
        scenario="slow-db",
        target="sandbox",
        time_scale=60.0,
        slo="checkout-latency",
        service="storefront",
        responder="bot",
        error_ratio=0.5,
        faults=(FaultRecord("slow", 0.0, 300.0, {"regions": ["eu"]}, "take it out", "gameday"),),
        reaches=(ReachRecord(("shop/a",), 10), None),
        predicted_seconds=18.3,
        due_seconds=22.9,
        branches=(BranchRecord("1h", "5m", 14.4, Severity.PAGE, 18.3, None, 0.02),),
        notices=("mind the step",),
    )


def test_a_result_comes_back_from_its_json_as_it_was(result: RunResult) -> None:
    assert result == RunResult.from_json(json.loads(json.dumps(result.to_json())))


def test_a_plan_comes_back_from_its_json_as_it_was() -> None:
    assert plan() == PlanRecord.from_json(json.loads(json.dumps(plan().to_json())))


@pytest.mark.parametrize("name", ["result-v1", "result-v2"])
def test_a_result_that_was_stored_long_ago_says_again_all_it_said(name: str) -> None:
    old = stored(name)

    assert holds(old, RunResult.from_json(old).to_json())


@pytest.mark.parametrize("name", ["plan-v1", "plan-v2"])
def test_a_plan_that_was_stored_long_ago_says_again_all_it_said(name: str) -> None:
    old = stored(name)

    assert holds(old, PlanRecord.from_json(old).to_json())


def test_what_a_newer_gameday_writes_besides_is_left_alone(result: RunResult) -> None:
    newer = {**result.to_json(), "mood": "cheerful"}

    assert result == RunResult.from_json(newer)


def test_a_result_that_cannot_be_read_says_where_and_why(result: RunResult) -> None:
    broken = result.to_json()
    broken["phases"]["acked"]["verdict"] = "splendid"

    with pytest.raises(StoreError, match="the result cannot be read: phases acked verdict: Input"):
        RunResult.from_json(broken)


def test_a_plan_is_found_among_the_facts_of_its_run() -> None:
    made = slow_db_run.fact(1, Kind.PLAN_MADE, 0, **plan().to_json())

    assert plan() == recorded([slow_db_run.fact(0, Kind.RUN_STARTED, 0), made])
    assert None is recorded([])


def test_a_value_without_a_json_form_is_an_error_and_not_its_name() -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json({"of": object()})


def test_a_docstring_is_read_attribute_by_attribute() -> None:
    text = """One line.

    More of it.

    Attributes:
        at: when,
            to the second.
        by: who.

    Source: nobody.
    """

    assert ("One line. More of it.", {"at": "when, to the second.", "by": "who."}) == described(
        text
    )
