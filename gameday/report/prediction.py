"""Theory in words: when the alerts of an SLO must fire and reset, for one fault or a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gameday.model.slo import Slo
from gameday.report.wording import NOTHING, both_times, percent
from scoring.detection import BranchPrediction, Prediction, Timing, lowest_ratio, shortest_fault
from scoring.slo import Severity, nominal

NEVER = "never"

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Column names, and rows of cells."""


@dataclass(frozen=True, slots=True)
class PredictedFault:
    """One fault, and what theory says of it.

    Attributes:
        error_ratio: its highest ratio.
        duration: of the whole fault, real time; None: until long after every branch has fired.
    """

    error_ratio: float
    duration: timedelta | None
    prediction: Prediction


def document(
    slo: Slo, shape: str, cases: Sequence[PredictedFault], *, time_scale: float, timing: Timing
) -> dict[str, Any]:
    """Return the cases as ``gameday slo predict --json`` prints them.

    Seconds are real ones on the target; ``null`` means never, and for ``fault_duration_s`` until
    long after every branch has fired.
    """
    lowest, shortest = _never_seen(slo, time_scale)
    return {
        "slo": slo.id,
        "service": slo.service,
        "target": slo.objective.target_ratio,
        "period_days": slo.objective.period / timedelta(days=1),
        "time_scale": time_scale,
        "scrape_s": timing.scrape.total_seconds(),
        "evaluation_s": timing.evaluation.total_seconds(),
        "group_wait_s": timing.group_wait.total_seconds(),
        "never_seen": {
            "error_ratio_up_to": lowest,
            "outage_up_to_s": _seconds(shortest),
        },
        "cases": [
            {
                "shape": shape,
                "error_ratio": case.error_ratio,
                "fault_duration_s": _seconds(case.duration),
                "branches": [
                    _branch(slo, number, branch)
                    for number, branch in enumerate(case.prediction.branches)
                ],
                "page": {
                    "detects_after_s": _seconds(case.prediction.page_detects_after),
                    "detects_at_latest_s": _seconds(case.prediction.page_detects_at_latest),
                    "resets_after_s": _seconds(case.prediction.page_resets_after),
                    "resets_at_latest_s": _seconds(case.prediction.page_resets_at_latest),
                    "budget_spent_ratio": case.prediction.page_budget_spent_ratio,
                    "limit_after_s": _seconds(case.prediction.page_limit_after),
                    "firings": case.prediction.page_firings,
                },
            }
            for case in cases
        ],
    }


def _branch(slo: Slo, number: int, branch: BranchPrediction) -> dict[str, Any]:
    declared = slo.windows[number]
    return {
        "long": nominal(declared.long),
        "short": nominal(declared.short),
        "burn_rate": declared.burn_rate,
        "severity": str(declared.severity),
        "threshold_ratio": declared.burn_rate * slo.objective.budget_ratio,
        "detects_after_s": _seconds(branch.detects_after),
        "detects_at_latest_s": _seconds(branch.detects_at_latest),
        "resets_after_s": _seconds(branch.resets_after),
        "resets_at_latest_s": _seconds(branch.resets_at_latest),
        "budget_spent_ratio": branch.budget_spent_ratio,
        "limit_after_s": _seconds(branch.limit_after),
        "firings": branch.firings,
    }


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else round(duration.total_seconds(), 3)


# --- for people ---------------------------------------------------------------------------------


def title(slo: Slo, *, time_scale: float) -> str:
    """Return what is predicted, in one line: ``checkout-latency: 99 % over 30 d``."""
    period = slo.objective.period / timedelta(days=1)
    fast = "" if time_scale == 1 else f"; time runs {time_scale:g} times faster"
    return f"{slo.id}: {slo.objective.target_ratio * 100:.6g} % over {period:g} d{fast}"


def fault_in_words(case: PredictedFault, shape: str, *, time_scale: float) -> str:
    """Return the fault of a case: ``a constant fault of 5 % errors that lasts 10 min``."""
    kind = shape if "=" not in shape else "drawn"
    lasts = "" if case.duration is None else f" that lasts {_in_full(case.duration, time_scale)}"
    return f"a fault ({kind}) of {_percent(case.error_ratio)} errors{lasts}"


