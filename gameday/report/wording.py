"""How figures and verdicts are put into words; the same in every report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeGuard

from gameday.model.result import RunResult
from scoring.funnel import StepFinding
from scoring.verdict import Verdict

NO_DATA = "no data"
NOTHING = "—"

# With these verdicts an empty figure is no gap in the data: there was nothing to measure.
_NOTHING_TO_MEASURE = frozenset({Verdict.PENDING, Verdict.NOT_APPLICABLE, Verdict.MISSED})

_ALONE = {
    Verdict.UNKNOWN: "unknown (could not be measured)",
    Verdict.PENDING: "pending (not due yet)",
    Verdict.NOT_APPLICABLE: "does not apply",
}
"""A verdict that needs more than its word where it gives no reason."""

_BEFORE_A_REASON = {Verdict.NOT_APPLICABLE: "does not apply"}


class Judged(Protocol):
    """A phase, step or criterion with what was said of it."""

    @property
    def verdict(self) -> Verdict:
        """Return its verdict."""

    @property
    def reason(self) -> str:
        """Return one sentence on it; may be empty."""


def judged(one: Judged) -> str:
    """Return a verdict with its reason, if it gives one."""
    if one.reason:
        return f"{_BEFORE_A_REASON.get(one.verdict, str(one.verdict))}: {one.reason}"
    return _ALONE.get(one.verdict, str(one.verdict))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def figure(value: float) -> str:
    """Return a number with as many digits as are worth reading: 0.031, 1.04, 17.3, 1200."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds(value: object) -> str:
    """Return real seconds as ``17.3 s``, ``4 min 5 s`` or ``2 h 3 min``; `NO_DATA` for None."""
    if not _is_number(value):
        return NO_DATA
    if value < 0:
        return f"−{seconds(-value)}"
    if value < 120:
        return f"{figure(round(value, 2))} s"
    whole = round(value)
    for size, unit, small_size, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= 2 * size or (unit == "h" and whole >= size):
            rest = (whole % size) // small_size
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    rest = whole % 60
    return f"{whole // 60} min" + (f" {rest} s" if rest else "")


def both_times(value: object, time_scale: float) -> str:
    """Return a span that alert windows set, real and nominal: ``17.3 s (nominal 17 min 18 s)``."""
    return after_answer(value, 0.0, time_scale)


def after_answer(value: object, answered: object, time_scale: float) -> str:
    """Return a span of which only what follows the answer is set by alert windows.

    People are as slow on a target with compressed time as anywhere, so only the rest is scaled.

    Args:
        value: the whole span in real seconds; answered: the responder's part of it.
    """
    if not _is_number(value) or time_scale == 1 or value == 0:
        return seconds(value)
    if not _is_number(answered) or not 0 <= answered <= value:
        return seconds(value)
    return f"{seconds(value)} (nominal {seconds(answered + (value - answered) * time_scale)})"


def percent(ratio: object) -> str:
    """Return a ratio of 0–1 as a percentage; `NO_DATA` for None."""
    if not _is_number(ratio):
        return NO_DATA
    return f"{figure(ratio * 100)} %"


def clock(instant: datetime | None) -> str:
    """Return an instant as ``07:31:02.4``; `NO_DATA` if there is none."""
    if instant is None:
        return NO_DATA
    return f"{instant:%H:%M:%S}.{instant.microsecond // 100_000}"


def label(name: str) -> str:
    """Return a key of the result as a reader's word: ``errors_moved`` → ``errors moved``."""
    return name.replace("_", " ")


def finding_in_words(finding: StepFinding | None) -> str:
    """Return what a responder found in one sentence; `NO_DATA` where there is no finding."""
    return (finding.summary.strip() if finding else "") or NO_DATA


def phase_took(result: RunResult, name: str) -> str:
    """Return how long after the page a phase happened."""
    return _of_phase(result, name, result.phases[name].seconds_from_page)


def phase_target(result: RunResult, name: str) -> str:
    """Return how long after the page a phase was due."""
    return _of_phase(result, name, result.phases[name].target_seconds)


def _of_phase(result: RunResult, name: str, value: float | None) -> str:
    """Return a span of a phase; only the end of *recovered*, from the mitigation on, is scaled."""
    if value is None and result.phases[name].verdict in _NOTHING_TO_MEASURE:
        return NOTHING
    if name != "recovered":
        return seconds(value)
    mitigated = result.phases.get("mitigated")
    answered = mitigated.seconds_from_page if mitigated else None
    return after_answer(value, answered, result.time_scale)


def cell(text: object) -> str:
    """Return text as it may stand in a cell of a Markdown table."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|")


def table(header: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the header alone where there are no rows."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(cell(c) for c in row) + " |" for row in body]
    return "\n".join(lines)
