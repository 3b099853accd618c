"""The two numbers of a run in words, and the times and counts behind the response's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gameday.model.result import RunResult
from gameday.report.wording import NOTHING, figure, judged, label, seconds
from scoring.effect import Effect, MitigationEffect
from scoring.rubric import Half
from scoring.scorecard import HalfScore, Score, ScoreLine

_EFFECTS = {
    Effect.HELPS: "helps",
    Effect.DOES_NOT_HELP: "does not help",
    Effect.MAKES_WORSE: "makes it worse",
    Effect.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One half of a score, or the whole of one that has a single number.

    Attributes:
        title: what it is of.
        words: its number, in a sentence.
        lines: its criteria.
    """

    title: str
    words: str
    lines: Sequence[Mapping[str, str]]


def score_parts(score: Score) -> Sequence[ScorePart]:
    """Return a score as it is shown: the system's and the response's, or one that has both."""
    if score.system is None or score.response is None:
        return (ScorePart("Score", _single(score), [_line(one) for one in score.lines]),)
    return tuple(
        ScorePart(
            f"Score: {half}",
            _number(half, number),
            [_line(one) for one in score.lines if one.of is half],
        )
        for half, number in ((Half.SYSTEM, score.system), (Half.RESPONSE, score.response))
    )


def score_in_words(score: Score) -> str:
    """Return the numbers of a score in a sentence each."""
    return " ".join(part.words for part in score_parts(score))


def percentages(
    percent: float | None, system_percent: float | None, response_percent: float | None
) -> str:
    """Return the numbers of a run for a list: ``system 100 %, response 86 %``; empty: none.

    Args:
        percent: of a run that has one number.
    """
    if percent is not None:
        return f"{percent:.0f} %"
    halves = {Half.SYSTEM: system_percent, Half.RESPONSE: response_percent}
    return ", ".join(f"{half} {value:.0f} %" for half, value in halves.items() if value is not None)


def response_in_words(result: RunResult) -> Sequence[tuple[str, str]]:
    """Return how the page was answered, as names and values; empty where nobody answered."""
    found = result.response
    if found is None:
        return ()
    asked = [step for step in found.steps if step.hints or step.wrong_turns]
    turns = [f"{s.step} {s.wrong_turns}" for s in asked if s.wrong_turns]
    hints = [s.step for s in asked if s.hints]
    return (
        ("Acknowledged", _after_page(found.acked_seconds)),
        ("First evidence opened", _after_page(found.evidence_seconds)),
        ("First right finding", _after_page(found.right_seconds)),
        ("Wrong turns", _counted(found.wrong_turns, turns)),
        ("Hints", _counted(found.hints, hints)),
        ("Harmful mitigations", str(found.harmful)),
    )


def effects_in_words(result: RunResult) -> Sequence[tuple[str, str]]:
    """Return what each mitigation did to users, as names and sentences; may be empty."""
    return [(one.name + _called(one), _effect(one)) for one in result.mitigations]


def change_in_words(before: RunResult, now: RunResult) -> Sequence[tuple[str, str]]:
    """Return what became of an earlier run's numbers and times: ``34 % → 86 %``."""
    then = {**_percents(before), **dict(response_in_words(before))}
    found = {**_percents(now), **dict(response_in_words(now))}
    return [(name, f"{then.get(name, NOTHING)} → {value}") for name, value in found.items()]


def _percents(result: RunResult) -> Mapping[str, str]:
    halves = {Half.SYSTEM: result.score.system, Half.RESPONSE: result.score.response}
    return {
        half.capitalize(): NOTHING
        if number is None or number.percent is None
        else f"{figure(number.percent)} %"
        for half, number in halves.items()
    }


def _called(one: MitigationEffect) -> str:
    if not one.parameters:
        return ""
    return f" ({', '.join(f'{key} {value}' for key, value in one.parameters.items())})"


def _effect(one: MitigationEffect) -> str:
    """Return what a mitigation did to users: ``helps: burn rate 50 before, 0.1 after``."""
    words = _EFFECTS[one.effect]
    if change := burn_change_in_words(one):
        words += f": {change}"
    return f"{words}; {one.reason}" if one.reason else words


def burn_change_in_words(one: MitigationEffect) -> str:
    """Return the burn rate before and after a mitigation; empty where one is not known."""
    if one.burn_before is None or one.burn_after is None:
        return ""
    return f"burn rate {figure(one.burn_before)} before, {figure(one.burn_after)} after"


def _after_page(value: float | None) -> str:
    return "not at all" if value is None else f"{seconds(value)} after the page"


def _counted(count: int, which: Sequence[str]) -> str:
    return f"{count} ({', '.join(which)})" if which else str(count)


def _number(half: Half, number: HalfScore) -> str:
    name = half.capitalize()
    if number.percent is None:
        return f"{name}: no number, {number.reason}."
    points, most = figure(number.points), figure(number.max)
    return f"{name} {figure(number.percent)} %: {points} of {most} points that could be counted."


def _single(score: Score) -> str:
    if score.percent is None:
        return "No score: nothing could be counted."
    points, most = figure(score.points), figure(score.max)
    return f"{figure(score.percent)} %: {points} of {most} points that could be counted."


def _line(line: ScoreLine) -> Mapping[str, str]:
    points = f"{figure(line.points)} of {figure(line.max)}" if line.max else NOTHING
    return {
        "criterion": line.title or label(line.criterion),
        "verdict": judged(line),
        "points": points,
        "evidence": ", ".join(line.evidence) or NOTHING,
        "key": line.verdict,
    }
