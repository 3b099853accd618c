"""What a look at a system found: at its Prometheus and Alertmanager, and at its cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gameday.drafts.regions import LabelValues
from gameday.drafts.sources import Source
from gameday.model.access import Reached
from gameday.rules.loaded import LoadedRules

__all__ = ["ClusterSeen", "Survey", "place"]


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """What was seen of the cluster that a system runs in.

    Attributes:
        context: of the kubeconfig; empty: the cluster that gameday runs in.
        version: of its API server.
        namespaces: those of the system, the first of which is meant where nothing else is said.
        deployments: that run in these, by name.
        instruments: the Service of each instrument that answers, by its name in a system's file:
            ``jaeger``, ``tempo``, ``pyroscope``.
        lacking: rights that whoever asked has not.
        places: regions, and zones, that its nodes are in, each sorted; empty where that is not
            told.
    """

    context: str
    version: str
    namespaces: tuple[str, ...]
    deployments: tuple[str, ...] = ()
    instruments: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    places: tuple[tuple[str, ...], ...] = ()


def place(at: Reached) -> str:
    """Return where something is, as a system's file says it: its Service, or its URL."""
    return at.service or str(at.url)


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
        cluster: what was seen of the cluster it runs in; None: nobody named one.
        where: by source and service, what those labels of its requests hold that may tell regions
            apart.
    """

    prometheus: Reached
    alertmanager: Reached
    is_foretold: bool
    services: Mapping[Source, tuple[str, ...]]
    rules: LoadedRules
    routes: Mapping[str, object] | None
    has_watchdog: bool
    service_label: str = ""
    cluster: ClusterSeen | None = None
    where: Mapping[tuple[Source, str], LabelValues] = field(default_factory=dict)
