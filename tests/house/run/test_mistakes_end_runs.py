"""A mistake in gameday itself, wherever it shows: the run has its end all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gameday.house.run.announcement import going_on
from gameday.house.run.endings import conclude
from gameday.house.run.opening import open_store
from gameday.house.run.play import play
from gameday.house.run.stories import Story, read_story
from gameday.model.result import RunResult
from gameday.settings import Settings, StoreSettings
from gameday.testing.drawing import draw
from gameday.testing.rehearsal import Parts, rehearse
from scoring.timeline import Fact, Kind
from scoring.verdict import RunVerdict

Stand = Callable[[Story, dict[str, Any]], Story]
"""Has something break in a run, given what it is played with."""


class _Breaking:
    """A store that breaks, in a way nobody thought of, on one kind of fact."""

    def __init__(self, store: Any, kind: Kind) -> None:
        self._store = store
        self._kind = kind

    def append(self, run: str, fact: Fact, **named: Any) -> Any:
        """Append a fact, or break."""
        if fact.kind == self._kind:
            raise KeyError("nobody thought of it")
        return self._store.append(run, fact, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def breaks_on(kind: Kind) -> Stand:
    def stand(story: Story, named: dict[str, Any]) -> Story:
        named["store"] = _Breaking(named["store"], kind)
        return story

    return stand


def cannot_be_judged(story: Story, named: dict[str, Any]) -> Story:
    return replace(story, documents=replace(story.documents, overrides="{"))


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a run: its result, how it says it ended, and what its caller heard."""

    result: RunResult | None
    said: dict[str, Any]
    raised: str


def ended(stand: Stand) -> Ended:
    """Play a run in which this stands, and return what is left of it."""
    left: list[Ended] = []

    async def plays(story: Story, *args: Any, **named: Any) -> Any:
        store, run, raised = named["store"], args[-1].plan.run, ""
        try:
            return await play(stand(story, named), *args, **named)
        except Exception as error:
            raised = type(error).__name__
            raise
        finally:
            last = [f for f in store.facts(run) if f.kind == Kind.RUN_ENDED]
            left.append(Ended(store.result(run), dict(last[-1].data) if last else {}, raised))

    drawn = replace(draw(0), failures=(), moments=(), theirs=0.0, interrupts=0)
    rehearse(0, drawn=drawn, parts=Parts(play=plays))
    return left[0]


@pytest.mark.parametrize(
    ("stand", "mistake"),
    [
        (breaks_on(Kind.RUN_STARTED), "KeyError"),
        (breaks_on(Kind.PLAN_MADE), "KeyError"),
        (breaks_on(Kind.FAULT_INJECTED), "KeyError"),
        (cannot_be_judged, "JSONDecodeError"),
    ],
    ids=["its first fact", "its plan", "its fault", "its judgement"],
)
def test_a_run_that_a_mistake_ends_has_failed_and_says_of_what(stand: Stand, mistake: str) -> None:
    left = ended(stand)

    assert left.result is not None
    assert (RunVerdict.FAILED, 0) == (left.result.verdict, left.result.recovery.open)
    assert {"verdict": "failed", "reason": f"a mistake in gameday: {mistake}"} == left.said
    assert mistake == left.raised


def test_a_run_that_breaks_on_its_own_end_has_a_result_all_the_same() -> None:
    left = ended(breaks_on(Kind.RUN_ENDED))

    assert left.result is not None
    assert RunVerdict.FAILED is left.result.verdict


def test_a_result_says_that_a_mistake_was_what_it_rests_on() -> None:
    left = ended(breaks_on(Kind.PLAN_MADE))

    assert left.result is not None
    assert "a mistake in gameday: KeyError" == left.result.reason


def test_a_runs_note_is_there_until_its_result_is() -> None:
    seen: list[Sequence[str]] = []

    class Looking(_Breaking):
        def close_run(self, run: str, **named: Any) -> None:
            seen.append(going_on(self.settings))
            self._store.close_run(run, **named)

    def stand(story: Story, named: dict[str, Any]) -> Story:
        named["store"] = Looking(named["store"], Kind.RUN_REFUSED)
        named["store"].settings = named["settings"]
        return story

    left = ended(stand)

    assert left.result is not None
    assert [[left.result.run]] == seen


def test_a_result_that_was_not_judged_says_how_to_judge_it() -> None:
    left = ended(cannot_be_judged)

    assert left.result is not None
    assert f"`gameday score {left.result.run}`" in left.result.reason


def test_a_run_that_others_end_and_nobody_can_judge_has_an_end_as_well(tmp_path: Path) -> None:
    settings = Settings(store=StoreSettings(state=tmp_path))
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    documents = {**read_story("slow-db").documents.to_mapping(), "overrides": "{"}
    with open_store(settings) as store:
        store.open_run("r1", scenario="slow-db", target="t", started_at=now, documents=documents)

        conclude(store, "r1", timeline=tmp_path / "r1.jsonl", ended_at=now)

        result = store.result("r1")
    assert result is not None
    assert RunVerdict.FAILED is result.verdict
