"""Metrics that are kept elsewhere than where the rules are evaluated, seen as one source of alerts.

What keeps metrics for long, such as VictoriaMetrics or Thanos, is sent them by the Prometheus that
scrapes. That one evaluates the rules and knows at once what became of an alert; what it sends
arrives some seconds later, and an alert whose newest sample is under way would look resolved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from gameday.model.signals import AlertState
from gameday.ports import AlertSource, Counters

__all__ = ["KeptElsewhere"]


class KeptElsewhere:
    """Alerts of one Prometheus, metrics of another; fulfils `gameday.ports.AlertSource`."""

    def __init__(self, evaluating: AlertSource, keeping: AlertSource) -> None:
        """Name both.

        Args:
            evaluating: has the rules and the targets.
            keeping: is asked for everything that is measured.
        """
        self._evaluating = evaluating
        self._keeping = keeping

    async def alerts(self, *, slo: str, since: datetime, until: datetime) -> Sequence[AlertState]:
        """Return the SLO's alerts in this span, by whoever evaluates them."""
        return await self._evaluating.alerts(slo=slo, since=since, until=until)

    async def timing(self, *, slo: str) -> tuple[timedelta, timedelta]:
        """Return (scrape interval, evaluation interval) in force for the SLO's rules."""
        return await self._evaluating.timing(slo=slo)

    async def started_at(self) -> datetime | None:
        """Return when whoever evaluates was started."""
        return await self._evaluating.started_at()

    async def counters(
        self, *, good_query: str, total_query: str, since: datetime, until: datetime
    ) -> Counters:
        """Return every stored sample of the SLI's counters in this span."""
        return await self._keeping.counters(
            good_query=good_query, total_query=total_query, since=since, until=until
        )

    async def burn_rates(self, *, slo: str) -> Mapping[str, float | None]:
        """Return the present burn rate per nominal window."""
        return await self._keeping.burn_rates(slo=slo)

    async def values(self, query: str) -> Sequence[float]:
        """Return the values a PromQL expression has now."""
        return await self._keeping.values(query)
