"""What a run is compared with: the last of its own kind, and the bot's as a yardstick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameday.house.run.earlier import Earlier, earlier_runs
from gameday.model.result import RunResult
from gameday.testing.memory import MemoryStore
from gameday.testing.results import run_result
from scoring.scorecard import HalfScore, Score
from scoring.verdict import RunVerdict

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
HALF = HalfScore(1, 1, 100.0)
TWO = Score("default", 2, 2, None, (), HALF, HALF)


def played(store: MemoryStore, run: str, hour: int, responder: str, **fields: Any) -> RunResult:
    """Return a run that was stored, begun at this hour."""
    at = NOW + timedelta(hours=hour)
    said: dict[str, Any] = {"verdict": RunVerdict.PASSED, "score": TWO, **fields}
    result = run_result(run=run, responder=responder, started_at=at, **said)
    store.open_run(run, scenario=result.scenario, target=result.target, started_at=at, documents={})
    store.close_run(run, ended_at=at, result=result)
    return result


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_run_is_compared_with_the_last_of_its_kind_and_the_bots(store: MemoryStore) -> None:
    played(store, "a", 0, "human")
    last = played(store, "b", 1, "human")
    bot = played(store, "c", 2, "bot")
    played(store, "d", 3, "human", scenario="another")
    now = played(store, "e", 4, "human")
    played(store, "f", 5, "human")

    assert Earlier(last, bot) == earlier_runs(store, now)


def test_the_bot_is_compared_with_itself_alone(store: MemoryStore) -> None:
    first = played(store, "a", 0, "bot")
    played(store, "b", 1, "human")

    assert Earlier(first, None) == earlier_runs(store, played(store, "c", 2, "bot"))


@pytest.mark.parametrize(
    "fields",
    [{"verdict": RunVerdict.ABORTED}, {"score": Score("old", 1, 1, 100.0, ())}],
    ids=["aborted", "one number"],
)
def test_a_run_without_two_numbers_is_nothing_to_compare_with(
    store: MemoryStore, fields: dict[str, Any]
) -> None:
    played(store, "a", 0, "human", **fields)

    assert Earlier(None, None) == earlier_runs(store, played(store, "b", 1, "human"))
