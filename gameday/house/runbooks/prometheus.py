"""The Prometheus that runbooks are held against: by its address, or as a system's file has it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gameday.drivers.prometheus import PrometheusSurvey
from gameday.errors import UsageError
from gameday.house.targets.choice import system_named
from gameday.house.targets.declared_cluster import SystemDoors
from gameday.house.targets.grafana_sources import with_sources
from gameday.http.credentials import credentials_of
from gameday.model.access import Reached
from gameday.model.alerting_rule import AlertingRule

__all__ = ["AskedPrometheus", "prometheus_asked"]

_AT_A_TIME = 40
"""Metrics asked for in one question: their names travel in its address."""


@dataclass(frozen=True, slots=True)
class AskedPrometheus:
    """Where metrics are kept, and where rules are evaluated; as a rule the same.

    Attributes:
        name: what it is called in sentences: by its address, or by the system whose it is.
    """

    name: str
    keeping: PrometheusSurvey
    evaluating: PrometheusSurvey

    async def lacking(self, names: Collection[str]) -> frozenset[str]:
        """Return which of these metrics it has not, and had not as far back as it remembers.

        Raises:
            DriverError: it does not answer, or is no Prometheus.
        """
        wanted = sorted(names)
        found: set[str] = set()
        for start in range(0, len(wanted), _AT_A_TIME):
            found |= await self.keeping.metrics_among(wanted[start : start + _AT_A_TIME])
        return frozenset(wanted) - found

    async def alerting_rules(self) -> Sequence[AlertingRule]:
        """Return the alerting rules it has loaded.

        Raises:
            DriverError: it does not answer, or is no Prometheus.
        """
        loaded = await self.evaluating.loaded_rules()
        return [
            AlertingRule(
                name=rule.name,
                place=self.name,
                group=rule.group[1],
                labels=rule.labels,
                annotations=rule.annotations,
            )
            for rule in loaded.alerts
        ]


async def prometheus_asked(url: str, system: str) -> AskedPrometheus | None:
    """Return the Prometheus of this address, or of this system; None where neither is named.

    Raises:
        UsageError: both are named, or there is no such system.
        SpecError: the system's document is wrong.
        DriverError: a secret of the system is not where its document says, or its cluster is not.
    """
    if url and system:
        raise UsageError("give --prometheus or --system, not both: a system's file names its own")
    if url:
        asked = PrometheusSurvey(url)
        return AskedPrometheus(f"Prometheus at {asked.url}", asked, asked)
    if not system:
        return None
    found = await asyncio.to_thread(lambda: SystemDoors(system_named(system)).opened())
    found, _ = await with_sources(found)
    spec = found.spec
    name = f"the Prometheus of {found.metadata.name}"
    keeping = _survey(spec.metrics.prometheus)
    rules = spec.alerts.prometheus
    return AskedPrometheus(name, keeping, keeping if rules is None else _survey(rules))


def _survey(at: Reached) -> PrometheusSurvey:
    return PrometheusSurvey(str(at.url).rstrip("/"), credentials=credentials_of(at))
