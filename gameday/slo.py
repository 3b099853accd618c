"""A service level objective as gameday works with it: read from OpenSLO, frozen, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from scoring.slo import BurnWindow, Objective


@dataclass(frozen=True, slots=True)
class Slo:
    """One promise about one service, and how Prometheus counts it.

    Attributes:
        id: metadata.name of the OpenSLO document (``checkout-latency``).
        service: the service the promise is about (``storefront``).
        objective: target ratio and period; unscaled (30 d stays 30 d).
        good_query: PromQL selector of the counter of good events, no range, no rate.
        total_query: PromQL selector of the counter of all events.
        windows: the burn-rate branches, unscaled; page branches first.
        title: one line for people.
        owner: team that owns the SLO.
        runbook: path or URL of the runbook its alerts link to; may be empty.
        annotations: metadata.annotations as written.
        path: the file it was read from.
    """

    id: str
    service: str
    objective: Objective
    good_query: str
    total_query: str
    windows: tuple[BurnWindow, ...]
    title: str = ""
    owner: str = ""
    runbook: str = ""
    annotations: dict[str, str] = field(default_factory=dict)
    path: Path | None = None

    def alert_name(self) -> str:
        """Return the name of its burn-rate alerts: ``CheckoutLatencyBudgetBurn``."""
        words = self.id.replace("_", "-").replace(".", "-").split("-")
        return "".join(w[:1].upper() + w[1:] for w in words if w) + "BudgetBurn"


def scaled(duration: timedelta, time_scale: float) -> timedelta:
    """Return how long it lasts on a target whose time runs ``time_scale`` times faster."""
    return duration / time_scale
