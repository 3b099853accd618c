"""What every fault driver promises: simulated, and Chaos Toolkit wherever our faults act."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import DriverError
from gameday.ports import FaultDriver, PlannedFault, Undo
from gameday.testing.control import ControlApi, controlling
from gameday.testing.failures import Calls, Failure, Port, Way
from gameday.testing.gate import kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi
from gameday.testing.machine import Machine
from gameday.testing.proxy import running_proxy
from gameday.testing.world import SimulatedFaults, World

pytestmark = pytest.mark.sandbox  # processes of their own, one a test: not quick

T = TypeVar("T")

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
PROXIES = ("inventory-db-eu-west", "inventory-db-us-east")
MINUTE = timedelta(minutes=1)


class Subject(ABC):
    """A driver, the system it plays on, and a look at that system past the driver."""

    @abstractmethod
    def driver(self) -> FaultDriver:
        """Return a driver that knows nothing of another one's doings, as in another process."""

    @abstractmethod
    def unreachable(self) -> FaultDriver:
        """Return a driver whose system does not answer."""

    @abstractmethod
    def prepare(self, number: int = 1, run: str = "r7") -> PlannedFault:
        """Return a fault."""

    @abstractmethod
    def state(self) -> object:
        """Return all that is in place, whosever it is."""

    @abstractmethod
    def disturb(self) -> None:
        """Put something in place that is somebody else's."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the time of the system."""

    @abstractmethod
    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a call returns."""


class Simulated(Subject):
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

    def disturb(self) -> None:
        self.world.put("theirs@0", 0.0)

    def now(self) -> datetime:
        return self.machine.clock.now()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.machine.run(work, within=MINUTE)


class ChaosToolkitOnAProxy(Subject):
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

    def disturb(self) -> None:
        self.api.post(f"/proxies/{PROXIES[1]}/toxics", json={"name": "theirs", "type": "latency"})

    def now(self) -> datetime:
        from datetime import UTC

        return datetime.now(UTC)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)


class ChaosToolkitOnACluster(Subject):
    """The driver of real runs, on a simulated API server."""

    def __init__(self, folder: Path, url: str, api: SimulatedApi) -> None:
        self.api = api
        self.kubeconfig = kubeconfig(folder, url)
        # Nobody listens there.
        self.nowhere = kubeconfig(folder, "http://127.0.0.1:1", context="nowhere")

    def driver(self) -> FaultDriver:
        return ChaosToolkit(context="sim", kubeconfig=self.kubeconfig)

    def unreachable(self) -> FaultDriver:
        return ChaosToolkit(context="nowhere", kubeconfig=self.nowhere)

    def prepare(self, number: int = 1, run: str = "r7") -> PlannedFault:
        return self.driver().prepare(
            "isolate-pods",
            path=str(EXPERIMENTS / "isolate-pods.yaml"),
            configuration={"selector": "app=shop", "at_most": "100%"},
            at=timedelta(0),
            duration=5 * MINUTE,
            run=run,
            number=number,
        )

    def state(self) -> object:
        return self.api.names("networkpolicies")

    def disturb(self) -> None:
        self.api.put("networkpolicies", "theirs", "shop")

    def now(self) -> datetime:
        from datetime import UTC

        return datetime.now(UTC)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)


class ChaosToolkitOnTheSandbox(Subject):
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
            configuration={"regions": [self.REGIONS[number - 1]], "seed": number},
            at=timedelta(0),
            duration=5 * MINUTE,
            run=run,
            number=number,
        )

    def state(self) -> object:
        return self.api.live()

    def disturb(self) -> None:
        self.api.deploys.append(
            {"service": "checkout", "revision": "theirs", "region": self.REGIONS[1]}
        )

    def now(self) -> datetime:
        from datetime import UTC

        return datetime.now(UTC)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    REGIONS = ("eu-west", "us-east")


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    with running_proxy(PROXIES) as url:
        yield url


@pytest.fixture(params=["simulated", "chaostoolkit", "sandbox", "kubernetes"])
def subject(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subject]:
    if request.param == "kubernetes":
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim,nowhere")
        api = SimulatedApi()
        api.pod("p1", "a1")
        with serving(api) as url:
            yield ChaosToolkitOnACluster(tmp_path, url, api)
        return
    if request.param == "sandbox":
        control = ControlApi()
        with controlling(control) as url:
            yield ChaosToolkitOnTheSandbox(url, control)
        return
    if request.param == "simulated":
        simulated = Simulated()
        yield simulated
        simulated.machine.close()
        return
    real = ChaosToolkitOnAProxy(str(request.getfixturevalue("proxy")))
    yield real
    real.api.post("/reset")
    real.api.close()


def sent(undo: Undo) -> Undo:
    """Return an undo as it comes out of a store, or through a pipe."""
    return replace(undo, data=json.loads(json.dumps(dict(undo.data))))


def test_preparing_changes_nothing_and_names_everything(subject: Subject) -> None:
    before = subject.state()

    first, second, other = subject.prepare(), subject.prepare(2), subject.prepare(1, "r8")

    assert before == subject.state()
    assert 3 == len({first.undo.id, second.undo.id, other.undo.id})
    assert ("r7", "r8") == (first.undo.run, other.undo.run)
    assert "r7" in first.undo.command
    assert first.undo.description
    assert subject.prepare() == first
    assert sent(first.undo) == first.undo


def test_a_fault_is_in_place_from_its_injection_to_its_recovery(subject: Subject) -> None:
    subject.disturb()
    before = subject.state()
    fault = subject.prepare()
    began = subject.now()

    assert not subject.do(subject.driver().is_present(fault.undo))
    injection = subject.do(subject.driver().inject(fault))

    assert began <= injection.injected_at <= subject.now()
    assert timedelta(0) == injection.injected_at.utcoffset()
    json.dumps(dict(injection.detail))
    assert subject.do(subject.driver().is_present(fault.undo))

    # Another process takes it back, from the undo alone; once more changes nothing.
    for _ in range(2):
        subject.do(subject.driver().recover(sent(fault.undo)))
        assert not subject.do(subject.driver().is_present(sent(fault.undo)))
        assert before == subject.state()


def test_recovering_takes_back_what_the_undo_names_and_nothing_else(subject: Subject) -> None:
    first, second = subject.prepare(1), subject.prepare(2)
    subject.do(subject.driver().inject(first))
    subject.do(subject.driver().inject(second))

    subject.do(subject.driver().recover(first.undo))

    assert not subject.do(subject.driver().is_present(first.undo))
    assert subject.do(subject.driver().is_present(second.undo))


def test_recovering_what_was_never_injected_changes_nothing(subject: Subject) -> None:
    subject.disturb()
    before = subject.state()

    subject.do(subject.driver().recover(subject.prepare().undo))

    assert before == subject.state()


def test_what_a_run_left_is_found_without_its_store(subject: Subject) -> None:
    subject.disturb()
    before = subject.state()
    fault = subject.prepare()
    assert [] == list(subject.do(subject.driver().strays()))
    subject.do(subject.driver().inject(fault))

    (stray,) = subject.do(subject.driver().strays())
    subject.do(subject.driver().recover(sent(stray)))

    assert (fault.undo.id, "r7") == (stray.id, stray.run)
    assert before == subject.state()
    assert [] == list(subject.do(subject.driver().strays()))


def test_a_system_that_does_not_answer_is_a_driver_error(subject: Subject) -> None:
    undo = subject.prepare().undo
    driver = subject.unreachable()
    if isinstance(subject, ChaosToolkitOnAProxy):
        undo = replace(undo, data={**undo.data, "toxiproxy_url": "http://proxy.invalid:8474"})
    if isinstance(subject, ChaosToolkitOnACluster):
        place = {"context": "nowhere", "kubeconfig": subject.nowhere}
        values = {**undo.data["configuration"], **place}
        undo = replace(undo, data={**undo.data, "configuration": values})
    if isinstance(subject, ChaosToolkitOnTheSandbox):
        subject.do(subject.driver().inject(subject.prepare()))  # else there is nothing to ask for
        values = {**undo.data["configuration"], "control_url": "http://control.invalid:8470"}
        undo = replace(undo, data={**undo.data, "configuration": values})

    async def ask() -> list[Any]:
        # At once, because each is patient.
        asked = (driver.is_present(undo), driver.recover(undo), driver.strays())
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [DriverError] * 3 == [
        DriverError if isinstance(said, DriverError) else said for said in subject.do(ask())
    ]


def test_injecting_again_needs_no_second_recovery(subject: Subject) -> None:
    before = subject.state()
    fault = subject.prepare()
    subject.do(subject.driver().inject(fault))

    try:
        subject.do(subject.driver().inject(fault))
    except DriverError:
        pass  # saying that it is there already is as good

    assert subject.do(subject.driver().is_present(fault.undo))
    subject.do(subject.driver().recover(fault.undo))
    assert before == subject.state()
