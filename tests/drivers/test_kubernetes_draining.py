"""Draining: what goes, what stays, what is refused before anything is changed, what comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gameday.drivers.kubernetes import Cluster, draining
from gameday.drivers.kubernetes.draining import Drain, Rules, Undrained
from gameday.errors import DriverError, PermanentDriverError
from gameday.testing.gate import Trouble, Troubled, status
from gameday.testing.kubernetes import SimulatedApi

pytestmark = pytest.mark.served

MARK = "gd-r7-1"
REGION = "topology.kubernetes.io/region"


@pytest.fixture
def api() -> SimulatedApi:
    api = SimulatedApi(namespace="shop")
    for name, region in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        api.node(name, **{REGION: region})
    return api


@pytest.fixture
def cluster(api: SimulatedApi) -> Cluster:
    return api.cluster()


def drain(cluster: Cluster, **rules: Any) -> draining.Drained:
    nodes = draining.nodes_in(cluster, region="a")
    meant = Rules(**{"within": timedelta(seconds=20), **rules})
    names = [n["metadata"]["name"] for n in nodes]
    draining.check(draining.sort(cluster, meant, names, cluster.list("pods")))
    return Drain(cluster, MARK, meant).run(nodes)


def cordoned(api: SimulatedApi) -> list[str]:
    found = [(n, api.find("nodes", n)) for n in api.names("nodes")]
    return [n for n, node in found if node and node["spec"].get("unschedulable")]


def marked(api: SimulatedApi) -> list[str]:
    found = [(n, api.find("nodes", n)) for n in api.names("nodes")]
    return [n for n, node in found if node and "gameday.dev/mark" in node["metadata"]["labels"]]


def test_all_nodes_are_cordoned_and_all_their_pods_evicted(
    api: SimulatedApi, cluster: Cluster
) -> None:
    for name, node in (("p1", "a1"), ("p2", "a2"), ("p3", "b1")):
        api.pod(name, node)

    done = drain(cluster)

    assert (["a1", "a2"], []) == (done.cordoned, done.cordoned_before)
    assert ["shop/p1", "shop/p2"] == done.evicted
    assert ["p3"] == api.names("pods")
    assert ["a1", "a2"] == cordoned(api) == marked(api)


def test_a_full_node_is_begun_first_and_none_is_left_for_later(
    api: SimulatedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, node in (("p1", "a1"), ("p2", "a2"), ("p3", "a2"), ("p4", "a2"), ("p5", "a1")):
        api.pod(name, node)
    monkeypatch.setattr(draining, "AT_ONCE", 1)
    nodes = []
    api.on_evicted = lambda pod: nodes.append(pod["spec"]["nodeName"])

    drain(cluster)

    assert ["a2", "a1", "a2", "a1", "a2"] == nodes


def test_what_would_be_back_at_once_stays(api: SimulatedApi, cluster: Cluster) -> None:
    api.pod("daemon", "a1", owner=("DaemonSet", "d"))
    mirror = api.pod("mirror", "a1", owner=("Node", "a1"))
    api.edit(
        "pods",
        mirror["metadata"]["name"],
        "shop",
        {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}},
        "kubelet",
    )
    api.pod("dns", "a1", "kube-system")
    done_pod = api.pod("done", "a1")
    api.edit("pods", done_pod["metadata"]["name"], "shop", {"status": {"phase": "Succeeded"}}, "")

    done = drain(cluster)

    assert [] == done.evicted
    assert ["daemon", "dns", "done", "mirror"] == api.names("pods")
    assert {"shop/daemon", "shop/mirror", "kube-system/dns"} == set(done.left)


@pytest.mark.parametrize(
    ("pod", "words", "rules"),
    [
        ({"owner": None}, "nothing would start it again", {"force": True}),
        (
            {"volumes": [{"name": "cache", "emptyDir": {}}]},
            "emptyDir 'cache' would be lost",
            {"delete_empty_dirs": True},
        ),
        ({"namespace": "theirs"}, "the settings do not allow", {"leave_foreign": True}),
    ],
)
def test_what_is_in_the_way_is_said_before_anything_is_changed(
    api: SimulatedApi, cluster: Cluster, pod: dict[str, Any], words: str, rules: dict[str, Any]
) -> None:
    api.pod("p1", "a1", **pod)

    with pytest.raises(Undrained, match=words):
        drain(cluster)
    assert [] == cordoned(api)

    drain(cluster, **rules)
    assert ["a1", "a2"] == cordoned(api)


def test_a_blocked_eviction_is_tried_again_when_its_budget_allows_it(
    api: SimulatedApi, cluster: Cluster
) -> None:
    for index in range(4):
        api.pod(f"p{index}", "a1")
    api.put(
        "poddisruptionbudgets",
        "most",
        "shop",
        spec={"minAvailable": 3, "selector": {"matchLabels": {"app": "books"}}},
    )
    lowest = [4]

    def replace(pod: dict[str, Any]) -> None:
        lowest[0] = min(lowest[0], len(api.names("pods")))
        name = pod["metadata"]["name"]
        api.put("pods", f"{name}-new", "shop", metadata={"labels": {"app": "books"}}, spec={})
        allowed = {"status": {"disruptionsAllowed": 1}}
        api.edit("poddisruptionbudgets", "most", "shop", allowed, "controller")

    api.on_evicted = replace

    done = drain(cluster)

    assert 4 == len(done.evicted)
    assert 3 == lowest[0]
    assert ["p0-new", "p1-new", "p2-new", "p3-new"] == api.names("pods")


def test_an_eviction_that_a_busy_server_does_not_answer_is_tried_again(
    api: SimulatedApi, cluster: Cluster
) -> None:
    for index in range(3):
        api.pod(f"p{index}", "a1")
    api.troubles.append(Trouble("POST .*/p1/eviction", None, times=25))

    assert ["shop/p0", "shop/p1", "shop/p2"] == drain(cluster).evicted


def test_pods_that_wait_for_a_budget_do_not_ask_again_and_again(api: SimulatedApi) -> None:
    for index in range(20):
        api.pod(f"p{index}", "a1")
    api.put(
        "poddisruptionbudgets",
        "all",
        "shop",
        spec={"minAvailable": 20, "selector": {"matchLabels": {"app": "books"}}},
    )
    asked = Troubled(api, [])

    with pytest.raises(Undrained, match="20 pods left"):
        drain(api.cluster(transport=asked), within=timedelta(seconds=1.7))

    assert 20 <= sum("/eviction" in request for request in asked.asked) <= 40


def test_what_is_blocked_to_the_end_is_named_with_its_budget(
    api: SimulatedApi, cluster: Cluster
) -> None:
    api.pod("p1", "a1")
    api.put(
        "poddisruptionbudgets",
        "all",
        "shop",
        spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "books"}}},
    )

    with pytest.raises(Undrained, match=r"within 0.2 s: 1 pod left: shop/p1: .*budget all"):
        drain(cluster, within=timedelta(milliseconds=200))


def test_a_pod_that_goes_while_it_is_evicted_is_gone(api: SimulatedApi, cluster: Cluster) -> None:
    api.pod("p1", "a1")
    api.troubles.append(
        Trouble(
            "POST .*/eviction",
            status(404, "pod not found", reason="NotFound"),
            then=lambda: api.remove("pods", "p1", "shop"),
        )
    )

    assert [] == drain(cluster).evicted


def test_an_eviction_that_is_forbidden_names_the_right(api: SimulatedApi, cluster: Cluster) -> None:
    api.pod("p1", "a1")
    said = 'User "drill" cannot create resource "pods/eviction"'
    api.troubles.append(Trouble("POST .*/eviction", status(403, said)))

    with pytest.raises(PermanentDriverError, match=r"lacks the verb 'create' on 'pods/eviction'"):
        drain(cluster)


def test_the_end_of_a_pod_is_not_missed_in_a_gap_of_the_watch(
    api: SimulatedApi, cluster: Cluster
) -> None:
    api.pod("p1", "a1")
    api.troubles.append(Trouble("WATCH .*/pods", status(410, "too old"), times=3))

    assert ["shop/p1"] == drain(cluster).evicted


def test_a_region_without_nodes_is_an_error(cluster: Cluster) -> None:
    with pytest.raises(PermanentDriverError, match="region=c"):
        draining.nodes_in(cluster, region="c")


def test_uncordoning_takes_back_what_this_mark_cordoned_and_nothing_else(
    api: SimulatedApi, cluster: Cluster
) -> None:
    api.edit("nodes", "a2", "", {"spec": {"unschedulable": True}}, "somebody")
    done = drain(cluster)

    assert (["a1"], ["a2"]) == (done.cordoned, done.cordoned_before)
    assert [] == draining.uncordon(cluster, "gd-r8-1")
    assert ["a1"] == draining.uncordon(cluster, MARK)
    assert [] == draining.uncordon(cluster, MARK)
    assert (["a2"], []) == (cordoned(api), marked(api))


@pytest.mark.parametrize("ends_cordoned", [False, True])
def test_what_somebody_did_to_a_cordon_since_is_respected(
    api: SimulatedApi, cluster: Cluster, ends_cordoned: bool
) -> None:
    drain(cluster)
    api.edit("nodes", "a1", "", {"spec": {"unschedulable": None}}, "somebody")
    if ends_cordoned:
        api.edit("nodes", "a1", "", {"spec": {"unschedulable": True}}, "somebody")

    assert ["a2"] == draining.uncordon(cluster, MARK)
    assert ((["a1"] if ends_cordoned else []), []) == (cordoned(api), marked(api))


def test_a_cordon_whose_answer_was_lost_is_taken_back_too(
    api: SimulatedApi, cluster: Cluster
) -> None:
    api.troubles.append(Trouble("PATCH .*/nodes/a1", None, is_late=True))

    done = drain(cluster)

    assert ["a1", "a2"] == done.cordoned
    assert ["a1", "a2"] == draining.uncordon(cluster, MARK)
    assert [] == cordoned(api)


def test_a_node_under_another_fault_is_left_alone(api: SimulatedApi, cluster: Cluster) -> None:
    api.edit("nodes", "a2", "", {"metadata": {"labels": {"gameday.dev/mark": "gd-r1-1"}}}, "x")

    with pytest.raises(DriverError, match="bears the mark 'gd-r1-1' of another fault"):
        drain(cluster)

    assert [] == cordoned(api)
