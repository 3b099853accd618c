"""The manifests of deploy/shop: of one piece with the sandbox, and with themselves."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameday.drivers.kubernetes.manifests import read_manifests
from gameday.house.targets.cluster import manifests
from gameday.house.targets.cluster_faults import PORTS
from gameday.sandbox.supervisor import monitoring
from gameday.shop import REGION, SERVICE

SHOP = manifests()
REPOSITORY = Path(__file__).parents[3]


@cache
def documents() -> list[dict[str, Any]]:
    return list(read_manifests(SHOP, namespace="somewhere"))


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in documents() if d["kind"] == kind}


def test_both_regions_are_the_same_but_for_their_letter_and_ports() -> None:
    first, second = (
        list(yaml.safe_load_all((SHOP / f"region-{letter}.yaml").read_text())) for letter in "ab"
    )
    moved = json.dumps(first).replace("region-a", "region-b")
    for port in range(10001, 10008, 2):
        moved = moved.replace(f"proxy:{port}", f"proxy:{port + 1}")

    assert second == json.loads(moved)


def labels_of(document: dict[str, Any]) -> list[dict[str, str]]:
    """The labels of an object, and those that it gives to pods."""
    template = document.get("spec", {}).get("template", {}).get("metadata", {})
    return [document["metadata"]["labels"], *([template["labels"]] if template else [])]


def selectors_of(document: dict[str, Any]) -> list[dict[str, str]]:
    """The labels by which an object chooses pods."""
    spec = document.get("spec", {})
    chosen = spec.get("selector", {})
    return [chosen.get("matchLabels", chosen)] if chosen else []


def test_pods_are_chosen_by_labels_that_nobody_else_writes() -> None:
    chosen = {key for d in documents() for selector in selectors_of(d) for key in selector}

    assert {SERVICE, REGION} == chosen


def test_nothing_of_the_shop_bears_a_label_that_the_platform_writes() -> None:
    borne = {key for d in documents() for labels in labels_of(d) for key in labels}

    described = {"app.kubernetes.io/name", "app.kubernetes.io/part-of"}
    assert {SERVICE, REGION} | described == borne


def test_every_object_but_the_namespace_says_which_part_of_the_shop_it_is() -> None:
    unnamed = [
        (d["kind"], d["metadata"]["name"])
        for d in documents()
        for labels in labels_of(d)
        if SERVICE not in labels
    ]

    assert [("Namespace", "somewhere")] == unnamed


def test_every_object_lands_in_the_namespace_that_is_asked_for() -> None:
    namespaces = {
        d["metadata"]["name"] if d["kind"] == "Namespace" else d["metadata"]["namespace"]
        for d in documents()
    }
    subjects = [s for b in of_kind("RoleBinding").values() for s in b["subjects"]]

    assert {"somewhere"} == namespaces | {s["namespace"] for s in subjects}


def test_alertmanager_routes_as_it_does_in_the_sandbox() -> None:
    text = of_kind("ConfigMap")["alertmanager"]["data"]["alertmanager.yml"]

    there = yaml.safe_load(monitoring.alertmanager_settings("http://mailbox:9094/hook"))
    assert there == yaml.safe_load(text)


def test_prometheus_asks_as_often_as_it_does_in_the_sandbox() -> None:
    text = of_kind("ConfigMap")["prometheus"]["data"]["prometheus.yml"]
    there = yaml.safe_load(
        monitoring.prometheus_settings(rules=Path("/"), alertmanager_port=1, targets=[])
    )

    assert there["global"] == yaml.safe_load(text)["global"]


def test_every_proxy_is_reached_through_the_service() -> None:
    proxies = json.loads(of_kind("ConfigMap")["proxy"]["data"]["proxies.json"])
    listening = {int(p["listen"].rpartition(":")[2]) for p in proxies}
    offered = {p["port"] for p in of_kind("Service")["proxy"]["spec"]["ports"]}

    assert listening | {8474} == offered
    assert len(proxies) == len({p["name"] for p in proxies})


def test_every_upstream_of_a_proxy_is_a_service() -> None:
    proxies = json.loads(of_kind("ConfigMap")["proxy"]["data"]["proxies.json"])

    assert {p["upstream"].partition(":")[0] for p in proxies} <= set(of_kind("Service"))


@pytest.mark.parametrize("service", sorted(PORTS))
def test_what_gameday_talks_to_is_a_service_at_that_port(service: str) -> None:
    ports = [p["port"] for p in of_kind("Service")[service]["spec"]["ports"]]

    assert PORTS[service] in ports


def test_every_pod_runs_from_the_one_image_and_asks_for_little() -> None:
    containers = [
        c
        for d in of_kind("Deployment").values()
        for c in d["spec"]["template"]["spec"]["containers"]
    ]

    assert {"gameday-shop:dev"} == {c["image"] for c in containers}
    assert all(c["resources"]["requests"] and c["resources"]["limits"] for c in containers)


def test_nothing_runs_as_root_or_writes_into_its_image() -> None:
    for deployment in of_kind("Deployment").values():
        spec = deployment["spec"]["template"]["spec"]

        assert spec["securityContext"]["runAsNonRoot"]
        assert all(c["securityContext"]["readOnlyRootFilesystem"] for c in spec["containers"])


def test_a_drained_region_takes_nothing_down_that_watches_it() -> None:
    for name, deployment in of_kind("Deployment").items():
        affinity = deployment["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
        required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
        if name.endswith(("-region-a", "-region-b")):
            continue

        assert [
            {
                "key": "topology.kubernetes.io/region",
                "operator": "NotIn",
                "values": ["region-a", "region-b"],
            }
        ] == required["nodeSelectorTerms"][0]["matchExpressions"]


def test_budgets_let_one_region_go_and_not_two() -> None:
    replicas = {
        name: sum(
            d["spec"]["replicas"]
            for d in of_kind("Deployment").values()
            if d["metadata"]["labels"][SERVICE] == name
        )
        for name in of_kind("PodDisruptionBudget")
    }

    for name, budget in of_kind("PodDisruptionBudget").items():
        assert replicas[name] / 2 == budget["spec"]["minAvailable"]


def test_the_smoke_workflow_runs_scenarios_that_are_there() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "smoke.yml").read_text())
    lines = "\n".join(s["run"] for s in workflow["jobs"]["kind"]["steps"] if "run" in s)
    played = re.findall(r"scenarios/[\w-]+\.yaml", lines)

    assert ["kill-pod", "slow-db", "drain-region"] == [Path(p).stem for p in played]
    assert all((REPOSITORY / p).is_file() for p in played)


def test_kind_makes_the_regions_that_the_manifests_want() -> None:
    made = yaml.safe_load((REPOSITORY / "kind-config.yaml").read_text())["nodes"]
    regions = [n["labels"]["topology.kubernetes.io/region"] for n in made if "labels" in n]

    assert ["region-a", "region-b", "region-c"] == regions


def test_the_code_in_the_image_is_compiled_beside_its_sources() -> None:
    # Wherever its maker keeps bytecode, as these tests do: a pod finds it nowhere else.
    script = (REPOSITORY / "deploy" / "shop" / "tree").read_text(encoding="utf-8")
    before, compiling, _ = script.partition("-m compileall")

    assert compiling
    assert "\nunset PYTHONPYCACHEPREFIX\n" in before
