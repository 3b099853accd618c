"""Faults in a cluster, reached from wherever they are put in or taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.house.targets.doors import Doors, named_in_errors
from gameday.ports import Injection, PlannedFault, Undo
from gameday.shop import SERVICE

if TYPE_CHECKING:
    # The client library takes a moment to load, and most runs need none.
    from gameday.drivers.kubernetes import Cluster
    from gameday.drivers.kubernetes.identity import ClusterIdentity

PORTS = {
    "prometheus": 9090,
    "alertmanager": 9093,
    "telemetry": 4318,
    "proxy": 8474,
    "mailbox": 9094,
}
"""The Services gameday talks to, and their ports."""

PODS_BACK_WITHIN = timedelta(seconds=20)
"""Of one try; a recovery has several."""


def shop_service(namespace: str, name: str) -> str:
    """Return a Service of `PORTS` as systems name Services."""
    return f"{namespace}/{name}:{PORTS[name]}"


def service_path(namespace: str, service: str) -> str:
    """Return where the API server passes requests on to a Service of `PORTS`."""
    return f"/api/v1/namespaces/{namespace}/services/{service}:{PORTS[service]}/proxy"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which cluster a system is; plain data, so that an undo can hold it.

    Attributes:
        kubeconfig: as it was given; None: the environment's.
        is_behind_doors: whether it is the shop, whose proxy is reached through a door.
        toxiproxy: Service of the Toxiproxy that a document names, ``NAMESPACE/NAME:PORT``.
    """

    context: str
    namespace: str
    kubeconfig: str | None = None
    is_behind_doors: bool = True
    toxiproxy: str | None = None

    @property
    def target(self) -> str:
        """Return what programmes, runs and undos call this cluster."""
        return f"kubernetes/{self.context}"

    def to_json(self) -> dict[str, Any]:
        """Return it as an undo keeps it."""
        return asdict(self)


class ClusterFaults:
    """Chaos Toolkit, on a cluster: fulfils `gameday.ports.FaultDriver`.

    What it prepares knows its cluster, so that any other process can take it back. Where a
    Toxiproxy is one of its Services, it knows that Service, and not the door this process has to
    it: that lasts no longer than the process.
    """

    def __init__(
        self,
        inner: ChaosToolkit,
        place: Place,
        cluster: Cluster,
        *,
        identity: ClusterIdentity,
        pods_back: Callable[[timedelta], bool] = lambda _: True,
        door: str = "",
        astray: str = "",
    ) -> None:
        """Remember them.

        Args:
            cluster: of the place, for asking which one it is that answers.
            identity: of the one that is meant.
            pods_back: waits at most this long, and returns whether as many pods are ready as were
                when the run began.
            door: address that this process has of the place's Toxiproxy, where it is a Service.
            astray: command that takes out what `strays` finds; empty: the one for the shop.
        """
        self._astray = astray or f"gameday recover --strays --context {place.context}"
        self._inner = inner
        self._door = door
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
        undo = self._placed(planned.undo)
        return replace(planned, undo=undo, configuration=undo.data["configuration"])

    async def pinned(self, undo: Undo) -> Undo:
        """Return the undo with what tells the place it changes from any other.

        Its cluster is noted since it was planned, and must still be the one that answers.
        """
        await _is_there(self._cluster, undo)
        with self._told():
            return self._named(await self._inner.pinned(self._reached(undo)))

    async def inject(self, fault: PlannedFault) -> Injection:
        """Put the fault in place."""
        undo = self._reached(fault.undo)
        moved = replace(fault, undo=undo, configuration=undo.data["configuration"])
        with self._told():
            injection = await self._inner.inject(moved)
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
        with self._told():
            is_present = await self._inner.is_present(self._reached(undo))
        if not is_present and _takes_pods(undo):
            is_present = not await asyncio.to_thread(self._pods_back, timedelta(0))
        if not is_present:
            await _is_there(self._cluster, undo)
        return is_present

    async def recover(self, undo: Undo) -> None:
        """Take it back, and wait for the pods it took away; idempotent."""
        await _is_there(self._cluster, undo)
        with self._told():
            await self._inner.recover(self._reached(undo))
        if _takes_pods(undo):
            await asyncio.to_thread(self._pods_back, PODS_BACK_WITHIN)

    async def strays(self) -> Sequence[Undo]:
        """Return what takes back everything in the cluster that bears the mark of some run."""
        await _answers(self._cluster, self._identity)
        with self._told():
            found = await self._inner.strays()
        await _answers(self._cluster, self._identity)
        return [replace(self._placed(undo), command=self._astray) for undo in found]

    def _placed(self, undo: Undo) -> Undo:
        where = {"cluster": self._place.to_json(), "identity": self._identity}
        return self._named(replace(undo, data={**undo.data, **where}))

    def _named(self, undo: Undo) -> Undo:
        """Return an undo as it is kept: it names the Service where it has this process's door."""
        named = self._place.toxiproxy
        return _moved(undo, self._door, named) if named and self._door else undo

    def _told(self) -> AbstractContextManager[None]:
        return named_in_errors(self._place.toxiproxy, self._door)

    def _reached(self, undo: Undo) -> Undo:
        """Return an undo as it is done here: with the door where it names the Service."""
        named = self._place.toxiproxy
        return _moved(undo, named, self._door) if named and self._door else undo


