"""A region drained on a real cluster: what goes, what stays, who may stop it, what comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import regions
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.kubernetes import Cluster, connect, draining, pods

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "drain-region.yaml"
REGION = "topology.kubernetes.io/region"
LEFT_ALONE = {"foreign": "leave", "delete_empty_dirs": True}
"""Other tests' pods may be on these nodes."""


@pytest.fixture
def drained(cluster: Cluster) -> str:
    """The region the tests drain: the last one that has pods' nodes."""
    regions_there = sorted(
        n["metadata"]["labels"][REGION]
        for n in cluster.list("nodes")
        if REGION in n["metadata"]["labels"]
        and not any(t.get("effect") == "NoSchedule" for t in n["spec"].get("taints") or ())
    )
    return str(regions_there[-1])


def prefer(region: str) -> dict[str, Any]:
    """Return the part of a pod that puts it into a region while it can be there."""
    term = {"matchExpressions": [{"key": REGION, "operator": "In", "values": [region]}]}
    return {
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 100, "preference": term}
                ]
            }
        }
    }


@dataclass
class Watcher:
    """Somebody who counts ready pods all the time, by a connection of their own."""

    environment: Mapping[str, str]
    namespace: str
    name: str
    samples: list[tuple[float, int]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watcher:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        with connect(environment=self.environment) as cluster:
            while not self._stop.is_set():
                found = cluster.list("pods", self.namespace, labels=f"app={self.name}")
                self.samples.append((time.monotonic(), sum(pods.is_ready(p) for p in found)))
                time.sleep(0.02)

    @property
    def per_second(self) -> float:
        """Return how often was looked."""
        return (len(self.samples) - 1) / (self.samples[-1][0] - self.samples[0][0])


def test_a_disruption_budget_is_never_violated(
    workload: Any, drained: str, restored_nodes: Any, _settings: Mapping[str, str]
) -> None:
    workload.deploy("shop", 5, pod=prefer(drained))
    workload.protect("shop", available=4)
    before = restored_nodes()
    there = [p for p in workload.pods("shop") if region_of(workload.cluster, p) == drained]
    assert len(there) > 1, "the budget would not be felt"

    with Watcher(_settings, workload.namespace, "shop") as watcher:
        done = regions.drain_region(region=drained, mark="gd-budget-1", **LEFT_ALONE)
    elsewhere = {region_of(workload.cluster, p) for p in workload.ready("shop")}
    regions.recover_region(mark="gd-budget-1")

    assert len(there) <= done["evicted"]
    assert drained not in elsewhere
    assert 4 <= min(ready for _, ready in watcher.samples)
    assert watcher.per_second >= 10
    assert before == restored_nodes()


def test_what_a_budget_holds_to_the_end_is_named_with_it_and_no_node_stays_cordoned(
    workload: Any, drained: str, restored_nodes: Any
) -> None:
    workload.deploy("shop", 2, pod=prefer(drained))
    workload.protect("shop", available=2)
    before = restored_nodes()

    with pytest.raises(ActivityFailed) as failed:
        regions.drain_region(region=drained, within_s=4, mark="gd-budget-2", **LEFT_ALONE)

    assert "shop" in str(failed.value)
    assert "disruption budget" in str(failed.value)
    assert f"{workload.namespace}/shop-" in str(failed.value)
    assert before == restored_nodes()
    assert 2 == len(workload.ready("shop"))


def test_bare_pods_and_their_data_are_not_evicted_unasked(
    workload: Any, cluster: Cluster, drained: str, restored_nodes: Any, live: Any
) -> None:
    node = draining.nodes_in(cluster, region=drained)[0]["metadata"]["name"]
    cluster.create(
        "pods",
        {
            "metadata": {"name": "bare"},
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "bare", "image": live.image}],
            },
        },
        workload.namespace,
    )
    before = restored_nodes()

    with pytest.raises(ActivityFailed, match="bare: nothing would start it again"):
        regions.drain_region(region=drained, mark="gd-bare-1", **LEFT_ALONE)

    assert before == restored_nodes()
    regions.drain_region(region=drained, mark="gd-bare-1", force=True, **LEFT_ALONE)
    assert cluster.get("pods", "bare", workload.namespace) is None
    regions.recover_region(mark="gd-bare-1")
    assert before == restored_nodes()


@pytest.fixture
def cordoned_by_another(cluster: Cluster, drained: str) -> Iterator[str]:
    """A node of another region that somebody cordoned before."""
    node = next(
        n["metadata"]["name"]
        for n in cluster.list("nodes")
        if n["metadata"]["labels"].get(REGION) not in (None, drained)
        and "kube-fixture/hollow" not in n["metadata"]["labels"]
        and not n["spec"].get("taints")
    )
    cluster.patch("nodes", node, "", {"spec": {"unschedulable": True}}, manager="somebody")
    yield str(node)
    cluster.patch("nodes", node, "", {"spec": {"unschedulable": None}}, manager="somebody")


