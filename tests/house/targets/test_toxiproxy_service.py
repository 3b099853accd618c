"""A real Toxiproxy that is a Service of a cluster: faults go in and out through its API server.

What is stored names the Service. A process that takes a fault back opens a door of its own, and
where nobody answers behind it, nothing is proven.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.kubernetes.identity import AnotherCluster
from gameday.errors import DriverError
from gameday.house.run.opening import open_store
from gameday.house.run.stories import read_story
from gameday.house.targets.choice import choose_target
from gameday.house.targets.cluster_faults import ClusterFaults, PlacedExperiments
from gameday.house.targets.declared_cluster import SystemDoors, opened_cluster
from gameday.house.targets.declared_system import faults_of
from gameday.house.targets.examination import examined
from gameday.http.keys import known, reading_for
from gameday.model.system import System
from gameday.ports import PlannedFault, Undo
from gameday.settings import Settings
from gameday.spec import read_system
from gameday.spec.catalogue import shipped
from gameday.testing.gate import Address, kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi

pytestmark = pytest.mark.served

SERVICE = "books/toxiproxy:8474"
PROXY = "pages-one-here"
FILE = f"""\
apiVersion: gameday/v1
kind: System
metadata: {{name: bookshop}}
spec:
  kubernetes: {{context: sim, namespaces: [books]}}
  metrics: {{prometheus: {{url: "http://127.0.0.1:9"}}}}
  alerts: {{page: {{alertname: A}}}}
  pages: {{alertmanager: {{url: "http://127.0.0.1:9"}}}}
  red: {{preset: istio}}
  toxiproxy: {{service: "{SERVICE}"}}
"""


@dataclass
class Site:
    """A system in a cluster, and its Toxiproxy.

    Attributes:
        toxiproxy: address of the real one, which nobody but the API server knows.
        address: of the API server; another may come to answer there.
    """

    system: System
    api: SimulatedApi
    address: Address
    toxiproxy: str
    doors: SystemDoors

    @property
    def faults(self) -> ClusterFaults:
        found = opened_cluster(self.doors.opened().spec)
        assert found is not None
        return found.faults

    def toxics(self) -> list[str]:
        shown = httpx.get(f"{self.toxiproxy}/proxies/{PROXY}", trust_env=False).json()
        return [toxic["name"] for toxic in shown["toxics"]]

    def dies(self) -> None:
        """Let nobody answer behind the Service."""
        self.api.leads_to[SERVICE] = "http://127.0.0.1:9"


@pytest.fixture
def site(real_toxiproxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = {"name": PROXY, "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}
    httpx.post(f"{real_toxiproxy}/proxies", json=made, trust_env=False).raise_for_status()
    api = SimulatedApi()
    api.put("namespaces", "books")
    api.leads_to[SERVICE] = real_toxiproxy
    address = Address(api)
    (tmp_path / "bookshop.yaml").write_text(FILE)
    system = read_system(tmp_path / "bookshop.yaml")
    try:
        with serving(address) as url:
            monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, url))
            monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim")
            monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "books")
            doors = SystemDoors(system)
            yield Site(system, api, address, real_toxiproxy, doors)
            doors.close()
    finally:
        httpx.delete(f"{real_toxiproxy}/proxies/{PROXY}", trust_env=False)


def planned(faults: ClusterFaults) -> PlannedFault:
    return faults.prepare(
        "broken-downstream",
        path=str(shipped() / "experiments/broken-downstream.yaml"),
        configuration={"service": "pages", "downstream": "one", "regions": "here"},
        at=timedelta(0),
        duration=timedelta(minutes=1),
        run="r1",
        number=1,
    )


async def put_in(faults: ClusterFaults) -> Undo:
    """Put a fault in, and return its undo as it is stored."""
    fault = planned(faults)
    undo = await faults.pinned(fault.undo)
    await faults.inject(replace(fault, undo=undo))
    return Undo(**json.loads(json.dumps(asdict(undo))))


RECOVER = """
import asyncio, json, sys
from gameday.house.processes.undoers import Undoers
from gameday.model.fault import Undo

