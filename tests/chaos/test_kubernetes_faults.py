"""Our actions on a cluster: what they change, what they refuse, what they take back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import networks, pods, pressure, radius, regions, strays, workloads
from gameday.chaos.controllers import BEFORE
from gameday.chaos.parameters import limit
from gameday.testing.gate import Trouble, Troubled, kubeconfig, serving, status
from gameday.testing.kubernetes import KINDS, SimulatedApi

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
MARK = "gd-r7-1"
REGION = "topology.kubernetes.io/region"
WHERE: dict[str, Any] = {"namespace": "shop", "mark": MARK}
SHOP: dict[str, Any] = {**WHERE, "workload": "deployment/shop"}


@pytest.fixture
def api() -> SimulatedApi:
    """A shop of four pods on two nodes in two regions."""
    api = SimulatedApi(
        namespace="shop",
        kinds={**KINDS, "chaos-mesh.org/v1alpha1": {"networkchaos": "NetworkChaos"}},
    )
    for name, region in (("a1", "a"), ("b1", "b")):
        api.node(name, **{REGION: region})
    api.put(
        "replicasets",
        "shop-1",
        "shop",
        metadata={"ownerReferences": [{"kind": "Deployment", "name": "shop", "controller": True}]},
        spec={"replicas": 4},
    )
    container = {
        "name": "c",
        "image": "reg.example:5000/shop:1",
        "env": [{"name": "A", "value": "1"}],
    }
    api.put(
        "deployments",
        "shop",
        "shop",
        metadata={"labels": {"app": "shop"}, "annotations": {"theirs": "1"}},
        spec={"replicas": 4, "template": {"spec": {"containers": [container]}}},
    )
    for index in range(4):
        api.pod(f"p{index}", ("a1", "b1")[index % 2], app="shop", owner=("ReplicaSet", "shop-1"))
    return api


@pytest.fixture
def troubles(
    api: SimulatedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Trouble]]:
    """The API is served, and the settings allow it."""
    with serving(Troubled(api, api.troubles)) as url:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, url))
        monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "sim")
        monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "shop")
        yield api.troubles


pytestmark = [pytest.mark.served, pytest.mark.usefixtures("troubles")]


def everything(api: SimulatedApi) -> dict[str, Any]:
    """Return all objects without what changes with every write."""
    found = {}
    for resource in ("nodes", "deployments", "networkpolicies", "networkchaos", "jobs"):
        for name in api.names(resource):
            thing = api.find(resource, name, "" if resource == "nodes" else "shop")
            assert thing is not None
            for key in ("resourceVersion", "managedFields"):
                thing["metadata"].pop(key, None)
            found[f"{resource}/{name}"] = thing
    return found


# --- pods ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen", [{"selector": "app=shop"}, {"name": "p*"}, {"owner": "deployment/shop"}]
)
def test_as_many_pods_are_killed_as_asked_for(api: SimulatedApi, chosen: dict[str, str]) -> None:
    done = pods.kill_pods("shop", **chosen, count=2)

    assert 2 == len(api.names("pods"))
    assert {p["name"] for p in done["pods"]} == {"p0", "p1", "p2", "p3"} - set(api.names("pods"))


def test_a_share_is_rounded_down_and_kills_one_at_least(api: SimulatedApi) -> None:
    pods.kill_pods("shop", "app=shop", percent="49%")
    assert 3 == len(api.names("pods"))

    pods.kill_pods("shop", "app=shop", percent=1)
    assert 2 == len(api.names("pods"))


def test_finished_and_ending_pods_do_not_count(api: SimulatedApi) -> None:
    api.edit("pods", "p0", "shop", {"status": {"phase": "Succeeded"}}, "kubelet")
    api.edit("pods", "p1", "shop", {"metadata": {"deletionTimestamp": "now"}}, "kubelet")

    with pytest.raises(ActivityFailed, match="only 2 fit"):
        pods.kill_pods("shop", "app=shop", count=3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"selector": "app=nothing"}, "no living pod in 'shop' fits selector 'app=nothing'"),
        ({}, "say which pods are meant"),
        ({"owner": "shop"}, "'shop' is no owner"),
        ({"selector": "app=shop", "count": 3, "at_most": "50%"}, "blast radius allows 2"),
        ({"selector": "app=shop", "count": 0}, "whole number from 1 on"),
        ({"selector": "app=shop", "at_most": "half"}, "at_most"),
        ({"selector": "app=shop", "mark": "No Mark"}, "is no mark"),
        ({"selector": "app=shop", "context": "prod"}, "no context 'prod'"),
    ],
)
def test_nothing_is_killed_that_was_not_clearly_meant(
    api: SimulatedApi, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ActivityFailed, match=words):
        pods.kill_pods("shop", **arguments)

    assert ["p0", "p1", "p2", "p3"] == api.names("pods")


@pytest.mark.parametrize("namespace", ["kube-system", "billing"])
def test_other_namespaces_are_fenced_in_every_action(api: SimulatedApi, namespace: str) -> None:
    api.pod("theirs", "a1", namespace)
    calls: list[Any] = [
        lambda: pods.kill_pods(namespace, name="*"),
        lambda: workloads.scale_to_zero(namespace, "deployment/shop"),
        lambda: workloads.change_workload(namespace, "deployment/shop", image=":2"),
        lambda: networks.isolate_pods(namespace, "*"),
        lambda: networks.slow_pods(namespace, "*"),
        lambda: pressure.press(namespace, "app=shop"),
    ]

    for call in calls:
        with pytest.raises(ActivityFailed, match=r"protected|do not allow faults"):
            call()
    assert "theirs" in api.names("pods")


def test_a_pod_that_is_gone_while_being_killed_is_a_success(
    api: SimulatedApi, troubles: list[Trouble]
) -> None:
    troubles.append(
        Trouble(
            "DELETE",
            status(404, "not found", reason="NotFound"),
            then=lambda: api.remove("pods", "p2", "shop"),
        )
    )

    done = pods.kill_pods("shop", name="p2")

    assert ["p2"] == done["gone_before"]


def test_pods_are_ready_when_all_that_are_asked_for_are(api: SimulatedApi) -> None:
    assert pods.pods_are_ready("shop", owner="deployment/shop")
    assert not pods.pods_are_ready("shop", "app=shop", at_least=5)

    api.remove("pods", "p0", "shop")
    assert not pods.pods_are_ready("shop", owner="deployment/shop")
    assert not pods.pods_are_ready("shop", "app=shop")
    assert pods.pods_are_ready("shop", name="p1")


# --- regions -------------------------------------------------------------------------------------


def test_a_region_is_drained_and_comes_back(api: SimulatedApi) -> None:
    before = everything(api)

    done = regions.drain_region(region="a", mark=MARK)

    assert (["a1"], 2) == (done["cordoned"], done["evicted"])
    assert ["p1", "p3"] == api.names("pods")
    assert regions.region_is_drained(MARK) and not regions.nodes_are_free(region="a")
    assert regions.nodes_are_free(region="a", ignore=MARK)
    assert ["a1"] == regions.recover_region(MARK)
    assert [] == regions.recover_region(MARK)
    assert not regions.region_is_drained(MARK) and regions.nodes_are_free(region="a")
    assert before == everything(api)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"region": "a", "at_most": 1}, "2 of 4 pods in shop would be touched"),
        ({"selector": REGION}, "all that take pods"),
        ({}, "say which nodes are meant"),
        ({"region": "c"}, "no node of 'sim'"),
        ({"region": "a", "foreign": "evict"}, "refuse or leave"),
        ({"region": "a", "force": "perhaps"}, "force must be true or false"),
    ],
)
def test_a_drain_that_is_refused_changes_nothing(
    api: SimulatedApi, arguments: dict[str, Any], words: str
) -> None:
    before = everything(api)

    with pytest.raises(ActivityFailed, match=words):
        regions.drain_region(**arguments, mark=MARK)

    assert (before, 4) == (everything(api), len(api.names("pods")))


def test_a_drain_that_fails_half_way_takes_its_cordons_back(
    api: SimulatedApi, troubles: list[Trouble]
) -> None:
    before = everything(api)
    troubles.append(Trouble("POST .*/eviction", status(403, "no"), times=99))

    with pytest.raises(ActivityFailed, match="forbids it: create pods/eviction"):
        regions.drain_region(region="a", mark=MARK)

    assert before == everything(api)


# --- workloads -----------------------------------------------------------------------------------


def test_a_workload_is_scaled_to_zero_and_back(api: SimulatedApi) -> None:
    before = everything(api)

    assert 4 == workloads.scale_to_zero(**SHOP)["replicas_before"]

    assert 0 == everything(api)["deployments/shop"]["spec"]["replicas"]
    assert workloads.workload_is_scaled_down(**SHOP)
    assert not workloads.workload_is_untouched("shop", "deployment/shop")
    assert workloads.workload_is_untouched("shop", "deployment/shop", ignore=MARK)
    assert workloads.recover_scale(**SHOP) and not workloads.recover_scale(**SHOP)
    assert not workloads.workload_is_scaled_down(**SHOP)
    assert before == everything(api)


def test_replicas_that_somebody_set_meanwhile_stay(api: SimulatedApi) -> None:
    workloads.scale_to_zero(**SHOP)
    api.edit("deployments", "shop", "shop", {"spec": {"replicas": 2}}, "somebody")

    assert not workloads.workload_is_scaled_down(**SHOP)
    assert not workloads.recover_scale(**SHOP)
    after = everything(api)["deployments/shop"]
    assert (2, {"app": "shop"}) == (after["spec"]["replicas"], after["metadata"]["labels"])


@pytest.mark.parametrize(
    ("change", "image", "env"),
    [
        ({"image": ":2"}, "reg.example:5000/shop:2", [{"name": "A", "value": "1"}]),
        ({"image": "other:3"}, "other:3", [{"name": "A", "value": "1"}]),
        ({"env": "A=2"}, "reg.example:5000/shop:1", [{"name": "A", "value": "2"}]),
        (
            {"env": "B=x=y"},
            "reg.example:5000/shop:1",
            [{"name": "A", "value": "1"}, {"name": "B", "value": "x=y"}],
        ),
    ],
)
def test_a_bad_version_goes_live_and_is_taken_back(
    api: SimulatedApi, change: dict[str, str], image: str, env: list[Any]
) -> None:
    before = everything(api)

    workloads.change_workload(**SHOP, **change)

    (container,) = everything(api)["deployments/shop"]["spec"]["template"]["spec"]["containers"]
    assert (image, env) == (container["image"], container["env"])
    assert workloads.change_is_live(**SHOP)
    assert workloads.recover_change(**SHOP) and not workloads.recover_change(**SHOP)
    assert before == everything(api)


def test_a_version_that_somebody_rolled_out_since_stays(api: SimulatedApi) -> None:
    workloads.change_workload(**SHOP, image=":2")
    theirs = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "fixed:4"}]}}}}
    api.edit("deployments", "shop", "shop", theirs, "somebody")

    assert not workloads.change_is_live(**SHOP)
    assert not workloads.recover_change(**SHOP)
    after = everything(api)["deployments/shop"]
    assert "fixed:4" == after["spec"]["template"]["spec"]["containers"][0]["image"]
    assert ({"app": "shop"}, {"theirs": "1"}) == (
        after["metadata"]["labels"],
        after["metadata"]["annotations"],
    )


def test_a_rollout_that_was_undone_with_its_annotations_leaves_only_the_mark_to_remove(
    api: SimulatedApi,
) -> None:
    before = everything(api)
    workloads.change_workload(**SHOP, image=":2")
    undone = before["deployments/shop"]["spec"]["template"]
    notes = {"metadata": {"annotations": {BEFORE: None}}, "spec": {"template": undone}}
    api.edit("deployments", "shop", "shop", notes, "kubectl")

    assert not workloads.change_is_live(**SHOP)
    assert not workloads.recover_change(**SHOP)
    assert before == everything(api)


@pytest.mark.parametrize("late", [False, True])
def test_a_conflict_and_a_lost_answer_end_in_one_change(
    api: SimulatedApi, troubles: list[Trouble], late: bool
) -> None:
    before = everything(api)
    answer = None if late else status(409, "modified", reason="Conflict")
    troubles.append(Trouble("PATCH", answer, is_late=late))

    workloads.scale_to_zero(**SHOP)

    assert workloads.workload_is_scaled_down(**SHOP)
    assert workloads.recover_scale(**SHOP)
    assert before == everything(api)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image": ":1"}, "no change"),
        ({"image": ":2", "env": "A=2"}, "either an image or env"),
        ({}, "either an image or env"),
        ({"env": "A"}, "'A' is no variable"),
        ({"image": ":2", "container": "x"}, "which container of 'deployment/shop' is meant: c"),
        ({"image": ":2", "workload": "deployment/other"}, "there is no 'deployment/other'"),
        ({"image": ":2", "workload": "job/other"}, "'job/other' is no workload"),
        ({"image": ":2", "at_most": 3}, "blast radius allows 3"),
    ],
)
def test_a_version_that_is_refused_changes_nothing(
    api: SimulatedApi, arguments: dict[str, Any], words: str
) -> None:
    before = everything(api)

    with pytest.raises(ActivityFailed, match=words):
        workloads.change_workload(**{**SHOP, **arguments})

    assert before == everything(api)


def test_two_faults_on_one_workload_are_refused(api: SimulatedApi) -> None:
    workloads.scale_to_zero(**SHOP)

    with pytest.raises(ActivityFailed, match="bears the mark 'gd-r7-1' of another fault"):
        workloads.change_workload(**{**SHOP, "mark": "gd-r7-2"}, image=":2")


# --- networks and pressure -----------------------------------------------------------------------


def test_pods_are_isolated_by_a_policy_of_the_marks_name(api: SimulatedApi) -> None:
    before = everything(api)

    networks.isolate_pods(**WHERE, selector="app=shop", direction="ingress")

    policy = everything(api)[f"networkpolicies/{MARK}"]["spec"]
    assert {
        "podSelector": {"matchLabels": {"app": "shop"}},
        "policyTypes": ["Ingress"],
    } == policy
    assert networks.pods_are_isolated(**WHERE)
    assert networks.recover_isolation(**WHERE) and not networks.recover_isolation(**WHERE)
    assert before == everything(api)


def test_a_policy_of_that_name_without_the_mark_is_somebody_elses(api: SimulatedApi) -> None:
    api.put("networkpolicies", MARK, "shop", spec={})

    with pytest.raises(ActivityFailed, match="exists already"):
        networks.isolate_pods(**WHERE, selector="*")
    assert not networks.recover_isolation(**WHERE)
    assert [MARK] == api.names("networkpolicies")


def test_a_slow_network_always_ends_by_itself(api: SimulatedApi) -> None:
    before = everything(api)

    networks.slow_pods(**WHERE, selector="app in (shop)", latency="1s", ttl_s=90)

    spec = everything(api)[f"networkchaos/{MARK}"]["spec"]
    assert ("90s", "1000ms", ["shop"]) == (
        spec["duration"],
        spec["delay"]["latency"],
        spec["selector"]["namespaces"],
    )
    assert networks.pods_are_slow(**WHERE)
    over = {"status": {"conditions": [{"type": "AllRecovered", "status": "True"}]}}
    api.edit("networkchaos", MARK, "shop", over, "chaos-mesh")
    assert not networks.pods_are_slow(**WHERE)
    assert networks.recover_slowness(**WHERE) and not networks.recover_slowness(**WHERE)
    assert before == everything(api)
    with pytest.raises(ActivityFailed, match="never made without an end"):
        networks.slow_pods(**WHERE, selector="*", ttl_s=None)


def test_without_chaos_mesh_the_network_is_not_slowed(api: SimulatedApi) -> None:
    api.kinds = KINDS

    with pytest.raises(ActivityFailed, match="install Chaos Mesh"):
        networks.slow_pods(**WHERE, selector="*")
    assert not networks.pods_are_slow(**WHERE)
    assert not networks.recover_slowness(**WHERE)


def test_pressure_stands_beside_the_service_and_has_limits_and_an_end(api: SimulatedApi) -> None:
    before = everything(api)

    done = pressure.press(**WHERE, beside="app=shop", cpus=2, memory_mib=100, ttl_s=60)

    assert ["a1", "b1"] == done["nodes"]
    job = everything(api)[f"jobs/{MARK}-0"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert (60, {"cpu": "2", "memory": "164Mi"}) == (
        job["activeDeadlineSeconds"],
        container["resources"]["limits"],
    )
    assert pressure.pressure_is_on(**WHERE)
    assert [f"{MARK}-0", f"{MARK}-1"] == pressure.recover_pressure(**WHERE)
    assert [] == pressure.recover_pressure(**WHERE)
    assert not pressure.pressure_is_on(**WHERE)
    assert before == everything(api)


def test_pressure_that_could_not_be_put_everywhere_is_taken_off(
    api: SimulatedApi, troubles: list[Trouble]
) -> None:
    before = everything(api)
    troubles.append(Trouble("GET nothing", times=0))
    api.put("jobs", f"{MARK}-1", "shop")

    with pytest.raises(ActivityFailed, match="exists already"):
        pressure.press(**WHERE, beside="app=shop")

    api.remove("jobs", f"{MARK}-1", "shop")
    assert before == everything(api)


# --- strays and blast radius ---------------------------------------------------------------------


def test_whatever_bears_a_mark_is_found_and_taken_out_without_a_store(api: SimulatedApi) -> None:
    before = everything(api)
    regions.drain_region(region="a", mark="gd-r7-1")
    workloads.change_workload(**{**SHOP, "mark": "gd-r7-2"}, image=":2")
    networks.isolate_pods("shop", "*", mark="gd-r7-3")
    networks.slow_pods("shop", "*", mark="gd-r8-1")
    pressure.press("shop", "app=shop", mark="gd-r8-2")

    found = strays.find_strays("gd-")

    assert {
        "gd-r7-1": ["nodes a1"],
        "gd-r7-2": ["deployments shop/shop"],
        "gd-r7-3": ["networkpolicies shop/gd-r7-3"],
        "gd-r8-1": ["networkchaos shop/gd-r8-1"],
        "gd-r8-2": ["jobs shop/gd-r8-2-0"],
    } == found
    for mark in found:
        assert strays.is_astray(mark)
        assert found[mark] == strays.recover_stray(mark)
        assert not strays.is_astray(mark)
        assert [] == strays.recover_stray(mark)
    assert before == everything(api)
    assert {} == strays.find_strays()


def test_strays_are_looked_for_where_the_identity_may_look(
    api: SimulatedApi, troubles: list[Trouble]
) -> None:
    networks.isolate_pods(**WHERE, selector="*")
    whole = status(403, 'User "drill" cannot list resource "x"')
    troubles.append(Trouble(r"GET /api(s/[^/]*)?/v1/\w+\?", whole, times=99))

    assert {MARK: [f"networkpolicies shop/{MARK}"]} == strays.find_strays("gd-")


@pytest.mark.parametrize(
    ("name", "values", "touched"),
    [
        ("kill-pod", {"selector": "app=shop", "count": 3}, 3),
        ("drain-region", {"region": "a"}, 2),
        ("scale-to-zero", {"workload": "deployment/shop"}, 4),
        ("bad-deploy", {"workload": "deployment/shop"}, 4),
        ("isolate-pods", {"selector": "*"}, 4),
        ("slow-network", {"selector": "app=shop"}, 4),
        ("pressure", {"beside": "app=shop"}, 4),
    ],
)
def test_the_blast_radius_is_counted_before_anything_is_injected(
    api: SimulatedApi, name: str, values: dict[str, Any], touched: int
) -> None:
    before = everything(api)
    experiment = yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text())

    counted = radius.count(experiment, values)

    assert (touched, 4, ("shop",)) == (len(counted.pods), counted.of, counted.namespaces)
    assert before == everything(api)
    json.dumps(counted.pods)


def test_an_experiment_that_touches_no_pods_says_so() -> None:
    experiment = yaml.safe_load((EXPERIMENTS / "slow-downstream.yaml").read_text())

    counted = radius.count(experiment, {})

    assert (
        0,
        ("slow-downstream is not counted in pods: it touches connections of a hop, and not pods",),
    ) == (counted.of, counted.uncounted)


@pytest.mark.parametrize(
    ("allowed", "of", "expected"),
    [("50%", 3, 1), ("29%", 100, 29), ("100%", 7, 7), ("0%", 7, 0), (2, 7, 2), ("3", 2, 3)],
)
def test_a_limit_is_a_number_or_a_share_rounded_down(
    allowed: str | int, of: int, expected: int
) -> None:
    assert expected == limit(allowed, of)
