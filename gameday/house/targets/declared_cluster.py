"""The cluster that a declared system runs in: opened, and what a drill does through it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gameday.house.targets.cluster_faults import ClusterFaults, Place
from gameday.house.targets.doors import Doors
from gameday.house.targets.ready_pods import pods_back
from gameday.model.access import Access, Reached
from gameday.model.system import ClusterAt, System, SystemSpec

if TYPE_CHECKING:
    # The client library takes a moment to load, and most systems need none.
    from gameday.drivers.kubernetes import Cluster
    from gameday.drivers.kubernetes.acts import ClusterActs
    from gameday.drivers.kubernetes.effects import ClusterEffects

__all__ = ["DeclaredCluster", "SystemDoors", "connected", "opened_cluster", "without_doors"]


@dataclass(frozen=True, slots=True)
class DeclaredCluster:
    """A cluster that a document names, with the drivers that act on it.

    Attributes:
        faults: what the document's other faults go through as well.
        acts: does the mitigations that change objects of it.
        effects: tells what a drill sets off there.
        doubt: why another cluster might be taken for it; empty where none can.
    """

    faults: ClusterFaults
    acts: ClusterActs
    effects: ClusterEffects
    doubt: str


def connected(at: ClusterAt, *, patience: timedelta = timedelta(seconds=10)) -> Cluster:
    """Return the cluster that a document names, without asking it anything yet.

    Args:
        patience: how long an answer is waited for.

    Raises:
        DriverError: there is no such context, or the settings do not allow it.
    """
    from gameday.drivers.kubernetes import connect
    from gameday.drivers.kubernetes.access import IN_CLUSTER

    context = IN_CLUSTER if at.in_cluster else at.context
    return connect(context, kubeconfig=_kubeconfig(), patience=patience)


def opened_cluster(spec: SystemSpec, *, astray: str = "") -> DeclaredCluster | None:
    """Return the cluster of a system, noted as it is now; None: it has none. Blocks.

    Args:
        astray: command that takes out what of some run is found there; empty: by its context.

    Raises:
        DriverError: there is no such context, the settings do not allow it or one of the
            namespaces, or the API server does not answer or says no.
    """
    if spec.kubernetes is None:
        return None
    from gameday.drivers.chaostoolkit import ChaosToolkit
    from gameday.drivers.kubernetes.acts import ClusterActs
    from gameday.drivers.kubernetes.effects import ClusterEffects
    from gameday.drivers.kubernetes.identity import identity_of

    cluster, kubeconfig = connected(spec.kubernetes), _kubeconfig()
    toxics = spec.toxiproxy
    named = toxics.service if toxics is not None else None
    namespaces = spec.kubernetes.namespaces
    cluster.fences.check_namespaces(namespaces)
    identity = identity_of(cluster)
    return DeclaredCluster(
        faults=ClusterFaults(
            ChaosToolkit(
                toxiproxy=toxics,
                context=cluster.context,
                kubeconfig=kubeconfig,
            ),
            Place(
                cluster.context,
                namespaces[0],
                kubeconfig,
                is_behind_doors=False,
                toxiproxy=named,
            ),
            cluster,
            identity=identity,
            pods_back=pods_back(cluster, namespaces),
            door=toxics.url if toxics is not None and named else "",
            astray=astray,
        ),
        acts=ClusterActs(
            cluster,
            [m.kubernetes for m in spec.mitigations if m.kubernetes is not None],
            namespaces=namespaces,
            identity=identity,
            kubeconfig=kubeconfig,
        ),
        effects=ClusterEffects(cluster, namespaces[0]),
        doubt=identity.doubt(f"{cluster.server} (the context {cluster.context!r})"),
    )


class SystemDoors:
    """The Services of one system, each with an address on this machine: opened once, for a run.

    Only who knows their token gets through, as `gameday.drivers.kubernetes.door` says.
    """

    def __init__(self, system: System) -> None:
        """Open nothing yet."""
        self._named = self._system = system
        self._doors: Doors | None = None

    def opened(self) -> System:
        """Return the system with the address of each Service; blocks for a moment.

        Whatever has an address keeps it, and a system that lacks none is returned as it is.

        Raises:
            DriverError: there is no such context, or the settings do not allow it.
        """
        spec = self._system.spec
        behind = [
            (where, place, place.service)
            for where, place in spec.places()
            if isinstance(place, Reached) and place.service is not None and not place.url
        ]
        if spec.kubernetes is None or not behind:
            return self._system
        self._doors = self._doors or Doors(connected(spec.kubernetes))
        for where, place, service in behind:
            # Who looks for a cause must not find it where faults are put in.
            url = self._doors.url(service, is_readable=where != ("toxiproxy",))
            spec = spec.with_place(where, place.model_copy(update={"url": url}))
        self._system = self._system.model_copy(update={"spec": spec})
        return self._system

    def close(self) -> None:
        """Close those that were opened here; blocks for a moment where there are any."""
        if self._doors is not None:
            self._doors.close()
        self._system = self._named


def without_doors(text: str, places: Iterable[Access]) -> str:
    """Return a text that names a Service where it names its address on this machine.

    That address is for this process alone, and nothing at which anybody could look.
    """
    for place in places:
        if isinstance(place, Reached) and place.service and place.url:
            address = re.escape(place.url.rstrip("/"))
            text = re.sub(rf"{address}(?!\d)", f"the Service {place.service}", text)
    return text


def _kubeconfig() -> str | None:
    return os.environ.get("KUBECONFIG") or None