undo = Undo(**json.load(sys.stdin))
asyncio.run(Undoers().recover(undo))
print(asyncio.run(Undoers().is_present(undo)))
"""


def recovered_by_another_process(undo: Undo) -> tuple[str, int, str]:
    done = subprocess.run(
        [sys.executable, "-c", RECOVER],
        input=json.dumps(asdict(undo)),
        env={k: v for k, v in os.environ.items() if k != "KUBECONFIG"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.returncode, done.stderr


async def test_a_fault_is_put_in_and_read_back_and_taken_out_through_the_api_server(
    site: Site,
) -> None:
    faults = site.faults

    undo = await put_in(faults)
    there, was_present = site.toxics(), await faults.is_present(undo)
    await faults.recover(undo)

    assert ([undo.id], True) == (there, was_present)
    assert ([], False) == (site.toxics(), await faults.is_present(undo))


async def test_what_is_stored_names_the_service_and_no_door(site: Site) -> None:
    faults = site.faults

    undo = await put_in(faults)

    fault = planned(faults)
    assert (SERVICE, SERVICE) == (
        undo.data["toxiproxy_url"],
        undo.data["configuration"]["toxiproxy_url"],
    )
    assert SERVICE == fault.configuration["toxiproxy_url"]
    door = site.doors.opened().spec.toxiproxy
    assert door is not None
    assert door.url not in json.dumps(asdict(undo)) + json.dumps(asdict(fault), default=str)


async def test_another_process_takes_it_out_through_a_door_of_its_own(site: Site) -> None:
    undo = await put_in(site.faults)
    site.doors.close()

    done = recovered_by_another_process(undo)

    assert ("False\n", 0) == done[:2], done[2]
    assert [] == site.toxics()


async def test_behind_a_dead_door_nothing_is_proven_until_another_process_looks(
    site: Site,
) -> None:
    faults = site.faults
    undo = await put_in(faults)
    site.doors.close()

    with pytest.raises(DriverError, match=SERVICE) as unknown:
        await faults.is_present(undo)
    with pytest.raises(DriverError, match=SERVICE):
        await faults.recover(undo)

    assert "127.0.0.1" not in str(unknown.value)
    assert [undo.id] == site.toxics()
    assert ("False\n", 0) == recovered_by_another_process(undo)[:2]
    assert [] == site.toxics()


@pytest.mark.parametrize("by", ["the run", "another"])
async def test_a_toxiproxy_that_does_not_answer_is_no_proof_that_nothing_is_there(
    site: Site, by: str
) -> None:
    faults = site.faults
    undo = await put_in(faults)
    site.dies()
    asked = faults if by == "the run" else PlacedExperiments(ChaosToolkit())

    for ask in (asked.is_present, asked.recover):
        with pytest.raises(DriverError, match=f"the Service {SERVICE}"):
            await ask(undo)

    assert [undo.id] == site.toxics()


async def test_gameday_recover_ends_with_5_until_the_toxiproxy_answers_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GAMEDAY_RUN_LEASE", "1s")
    monkeypatch.setenv("GAMEDAY_RUN_RECOVERY_BUDGET", "1s")
    undo = await put_in(site.faults)
    documents = read_story(str(shipped() / "scenarios/slow-db.yaml")).documents.to_mapping()
    with open_store() as store:
        at = datetime(2026, 11, 28, tzinfo=UTC)
        store.open_run(
            "r1", scenario="d", target="system/bookshop", started_at=at, documents=documents
        )
        store.save_undo(undo)
    site.dies()

    in_vain = typed("recover", "r1")
    site.api.leads_to[SERVICE] = site.toxiproxy
    done = typed("recover", "r1")

    assert (5, 0) == (in_vain.returncode, done.returncode), in_vain.stderr + done.stderr
    assert f"the Service {SERVICE}" in in_vain.stdout + in_vain.stderr
    assert [] == site.toxics()


def typed(*words: str, folder: Path = Path("/")) -> subprocess.CompletedProcess[str]:
    """Return what a command says that somebody types elsewhere."""
    return subprocess.run(
        [sys.executable, "-m", "gameday", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_what_no_store_knows_of_is_found_there_and_taken_out_by_the_command_it_names(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GAMEDAY_RUN_LEASE", "1s")
    (tmp_path / "systems").mkdir()
    (tmp_path / "bookshop.yaml").rename(tmp_path / "systems/bookshop.yaml")
    undo = await put_in(site.faults)

    faults = faults_of(site.system)
    found = [one for one in await faults.strays() if one.id == undo.id]
    done = typed(*found[0].command.split()[1:], folder=tmp_path)

    assert "gameday recover --strays --system bookshop" == found[0].command
    assert 0 == done.returncode, done.stderr
    assert [] == site.toxics()


async def test_another_cluster_at_the_address_is_not_asked_for_its_toxiproxy(site: Site) -> None:
    undo = await put_in(site.faults)
    site.address.leads_to = SimulatedApi(uid="uid-of-another", leads_to=site.api.leads_to)

    with pytest.raises(AnotherCluster):
        await PlacedExperiments(ChaosToolkit()).recover(undo)

    assert [undo.id] == site.toxics()


async def test_one_that_the_scenario_names_itself_is_left_where_it_is(site: Site) -> None:
    fault = site.faults.prepare(
        "broken-downstream",
        path=str(shipped() / "experiments/broken-downstream.yaml"),
        configuration={
            "service": "pages",
            "downstream": "one",
            "regions": "here",
            "toxiproxy_url": "http://toxics.example:8474",
        },
        at=timedelta(0),
        duration=timedelta(minutes=1),
        run="r1",
        number=1,
    )

    assert "http://toxics.example:8474" == fault.undo.data["toxiproxy_url"]


def test_who_looks_for_a_cause_does_not_find_it_where_faults_are_put_in(site: Site) -> None:
    door = site.doors.opened().spec.toxiproxy
    assert door is not None

    key = {"authorization": f"Bearer {reading_for(door.url)}"}

    assert 401 == httpx.get(f"{door.url}/proxies", headers=key).status_code


async def test_doctor_tells_its_version_and_no_address_of_this_machine(site: Site) -> None:
    (found,) = [c for c in await examined(site.system, []) if c.what == "toxiproxy"]

    assert found.ok, found
    assert f"answers at the Service {SERVICE}, version" in found.found


async def test_doctor_says_that_nobody_answers_behind_the_service(site: Site) -> None:
    site.dies()

    (found,) = [c for c in await examined(site.system, []) if c.what == "toxiproxy"]

    assert (False, True) == (found.ok, found.bars)
    assert SERVICE in found.how
    assert "127.0.0.1" not in found.found + found.how.replace("127.0.0.1:9", "")


async def test_doctor_names_the_right_that_is_missing_to_take_a_fault_out(site: Site) -> None:
    site.api.forbids.add(("delete", "services"))

    (found,) = [c for c in await examined(site.system, []) if c.what == "toxiproxy"]

    assert "may not delete services/proxy of 'toxiproxy:8474' in 'books'" == found.found
    assert "auth can-i delete services/toxiproxy:8474 --subresource=proxy" in found.how


async def test_the_doors_of_a_run_are_opened_once_and_closed_at_its_end(
    site: Site, tmp_path: Path
) -> None:
    story = read_story(str(shipped() / "scenarios/slow-db.yaml"))
    (tmp_path / "bookshop.yaml").write_text(
        FILE.replace('{url: "http://127.0.0.1:9"}', '{service: "books/prometheus:9090"}', 1)
        # So that nothing has to answer when it is opened.
        .replace("{page: {alertname: A}}", "{rules: gameday}")
    )
    target = choose_target(
        story.scenario,
        story.slo,
        read_system(tmp_path / "bookshop.yaml"),
        context=None,
        settings=Settings.from_environment(),
        programme=None,
    )
    before = set(known())

    checks = await target.examine()
    system = await target.open()
    doors = set(known()) - before
    answered = [httpx.get(door).status_code for door in doors]
    target.close()

    assert "toxiproxy" in [check.what for check in checks if check.ok]
    assert system.tools.prometheus in doors
    assert [401, 401] == answered
    for door in doors:
        with pytest.raises(httpx.ConnectError):
            httpx.get(door)
