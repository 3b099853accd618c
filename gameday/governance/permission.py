"""May this run start? The programme and the facts in, every reason against it out. Pure.

Reasons are given all at once, and each says what to change or whom to ask. What does not forbid a
run but should be known is a notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gameday.errors import Ground, PlanRefused, Refusal
from gameday.model.budget import BudgetLeft, BudgetUnknown
from gameday.model.programme import Blackout, Programme, TargetTerms
from gameday.names import did_you_mean, nearest
from gameday.quantity import shown, written
from scoring.form import fields_to_json


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a run that is asked for.

    Attributes:
        target: ``sandbox``, or with its context ``kubernetes/prod-eu``.
        regions: those the run touches; empty: all there are.
        at: when (aware).
        approved_by: role that approved it, as the operator says; None: nobody.
    """

    target: str
    regions: tuple[str, ...]
    at: datetime
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a run may start.

    Attributes:
        start: what was asked for.
        programme: path of the programme that was asked; empty: there is none, and all is allowed.
        refusals: every reason against it; empty: it may start.
        notices: what should be known although it forbids nothing.
        budgets: what was known of the error budgets.
    """

    start: Start
    programme: str = ""
    refusals: tuple[Refusal, ...] = ()
    notices: tuple[str, ...] = ()
    budgets: tuple[BudgetLeft | BudgetUnknown, ...] = ()

    @property
    def may_start(self) -> bool:
        """Return whether nothing speaks against it."""
        return not self.refusals

    def require(self) -> None:
        """Return if the run may start.

        Raises:
            PlanRefused: with every reason.
        """
        if self.refusals:
            raise PlanRefused(*self.refusals)

    def to_json(self) -> dict[str, Any]:
        """Return the permission as ``programme check --json`` prints it and a run records it."""
        return {
            "programme": self.programme or None,
            "target": self.start.target,
            "regions": list(self.start.regions),
            "at": self.start.at.astimezone(UTC).isoformat(),
            "approved_by": self.start.approved_by,
            "may_start": self.may_start,
            "refusals": [
                {**fields_to_json(refusal), "message": str(refusal)} for refusal in self.refusals
            ],
            "notices": list(self.notices),
            "budgets": [_budget_json(budget) for budget in self.budgets],
        }


def judge(
    programme: Programme | None,
    start: Start,
    budgets: Sequence[BudgetLeft | BudgetUnknown] = (),
) -> Permission:
    """Return whether a run may start under a programme.

    Args:
        programme: None: there is none, and nothing is refused by it.
        budgets: of the SLOs the run will spend on; may be empty where that is not known.
    """
    if programme is None:
        return Permission(start, budgets=tuple(budgets))
    terms = programme.terms(start.target)
    refusals: list[Refusal] = []
    notices: list[str] = []
    if terms is None:
        refusals.append(_unlisted(programme, start.target))
    refusals += _blackout_refusals(programme, start)
    if terms is not None:
        refusals += _approval_refusals(terms, start)
        for budget in budgets:
            refused, noticed = _budget_words(programme, terms, start.target, budget)
            refusals += refused
            notices += noticed
    return Permission(
        start, str(programme.path or "programme"), tuple(refusals), tuple(notices), tuple(budgets)
    )


def _keeper(programme: Programme) -> str:
    return programme.metadata.owner or f"whoever keeps {programme.path or 'the programme'}"


def _unlisted(programme: Programme, target: str) -> Refusal:
    known = list(programme.spec.targets)
    return Refusal(
        Ground.TARGET,
        f"target '{shown(target)}' is not in the programme "
        f"({did_you_mean(target, known, what='it lists')})",
        f"ask {_keeper(programme)} to add it under spec.targets",
    )


# --- blackouts ----------------------------------------------------------------------------------


def _blackout_refusals(programme: Programme, start: Start) -> list[Refusal]:
    in_force = programme.blackouts(start.target, start.regions, start.at)
    if not in_force:
        return []
    free = programme.free_at(start.target, start.regions, start.at)
    return [
        Refusal(
            Ground.BLACKOUT,
            f"blackout '{blackout.name}' is in force {_scope(blackout)}until "
            f"{_local(end, blackout.zone)}{_because(blackout)}",
            _remedy(programme, blackout, end, free),
        )
        for blackout, end in in_force
    ]


def _because(blackout: Blackout) -> str:
    reason = " ".join(blackout.reason.split()).rstrip(".")
    return f" ({reason})" if reason else ""


def _scope(blackout: Blackout) -> str:
    return f"in {', '.join(blackout.regions)} " if blackout.regions else ""


def _remedy(programme: Programme, blackout: Blackout, end: datetime, free: datetime | None) -> str:
    if free is None:
        return f"others follow without a gap: ask {_keeper(programme)}"
    when = "then" if free == end else f"at {_local(free, blackout.zone)}, when no other holds"
    elsewhere = "leave those regions out with --region, " if blackout.regions else ""
    return f"start {when}, {elsewhere}or ask {_keeper(programme)}"


def _local(at: datetime, zone: ZoneInfo) -> str:
    """Return an instant as the people of a zone write it: ``2027-01-05 00:00 Europe/Berlin``."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


