"""Objectives, error budgets, burn rates and the windows that alert on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How loudly a burn-rate alert speaks."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class NoData:
    """The answer where there is nothing to compute from: neither zero nor a pass.

    Attributes:
        reason: what is missing, for people.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise: this share of events is good over this period.

    Raises:
        ValueError: the target is not strictly between 0 and 1, or the period is not positive.
    """

    target_ratio: float
    period: timedelta

    def __post_init__(self) -> None:
        if not 0 < self.target_ratio < 1:
            raise ValueError(
                f"target {self.target_ratio!r} must lie strictly between 0 and 1 (0.999, not 99.9)"
            )
        if self.period <= timedelta(0):
            raise ValueError(f"period {self.period!r} must be positive")

    @property
    def budget_ratio(self) -> float:
        """Return the share of events that may be bad: 1 − target."""
        return 1 - self.target_ratio

    def scaled(self, time_scale: float) -> Objective:
        """Return the promise on a target whose time runs this many times faster.

        The period shrinks; the target, a ratio, stays.
        """
        return Objective(self.target_ratio, self.period / time_scale)


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """One branch of a multi-window burn-rate alert.

    It holds while the burn rate over the long *and* over the short window is above ``burn_rate``.

    Attributes:
        long: shows that the burn is sustained.
        short: shows that it still burns; 1/12 of the long one by custom.
        burn_rate: threshold, in budgets per period.
        severity: page or ticket.
        for_: how long it must hold before the alert fires.
    """

    long: timedelta
    short: timedelta
    burn_rate: float
    severity: Severity = Severity.PAGE
    for_: timedelta = timedelta(0)

    def scaled(self, time_scale: float) -> BurnWindow:
        """Return the branch on a target whose time runs this many times faster.

        Windows and ``for`` shrink; the threshold, a rate, stays.
        """
        return BurnWindow(
            self.long / time_scale,
            self.short / time_scale,
            self.burn_rate,
            self.severity,
            self.for_ / time_scale,
        )


def burn_rate(bad_ratio: float, objective_ratio: float) -> float:
    """Return how many times faster than allowed the error budget is being spent.

    1.0 spends exactly the whole budget over the SLO period; 0.0 spends none.

    Args:
        bad_ratio: bad events / all events in the window, 0–1.
        objective_ratio: promised good share, strictly between 0 and 1 (0.999, not 99.9).

    Raises:
        ValueError: either ratio is outside its range.

    Source: Google SRE Workbook, ch. 5 "Alerting on SLOs".
    """
    if not 0 <= bad_ratio <= 1:
        raise ValueError(f"bad_ratio {bad_ratio!r} must lie between 0 and 1")
    if not 0 < objective_ratio < 1:
        raise ValueError(f"objective_ratio {objective_ratio!r} must lie strictly between 0 and 1")
    return bad_ratio / (1 - objective_ratio)


def workbook_windows(period: timedelta) -> tuple[BurnWindow, ...]:
    """Return the Workbook's branches, page first, with thresholds rebased to the period.

    A threshold is budget share × period / long window: 2 % in 1 h and 5 % in 6 h page, 10 % in
    1 d and 10 % in 3 d make a ticket. For 30 days that gives 14.4, 6, 3 and 1.

    Source: Google SRE Workbook, ch. 5, table 5-8; the 1 d branch as Sloth adds it.
    """
    hour, day = timedelta(hours=1), timedelta(days=1)
    table = (
        (hour, 0.02, Severity.PAGE),
        (6 * hour, 0.05, Severity.PAGE),
        (day, 0.10, Severity.TICKET),
        (3 * day, 0.10, Severity.TICKET),
    )
    return tuple(
        BurnWindow(long, long / 12, round(share * (period / long), 10), severity)
        for long, share, severity in table
    )


def nominal(window: timedelta) -> str:
    """Return a window's name as Prometheus and Sloth write it: ``5m``, ``1h``, ``3d``."""
    seconds = round(window.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def span_of(name: str) -> timedelta | None:
    """Return the window that `nominal` calls so; None where it calls none so."""
    sizes = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    count, unit = name[:-1], name[-1:]
    if unit not in sizes or not count.isdigit():
        return None
    return timedelta(seconds=int(count) * sizes[unit])
