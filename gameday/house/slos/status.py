"""How an SLO stands now: what is left of its error budget, how fast it burns, when it is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gameday.drivers.prometheus import Prometheus
from gameday.errors import PermanentDriverError
from gameday.house.run.permission import PATIENCE, read_budget
from gameday.model.budget import BudgetLeft, BudgetUnknown
from gameday.model.slo import Slo, scaled
from gameday.sandbox import state
from gameday.settings import Settings
from scoring.slo import BurnWindow, Severity, nominal


@dataclass(frozen=True, slots=True)
class SloStatus:
    """One SLO at one instant.

    Attributes:
        time_scale: how many times faster time runs there, by the labels of the SLO's recordings.
        burn_rates: budgets per period, by nominal window; None where the window holds no events.
        rate_window: nominal window whose burn rate is called the present one: the long window of
            the branch that pages first; empty where the SLO has no branch.
        budget: what is left, or why nothing can be said.
    """

    slo: Slo
    time_scale: float
    burn_rates: Mapping[str, float | None]
    rate_window: str
    budget: BudgetLeft | BudgetUnknown

    @property
    def present_rate(self) -> float | None:
        """Return the present burn rate; None where it is not known."""
        return self.burn_rates.get(self.rate_window)

    @property
    def exhausted_in(self) -> timedelta | None:
        """Return in how much real time the budget is gone at the present rate.

        Zero where it is gone already. None: never at this rate (it is 0), or not known. At a burn
        rate of 1 a whole budget lasts the whole period (SRE Workbook, table 5-4). Where part of the
        history is missing more may be spent than was seen, and it is gone sooner.
        """
        if isinstance(self.budget, BudgetUnknown):
            return None
        if self.budget.left_ratio <= 0:
            return timedelta(0)
        rate = self.present_rate
        return self.budget.left_ratio * self.budget.period / rate if rate else None

    def to_json(self) -> dict[str, Any]:
        """Return the status as ``gameday slo status --json`` prints it; seconds are real ones."""
        known = self.budget if isinstance(self.budget, BudgetLeft) else None
        gone = self.exhausted_in
        return {
            "slo": self.slo.id,
            "service": self.slo.service,
            "target": self.slo.objective.target_ratio,
            "period_seconds": scaled(self.slo.objective.period, self.time_scale).total_seconds(),
            "time_scale": self.time_scale,
            "budget_remaining_ratio": known.left_ratio if known else None,
            "history_ratio": known.history_ratio if known else None,
            "bad_events": known.bad_events if known else None,
            "allowed_events": known.allowed_events if known else None,
            "burn_rates": dict(self.burn_rates),
            "present_rate": self.present_rate,
            "present_rate_window": self.rate_window or None,
            "exhausted_in_seconds": gone.total_seconds() if gone is not None else None,
            "no_data": self.budget.reason if isinstance(self.budget, BudgetUnknown) else None,
        }


def prometheus_to_ask(url: str | None, settings: Settings) -> tuple[Prometheus, float]:
    """Return the Prometheus to ask, and how many times faster time runs there unless it says so.

    The URL if one is given, else that of the settings, else the sandbox's where it is up.

    Raises:
        PermanentDriverError: none of them is there.
    """
    chosen = url or settings.tools.prometheus_url
    if chosen:
        return Prometheus(chosen, timeout=PATIENCE), 1.0
    sandbox = state.read(settings.state / "sandbox")
    if sandbox is None:
        raise PermanentDriverError(
            "no Prometheus is known to ask: give --prometheus URL or set GAMEDAY_PROMETHEUS_URL, "
            "or start the sandbox with `gameday sandbox up`"
        )
    return Prometheus(sandbox.prometheus_url, timeout=PATIENCE), sandbox.time_scale


async def read_status(
    prometheus: Prometheus, slos: Sequence[Slo], *, now: datetime, time_scale: float = 1.0
) -> list[SloStatus]:
    """Return how each SLO stands.

    Burn rates are the recorded ones; where its rules are not loaded they are computed from the
    SLI's counters, if it has any.

    Args:
        time_scale: where the recordings do not say.

    Raises:
        DriverError: Prometheus does not answer, or refuses the question.
    """
    found = []
    for slo in slos:
        scale = await prometheus.time_scale(slo=slo.id) or time_scale
        rates = await prometheus.burn_rates(slo=slo.id)
        if not rates:
            rates = await _counted_rates(prometheus, slo, scale)
        budget = await read_budget(prometheus, slo, time_scale=scale, now=now)
        found.append(SloStatus(slo, scale, rates, _rate_window(slo.windows), budget))
    return found


async def _counted_rates(
    prometheus: Prometheus, slo: Slo, time_scale: float
) -> Mapping[str, float | None]:
    """Return the burn rate over every window of the SLO's alerts, from its counters now."""
    if not slo.counts_events:
        return {}
    windows = sorted({w for branch in slo.windows for w in (branch.short, branch.long)})
    rates: dict[str, float | None] = {}
    for window in windows:
        span = f"[{round(scaled(window, time_scale).total_seconds() * 1000)}ms]"
        some = f"(sum(rate({slo.good_query or slo.bad_query}{span})) or vector(0))"
        share = f"{some} / (sum(rate({slo.total_query}{span})) > 0)"
        ratio = await prometheus.values(f"1 - {share}" if slo.good_query else share)
        rates[nominal(window)] = (
            max(ratio[0], 0.0) / slo.objective.budget_ratio if len(ratio) == 1 else None
        )
    return rates


def _rate_window(windows: Sequence[BurnWindow]) -> str:
    pages = [w for w in windows if w.severity is Severity.PAGE]
    longs = [w.long for w in pages or windows]
    return nominal(min(longs)) if longs else ""
