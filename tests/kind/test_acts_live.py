"""What a document lets a responder do, on a real API server: done, live, and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from conftest import Live, Workload

from gameday.drivers.kubernetes import Cluster
from gameday.drivers.kubernetes.acts import NOTE, ClusterActs, UndoneActs
from gameday.drivers.kubernetes.identity import identity_of
from gameday.drivers.kubernetes.rights import may
from gameday.errors import TemporaryDriverError
from gameday.model.cluster_act import ClusterAct
from gameday.ports import Undo

RUN = "r-acts"
PORTS = [{"port": 80}]


def act(**said: Any) -> ClusterAct:
    return ClusterAct.model_validate(said)


def spec_of(cluster: Cluster, one: ClusterAct, namespace: str) -> Mapping[str, Any]:
    """Return an object's spec, and check that no note is left on it."""
    found = cluster.get(one.resource, one.name, "" if one.is_of_node else namespace)
    assert found is not None
    assert NOTE not in (found["metadata"].get("annotations") or {})
    return dict(found["spec"])


async def recovered(undo: Undo, *, tries: int = 4) -> None:
    """Take an act back as a run does: again where it took longer than one try may.

    An old kubelet lets an ended pod's object stand for ten seconds, and a DaemonSet changes one
    node after the other.
    """
    for left in reversed(range(tries)):
        try:
            await UndoneActs().recover(undo)
        except TemporaryDriverError:
            if not left:
                raise
        else:
            return


@pytest.fixture
def cart(cluster: Cluster, workload: Workload) -> Iterator[str]:
    """A Deployment with two revisions, a StatefulSet, a DaemonSet and a Service."""
    name, where = "cart", workload.namespace
    workload.deploy(name, 1, env=[{"name": "FIRST", "value": "1"}])
    template = workload.get(name)["spec"]["template"]
    containers = template["spec"]["containers"]
    containers[0]["env"] = [{"name": "FIRST", "value": "2"}, {"name": "CACHE", "value": "on"}]
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    cluster.patch("deployments", name, where, change)
    pods = {
        "selector": {"matchLabels": {"app": "other"}},
        "template": {
            "metadata": {"labels": {"app": "other"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "other", "image": workload.image}],
            },
        },
    }
    stateful = {"metadata": {"name": "queue"}, "spec": {**pods, "serviceName": "queue"}}
    cluster.create("statefulsets", stateful, where)
    cluster.create("daemonsets", {"metadata": {"name": "agent"}, "spec": pods}, where)
    service = {"selector": {"app": name}, "ports": PORTS}
    cluster.create("services", {"metadata": {"name": name}, "spec": service}, where)
    yield name


ACTS: list[tuple[ClusterAct, Callable[[Mapping[str, Any]], object], object]] = [
    (
        act(rolloutUndo="deployment/cart"),
        lambda spec: spec["template"]["spec"]["containers"][0]["env"],
        [{"name": "FIRST", "value": "1"}],
    ),
    (act(scale={"of": "deployment/cart", "replicas": 2}), lambda spec: spec["replicas"], 2),
    (act(scale={"of": "statefulset/queue", "replicas": 2}), lambda spec: spec["replicas"], 2),
    (
        act(setEnv={"of": "deployment/cart", "variables": {"CACHE": "off"}}),
        lambda spec: spec["template"]["spec"]["containers"][0]["env"],
        [{"name": "FIRST", "value": "2"}, {"name": "CACHE", "value": "off"}],
    ),
    (
        act(setEnv={"of": "daemonset/agent", "variables": {"CACHE": "off"}}),
        lambda spec: spec["template"]["spec"]["containers"][0]["env"],
        [{"name": "CACHE", "value": "off"}],
    ),
    (
        act(patch={"of": "services/cart", "merge": {"spec": {"selector": {"app": "spare"}}}}),
        lambda spec: spec["selector"],
        {"app": "spare"},
    ),
]


@pytest.mark.parametrize(("one", "seen", "expected"), ACTS, ids=[str(a[0]) for a in ACTS])
async def test_an_act_is_live_and_what_was_before_the_run_is_put_back(
    cluster: Cluster,
    live: Live,
    cart: str,
    namespace: str,
    one: ClusterAct,
    seen: Callable[[Mapping[str, Any]], object],
    expected: object,
) -> None:
    before = spec_of(cluster, one, namespace)
    doing = ClusterActs(
        cluster,
        [one],
        namespaces=[namespace],
        identity=identity_of(cluster),
        kubeconfig=live.kubeconfig,
    )
    undoer = UndoneActs()
    made = doing.undo(RUN, "mend", one)
    undo = replace(made, data=json.loads(json.dumps(made.data)))

    was_there = await undoer.is_present(undo)
    doing.do(RUN, one)
    found = cluster.get(one.resource, one.name, namespace)
    is_there = await undoer.is_present(undo)
    await recovered(undo)

    assert found is not None
    assert expected == seen(found["spec"])
    assert (False, True, False) == (was_there, is_there, await undoer.is_present(undo))
    assert before == spec_of(cluster, one, namespace)


async def test_a_node_is_kept_free_and_given_back(
    cluster: Cluster,
    live: Live,
    namespace: str,
    restored_nodes: Callable[[], Mapping[str, Any]],
) -> None:
    node = cluster.list("nodes")[0]["metadata"]["name"]
    one = act(cordon=node)
    before = restored_nodes()
    doing = ClusterActs(
        cluster,
        [one],
        namespaces=[namespace],
        identity=identity_of(cluster),
        kubeconfig=live.kubeconfig,
    )
    undo = doing.undo(RUN, "away", one)

    doing.do(RUN, one)
    during = cluster.get("nodes", node) or {}
    await recovered(undo)

    assert during["spec"].get("unschedulable") is True
    assert before == restored_nodes()


def test_what_may_be_done_is_asked_of_the_server(cluster: Cluster, namespace: str) -> None:
    assert may(cluster, "patch", "deployments", namespace)
    assert may(cluster, "list", "nodes")