def test_a_node_that_somebody_cordoned_before_stays_cordoned(
    cluster: Cluster,
    workload: Any,
    drained: str,
    cordoned_by_another: str,
    restored_nodes: Any,
) -> None:
    before = restored_nodes()
    other = cluster.get("nodes", cordoned_by_another)
    assert other is not None
    both = f"{REGION} in ({drained},{other['metadata']['labels'][REGION]})"

    done = regions.drain_region(selector=both, mark="gd-before-1", **LEFT_ALONE)
    back = regions.recover_region(mark="gd-before-1")

    assert [cordoned_by_another] == done["cordoned_before"]
    assert done["cordoned"] == back
    assert before == restored_nodes()
    assert before[cordoned_by_another] == (True, [])


@pytest.mark.parametrize("ends_cordoned", [False, True])
def test_what_somebody_does_to_a_cordon_meanwhile_is_respected(
    cluster: Cluster, workload: Any, drained: str, restored_nodes: Any, ends_cordoned: bool
) -> None:
    done = regions.drain_region(region=drained, mark="gd-between-1", **LEFT_ALONE)
    node = done["cordoned"][0]
    cluster.patch("nodes", node, "", {"spec": {"unschedulable": None}}, manager="somebody")
    if ends_cordoned:
        cluster.patch("nodes", node, "", {"spec": {"unschedulable": True}}, manager="somebody")

    back = regions.recover_region(mark="gd-between-1")

    assert node not in back
    assert restored_nodes()[node] == (ends_cordoned, [])
    assert not regions.region_is_drained(mark="gd-between-1")
    cluster.patch("nodes", node, "", {"spec": {"unschedulable": None}}, manager="somebody")


RUNNER = """
import asyncio, json, sys
from datetime import timedelta
from gameday.drivers.chaostoolkit import ChaosToolkit

asked = json.loads(sys.argv[1])
driver = ChaosToolkit()
fault = driver.prepare("drain-region", path=asked["path"], configuration=asked["with"],
    at=timedelta(0), duration=timedelta(minutes=5), run="r7", number=1)
asyncio.run(driver.inject(fault))
"""


def test_after_a_kill_in_the_middle_of_a_drain_the_undo_alone_restores_every_node(
    cluster: Cluster,
    workload: Any,
    drained: str,
    cordoned_by_another: str,
    restored_nodes: Any,
    _settings: Mapping[str, str],
) -> None:
    workload.deploy("shop", 2, pod=prefer(drained))
    workload.protect("shop", available=2)  # so that the drain never ends by itself
    before = restored_nodes()
    other = cluster.get("nodes", cordoned_by_another)
    assert other is not None
    both = f"{REGION} in ({drained},{other['metadata']['labels'][REGION]})"
    values = {"region": "", "selector": both, "at_most": "100%", **LEFT_ALONE}
    fault = ChaosToolkit().prepare(
        "drain-region",
        path=str(EXPERIMENT),
        configuration=values,
        at=timedelta(0),
        duration=timedelta(minutes=5),
        run="r7",
        number=1,
    )
    undo = replace(fault.undo, data=json.loads(json.dumps(dict(fault.undo.data))))
    asked = json.dumps({"path": str(EXPERIMENT), "with": values})
    run = subprocess.Popen(
        [sys.executable, "-c", RUNNER, asked],
        env={**os.environ, **_settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_until_cordoned(cluster, undo.id)

    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert before != restored_nodes()
    assert asyncio.run(ChaosToolkit().is_present(undo))
    (stray,) = [s for s in asyncio.run(ChaosToolkit().strays()) if s.id == undo.id]
    asyncio.run(ChaosToolkit().recover(undo))

    assert before == restored_nodes()
    assert before[cordoned_by_another] == (True, [])
    assert not asyncio.run(ChaosToolkit().is_present(undo))
    assert "r7" == stray.run
    assert 2 == len(workload.ready("shop"))
    # Nothing of the killed run cordons or evicts any more.
    time.sleep(2)
    assert before == restored_nodes()


def wait_until_cordoned(cluster: Cluster, mark: str) -> None:
    ends = time.monotonic() + 60
    while not cluster.list("nodes", labels=f"gameday.dev/mark={mark}"):
        assert time.monotonic() < ends, "nothing was cordoned"
        time.sleep(0.05)


def region_of(cluster: Cluster, pod: Mapping[str, Any]) -> str:
    node = cluster.get("nodes", pod["spec"]["nodeName"])
    assert node is not None
    return str(node["metadata"]["labels"][REGION])