def branches_table(slo: Slo, case: PredictedFault, *, time_scale: float) -> Table:
    """Return one row per branch, and one for the page as a whole."""

    def shown(duration: timedelta | None, empty: str) -> str:
        return empty if duration is None else _in_full(duration, time_scale)

    def row(
        detects: timedelta | None,
        resets: timedelta | None,
        spent: float | None,
        limit: timedelta | None,
    ) -> tuple[str, ...]:
        fires = detects is not None
        return (
            shown(detects, NEVER),
            shown(resets, NEVER if fires and case.duration is not None else NOTHING),
            percent(spent) if fires else NOTHING,
            shown(limit, NOTHING),
        )

    found = case.prediction
    rows = [
        (
            f"{nominal(w.long)} / {nominal(w.short)}",
            str(w.severity),
            f"> {_percent(w.burn_rate * slo.objective.budget_ratio)}",
            *row(b.detects_after, b.resets_after, b.budget_spent_ratio, b.limit_after),
        )
        for w, b in zip(slo.windows, found.branches, strict=True)
    ]
    page = row(
        found.page_detects_after,
        found.page_resets_after,
        found.page_budget_spent_ratio,
        found.page_limit_after,
    )
    return (
        "branch",
        "severity",
        "errors",
        "detects after",
        "resets after",
        "budget spent",
        "not before",
    ), [*rows, ("the page", "", "", *page)]


def grid(cases: Sequence[PredictedFault]) -> Table:
    """Return error ratios by durations; each cell says when the page fires and clears."""
    durations = dict.fromkeys(case.duration for case in cases)
    by_ratio: dict[float, list[PredictedFault]] = {}
    for case in cases:
        by_ratio.setdefault(case.error_ratio, []).append(case)
    heads = ("endless" if d is None else _brief(d) for d in durations)
    return ("errors", *heads), [
        (_percent(ratio), *(_cell(case) for case in row)) for ratio, row in by_ratio.items()
    ]


def never_seen(slo: Slo, *, time_scale: float) -> str:
    """Return a sentence on the faults that no page ever tells of."""
    lowest, shortest = _never_seen(slo, time_scale)
    if lowest is None or shortest is None:
        pages = any(w.severity is Severity.PAGE for w in slo.windows)
        why = "every threshold is 100 % or more" if pages else "no branch of it pages"
        return f"The page never sees any fault: {why}."
    return (
        f"The page never sees an error ratio of {_percent(lowest)} or less, however long it lasts,"
        f" nor a total outage of {_in_full(shortest, time_scale)} or less."
    )


def _never_seen(slo: Slo, time_scale: float) -> tuple[float | None, timedelta | None]:
    objective = slo.objective.scaled(time_scale)
    windows = [w.scaled(time_scale) for w in slo.windows]
    return lowest_ratio(objective, windows), shortest_fault(objective, windows)


def _cell(case: PredictedFault) -> str:
    found = case.prediction
    detects, resets = found.page_detects_after, found.page_resets_after
    if detects is None:
        return NEVER
    flaps = f" ×{found.page_firings}" if found.page_firings > 1 else ""
    if resets is None:
        return f"{_brief(detects)} / {NOTHING if case.duration is None else NEVER}{flaps}"
    return f"{_brief(detects)} / {_brief(resets)}{flaps}"


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.3g} %"


def _in_full(duration: timedelta, time_scale: float) -> str:
    return both_times(duration.total_seconds(), time_scale)


def _brief(duration: timedelta) -> str:
    """Return a duration in its two largest units: ``52s``, ``4m56s``, ``1h48m``, ``3d``."""
    if duration < timedelta(0):
        return f"−{_brief(-duration)}"
    left = round(duration.total_seconds())
    if left < 10:
        return f"{duration.total_seconds():.2g}s"
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    first = next(i for i, (_, size) in enumerate(units) if left >= size)
    text = ""
    for unit, size in units[first : first + 2]:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text
