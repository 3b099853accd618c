"""Faults on a real cluster, each put in, read back and taken out; alone, and by their files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import networks, pods, pressure, workloads
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.kubernetes import Cluster
from gameday.drivers.kubernetes.cluster import Object

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def mark(namespace: str) -> str:
    """A mark nothing else in the cluster bears."""
    return f"gd-{namespace[-6:]}-1"


def shape(found: Object) -> tuple[Any, ...]:
    """Return all of a Deployment that a fault may change, and its recovery must bring back."""
    return (
        found["spec"]["replicas"],
        found["spec"]["template"],
        found["metadata"].get("labels", {}),
        {
            k: v
            for k, v in found["metadata"].get("annotations", {}).items()
            if not k.startswith("deployment.kubernetes.io/")
        },
    )


def test_killed_pods_are_replaced(workload: Any, wait: Any) -> None:
    workload.deploy("shop", 3)
    before = {p["metadata"]["uid"] for p in workload.ready("shop")}

    done = pods.kill_pods(
        workload.namespace, owner="deployment/shop", count=2, at_most="67%", grace_period_s=0
    )

    wait(lambda: pods.pods_are_ready(workload.namespace, owner="deployment/shop"), "all are back")
    after = {p["metadata"]["uid"] for p in workload.ready("shop")}
    assert (2, 1) == (len(done["pods"]), len(before & after))


def test_a_workload_is_scaled_to_zero_and_back(workload: Any, mark: str, wait: Any) -> None:
    workload.deploy("shop", 2)
    before = shape(workload.get("shop"))

    workloads.scale_to_zero(workload.namespace, "deployment/shop", mark=mark)
    wait(lambda: not workload.pods("shop"), "no pod is left")
    assert workloads.workload_is_scaled_down(workload.namespace, "deployment/shop", mark=mark)
    workloads.recover_scale(workload.namespace, "deployment/shop", mark=mark)

    assert before == shape(workload.get("shop"))
    wait(lambda: len(workload.ready("shop")) == 2, "both are back")
    # What the fault wrote is on no ReplicaSet either, which would keep it.
    sets = workload.cluster.list("replicasets", workload.namespace)
    assert [] == [k for s in sets for k in s["metadata"]["annotations"] if "gameday" in k]


def test_a_bad_version_is_taken_back_to_the_very_same_pods(
    workload: Any, mark: str, wait: Any
) -> None:
    workload.deploy("shop", 2)
    before = shape(workload.get("shop"))
    served = {p["metadata"]["uid"] for p in workload.ready("shop")}

    workloads.change_workload(
        workload.namespace, "deployment/shop", image=":no-such-tag", mark=mark
    )
    wait(lambda: len(workload.pods("shop")) > 2, "the bad version is rolled out")
    assert workloads.change_is_live(workload.namespace, "deployment/shop", mark=mark)
    workloads.recover_change(workload.namespace, "deployment/shop", mark=mark)

    assert before == shape(workload.get("shop"))
    wait(lambda: len(workload.pods("shop")) == 2, "only the good version is left")
    assert served & {p["metadata"]["uid"] for p in workload.ready("shop")}


def test_a_bad_version_that_kubectl_rolled_back_leaves_no_trace(
    workload: Any, mark: str, live: Any, wait: Any
) -> None:
    workload.deploy("shop", 2)
    before = shape(workload.get("shop"))
    workloads.change_workload(workload.namespace, "deployment/shop", env="BAD=1", mark=mark)
    undo = ("kubectl", "-n", workload.namespace, "rollout", "undo", "deployment/shop")
    kept = {**os.environ, **live.environment()}

    def is_known() -> bool:
        found = workload.get("shop")
        return bool(found["status"].get("observedGeneration") == found["metadata"]["generation"])

    wait(is_known, "the bad version has a revision")
    subprocess.run(undo, env=kept, check=True, capture_output=True)

    assert not workloads.change_is_live(workload.namespace, "deployment/shop", mark=mark)
    workloads.recover_change(workload.namespace, "deployment/shop", mark=mark)
    assert before == shape(workload.get("shop"))


def test_pods_are_isolated_by_a_policy_of_ours(workload: Any, mark: str) -> None:
    # That traffic stops is not tested: this network may not enforce policies.
    workload.deploy("shop", 1)
    workload.cluster.create(
        "networkpolicies",
        {"metadata": {"name": "theirs"}, "spec": {"podSelector": {}}},
        workload.namespace,
    )

    networks.isolate_pods(workload.namespace, "app=shop", mark=mark)
    assert networks.pods_are_isolated(workload.namespace, mark=mark)
    networks.recover_isolation(workload.namespace, mark=mark)

    left = workload.cluster.list("networkpolicies", workload.namespace)
    assert ["theirs"] == [p["metadata"]["name"] for p in left]


def test_pressure_runs_beside_the_service_and_the_cluster_itself_ends_it(
    workload: Any, mark: str, wait: Any
) -> None:
    workload.deploy("shop", 1)
    (served,) = workload.ready("shop")
    label = f"gameday.dev/mark={mark}"

    def ours() -> list[Object]:
        return list(workload.cluster.list("pods", workload.namespace, labels=label))

    pressure.press(workload.namespace, "app=shop", cpus=1, memory_mib=16, ttl_s=20, mark=mark)

    wait(lambda: any(p["status"]["phase"] == "Running" for p in ours()), "it runs")
    assert [served["spec"]["nodeName"]] == [p["spec"]["nodeName"] for p in ours()]
    wait(
        lambda: not pressure.pressure_is_on(workload.namespace, mark=mark),
        "the cluster has ended it by itself",
    )
    pressure.recover_pressure(workload.namespace, mark=mark)
    wait(lambda: not ours(), "nothing is left")


def test_pressure_ends_with_its_recovery(workload: Any, mark: str, wait: Any) -> None:
    workload.deploy("shop", 1)

    pressure.press(workload.namespace, "app=shop", cpus=1, ttl_s=600, mark=mark)
    assert pressure.pressure_is_on(workload.namespace, mark=mark)
    pressure.recover_pressure(workload.namespace, mark=mark)

    wait(lambda: not pressure.pressure_is_on(workload.namespace, mark=mark), "it has ended")
    assert [] == workload.cluster.list("jobs", workload.namespace)


CRD: Object = {
    "metadata": {"name": "networkchaos.chaos-mesh.org"},
    "spec": {
        "group": "chaos-mesh.org",
        "scope": "Namespaced",
        "names": {"kind": "NetworkChaos", "plural": "networkchaos", "singular": "networkchaos"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""The bare resource: objects are kept, and nothing acts on them."""


