"""Prometheus and Alertmanager, as a run watches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from gameday.model.signals import AlertState, Series


@dataclass(frozen=True, slots=True)
class Counters:
    """Raw counter series of an SLI, every sample as stored, none resampled.

    One `Series` per label set; a service has several processes, each counts on its own.
    """

    good: Sequence[Series]
    total: Sequence[Series]


class AlertSource(Protocol):
    """Prometheus, as the judge of when an alert fired."""

    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        """Return the SLO's alerts seen firing or pending in this span, from stored evaluations."""

    async def counters(
        self, *, good_query: str, total_query: str, since: datetime, until: datetime
    ) -> Counters:
        """Return the raw samples of an SLI's counters in this span."""

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        """Return the present burn rate per nominal window (``1h`` → 0.2); None where no data."""

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        """Return (scrape interval, evaluation interval) in force for the SLO's rules."""

    async def started_at(self) -> datetime | None:
        """Return when this Prometheus was started; None where it does not say."""

    async def values(self, query: str) -> Sequence[float]:
        """Return the values a PromQL expression has now, one per series; empty: no data."""


class AlertRouting(Protocol):
    """Whom alerts are sent to."""

    async def configuration(self) -> Mapping[str, Any]:
        """Return the configuration in force, as Alertmanager writes it."""