# --- approval -----------------------------------------------------------------------------------


def _approval_refusals(terms: TargetTerms, start: Start) -> list[Refusal]:
    if not terms.needs_approval:
        return []
    asked = " or ".join(terms.approvers)
    if start.approved_by is None:
        reason = f"{start.target} needs an approval"
        remedy = f"ask {asked}, then start with --approved-by NAME"
    elif start.approved_by not in terms.approvers:
        name = shown(start.approved_by)
        near = nearest(start.approved_by, terms.approvers)
        reason = f"'{name}' may not approve runs on {start.target}"
        remedy = f"did you mean --approved-by '{near}'?" if near else f"ask {asked}"
    else:
        return []
    return [Refusal(Ground.APPROVAL, reason, remedy)]


# --- error budgets ------------------------------------------------------------------------------


def _budget_words(
    programme: Programme,
    terms: TargetTerms,
    target: str,
    budget: BudgetLeft | BudgetUnknown,
) -> tuple[list[Refusal], list[str]]:
    """Return (what is refused, what is only to be known) about one budget."""
    reserve = programme.reserve(target)
    wanted = reserve if reserve is not None else programme.spec.error_budget_left_above
    if wanted is None:
        return [], []
    if isinstance(budget, BudgetLeft) and budget.left_ratio < wanted:
        said = _too_little(budget, wanted)
        if reserve is None:
            return [], [f"{said}; allowed, for {target} is disposable"]
        remedy = f"wait until bad events leave the period, or ask {_keeper(programme)}"
        return [Refusal(Ground.BUDGET, said, remedy)], []
    unknown = _unknown(budget, programme.spec.error_budget_history_above)
    if not unknown:
        return [], []
    if terms.disposable:
        return [], [f"{unknown}; allowed, for {target} is disposable"]
    remedy = (
        f"have Prometheus keep more, or ask {_keeper(programme)} to accept less by "
        "errorBudgetHistoryAbove"
        if isinstance(budget, BudgetLeft)
        else "see that Prometheus runs and scrapes the service, then start again"
    )
    return [Refusal(Ground.BUDGET, f"{unknown}, and {target} is not disposable", remedy)], []


def _too_little(budget: BudgetLeft, wanted: float) -> str:
    left = (
        f"{_percent(budget.left_ratio)} is left"
        if budget.left_ratio >= 0
        else f"it is overspent by {_percent(-budget.left_ratio)}"
    )
    whole = (
        ""
        if budget.history_ratio >= 1
        else f" (of which {_percent(budget.history_ratio)} is known)"
    )
    return (
        f"error budget of {budget.slo}: {left}, {_percent(wanted)} must be; "
        f"{budget.bad_events:,.0f} bad events of the {budget.allowed_events:,.0f} that "
        f"{written(budget.period)}{whole} allow at this traffic"
    )


def _unknown(budget: BudgetLeft | BudgetUnknown, history_above: float) -> str:
    """Return why a budget does not count as known; empty where it does."""
    if isinstance(budget, BudgetUnknown):
        return f"error budget of {budget.slo} is unknown: {budget.reason}"
    if budget.history_ratio < history_above:
        return (
            f"error budget of {budget.slo} is unknown: Prometheus holds "
            f"{_percent(budget.history_ratio)} of {written(budget.period)}, "
            f"{_percent(history_above)} must be known"
        )
    return ""


def _percent(ratio: float) -> str:
    return f"{100 * ratio:,.1f}".removesuffix(".0") + " %"


def _budget_json(budget: BudgetLeft | BudgetUnknown) -> dict[str, Any]:
    if isinstance(budget, BudgetUnknown):
        return {"slo": budget.slo, "left_ratio": None, "reason": budget.reason}
    return {
        "slo": budget.slo,
        "left_ratio": budget.left_ratio,
        "history_ratio": budget.history_ratio,
        "bad_events": budget.bad_events,
        "allowed_events": budget.allowed_events,
        "period_seconds": budget.period.total_seconds(),
    }
