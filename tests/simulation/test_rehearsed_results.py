"""Results of whole runs, however they ended: typed, kept, and true to the published schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from gameday.house.run.play import play
from gameday.model.plan_record import PlanRecord, recorded
from gameday.model.result import RunResult
from gameday.spec import schema
from gameday.testing.rehearsal import Parts, rehearse

SEEDS = range(40)
"""Enough for a run to end in every way in which one that began can."""


@cache
def played() -> Mapping[int, tuple[RunResult, PlanRecord]]:
    """Return the stored result and the plan of every seed whose run has both."""
    found: dict[int, tuple[RunResult, PlanRecord]] = {}

    def keeping(seed: int) -> Parts:
        async def kept(*args: Any, **named: Any) -> Any:
            try:
                return await play(*args, **named)
            finally:
                store, run = named["store"], named["run"]
                result, plan = store.result(run), recorded(store.facts(run))
                if result is not None and plan is not None:
                    found[seed] = result, plan

        return Parts(play=kept)

    for seed in SEEDS:
        rehearse(seed, parts=keeping(seed))
    return found


def test_runs_end_in_every_way() -> None:
    assert {"passed", "missed", "aborted", "failed"} <= {
        str(result.verdict) for result, _ in played().values()
    }


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
