"""The shop of a cluster is described as any system is, by a document beside its rules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gameday.diagnosis.conventions import DEFAULT
from gameday.drivers.kubernetes.deploys import ReplicaSetDeploys
from gameday.drivers.kubernetes.manifests import read_manifests
from gameday.drivers.kubernetes.target import KubernetesTarget
from gameday.errors import PermanentDriverError, PlanRefused, SpecError
from gameday.house.targets.choice import system_named
from gameday.house.targets.cluster import (
    DOCUMENT,
    RULES,
    ClusterShop,
    cluster_document,
    manifests,
    place_of,
    regions_of,
    shop_text,
)
from gameday.house.targets.cluster_faults import ClusterFaults, Place
from gameday.house.targets.declared_system import absent_steps, queries_of
from gameday.model.system import System
from gameday.settings import Settings
from gameday.spec import Catalogue, read_system
from gameday.testing.gate import kubeconfig, serving
from gameday.testing.kubernetes import SimulatedApi

REGIONS = ("region-a", "region-b")


@dataclass
class Site:
    """A cluster with the rules of a shop, as somebody left them there."""

    api: SimulatedApi
    folder: Path

    def holds(self, **texts: str) -> None:
        data = {name.replace("_", "."): text for name, text in texts.items()}
        self.api.put("configmaps", RULES, "shop", data=data)

    @property
    def settings(self) -> Settings:
        return Settings.from_environment({"GAMEDAY_STATE": str(self.folder)})

    @property
    def place(self) -> Place:
        return place_of(None, context="sim", environment=os.environ)

    def document(self) -> System:
        cluster = self.api.cluster(namespaces=("shop",))
        return cluster_document(cluster, Place("sim", "shop"), self.folder)


def text(*, time_scale: float = 1) -> str:
    return shop_text("shop", time_scale=time_scale, regions=REGIONS)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(SimulatedApi(namespace="shop"), tmp_path)


def test_it_is_a_system_as_any_other_reached_by_the_context_that_leads_there_from_here(
    site: Site,
) -> None:
    site.holds(system_yaml=text(time_scale=60))

    spec = site.document().spec

    assert spec.kubernetes is not None and spec.regions is not None
    assert ("sim", False, ("shop",)) == (
        spec.kubernetes.context,
        spec.kubernetes.in_cluster,
        spec.kubernetes.namespaces,
    )
    assert (60, True, REGIONS) == (spec.time_scale, spec.disposable, spec.regions.names)
    assert {
        "shop/prometheus:9090",
        "shop/alertmanager:9093",
        "shop/telemetry:4318",
        "shop/proxy:8474",
    } == set(spec.services)
    assert (DEFAULT, ()) == (queries_of(spec), absent_steps(spec))


def test_whoever_reads_it_keeps_a_copy_for_himself_alone(site: Site) -> None:
    site.holds(system_yaml=text())

    path = site.document().path

    assert path is not None
    assert site.folder / "clusters/sim/shop.yaml" == path
    assert 0o600 == path.stat().st_mode & 0o777
    assert path.read_text().startswith("# What gameday knows of the shop in this namespace")


def test_its_regions_are_those_of_its_manifests() -> None:
    documents = read_manifests(manifests(), namespace="shop")

    assert REGIONS == regions_of(d for d in documents if d["kind"] == "Deployment")


def test_what_lies_in_the_cluster_is_a_whole_document_seen_from_within(tmp_path: Path) -> None:
    (tmp_path / "kubernetes.yaml").write_text(text())

    system = read_system(tmp_path / "kubernetes.yaml")

    assert system.spec.kubernetes is not None
    assert ("kubernetes", True) == (system.metadata.name, system.spec.kubernetes.in_cluster)


def test_no_rule_file_is_called_as_it_is() -> None:
    patterns = Catalogue.around()  # that there are SLOs at all
    assert patterns.every_slo()
    prometheus = (manifests() / "monitoring.yaml").read_text()

    assert "rule_files: [/etc/prometheus-rules/*.yml]" in prometheus
    assert not DOCUMENT.endswith(".yml")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (None, "has no SLO rules .* `gameday sandbox up --context sim` puts the shop"),
        ({"slo_yml": "groups: []"}, "as an older gameday left it; `gameday sandbox up --context"),
    ],
)
def test_where_there_is_none_it_is_said_what_writes_it(
    site: Site, held: dict[str, str] | None, said: str
) -> None:
    if held is not None:
        site.holds(**held)

    with pytest.raises(PermanentDriverError, match=said):
        site.document()


@pytest.mark.parametrize("wrong", ["{", "no document", "spec: 3", text().replace("red:", "rad:")])
def test_one_that_somebody_broke_is_refused_with_its_copy_named(site: Site, wrong: str) -> None:
    site.holds(system_yaml=wrong)

    with pytest.raises(SpecError, match=r"shop\.yaml"):
        site.document()


# --- opened ---------------------------------------------------------------------------------------


@pytest.fixture
def served(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with serving(site.api) as url:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(site.folder, url))
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim")
        monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "shop")
        monkeypatch.setenv("GAMEDAY_STATE", str(site.folder))
        yield site


@pytest.mark.served
async def test_it_is_opened_by_its_document_with_what_only_it_can_do(served: Site) -> None:
    served.holds(system_yaml=text())
    shop = ClusterShop(served.place, served.settings)

    opened = await shop.opened(Catalogue.around().slo("checkout-latency"), programme=None)
    answers = httpx.get(opened.tools.prometheus).status_code
    shop.close()

    assert isinstance(opened.target, KubernetesTarget)
    assert isinstance(opened.faults, ClusterFaults)
    assert isinstance(opened.deploys, ReplicaSetDeploys)
    assert ("kubernetes/sim", 1, REGIONS) == (
        opened.target.name,
        opened.target.time_scale,
        opened.regions,
    )
    assert ("storefront", "checkout", "inventory") == tuple(
        source.service for source in opened.tools.sources
    )
    assert opened.effects is not None and opened.count is not None
    assert ((), ()) == (opened.absent, opened.notices)
    assert 401 == answers
    with pytest.raises(httpx.ConnectError):
        httpx.get(opened.tools.prometheus)


@pytest.mark.served
async def test_one_whose_time_is_compressed_is_not_opened_where_somebody_may_depend_on_it(
    served: Site,
) -> None:
    served.holds(system_yaml=text(time_scale=60))
    shop = ClusterShop(served.place, served.settings)

    with pytest.raises(PlanRefused, match="60 times faster"):
        await shop.opened(Catalogue.around().slo("checkout-latency"), programme=None)


@pytest.mark.served
def test_the_doctor_is_told_of_it_by_the_short_form(served: Site) -> None:
    served.holds(system_yaml=text())

    system = system_named("kubernetes")

    assert "kubernetes" == system.metadata.name
    assert served.folder / "clusters/sim/shop.yaml" == system.path
