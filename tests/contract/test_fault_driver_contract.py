"""The fault drivers: simulated, and Chaos Toolkit wherever our faults act."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.kubernetes import connect
from gameday.drivers.kubernetes.identity import identity_of
from gameday.house.targets.cluster_faults import ClusterFaults, Place
from gameday.ports import FaultDriver, PlannedFault, Undo
from gameday.testing.contracts import (
    FaultDriverContract,
    FaultyPlace,
    MovablePlace,
    PinnedFaultsContract,
)
from gameday.testing.control import ControlApi, controlling
from gameday.testing.failures import Calls, Failure, Port, Way
from gameday.testing.gate import Address, kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi
from gameday.testing.machine import Machine
from gameday.testing.proxy import running_proxy
from gameday.testing.world import SimulatedFaults, World

T = TypeVar("T")

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
PROXIES = ("inventory-db-eu-west", "inventory-db-us-east")
MINUTE = timedelta(minutes=1)


class Simulated(MovablePlace):
    """The driver of rehearsals."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.world = World(self.machine)

    def driver(self) -> FaultDriver:
        return SimulatedFaults(self.world)

    def unreachable(self) -> FaultDriver:
        names = ("inject", "is_present", "recover", "strays")
        out = [Failure("p", f"faults.{name}", Way.REFUSED, times=10**6) for name in names]
        calls = Calls(self.machine, self.machine.process("p"), out, {})
        return cast(FaultDriver, Port("faults", self.driver(), calls, names))

    def prepare(self, number: int = 1, run: str = "r7") -> PlannedFault:
        return self.driver().prepare(
            "slow",
            path="slow.yaml",
            configuration={"ratio": 0.5, "places": 2},
            at=timedelta(0),
            duration=5 * MINUTE,
            run=run,
            number=number,
        )

    def state(self) -> object:
        return self.world.state()

    def lead_elsewhere(self) -> None:
        self.world.lead_elsewhere()

    def lead_back(self) -> None:
        self.world.lead_back()

    def state_elsewhere(self) -> object:
        return ()

    def disturb(self) -> None:
        self.world.put("theirs@0", 0.0)

    def now(self) -> datetime:
        return self.machine.clock.now()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.machine.run(work, within=MINUTE)


