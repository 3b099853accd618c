"""The cluster that a declared system runs in: opened, and what a drill does through it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gameday.house.targets.cluster import pods_back
from gameday.house.targets.cluster_faults import ClusterFaults, Place
from gameday.model.access import Access, Reached
from gameday.model.system import ClusterAt, System, SystemSpec

if TYPE_CHECKING:
    # The client library takes a moment to load, and most systems need none.
    from gameday.drivers.kubernetes import Cluster
    from gameday.drivers.kubernetes.acts import ClusterActs
    from gameday.drivers.kubernetes.effects import ClusterEffects

__all__ = ["DeclaredCluster", "connected", "doors", "opened_cluster", "with_doors", "without_doors"]


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


def opened_cluster(spec: SystemSpec) -> DeclaredCluster | None:
    """Return the cluster of a system, noted as it is now; None: it has none. Blocks.

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
    namespaces = spec.kubernetes.namespaces
    cluster.fences.check_namespaces(namespaces)
    identity = identity_of(cluster)
    return DeclaredCluster(
        faults=ClusterFaults(
            ChaosToolkit(
                toxiproxy=spec.toxiproxy,
                context=cluster.context,
                kubeconfig=kubeconfig,
            ),
            Place(cluster.context, namespaces[0], kubeconfig, is_behind_doors=False),
            cluster,
            identity=identity,
            pods_back=pods_back(cluster, namespaces),
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


def with_doors(system: System) -> System:
    """Return a system each Service of which has an address on this machine; blocks for a moment.

    The addresses last as long as the process, and only who knows their token gets through, as
    `gameday.drivers.kubernetes.door` says. A system that names no Service is returned as it is.

    Raises:
        DriverError: there is no such context, or the settings do not allow it.
    """
    spec = system.spec
    if spec.kubernetes is None or not spec.services:
        return system
    door = doors(connected(spec.kubernetes))
    for where, place in system.spec.places():
        if isinstance(place, Reached) and place.service is not None:
            opened = place.model_copy(update={"url": door(place.service)})
            spec = spec.with_place(where, opened)
    return system.model_copy(update={"spec": spec})


def without_doors(text: str, places: Iterable[Access]) -> str:
    """Return a text that names a Service where it names its address on this machine.

    That address is for this process alone, and nothing at which anybody could look.
    """
    for place in places:
        if isinstance(place, Reached) and place.service and place.url:
            address = re.escape(place.url.rstrip("/"))
            text = re.sub(rf"{address}(?!\d)", f"the Service {place.service}", text)
    return text


def doors(cluster: Cluster) -> Callable[[str], str]:
    """Return what opens a door to a Service, ``NAMESPACE/NAME:PORT``, and returns its address."""
    from gameday.drivers.kubernetes.door import ServiceDoor
    from gameday.http.guard import PROMETHEUS_READS, PYROSCOPE_READS

    # One for all of them: a browser keeps one for the whole host, whatever the port.
    token = secrets.token_hex(32)
    opened: dict[str, str] = {}

    def door(service: str) -> str:
        if service not in opened:
            namespace, _, rest = service.partition("/")
            name, _, port = rest.partition(":")
            opened[service] = ServiceDoor(
                cluster,
                namespace=namespace,
                service=name,
                port=port,
                token=token,
                reads=(*PROMETHEUS_READS, *PYROSCOPE_READS),
                is_readable=True,
            ).url
        return opened[service]

    return door


def _kubeconfig() -> str | None:
    return os.environ.get("KUBECONFIG") or None