@pytest.fixture
def chaos_mesh_resource(cluster: Cluster, live: Any, wait: Any) -> Iterator[None]:
    if live.bin is not None:
        pytest.skip("the shared cluster's API server is ended by any custom object it is given")
    if cluster.offers("networkchaos"):
        yield
        return
    cluster.create("customresourcedefinitions", CRD)
    from gameday.drivers.kubernetes import connect

    def is_served() -> bool:
        with connect() as fresh:
            return fresh.offers("networkchaos")

    wait(is_served, "the resource is served")
    yield
    cluster.delete("customresourcedefinitions", CRD["metadata"]["name"])


def test_a_slow_network_is_asked_of_chaos_mesh_with_its_end(
    workload: Any, mark: str, chaos_mesh_resource: None
) -> None:
    from gameday.drivers.kubernetes import connect

    workload.deploy("shop", 1)

    networks.slow_pods(workload.namespace, "app=shop", latency="1s", ttl_s=60, mark=mark)

    with connect() as fresh:
        found = fresh.get("networkchaos", mark, workload.namespace)
    assert found is not None and "60s" == found["spec"]["duration"]
    assert networks.pods_are_slow(workload.namespace, mark=mark)
    assert networks.recover_slowness(workload.namespace, mark=mark)
    assert not networks.pods_are_slow(workload.namespace, mark=mark)


FILES: dict[str, dict[str, Any]] = {
    "kill-pod": {"selector": "app=shop"},
    "scale-to-zero": {"workload": "deployment/shop", "at_most": "100%"},
    "bad-deploy": {"workload": "deployment/shop", "at_most": "100%"},
    "isolate-pods": {"selector": "app=shop", "at_most": "100%"},
    "pressure": {"beside": "app=shop", "at_most": "100%"},
}


@pytest.mark.parametrize("name", [n for n in FILES if n != "kill-pod"])
def test_each_file_keeps_the_promises_of_a_fault_driver(
    workload: Any, name: str, wait: Any
) -> None:
    workload.deploy("shop", 2)
    before = shape(workload.get("shop"))
    run = f"r{workload.namespace[-6:]}"
    fault = ChaosToolkit().prepare(
        name,
        path=str(EXPERIMENTS / f"{name}.yaml"),
        configuration={"namespace": workload.namespace, **FILES[name]},
        at=timedelta(0),
        duration=timedelta(minutes=5),
        run=run,
        number=1,
    )

    assert not asyncio.run(ChaosToolkit().is_present(fault.undo))
    asyncio.run(ChaosToolkit().inject(fault))
    assert asyncio.run(ChaosToolkit().is_present(fault.undo))
    (stray,) = [s for s in asyncio.run(ChaosToolkit().strays()) if s.run == run]
    assert asyncio.run(ChaosToolkit().is_present(stray))
    # Twice, and by the stray alone: recovering may be repeated.
    for undo in (stray, fault.undo, stray):
        asyncio.run(ChaosToolkit().recover(undo))
    wait(lambda: not asyncio.run(ChaosToolkit().is_present(fault.undo)), "it is gone")
    wait(
        lambda: not [s for s in asyncio.run(ChaosToolkit().strays()) if s.run == run],
        "no trace is left",
    )
    assert before == shape(workload.get("shop"))


@pytest.mark.parametrize("name", ["kill-pod", "scale-to-zero"])
def test_chaos_run_alone_plays_a_file_and_recovers(
    workload: Any, name: str, live: Any, tmp_path: Path, wait: Any
) -> None:
    workload.deploy("shop", 3)
    before = shape(workload.get("shop"))
    given = {"namespace": workload.namespace, **FILES[name]}
    values = [word for k, v in given.items() for word in ("--var", f"{k}={v}")]

    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "chaos"), "--no-version-check", "run"),
            *values,
            *(() if name == "kill-pod" else ("--var", "hold:float=0.1")),
            str(EXPERIMENTS / f"{name}.yaml"),
        ],
        cwd=tmp_path,
        env={**live.environment(), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert ("completed", False) == (journal["status"], journal["deviated"])
    assert ["succeeded"] == [r["status"] for r in journal["run"]]
    assert before == shape(workload.get("shop"))
    wait(lambda: len(workload.ready("shop")) == 3, "all are back")


def test_chaos_run_alone_is_fenced(
    workload: Any, live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload.deploy("shop", 1)
    monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "elsewhere")

    with pytest.raises(ActivityFailed, match="do not allow faults in the namespace"):
        pods.kill_pods(workload.namespace, "app=shop")
    monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "elsewhere")
    with pytest.raises(ActivityFailed, match="do not allow faults in the context"):
        pods.kill_pods(workload.namespace, "app=shop")
    assert 1 == len(workload.ready("shop"))
