"""Faults in a cluster are proven gone, taken back and listed in that very cluster alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.kubernetes import Cluster, connect
from gameday.drivers.kubernetes.identity import AnotherCluster, identity_of
from gameday.house.targets.cluster_faults import ClusterFaults, Place, PlacedExperiments
from gameday.ports import Undo
from gameday.shop import SERVICE
from gameday.spec import Catalogue
from gameday.testing.gate import Address, kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi

Reading = Callable[[Undo], object]


class Moved:
    """A place whose cluster is replaced by another at its address, which shows no fault."""

    def __init__(self, folder: Path) -> None:
        self.api, self.another = (
            SimulatedApi(namespace="shop"),
            SimulatedApi(namespace="shop", uid="uid-of-another"),
        )
        self.address = Address(self.api)
        self.folder = folder
        self.place = Place("sim", "shop")

    def open(self, url: str) -> ClusterFaults:
        self.place = Place("sim", "shop", kubeconfig(self.folder, url))
        return self.faults(ChaosToolkit(context="sim", kubeconfig=self.place.kubeconfig))

    def faults(self, inner: ChaosToolkit) -> ClusterFaults:
        cluster = self.cluster()
        return ClusterFaults(inner, self.place, cluster, identity=identity_of(cluster))

    def cluster(self) -> Cluster:
        return connect("sim", kubeconfig=self.place.kubeconfig, is_fenced=False)

    def leave(self) -> None:
        self.address.leads_to = self.another


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moved]:
    monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim")
    place = Moved(tmp_path)
    with serving(place.address) as url:
        place.place = Place("sim", "shop", kubeconfig(tmp_path, url))
        yield place


class Leaves(ChaosToolkit):
    """Sees nothing any more, because the address leads elsewhere while it looks."""

    def __init__(self, moved: Moved) -> None:
        super().__init__()
        self._moved = moved

    async def is_present(self, undo: Undo) -> bool:
        self._moved.leave()
        return False


def slow_database(faults: ClusterFaults) -> Undo:
    """Return the undo of a fault that is a toxic on the proxy in the cluster, as it is stored."""
    planned = faults.prepare(
        "slow-downstream",
        path=str(Catalogue.around().experiment("slow-downstream")),
        configuration={"service": "inventory", "downstream": "db", "regions": ["region-a"]},
        at=timedelta(0),
        duration=timedelta(minutes=5),
        run="r1",
        number=1,
    )
    return replace(planned.undo, data=json.loads(json.dumps(dict(planned.undo.data))))


async def test_a_fault_is_not_put_into_another_cluster_than_it_was_planned_for(
    moved: Moved,
) -> None:
    faults = moved.faults(ChaosToolkit(toxiproxy_url="http://127.0.0.1:9"))
    undo = slow_database(faults)
    moved.leave()

    with pytest.raises(AnotherCluster, match=r"uid-of-another is there, and meant is .*uid-of-sim"):
        await faults.pinned(undo)


async def test_an_address_that_leads_elsewhere_while_it_is_read_proves_nothing(
    moved: Moved,
) -> None:
    faults = moved.faults(Leaves(moved))
    undo = slow_database(moved.faults(ChaosToolkit(toxiproxy_url="http://127.0.0.1:9")))

    with pytest.raises(AnotherCluster):
        await faults.is_present(undo)


@pytest.mark.parametrize("reading", ["is_present", "recover"])
async def test_a_proxy_that_another_cluster_has_not_got_is_no_proof(
    moved: Moved, reading: str
) -> None:
    # In the cluster itself a proxy that is gone takes its toxics with it.
    undo = slow_database(moved.faults(ChaosToolkit(toxiproxy_url="http://127.0.0.1:9")))
    assert not await PlacedExperiments(ChaosToolkit()).is_present(undo)
    moved.leave()

    with pytest.raises(AnotherCluster):
        await getattr(PlacedExperiments(ChaosToolkit()), reading)(undo)


async def test_the_proxy_of_another_cluster_is_not_asked(moved: Moved) -> None:
    undo = slow_database(moved.faults(ChaosToolkit(toxiproxy_url="http://127.0.0.1:9")))
    moved.another.pod("proxy", metadata={"labels": {SERVICE: "proxy"}})
    moved.leave()

    with pytest.raises(AnotherCluster):
        await PlacedExperiments(ChaosToolkit()).recover(undo)


async def test_what_another_cluster_bears_is_not_listed_as_this_ones(moved: Moved) -> None:
    faults = moved.faults(ChaosToolkit())
    moved.leave()

    with pytest.raises(AnotherCluster):
        await faults.strays()


def test_what_was_found_astray_is_taken_out_of_that_cluster_alone(moved: Moved) -> None:
    faults = moved.faults(ChaosToolkit())

    class Found(ChaosToolkit):
        async def strays(self) -> list[Undo]:
            return [Undo("gd-r0-1", "experiment", "r0", "d", "c", {"configuration": {}})]

    (stray,) = asyncio.run(moved.faults(Found()).strays())

    assert faults
    assert "uid-of-sim" == stray.data["identity"]["uid"]
