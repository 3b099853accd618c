"""How figures and verdicts are put into words; the same in every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeGuard

NO_DATA = "no data"
NOTHING = "—"

# With these verdicts an empty figure is no gap in the data: there was nothing to measure.
_NOTHING_TO_MEASURE = frozenset({"pending", "not_applicable", "missed"})

VERDICTS = {
    "met": "met",
    "missed": "missed",
    "unknown": "unknown (could not be measured)",
    "pending": "pending (not due yet)",
    "not_applicable": "does not apply",
    "passed": "passed",
    "aborted": "aborted",
    "refused": "refused",
    "failed": "failed",
}


_SHORT = {"unknown": "unknown", "pending": "pending"}


def judged(row: Mapping[str, Any]) -> str:
    """Return the verdict of a phase, step or criterion with its reason, if it gives one."""
    verdict, reason = row.get("verdict"), row.get("reason")
    if not reason:
        return verdict_in_words(verdict)
    return f"{_SHORT.get(str(verdict), verdict_in_words(verdict))}: {reason}"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def verdict_in_words(verdict: object) -> str:
    """Return a verdict as a reader understands it; an unfamiliar one as it is."""
    return VERDICTS.get(str(verdict), str(verdict)) if verdict else NO_DATA


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


def clock(instant: object) -> str:
    """Return an instant (datetime or ISO text) as ``07:31:02.4``; `NO_DATA` if there is none."""
    moment = parsed(instant)
    if moment is None:
        return NO_DATA
    return f"{moment:%H:%M:%S}.{moment.microsecond // 100_000}"


def parsed(instant: object) -> datetime | None:
    """Return an instant out of a result (datetime or ISO text), None where there is none."""
    if isinstance(instant, datetime):
        return instant
    if not isinstance(instant, str) or not instant:
        return None
    try:
        return datetime.fromisoformat(instant)
    except ValueError:
        return None


def label(name: str) -> str:
    """Return a key of the result as a reader's word: ``errors_moved`` → ``errors moved``."""
    return name.replace("_", " ")


def finding_in_words(finding: object) -> str:
    """Return what a responder found in one sentence; `NO_DATA` where there is no finding."""
    if isinstance(finding, Mapping):
        finding = finding.get("summary") or ""
    return str(finding).strip() if finding else NO_DATA


def section(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object of the result, empty where it is missing or null."""
    value = result.get(name)
    return value if isinstance(value, Mapping) else {}


def phase_in_words(result: Mapping[str, Any], name: str, key: str) -> str:
    """Return ``seconds_from_page`` or ``target_seconds`` of a phase.

    Only the end of *recovered* is set by alert windows: what follows the mitigation.
    """
    phases = section(result, "phases")
    phase = section(phases, name)
    value = phase.get(key)
    if value is None and phase.get("verdict") in _NOTHING_TO_MEASURE:
        return NOTHING
    if name != "recovered":
        return seconds(value)
    answered = section(phases, "mitigated").get("seconds_from_page")
    return after_answer(value, answered, time_scale_of(result))


def rows(result: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects of the result, empty where it is missing or null."""
    value = result.get(name)
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(v for v in value if isinstance(v, Mapping))


def time_scale_of(result: Mapping[str, Any]) -> float:
    """Return how many times faster time ran; 1 where the result does not say."""
    value = result.get("time_scale")
    return float(value) if isinstance(value, (int, float)) and value > 0 else 1.0


def cell(text: object) -> str:
    """Return text as it may stand in a cell of a Markdown table."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|")


def table(header: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the header alone where there are no rows."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(cell(c) for c in row) + " |" for row in body]
    return "\n".join(lines)
