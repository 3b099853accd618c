"""The two numbers of a run in words, in every medium."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from slow_db_run import START

from gameday.model.result import RunResult
from gameday.report.numbers import (
    change_in_words,
    effects_in_words,
    percentages,
    response_in_words,
    score_in_words,
    score_parts,
)
from gameday.report.scorecard import html, junit, markdown
from gameday.report.terminal import scorecard
from scoring.effect import Effect, MitigationEffect
from scoring.response import Response, StepReading
from scoring.rubric import Half
from scoring.scorecard import HalfScore, Score, ScoreLine
from scoring.timeline import Timeline
from scoring.verdict import Verdict

FULL = HalfScore(30.0, 30.0, 100.0)
LINES = tuple(
    ScoreLine(half, f"of the {half}", Verdict.MET, 5.0, 5.0, False, "", (), half) for half in Half
)
NONE = HalfScore(0.0, 0.0, None, "nobody was to answer the page")


def with_halves(result: RunResult, response: HalfScore = NONE) -> RunResult:
    score = Score("default", 30.0, 30.0, None, LINES, FULL, response)
    return replace(result, score=score)


def answered(result: RunResult) -> RunResult:
    trace = StepReading("trace", 80.0, 2, 1)
    response = Response(20.0, None, 80.0, 2, 1, 1, (trace,))
    drained = MitigationEffect(
        "drain-region", {"region": "us"}, START, 50.0, 100.0, Effect.MAKES_WORSE
    )
    unseen = replace(
        drained,
        name="failover-db",
        parameters={},
        applied_at=START + timedelta(seconds=9),
        burn_after=None,
        effect=Effect.UNKNOWN,
        reason="nothing was measured for long enough after it",
    )
    return replace(
        with_halves(result, HalfScore(60.37, 70.0, 86.2)),
        response=response,
        mitigations=(drained, unseen),
    )


def shown(result: RunResult) -> str:
    from rich.console import Console

    console = Console(width=80, record=True, file=StringIO())
    console.print(scorecard(result))
    return console.export_text()


def test_every_medium_tells_both_numbers(result: RunResult) -> None:
    found = answered(result)
    system = "System 100 %: 30 of 30 points that could be counted."
    response = "Response 86.2 %: 60.4 of 70 points that could be counted."

    for text in (markdown(found), html(found, Timeline()), shown(found), junit(found)):
        assert system in text and response in text


def test_the_first_sentence_tells_both_numbers(result: RunResult) -> None:
    assert "; system 100 %, response 86 %." in markdown(answered(result))
    assert "; score 90 %." in markdown(result)


def test_a_number_that_is_not_there_says_why(result: RunResult) -> None:
    words = "Response: no number, nobody was to answer the page."

    assert words in score_in_words(with_halves(result).score)


def test_the_criteria_stand_under_the_half_they_tell_of(result: RunResult) -> None:
    found = {part.title: part.lines for part in score_parts(with_halves(result).score)}

    assert {"Score: system": ["of the system"], "Score: response": ["of the response"]} == {
        title: [line["criterion"] for line in lines] for title, lines in found.items()
    }


def test_a_run_with_one_number_is_told_with_one(result: RunResult) -> None:
    (part,) = score_parts(result.score)

    assert ("Score", "90 %: 9 of 10 points that could be counted.") == (part.title, part.words)
    nothing = score_in_words(Score.of("default", ()))
    assert "No score: nothing could be counted." == nothing


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((90.0, None, None), "90 %"),
        ((None, 100.0, 86.2), "system 100 %, response 86 %"),
        ((None, 100.0, None), "system 100 %"),
        ((None, 100.0, 0.0), "system 100 %, response 0 %"),
        ((None, None, None), ""),
    ],
)
def test_a_list_has_the_numbers_there_are(
    numbers: tuple[float | None, float | None, float | None], words: str
) -> None:
    assert words == percentages(*numbers)


def test_the_response_is_told_in_times_and_counts(result: RunResult) -> None:
    assert [
        ("Acknowledged", "20 s after the page"),
        ("First evidence opened", "not at all"),
        ("First right finding", "80 s after the page"),
        ("Wrong turns", "2 (trace 2)"),
        ("Hints", "1 (trace)"),
        ("Harmful mitigations", "1"),
    ] == list(response_in_words(answered(result)))
    assert () == response_in_words(result)


def test_a_mitigation_is_told_with_what_it_did(result: RunResult) -> None:
    assert [
        (
            "drain-region (region us)",
            "makes it worse: burn rate 50 before, 100 after",
        ),
        ("failover-db", "unknown; nothing was measured for long enough after it"),
    ] == list(effects_in_words(answered(result)))


def test_every_medium_tells_what_was_done(result: RunResult) -> None:
    found = answered(result)

    for text in (markdown(found), html(found, Timeline()), shown(found)):
        assert "First right finding" in text
        assert "makes it worse: burn rate 50 before, 100 after" in text


def test_a_run_is_told_beside_an_earlier_one(result: RunResult) -> None:
    before = replace(with_halves(result), response=None)

    found = dict(change_in_words(before, answered(result)))

    assert ("100 % → 100 %", "— → 86.2 %") == (found["System"], found["Response"])
    assert "— → 20 s after the page" == found["Acknowledged"]