async def _is_there(cluster: Cluster, undo: Undo) -> None:
    """Return where the very cluster answers that an undo is for."""
    await _answers(cluster, undo.data.get("identity"))


async def _answers(cluster: Cluster, identity: Mapping[str, Any] | None) -> None:
    from gameday.drivers.kubernetes.identity import check_identity

    await asyncio.to_thread(check_identity, cluster, identity)


def _moved(undo: Undo, known: str, to: str) -> Undo:
    """Return an undo with its Toxiproxy at another address, where it is at the one that is known.

    The experiment itself holds no address: what it goes by stands in its configuration.
    """
    data = dict(undo.data)
    if data.get("toxiproxy_url") == known:
        data["toxiproxy_url"] = to
    configuration = data["configuration"]
    if configuration.get("toxiproxy_url") == known:
        data["configuration"] = {**configuration, "toxiproxy_url": to}
    return replace(undo, data=data)


def _through(undo: Undo) -> Any:
    """Return where the Toxiproxy of an undo is; nothing where it goes through none."""
    return undo.data.get("toxiproxy_url") or undo.data["configuration"].get("toxiproxy_url")


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
        inner, moved, told = self._reached(undo)
        with told:
            is_present = moved is not None and await inner.is_present(moved)
        if cluster is not None and not is_present:
            await _is_there(cluster, undo)
        return is_present

    async def recover(self, undo: Undo) -> None:
        """Take it back; idempotent."""
        cluster = self._cluster(undo)
        if cluster is not None:
            await _is_there(cluster, undo)
        inner, moved, told = self._reached(undo)
        if moved is not None:
            with told:
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
            self._known[place] = (cluster, Doors(cluster), inner)
        return self._known[place]

    def _reached(
        self, undo: Undo
    ) -> tuple[ChaosToolkit, Undo | None, AbstractContextManager[None]]:
        """Return who takes it back, the undo with addresses that lead somewhere now, how it errs.

        The undo is None where the shop's proxy, which held its toxics, is gone, and they with it.
        """
        said = undo.data.get("cluster")
        if not said:
            return self._local, undo, nullcontext()
        place = Place(**said)
        cluster, doors, inner = self._at(place)
        through = _through(undo)
        if through and through == place.toxiproxy:
            service = through  # no answer of it proves anything
        elif through and place.is_behind_doors:
            if not cluster.list("pods", place.namespace, labels=f"{SERVICE}=proxy"):
                return inner, None, nullcontext()
            service = shop_service(place.namespace, "proxy")
        else:
            return inner, undo, nullcontext()
        url = doors.url(service, is_readable=False)
        return inner, _moved(undo, through, url), named_in_errors(service, url)
