"""Faults in a cluster, reached from wherever they are put in or taken back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.ports import Injection, PlannedFault, Undo
from gameday.shop import SERVICE

if TYPE_CHECKING:
    # The client library takes a moment to load, and most runs need none.
    from gameday.drivers.kubernetes import Cluster
    from gameday.drivers.kubernetes.door import ServiceDoor
    from gameday.drivers.kubernetes.identity import ClusterIdentity

PORTS = {"prometheus": 9090, "telemetry": 4318, "proxy": 8474, "mailbox": 9094}
"""The Services gameday talks to, and their ports."""

PODS_BACK_WITHIN = timedelta(seconds=20)
"""Of one try; a recovery has several."""


def service_path(namespace: str, service: str) -> str:
    """Return where the API server passes requests on to a Service of `PORTS`."""
    return f"/api/v1/namespaces/{namespace}/services/{service}:{PORTS[service]}/proxy"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which cluster a shop is; plain data, so that an undo can hold it.

    Attributes:
        kubeconfig: as it was given; None: the environment's.
        is_behind_doors: whether its Toxiproxy is reached through a door, as the shop's is.
    """

    context: str
    namespace: str
    kubeconfig: str | None = None
    is_behind_doors: bool = True

    @property
    def target(self) -> str:
        """Return what programmes, runs and undos call this cluster."""
        return f"kubernetes/{self.context}"

    def to_json(self) -> dict[str, Any]:
        """Return it as an undo keeps it."""
        return asdict(self)


class Doors:
    """The Services of one shop, each behind a loopback address; open as long as the process."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        """Open nothing yet."""
        self._cluster = cluster
        self._namespace = namespace
        self._open: dict[str, ServiceDoor] = {}
        # One for all of them: a browser keeps one for the whole host, whatever the port.
        self._token = secrets.token_hex(32)

    def url(self, service: str) -> str:
        """Return the address of a Service, opened at first use."""
        from gameday.drivers.kubernetes.door import ServiceDoor
        from gameday.http.guard import PROMETHEUS_READS, PYROSCOPE_READS

        # What the responder and a browser may read, and how it is asked beside GET.
        readable = {"prometheus": PROMETHEUS_READS, "telemetry": PYROSCOPE_READS}
        if service not in self._open:
            self._open[service] = ServiceDoor(
                self._cluster,
                namespace=self._namespace,
                service=service,
                port=PORTS[service],
                token=self._token,
                reads=readable.get(service, ()),
                is_readable=service in readable,
            )
        return self._open[service].url

    def close(self) -> None:
        """Close all of them."""
        for door in self._open.values():
            door.close()
        self._open.clear()


class ClusterFaults:
    """Chaos Toolkit, on a cluster: fulfils `gameday.ports.FaultDriver`.

    What it prepares knows its cluster, so that any other process can take it back.
    """

    def __init__(
        self,
        inner: ChaosToolkit,
        place: Place,
        cluster: Cluster,
        *,
        identity: ClusterIdentity,
        pods_back: Callable[[timedelta], bool] = lambda _: True,
    ) -> None:
        """Remember them.

        Args:
            cluster: of the place, for asking which one it is that answers.
            identity: of the one that is meant.
            pods_back: waits at most this long, and returns whether as many pods are ready as were
                when the run began.
        """
        self._inner = inner
        self._place = place
        self._cluster = cluster
        self._identity = identity.to_json()
        self._pods_back = pods_back

    def prepare(
        self,
        fault: str,
        *,
        path: str,
        configuration: Mapping[str, Any],
        at: timedelta,
        duration: timedelta,
        run: str,
        number: int,
    ) -> PlannedFault:
        """Return the fault with its names chosen and its undo as data; changes nothing."""
        planned = self._inner.prepare(
            fault,
            path=path,
            configuration=configuration,
            at=at,
            duration=duration,
            run=run,
            number=number,
        )
        return replace(planned, undo=self._placed(planned.undo))

    async def pinned(self, undo: Undo) -> Undo:
        """Return the undo with what tells the place it changes from any other.

        Its cluster is noted since it was planned, and must still be the one that answers.
        """
        await _is_there(self._cluster, undo)
        return await self._inner.pinned(undo)

    async def inject(self, fault: PlannedFault) -> Injection:
        """Put the fault in place."""
        injection = await self._inner.inject(fault)
        await _is_there(self._cluster, fault.undo)
        return injection

    async def steady(self, path: str) -> bool:
        """Return whether the steady-state hypothesis of an experiment holds now."""
        return await self._inner.steady(path)

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything this undo takes back is still there.

        Of a fault that took pods away, that they are missing is a part.
        """
        await _is_there(self._cluster, undo)
        is_present = await self._inner.is_present(undo)
        if not is_present and _takes_pods(undo):
            is_present = not await asyncio.to_thread(self._pods_back, timedelta(0))
        if not is_present:
            await _is_there(self._cluster, undo)
        return is_present

    async def recover(self, undo: Undo) -> None:
        """Take it back, and wait for the pods it took away; idempotent."""
        await _is_there(self._cluster, undo)
        await self._inner.recover(undo)
        if _takes_pods(undo):
            await asyncio.to_thread(self._pods_back, PODS_BACK_WITHIN)

    async def strays(self) -> Sequence[Undo]:
        """Return what takes back everything in the cluster that bears the mark of some run."""
        command = f"gameday recover --strays --context {self._place.context}"
        await _answers(self._cluster, self._identity)
        found = await self._inner.strays()
        await _answers(self._cluster, self._identity)
        return [replace(self._placed(undo), command=command) for undo in found]

    def _placed(self, undo: Undo) -> Undo:
        where = {"cluster": self._place.to_json(), "identity": self._identity}
        return replace(undo, data={**undo.data, **where})


