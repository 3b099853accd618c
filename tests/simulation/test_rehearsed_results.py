"""Results of whole runs, however they ended: typed, kept, and true to the published schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema_rs

from gameday.errors import Ground
from gameday.house.run.play import play
from gameday.model.plan_record import PlanRecord, recorded
from gameday.model.result import RunResult
from gameday.spec import schema
from gameday.testing.drawing import draw
from gameday.testing.rehearsal import Parts, rehearse

SEEDS = range(40)
"""Enough for a run to end in every way in which one that began can."""


Kept = dict[int, tuple[RunResult, PlanRecord]]


def keeping(kept: Kept, seed: int) -> Parts:
    """Return the parts of a rehearsal that keeps the stored result and the plan of its run."""

    async def keeps(*args: Any, **named: Any) -> Any:
        try:
            return await play(*args, **named)
        finally:
            store, run = named["store"], args[-1].plan.run
            result, plan = store.result(run), recorded(store.facts(run))
            if result is not None and plan is not None:
                kept[seed] = result, plan

    return Parts(play=keeps)


@cache
def played() -> Mapping[int, tuple[RunResult, PlanRecord]]:
    """Return the stored result and the plan of every seed whose run has both."""
    kept: Kept = {}
    for seed in SEEDS:
        rehearse(seed, parts=keeping(kept, seed))
    # One more is refused: somebody else's fault keeps the system from its steady state.
    last = len(SEEDS)
    unsteady = replace(draw(last), theirs=0.5, failures=(), moments=())
    rehearse(last, drawn=unsteady, parts=keeping(kept, last))
    return kept


def test_runs_end_in_every_way() -> None:
    assert {"passed", "missed", "refused", "aborted", "failed"} == {
        str(result.verdict) for result, _ in played().values()
    }


def test_a_run_that_was_refused_after_it_began_says_why_and_what_to_do() -> None:
    """Its steady state never held: what was read at the end is the reason."""
    (result,) = (result for result, _ in played().values() if result.verdict == "refused")

    (refusal,) = result.refusals
    assert Ground.STEADY_STATE == refusal.ground
    assert refusal.reason.startswith("steady state not met: the burn rate of 'orders' is")
    assert refusal.remedy


def test_every_result_comes_back_from_its_json_and_keeps_to_the_schema() -> None:
    published = jsonschema_rs.validator_for(schema("result"))

    for result, _ in played().values():
        written = json.loads(json.dumps(result.to_json()))

        published.validate(written)
        assert result == RunResult.from_json(written)


def test_every_recorded_plan_comes_back_from_its_json_and_keeps_to_the_schema() -> None:
    published = jsonschema_rs.validator_for(schema("plan"))

    for _, plan in played().values():
        written = json.loads(json.dumps(plan.to_json()))

        published.validate(written)
        assert plan == PlanRecord.from_json(written)
