"""How much of an SLO's error budget is left, by what Prometheus really holds. Pure.

Spent is bad events ÷ (allowed share × the events of the whole period at the traffic that was
seen). A history of minutes has therefore spent little of a budget of thirty days, however bad it
was; what the missing days spent is not guessed, and the share that was held stands beside the
answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from scoring.slo import Objective


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """What is left of one error budget.

    Attributes:
        slo: id of the SLO.
        left_ratio: share of the period's budget that the events seen have left, at most 1;
            negative where it is overspent. Without the whole history it is an upper limit.
        history_ratio: share of the period of which Prometheus holds the events, 0–1.
        bad_events: bad events in that history.
        allowed_events: bad events that the whole period allows at the traffic of that history.
        period: of the SLO, in the target's real time.
    """

    slo: str
    left_ratio: float
    history_ratio: float
    bad_events: float
    allowed_events: float
    period: timedelta


@dataclass(frozen=True, slots=True)
class BudgetUnknown:
    """One error budget of which nothing can be said.

    Attributes:
        slo: id of the SLO.
        reason: what is missing, for people.
    """

    slo: str
    reason: str


def budget_left(
    slo: str,
    objective: Objective,
    *,
    total: Sequence[float | None],
    good: Sequence[float | None] | None = None,
    bad: Sequence[float | None] | None = None,
) -> BudgetLeft | BudgetUnknown:
    """Return what is left of an error budget.

    Args:
        objective: with its period in the target's real time.
        total: how many events each slot of the period held, the slots equally long and together
            the period; None where Prometheus holds nothing.
        good: the same of the good ones; a slot without them had none.
        bad: the same of the bad ones, instead of ``good``; a slot without them had none.
    Raises:
        ValueError: not exactly one of good and bad, different numbers of slots, or no slot.
    """
    counted = good if good is not None else bad
    if (good is None) == (bad is None) or counted is None:
        raise ValueError("want either good events or bad ones")
    if len(counted) != len(total) or not total:
        raise ValueError(f"{len(counted)} slots of events, {len(total)} of all: want as many")
    held = [(c, t) for c, t in zip(counted, total, strict=True) if t is not None]
    events = sum(everything for _, everything in held)
    if events <= 0:
        return BudgetUnknown(slo, "Prometheus holds no events of it")
    if good is not None and all(fine is None for fine, _ in held):
        # No good event ever is a total outage, or a query that counts something else.
        return BudgetUnknown(slo, "Prometheus holds no good events of it, only others")
    some = sum(few or 0.0 for few, _ in held)
    spent = max(0.0, events - some if good is not None else some)
    history = len(held) / len(total)
    allowed = objective.budget_ratio * events / history
    return BudgetLeft(
        slo=slo,
        left_ratio=1 - spent / allowed,
        history_ratio=history,
        bad_events=spent,
        allowed_events=allowed,
        period=objective.period,
    )
