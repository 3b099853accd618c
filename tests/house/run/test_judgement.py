"""From a timeline and its documents to the result: the same today as when it was stored."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import slow_db_run

from gameday.errors import StoreError
from gameday.house.run.judgement import Documents, judge, rejudge
from gameday.house.run.stories import read_story
from gameday.model.result import RunResult
from gameday.spec import schema
from gameday.testing.memory import MemoryStore
from gameday.testing.results import run_result
from scoring.timeline import Fact, Kind, Timeline
from scoring.verdict import RunVerdict

TESTS = Path(__file__).parents[2]
SLOW_DB = TESTS.parent / "scenarios" / "slow-db.yaml"
RUN = "20260302-1000-0001"


@pytest.fixture(scope="module")
def documents() -> Documents:
    return read_story(str(SLOW_DB)).documents


def stored(name: str) -> Any:
    return json.loads((TESTS / "scoring" / "golden" / f"{name}.json").read_text(encoding="utf-8"))


def golden(name: str) -> Timeline:
    return Timeline.of(Fact.from_json(one) for one in stored(name)["facts"])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_golden_timeline_gets_the_verdict_and_the_score_it_got_when_it_was_stored(
    documents: Documents, version: str
) -> None:
    path = TESTS / "model" / "golden" / f"result-{version}.json"
    then = RunResult.from_json(json.loads(path.read_text(encoding="utf-8")))

    now = judge(
        RUN,
        golden(f"slow-db-{version}"),
        # As with every run, the rubric it was scored on is kept beside it.
        replace(documents, rubric=json.dumps(stored(f"slow-db-{version}")["rubric"])),
        timeline_path=then.timeline,
    )

    assert (then.verdict, then.phases, then.funnel) == (now.verdict, now.phases, now.funnel)
    assert then.score == now.score
    if version == "v2":  # what is asked of pages is told since then
        told_since = {"response": None, "mitigations": ()}
        assert then == replace(now, tasks=then.tasks, postmortem=then.postmortem, **told_since)


def test_a_golden_timeline_is_told_apart_by_the_rubric_of_today(documents: Documents) -> None:
    found = judge(RUN, golden("slow-db-v2"), documents).score

    assert found.system is not None and found.response is not None
    assert (None, 100.0) == (found.percent, found.system.percent)
    # One of the four first checks was done; the rest is right and in time.
    assert (66.25, 70.0) == (found.response.points, found.response.max)


def test_the_targets_of_people_are_the_scenarios_and_the_loops_where_it_sets_none(
    documents: Documents,
) -> None:
    strict = documents.scenario + "  targets: {acked: 250ms}\n"

    found = judge(RUN, golden("slow-db-v2"), replace(documents, scenario=strict))

    assert (0.25, 180.0) == (
        found.phases["acked"].target_seconds,
        found.phases["mitigated"].target_seconds,
    )
    acked = next(line for line in found.score.lines if line.criterion == "acked")
    assert (2.5, "0.2 s late, which leaves 50% of the points") == (acked.points, acked.reason)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ([slow_db_run.fact(1, Kind.STEADY_STATE_CHECKED, 0, met=False)], RunVerdict.REFUSED),
        ([slow_db_run.fact(1, Kind.RUN_ABORTED, 0, reason="stopped")], RunVerdict.ABORTED),
        ([slow_db_run.fact(1, Kind.INJECTION_FAILED, 0, error="no")], RunVerdict.FAILED),
        ([], RunVerdict.REFUSED),
    ],
)
def test_a_run_that_hardly_began_has_a_result_that_keeps_to_the_schema(
    documents: Documents, facts: list[Fact], verdict: RunVerdict
) -> None:
    found = judge(RUN, Timeline.of(facts), documents)

    assert (verdict, None) == (found.verdict, found.postmortem)
    jsonschema_rs.validate(schema("result"), found.to_json())


def test_a_run_whose_stored_result_cannot_be_read_can_be_judged_again(
    documents: Documents,
) -> None:
    class Damaged(MemoryStore):
        def result(self, run: str) -> RunResult | None:
            raise StoreError(f"run {run}: the result cannot be read")

    store = Damaged()
    store.open_run(
        RUN,
        scenario="slow-db",
        target="sandbox",
        started_at=slow_db_run.START,
        documents=documents.to_mapping(),
    )
    for fact in golden("slow-db-v2"):
        store.append(RUN, fact)
    ended_at = slow_db_run.START + timedelta(minutes=1)
    store.close_run(RUN, ended_at=ended_at, result=run_result())

    assert RunVerdict.PASSED == rejudge(store, RUN).verdict
