"""One cluster's API: what is repeated, what ends in which error, what a watch never misses."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from gameday.drivers.kubernetes import Cluster
from gameday.drivers.kubernetes.changes import WatchEventType
from gameday.drivers.kubernetes.evictions import EvictionOutcome, evict
from gameday.drivers.kubernetes.refusals import (
    AlreadyThere,
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    Unauthorized,
    Unreachable,
)
from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.testing.gate import Trouble, status
from gameday.testing.kubernetes import KINDS, SimulatedApi


@pytest.fixture
def api() -> SimulatedApi:
    return SimulatedApi(namespace="shop")


@pytest.fixture
def cluster(api: SimulatedApi) -> Cluster:
    return api.cluster()


def test_versions_are_those_the_server_offers(api: SimulatedApi) -> None:
    old = {k: v for k, v in KINDS.items() if not k.startswith("policy")}
    old["policy/v1beta1"] = KINDS["policy/v1"]
    of_2020 = SimulatedApi(namespace="shop", kinds=old).cluster()
    today = api.cluster()

    assert "policy/v1beta1" == of_2020.resource("poddisruptionbudgets").api_version
    assert "policy/v1" == today.resource("poddisruptionbudgets").api_version
    assert ("policy/v1beta1", "policy/v1") == (of_2020.eviction_version(), today.eviction_version())
    assert "/apis/apps/v1/namespaces/shop/deployments/a/scale" == (
        today.resource("deployments").path("shop", "a", "scale")
    )
    assert "/api/v1/nodes/a" == today.resource("nodes").path("", "a")
    assert not today.offers("networkchaos")
    with pytest.raises(NotFound, match="offers no 'networkchaos'"):
        today.resource("networkchaos")


@pytest.mark.parametrize("code", [500, 502, 503, 504, 429])
def test_what_may_pass_is_asked_again(api: SimulatedApi, cluster: Cluster, code: int) -> None:
    api.pod("a")
    api.troubles.append(Trouble("GET .*/pods", status(code, "later"), times=2))

    assert ["a"] == [p["metadata"]["name"] for p in cluster.list("pods", "shop")]


def test_a_server_that_does_not_answer_is_asked_again_and_then_named(
    api: SimulatedApi, cluster: Cluster
) -> None:
    api.troubles.append(Trouble("GET .*/pods", times=2))
    assert [] == cluster.list("pods", "shop")

    api.troubles.append(Trouble("", times=10**6))
    with pytest.raises(Unreachable, match="'sim' at https://simulated:6443 does not answer"):
        cluster.list("nodes")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (401, Unauthorized, "log in again"),
        (403, Forbidden, "forbids it"),
        (400, PermanentDriverError, "answers 400"),
        (409, Conflict, "changed meanwhile"),
        (500, TemporaryDriverError, "answers 500"),
        (429, Busy, "asks for patience"),
    ],
)
def test_every_no_is_an_error_of_ours(
    api: SimulatedApi, cluster: Cluster, code: int, kind: type[DriverError], words: str
) -> None:
    api.troubles.append(Trouble("GET .*/pods", status(code, "so it is"), times=10**6))

    with pytest.raises(kind, match=words) as raised:
        cluster.list("pods", "shop")

    assert "so it is" in str(raised.value)
    assert "'sim'" in str(raised.value)


def test_a_missing_right_is_named_by_verb_resource_and_namespace(
    api: SimulatedApi, cluster: Cluster
) -> None:
    said = 'pods is forbidden: User "drill" cannot list resource "pods" in API group ""'
    api.troubles.append(Trouble("GET .*/pods", status(403, said)))

    with pytest.raises(Forbidden) as raised:
        cluster.list("pods", "shop")

    assert "'drill' lacks the verb 'list' on 'pods' in namespace 'shop'" in str(raised.value)


def test_a_busy_server_is_given_the_time_it_asks_for() -> None:
    busy = status(429, "later", retry_after=7)
    api = SimulatedApi(namespace="shop", troubles=[Trouble("GET .*/pods", busy, times=10**6)])

    with pytest.raises(Busy) as raised:
        api.cluster().list("pods")

    assert timedelta(seconds=7) == raised.value.retry_after


def test_a_change_is_made_on_what_is_there_now(api: SimulatedApi, cluster: Cluster) -> None:
    api.node("a")
    somebody = {"metadata": {"labels": {"theirs": "1"}}}
    api.troubles.append(
        Trouble(
            "PATCH",
            status(409, "the object has been modified"),
            then=lambda: api.edit("nodes", "a", "", somebody, "somebody"),
        )
    )
    seen: list[object] = []

    def make(node: dict[str, object]) -> dict[str, object]:
        seen.append(node["metadata"]["labels"])  # type: ignore[index]  # JSON
        return {"spec": {"unschedulable": True}}

    after = cluster.change("nodes", "a", "", make)

    assert [{}, {"theirs": "1"}] == seen
    assert after is not None and after["spec"]["unschedulable"]


def test_changing_what_is_not_there_changes_nothing(cluster: Cluster) -> None:
    assert cluster.change("nodes", "a", "", lambda node: {"spec": {}}) is None


def test_deleting_what_is_gone_or_replaced_is_no_error(api: SimulatedApi, cluster: Cluster) -> None:
    pod = api.pod("a")

    assert not cluster.delete("pods", "b", "shop")
    assert not cluster.delete("pods", "a", "shop", uid="of-another")
    assert cluster.delete("pods", "a", "shop", uid=pod["metadata"]["uid"])


def test_creating_what_exists_says_so(api: SimulatedApi, cluster: Cluster) -> None:
    api.put("configmaps", "a", "shop")

    with pytest.raises(AlreadyThere, match="exists already"):
        cluster.create("configmaps", {"metadata": {"name": "a"}}, "shop")


def test_a_watch_tells_what_is_there_and_then_what_changes(
    api: SimulatedApi, cluster: Cluster
) -> None:
    api.pod("a")
    stop = threading.Event()
    watch = cluster.watch("pods", "shop", stop=stop)

    first = next(watch)
    api.pod("b")
    api.remove("pods", "a", "shop")
    second, third = next(watch), next(watch)

    listed = [p["metadata"]["name"] for p in first.objects]
    assert (WatchEventType.LISTED, ["a"]) == (first.kind, listed)
    assert (WatchEventType.ADDED, "b") == (second.kind, second.objects[0]["metadata"]["name"])
    assert (WatchEventType.DELETED, "a") == (third.kind, third.objects[0]["metadata"]["name"])
    stop.set()
    assert [] == list(watch)


@pytest.mark.parametrize("answer", [status(410, "too old", reason="Expired"), None, status(500)])
def test_a_watch_with_a_gap_lists_afresh(
    api: SimulatedApi, cluster: Cluster, answer: object
) -> None:
    api.pod("a")
    stop = threading.Event()
    watch = cluster.watch("pods", "shop", stop=stop)
    next(watch)
    api.troubles.append(Trouble("WATCH", answer))  # type: ignore[arg-type]  # of the parameters
    api.remove("pods", "a", "shop")

    change = next(watch)

    assert (WatchEventType.LISTED, 0) == (change.kind, len(change.objects))


def test_an_eviction_says_which_budget_stands_in_the_way(
    api: SimulatedApi, cluster: Cluster
) -> None:
    pod = api.pod("a")
    api.put(
        "poddisruptionbudgets",
        "keep-one",
        "shop",
        spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "books"}}},
    )

    blocked = evict(cluster, pod)
    api.remove("poddisruptionbudgets", "keep-one", "shop")
    accepted = evict(cluster, pod)

    assert (EvictionOutcome.BLOCKED, True) == (blocked.outcome, "keep-one" in blocked.reason)
    assert (EvictionOutcome.ACCEPTED, EvictionOutcome.GONE) == (
        accepted.outcome,
        evict(cluster, pod).outcome,
    )


def test_a_busy_server_is_no_budget(api: SimulatedApi, cluster: Cluster) -> None:
    pod = api.pod("a")
    api.troubles.append(Trouble("POST .*/eviction", status(429, "too many requests")))

    assert EvictionOutcome.ACCEPTED is evict(cluster, pod).outcome


def test_a_pod_that_was_replaced_is_not_evicted(api: SimulatedApi, cluster: Cluster) -> None:
    old = api.pod("db-0")
    api.remove("pods", "db-0", "shop")
    api.pod("db-0")

    assert EvictionOutcome.GONE is evict(cluster, old).outcome
    assert ["db-0"] == api.names("pods")


def test_a_pod_under_two_budgets_cannot_be_evicted(api: SimulatedApi, cluster: Cluster) -> None:
    pod = api.pod("a")
    for name in ("one", "two"):
        api.put(
            "poddisruptionbudgets",
            name,
            "shop",
            spec={"minAvailable": 0, "selector": {"matchLabels": {"app": "books"}}},
        )

    assert EvictionOutcome.IMPOSSIBLE is evict(cluster, pod).outcome


def test_what_goes_with_its_namespace_is_waited_for(api: SimulatedApi, cluster: Cluster) -> None:
    pod = api.pod("a")
    ending = [{"reason": "NamespaceTerminating", "message": "it is being terminated"}]
    api.troubles.append(Trouble("POST .*/eviction", status(403, "forbidden", causes=ending)))

    assert EvictionOutcome.BLOCKED is evict(cluster, pod).outcome
