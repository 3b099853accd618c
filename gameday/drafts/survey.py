"""What a look at a system's Prometheus and Alertmanager found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gameday.drafts.sources import Source
from gameday.model.access import Reached
from gameday.model.system import PrometheusAt
from gameday.rules.loaded import LoadedRules

__all__ = ["Survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen of a system.

    Attributes:
        prometheus: how it was asked.
        alertmanager: how it was asked.
        is_foretold: whether Prometheus itself named that Alertmanager.
        services: by each source whose metric is there, the services it tells apart now.
        rules: those in force.
        routes: Alertmanager's configuration; None where it does not tell.
        has_watchdog: whether an alert that always fires is there as gameday looks for it.
        service_label: tells services apart instead of the presets' own; empty: theirs.
    """

    prometheus: PrometheusAt
    alertmanager: Reached
    is_foretold: bool
    services: Mapping[Source, tuple[str, ...]]
    rules: LoadedRules
    routes: Mapping[str, object] | None
    has_watchdog: bool
    service_label: str = ""