async def _is_there(cluster: Cluster, undo: Undo) -> None:
    """Return where the very cluster answers that an undo is for."""
    await _answers(cluster, undo.data.get("identity"))


async def _answers(cluster: Cluster, identity: Mapping[str, Any] | None) -> None:
    from gameday.drivers.kubernetes.identity import check_identity

    await asyncio.to_thread(check_identity, cluster, identity)


def _takes_pods(undo: Undo) -> bool:
    """Return whether a fault acts on the cluster itself, not on a proxy in it."""
    return "context" in undo.data["configuration"]


class PlacedExperiments:
    """Takes faults back from their undos alone, those of clusters through doors of its own."""

    def __init__(self, local: ChaosToolkit) -> None:
        """Remember who takes back what is in no cluster."""
        self._local = local
        self._known: dict[Place, tuple[Cluster, Doors, ChaosToolkit]] = {}

    async def is_present(self, undo: Undo) -> bool:
        """Return whether anything this undo takes back is still there."""
        cluster = self._cluster(undo)
        if cluster is not None:
            await _is_there(cluster, undo)
        inner, moved = self._reached(undo)
        is_present = moved is not None and await inner.is_present(moved)
        if cluster is not None and not is_present:
            await _is_there(cluster, undo)
        return is_present

    async def recover(self, undo: Undo) -> None:
        """Take it back; idempotent."""
        cluster = self._cluster(undo)
        if cluster is not None:
            await _is_there(cluster, undo)
        inner, moved = self._reached(undo)
        if moved is not None:
            await inner.recover(moved)

    def _cluster(self, undo: Undo) -> Cluster | None:
        """Return the cluster at the place of an undo, whichever it is; None where it has none."""
        said = undo.data.get("cluster")
        return self._at(Place(**said))[0] if said else None

    def _at(self, place: Place) -> tuple[Cluster, Doors, ChaosToolkit]:
        if place not in self._known:
            from gameday.drivers.kubernetes import connect

            cluster = connect(place.context, kubeconfig=place.kubeconfig, is_fenced=False)
            inner = ChaosToolkit(context=place.context, kubeconfig=place.kubeconfig)
            self._known[place] = (cluster, Doors(cluster, place.namespace), inner)
        return self._known[place]

    def _reached(self, undo: Undo) -> tuple[ChaosToolkit, Undo | None]:
        """Return who takes it back, and the undo with addresses that lead somewhere now.

        The undo is None where the proxy that held its toxics is gone, and they with it.
        """
        said = undo.data.get("cluster")
        if not said:
            return self._local, undo
        place = Place(**said)
        cluster, doors, inner = self._at(place)
        configuration = dict(undo.data["configuration"])
        through = undo.data.get("toxiproxy_url") or configuration.get("toxiproxy_url")
        if not through or not place.is_behind_doors:
            return inner, undo
        if not cluster.list("pods", place.namespace, labels=f"{SERVICE}=proxy"):
            return inner, None
        url = doors.url("proxy")
        if "toxiproxy_url" in configuration:
            configuration["toxiproxy_url"] = url
        moved = {**undo.data, "configuration": configuration}
        if undo.data.get("toxiproxy_url"):
            moved["toxiproxy_url"] = url
        return inner, replace(undo, data=moved)