class OnAProxy(FaultyPlace):
    """The driver of real runs, on a TCP proxy of the sandbox's kind."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.api = httpx.Client(base_url=url, trust_env=False)

    def driver(self) -> FaultDriver:
        return ChaosToolkit(toxiproxy_url=self.url)

    def unreachable(self) -> FaultDriver:
        return ChaosToolkit(toxiproxy_url="http://proxy.invalid:8474")

    def prepare(self, number: int = 1, run: str = "r7") -> PlannedFault:
        return self.driver().prepare(
            "slow-downstream",
            path=str(EXPERIMENTS / "slow-downstream.yaml"),
            configuration={"regions": ["eu-west"], "latency": "70ms"},
            at=timedelta(0),
            duration=5 * MINUTE,
            run=run,
            number=number,
        )

    def state(self) -> object:
        proxies = self.api.get("/proxies").json()
        return {
            n: (p["enabled"], sorted(t["name"] for t in p["toxics"])) for n, p in proxies.items()
        }

    def lost(self) -> Undo:
        undo = self.prepare().undo
        return replace(undo, data={**undo.data, "toxiproxy_url": "http://proxy.invalid:8474"})

    def disturb(self) -> None:
        self.api.post(f"/proxies/{PROXIES[1]}/toxics", json={"name": "theirs", "type": "latency"})


class OnACluster(FaultyPlace):
    """The driver of real runs, on a simulated API server."""

    def __init__(self, folder: Path, url: str, api: SimulatedApi) -> None:
        self.api = api
        self.kubeconfig = kubeconfig(folder, url)
        # Nobody listens there.
        self.nowhere = kubeconfig(folder, "http://127.0.0.1:1", context="nowhere")

    def driver(self) -> FaultDriver:
        return self.toolkit()

    def toolkit(self) -> ChaosToolkit:
        return ChaosToolkit(context="sim", kubeconfig=self.kubeconfig)

    def unreachable(self) -> FaultDriver:
        return ChaosToolkit(context="nowhere", kubeconfig=self.nowhere)

    def prepare(self, number: int = 1, run: str = "r7") -> PlannedFault:
        return self.driver().prepare(
            "isolate-pods",
            path=str(EXPERIMENTS / "isolate-pods.yaml"),
            configuration={"selector": "app=books", "at_most": "100%"},
            at=timedelta(0),
            duration=5 * MINUTE,
            run=run,
            number=number,
        )

    def state(self) -> object:
        return self.api.names("networkpolicies")

    def lost(self) -> Undo:
        return elsewhere(self.prepare(), context="nowhere", kubeconfig=self.nowhere)

    def disturb(self) -> None:
        self.api.put("networkpolicies", "theirs", "shop")


class OnAClusterByAddress(OnACluster, MovablePlace):
    """The same as a run has it: with the cluster noted, at an address that may lead elsewhere."""

    def __init__(self, folder: Path, url: str, api: SimulatedApi, address: Address) -> None:
        super().__init__(folder, url, api)
        self.address = address
        self.another = SimulatedApi(namespace="shop", uid="uid-of-another")
        self.another.pod("p1", "a1")

    def driver(self) -> FaultDriver:
        place = Place("sim", "shop", self.kubeconfig)
        cluster = connect("sim", kubeconfig=self.kubeconfig)
        return ClusterFaults(self.toolkit(), place, cluster, identity=identity_of(cluster))

    def lead_elsewhere(self) -> None:
        self.address.leads_to = self.another

    def lead_back(self) -> None:
        self.address.leads_to = self.api

    def state_elsewhere(self) -> object:
        return self.another.names("networkpolicies")


class OnTheSandbox(FaultyPlace):
    """The driver of real runs, on a control API of the sandbox's kind."""

    def __init__(self, url: str, api: ControlApi) -> None:
        self.url = url
        self.api = api

    def driver(self) -> FaultDriver:
        return ChaosToolkit(control_url=self.url)

    def unreachable(self) -> FaultDriver:
        return ChaosToolkit(control_url="http://control.invalid:8470")

    def prepare(self, number: int = 1, run: str = "r7") -> PlannedFault:
        return self.driver().prepare(
            "deploy-change",
            path=str(EXPERIMENTS / "deploy-change.yaml"),
            # Two faults of one run, side by side.
            configuration={
                "service": "orders",
                "regions": [self.REGIONS[number - 1]],
                "seed": number,
            },
            at=timedelta(0),
            duration=5 * MINUTE,
            run=run,
            number=number,
        )

    def state(self) -> object:
        return self.api.live()

    def lost(self) -> Undo:
        fault = self.prepare()
        self.do(self.driver().inject(fault))  # else there is nothing to ask for
        return elsewhere(fault, control_url="http://control.invalid:8470")

    def disturb(self) -> None:
        self.api.deploys.append(
            {"service": "orders", "revision": "theirs", "region": self.REGIONS[1]}
        )

    REGIONS = ("eu-west", "us-east")


def elsewhere(fault: PlannedFault, **place: str) -> Undo:
    """Return the undo of a fault, said to be in another place."""
    undo = fault.undo
    values = {**undo.data["configuration"], **place}
    return replace(undo, data={**undo.data, "configuration": values})


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    with running_proxy(PROXIES) as url:
        yield url


class TestSimulatedFaults(FaultDriverContract):
    @pytest.fixture
    def subject(self) -> Iterator[Simulated]:
        simulated = Simulated()
        yield simulated
        simulated.machine.close()


@pytest.mark.served
class TestChaosToolkitOnAProxy(FaultDriverContract):
    @pytest.fixture
    def subject(self, proxy: str) -> Iterator[OnAProxy]:
        place = OnAProxy(proxy)
        yield place
        place.api.post("/reset")
        place.api.close()


@pytest.mark.served
class TestChaosToolkitOnACluster(FaultDriverContract):
    @pytest.fixture
    def subject(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnACluster]:
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim,nowhere")
        api = SimulatedApi(namespace="shop")
        api.pod("p1", "a1")
        with serving(api) as url:
            yield OnACluster(tmp_path, url, api)


class TestWhichWorldTheSimulatedFaultsAreIn(PinnedFaultsContract):
    @pytest.fixture
    def subject(self) -> Iterator[Simulated]:
        simulated = Simulated()
        yield simulated
        simulated.machine.close()


@pytest.mark.served
class TestWhichClusterTheFaultsAreIn(PinnedFaultsContract):
    @pytest.fixture
    def subject(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[OnAClusterByAddress]:
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim,nowhere")
        api = SimulatedApi(namespace="shop")
        api.pod("p1", "a1")
        address = Address(api)
        with serving(address) as url:
            yield OnAClusterByAddress(tmp_path, url, api, address)


@pytest.mark.served
class TestChaosToolkitOnTheSandbox(FaultDriverContract):
    @pytest.fixture
    def subject(self) -> Iterator[OnTheSandbox]:
        control = ControlApi()
        with controlling(control) as url:
            yield OnTheSandbox(url, control)
