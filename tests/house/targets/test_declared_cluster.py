"""The cluster of a declared system: doors to its Services, mitigations, and what doctor says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from gameday.drivers.kubernetes import access
from gameday.errors import DriverError
from gameday.house.targets.check import Check
from gameday.house.targets.declared_cluster import SystemDoors, opened_cluster
from gameday.house.targets.examination import examined
from gameday.http.keys import auth_for
from gameday.model.access import Reached
from gameday.model.system import System
from gameday.spec import read_system
from gameday.testing.kubernetes import SimulatedApi

BOOKS = "books"
FILE = """\
apiVersion: gameday/v1
kind: System
metadata: {name: bookshop}
spec:
  kubernetes: {context: sim, namespaces: [books]}
  metrics: {prometheus: {service: "monitoring/prometheus-k8s:9090"}}
  alerts: {page: {alertname: A}, prometheus: {service: "monitoring/ruler:9090"}}
  pages: {alertmanager: {service: "monitoring/alertmanager-main:web"}}
  red: {preset: istio}
  traces: {tempo: {service: "monitoring/tempo:3200"}}
  profiles: {pyroscope: {service: "monitoring/pyroscope:4040"}}
  mitigations:
    - name: rollback
      kubernetes: {rolloutUndo: deployment/cart}
    - name: more
      kubernetes: {scale: {of: "deployment/{service}", replicas: "{replicas}"}}
"""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> SimulatedApi:
    api = SimulatedApi()
    api.put("namespaces", BOOKS)
    template = {"spec": {"containers": [{"name": "c", "image": "cart:1"}]}}
    api.put("deployments", "cart", BOOKS, spec={"replicas": 1, "template": template})

    def connect(*_: Any, **__: Any) -> Any:
        return api.cluster(namespaces=(BOOKS,))

    monkeypatch.setattr("gameday.drivers.kubernetes.connect", connect)
    monkeypatch.setattr(access, "connect", connect)
    return api


@pytest.fixture
def system(tmp_path: Path) -> System:
    path = tmp_path / "bookshop.yaml"
    path.write_text(FILE)
    return read_system(path)


def checks(found: Any) -> dict[str, Check]:
    return {check.what: check for check in found}


async def of(system: System) -> dict[str, Check]:
    return checks(await examined(system, []))


def test_each_service_has_an_address_of_its_own_that_asks_for_a_token(
    api: SimulatedApi, system: System
) -> None:
    places = [place for _, place in SystemDoors(system).opened().spec.places()]
    urls = [str(place.url) for place in places if isinstance(place, Reached)]

    without = [httpx.get(url).status_code for url in urls]
    answers = [httpx.get(f"{url}/x", auth=auth_for(url)).status_code for url in urls]

    assert 5 == len(urls) == len(set(urls))
    assert all(url.startswith("http://127.0.0.1:") for url in urls)
    assert [401] * 5 == without
    assert [404] * 5 == answers  # the simulated API server has no such Services


def test_a_system_without_services_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "bookshop.yaml"
    for service in (
        "prometheus-k8s:9090",
        "ruler:9090",
        "alertmanager-main:web",
        "tempo:3200",
        "pyroscope:4040",
    ):
        path.write_text(
            (path.read_text() if path.exists() else FILE).replace(
                f'service: "monitoring/{service}"', 'url: "http://127.0.0.1:1"'
            )
        )
    system = read_system(path)

    assert system is SystemDoors(system).opened()


def test_what_acts_on_the_cluster_is_there_where_the_document_names_one(
    api: SimulatedApi, system: System
) -> None:
    found = opened_cluster(system.spec)

    assert found is not None
    (rollback, _) = system.spec.mitigations
    assert rollback.kubernetes is not None
    undo = found.acts.undo("r1", "rollback", rollback.kubernetes)
    assert "roll deployment/cart back to the revision before in books" == undo.description
    assert "" == found.doubt


def test_a_namespace_that_the_settings_do_not_allow_is_not_opened(
    api: SimulatedApi, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gameday.drivers.kubernetes.connect", lambda *_, **__: api.cluster(namespaces=("other",))
    )

    with pytest.raises(DriverError, match="GAMEDAY_KUBE_NAMESPACES"):
        opened_cluster(system.spec)


async def test_doctor_tells_that_the_cluster_is_there_and_what_may_be_done(
    api: SimulatedApi, system: System
) -> None:
    found = await of(system)

    assert ("sim answers, v1.31.0, with books", True) == (
        found["cluster"].found,
        found["cluster"].ok,
    )
    assert "roll deployment/cart back to the revision before" == found["mitigation rollback"].found
    assert "scale deployment/{service} to {replicas}" == found["mitigation more"].found


async def test_doctor_names_a_deployment_that_is_not_there(
    api: SimulatedApi, system: System
) -> None:
    api.remove("deployments", "cart", BOOKS)

    found = (await of(system))["mitigation rollback"]

    assert ("there is no deployment/cart in 'books'", False) == (found.found, found.ok)
    assert "write one of `kubectl -n books get deployments`" == found.how


async def test_doctor_names_a_right_that_is_missing(api: SimulatedApi, system: System) -> None:
    api.forbids.add(("patch", "deployments"))

    found = await of(system)

    assert ["may not patch deployments in 'books'"] * 2 == [
        found[f"mitigation {name}"].found for name in ("rollback", "more")
    ]
    assert (
        "`kubectl -n books auth can-i patch deployments` tells" in found["mitigation rollback"].how
    )


async def test_doctor_names_a_namespace_that_is_not_there(
    api: SimulatedApi, system: System
) -> None:
    api.remove("namespaces", BOOKS)

    assert "'sim' has no namespace 'books'" == (await of(system))["cluster"].found


async def test_doctor_names_a_context_that_is_not_there(
    system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    found = await of(system)

    assert "there is no kubeconfig at" in found["cluster"].how
    assert "not looked at: it rests on cluster" == found["mitigation rollback"].found
    assert ["not looked at: it rests on cluster"] * 4 == [
        found[what].found
        for what in ("prometheus", "prometheus of the rules", "alertmanager", "profiles")
    ]


def test_nothing_is_asked_of_a_cluster_that_the_document_does_not_name(system: System) -> None:
    spec = system.spec.model_copy(update={"kubernetes": None})

    assert opened_cluster(spec) is None
    assert SystemDoors(system.model_copy(update={"spec": spec})).opened().spec is spec


async def test_doctor_names_services_and_no_address_of_this_machine(
    api: SimulatedApi, system: System
) -> None:
    found = await of(system)

    told = [text for check in found.values() for text in (check.found, check.how)]
    assert not [text for text in told if "127.0.0.1" in text]
    assert "the Service monitoring/prometheus-k8s:9090" in " ".join(told)
