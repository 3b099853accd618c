"""What a drill sets off in a cluster: pods, and whose they are."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from gameday.drivers.kubernetes.changes import WatchEvent, WatchEventType
from gameday.drivers.kubernetes.cluster import WATCH_SLICE
from gameday.drivers.kubernetes.draining import Drain, Rules, nodes_in
from gameday.drivers.kubernetes.effects import UNHEARD, ClusterEffects
from gameday.drivers.kubernetes.owners import owners_of
from gameday.drivers.kubernetes.pod_book import PodBook
from gameday.errors import DriverError, PermanentDriverError
from gameday.model.effects import Limits, OwnerEffects, too_much
from gameday.testing.effects import LosingOwner
from gameday.testing.gate import Trouble, status
from gameday.testing.kubernetes import SimulatedApi

REGION = "topology.kubernetes.io/region"
STOREFRONT = "Deployment shop/orders"


@pytest.fixture
def api() -> SimulatedApi:
    return SimulatedApi(namespace="shop")


# --- the book -------------------------------------------------------------------------------------


class Book:
    """A book that reads a simulated API server when it is told to."""

    def __init__(self, api: SimulatedApi, now: float = 0.0) -> None:
        self.book = PodBook()
        self.cluster = api.cluster()
        self.book.know("shop", owners_of(self.cluster, "shop"))
        self.read(now)

    def read(self, now: float) -> None:
        self.book.hear(WatchEvent(WatchEventType.LISTED, self.cluster.list("pods", "shop")), now)

    def one(self, now: float) -> OwnerEffects:
        (found,) = self.book.effects(now)
        return found


def test_where_nothing_happens_there_are_no_effects(api: SimulatedApi) -> None:
    LosingOwner(api)
    book = Book(api)

    book.read(5)

    assert [] == list(book.book.effects(5))


@pytest.mark.parametrize("is_let_go_first", [False, True])
def test_pods_that_an_owner_loses_are_still_its(api: SimulatedApi, is_let_go_first: bool) -> None:
    owner = LosingOwner(api, replicas=2)
    book = Book(api)

    owner.lose(23, is_let_go_first=is_let_go_first)
    book.read(4)
    found = book.one(7.6)

    said = (found.owner, found.wants, found.before, found.made, found.useless, found.made_in_all)
    assert (STOREFRONT, 2, 2, 23, 23, 23) == said
    assert 3.6 == pytest.approx(found.made_s)
    assert "shop/orders-7c9f-x1" == found.useless_pods[0]
    assert "kubectl -n shop scale deployment/orders --replicas=0" == found.stopped_by


def test_a_pod_that_nobody_is_known_to_have_made_is_nobodys(api: SimulatedApi) -> None:
    LosingOwner(api)
    book = Book(api)

    api.put("pods", "bare", "shop", metadata={"generateName": "orders-"}, status={})
    book.read(1)

    assert [] == list(book.book.effects(1))


def test_what_was_made_over_a_minute_ago_is_only_counted_in_all(api: SimulatedApi) -> None:
    owner = LosingOwner(api)
    book = Book(api)
    owner.lose(3)
    book.read(1)

    found = book.one(70)

    assert (0, 3, 3) == (found.made, found.made_in_all, found.useless)


def test_a_pod_that_did_its_work_is_no_pod_too_many(api: SimulatedApi) -> None:
    book = Book(api)
    for number in range(12):
        api.pod(f"job-{number}", owner=("Job", "nightly"))
    book.read(1)
    for number in range(12):
        api.edit("pods", f"job-{number}", "shop", {"status": {"phase": "Succeeded"}}, "kubelet")
    book.read(2)

    found = book.one(2)

    assert ("Job shop/nightly", 0, 0) == (found.owner, found.made, found.useless)


def test_a_pod_that_fails_is_of_no_use(api: SimulatedApi) -> None:
    LosingOwner(api)
    book = Book(api)
    api.pod("orders-7c9f-new", owner=("ReplicaSet", "orders-7c9f"))
    book.read(1)
    failed = {"status": {"phase": "Failed", "reason": "OutOfcpu"}}
    api.edit("pods", "orders-7c9f-new", "shop", failed, "kubelet")
    book.read(2)

    assert (1, 1, 0) == (book.one(2).made, book.one(2).useless, book.one(2).evicted)


def test_a_job_counts_its_failures_itself(api: SimulatedApi) -> None:
    book = Book(api)
    for number in range(7):
        api.pod(f"job-{number}", owner=("Job", "nightly"))
    book.read(1)
    for number in range(7):
        api.edit("pods", f"job-{number}", "shop", {"status": {"phase": "Failed"}}, "kubelet")
    book.read(2)

    assert (7, 0) == (book.one(2).made, book.one(2).useless)


def test_a_pod_that_is_deleted_is_gone_and_its_successor_made(api: SimulatedApi) -> None:
    LosingOwner(api)
    book = Book(api)
    api.remove("pods", "orders-7c9f-0", "shop")
    api.pod("orders-7c9f-new", owner=("ReplicaSet", "orders-7c9f"))

    book.read(1)

    found = book.one(1)
    assert (1, 1, 0, 2) == (found.gone, found.made, found.useless, found.before)


def restarted(times: int) -> dict[str, Any]:
    return {"status": {"containerStatuses": [{"restartCount": times}]}}


def test_restarts_count_from_when_the_drill_began(api: SimulatedApi) -> None:
    LosingOwner(api)
    api.edit("pods", "orders-7c9f-0", "shop", restarted(7), "kubelet")
    book = Book(api)
    for at, times in ((10, 8), (20, 9)):
        api.edit("pods", "orders-7c9f-0", "shop", restarted(times), "kubelet")
        book.read(at)

    found = book.one(25)

    assert (2, 15) == (found.restarts, found.restarts_s)


@pytest.mark.parametrize(
    "taken",
    [
        {"phase": "Failed", "reason": "Evicted"},
        {
            "conditions": [
                {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
            ]
        },
    ],
)
def test_what_the_cluster_takes_away_is_evicted(api: SimulatedApi, taken: dict[str, Any]) -> None:
    LosingOwner(api)
    book = Book(api)
    api.edit("pods", "orders-7c9f-0", "shop", {"status": taken}, "kubelet")
    book.read(1)

    assert 1 == book.one(1).evicted


def test_what_a_drain_evicts_is_not_the_clusters_doing(api: SimulatedApi) -> None:
    LosingOwner(api)
    book = Book(api)
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
    }
    api.edit("pods", "orders-7c9f-0", "shop", {"status": {"conditions": [condition]}}, "api")
    book.read(1)

    assert [] == list(book.book.effects(1))


def test_a_pod_waits_that_finds_no_place_or_does_not_start(api: SimulatedApi) -> None:
    LosingOwner(api)
    book = Book(api)
    no_place = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    for name, conditions in (("a", [no_place]), ("b", [])):
        api.pod(f"orders-7c9f-{name}", owner=("ReplicaSet", "orders-7c9f"))
        pending = {"status": {"phase": "Pending", "conditions": conditions}}
        api.edit("pods", f"orders-7c9f-{name}", "shop", pending, "scheduler")
    book.read(1)

    assert (1, 2) == (book.one(2).waiting, book.one(32).waiting)


def test_an_owner_that_nobody_may_ask_is_told_by_its_own_name(api: SimulatedApi) -> None:
    owner = LosingOwner(api)
    api.troubles.append(Trouble("GET .*/replicasets", status(403, "cannot list"), times=9))
    book = Book(api)
    owner.lose(11)
    book.read(1)

    found = book.one(1)

    assert ("ReplicaSet shop/orders-7c9f", None, 2) == (found.owner, found.wants, found.before)


# --- the watch ------------------------------------------------------------------------------------


@asynccontextmanager
async def watching(api: SimulatedApi, **options: Any) -> AsyncIterator[ClusterEffects]:
    effects = ClusterEffects(api.cluster(), "shop", **options)
    await effects.begin()
    try:
        yield effects
    finally:
        await effects.end()


def until(holds: Callable[[], Any], *, within_s: float = 10) -> Any:
    """What happens in another thread has happened a moment later."""
    ends = time.monotonic() + within_s
    while not (found := holds()) and time.monotonic() < ends:
        time.sleep(0.01)
    return found


async def test_a_workload_that_multiplies_during_a_drain_is_noticed_with_its_owner(
    api: SimulatedApi,
) -> None:
    api.node("n1", **{REGION: "a"})
    api.node("n2", **{REGION: "b"})
    owner = LosingOwner(api, replicas=2)
    api.edit("pods", "orders-7c9f-0", "shop", {"spec": {"nodeName": "n1"}}, "scheduler")
    api.on_evicted = lambda _: owner.lose(23)
    cluster = api.cluster()

    async with watching(api) as effects:
        Drain(cluster, "gd-1", Rules()).run(nodes_in(cluster, region="a"))
        until(lambda: _made(effects) == 23)
        found = too_much(effects.seen(), Limits())

    assert found is not None
    assert f"{STOREFRONT} makes pods without end: 23 in 1 s, it wants 2" == found.text


def _made(effects: ClusterEffects) -> int:
    return sum(one.made for one in effects.seen())


async def test_a_drain_that_goes_well_sets_nothing_off(api: SimulatedApi) -> None:
    api.node("n1", **{REGION: "a"})
    api.node("n2", **{REGION: "b"})
    for number in range(30):
        api.pod(f"p{number}", "n1", owner=("ReplicaSet", "shop-1"))
    names = iter(range(100))
    api.on_evicted = lambda _: api.pod(f"q{next(names)}", "n2", owner=("ReplicaSet", "shop-1"))
    cluster = api.cluster()

    async with watching(api) as effects:
        Drain(cluster, "gd-1", Rules()).run(nodes_in(cluster, region="a"))
        assert until(lambda: _made(effects) == 30)
        found = too_much(effects.seen(), Limits())

    assert found is None


async def test_a_watch_that_missed_something_counts_it_all_the_same(api: SimulatedApi) -> None:
    owner = LosingOwner(api)
    async with watching(api) as effects:
        owner.lose(5)
        api.forget_the_past()
        owner.lose(6)

        assert until(lambda: _made(effects) == 11)


async def test_where_pods_may_not_be_watched_they_are_listed(
    api: SimulatedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.drivers.kubernetes.effects.POLL_EVERY", timedelta(milliseconds=1))
    owner = LosingOwner(api)
    api.troubles.append(Trouble("WATCH .*/pods", status(403, "cannot watch"), times=99))

    async with watching(api) as effects:
        owner.lose(11)

        assert until(lambda: _made(effects) == 11)


async def test_where_the_whole_cluster_may_not_be_read_the_shops_namespace_is(
    api: SimulatedApi,
) -> None:
    owner = LosingOwner(api)
    api.troubles.append(Trouble(r"GET /api/v1/pods", status(403, "cannot list"), times=99))
    api.troubles.append(Trouble(r"WATCH /api/v1/pods", status(403, "cannot watch"), times=99))

    async with watching(api) as effects:
        owner.lose(11)

        assert until(lambda: _made(effects) == 11)


async def test_whoever_may_read_no_pods_at_all_is_told_before_anything_is_injected(
    api: SimulatedApi,
) -> None:
    api.troubles.append(Trouble("GET .*/pods", status(403, "u cannot list pods"), times=99))

    with pytest.raises(PermanentDriverError, match="forbids it"):
        await ClusterEffects(api.cluster(), "shop").begin()


async def test_a_server_that_is_not_heard_any_more_makes_it_unknown(api: SimulatedApi) -> None:
    seconds = [0.0]

    async with watching(api, monotonic=lambda: seconds[0]) as effects:
        api.troubles.append(Trouble("", None, times=10**6))
        until(lambda: api.troubles[-1].times < 10**6)
        seconds[0] = UNHEARD.total_seconds() + 1

        with pytest.raises(DriverError, match="has not been seen for 31 s: its API server"):
            effects.seen()


async def test_a_quiet_cluster_is_heard_all_the_same(api: SimulatedApi) -> None:
    seconds = [0.0]

    async with watching(api, monotonic=lambda: seconds[0]) as effects:
        for _ in range(5):
            seconds[0] += UNHEARD.total_seconds() - 1

            assert until(lambda: _heard(effects))


def _heard(effects: ClusterEffects) -> bool:
    return effects._heard_at == effects._monotonic()


async def test_a_no_while_it_is_watched_is_said(api: SimulatedApi) -> None:
    async with watching(api) as effects:
        api.troubles.append(Trouble("WATCH .*/pods", status(401, "Unauthorized"), times=1))

        assert until(lambda: _error(effects.seen))


def _error(seen: Callable[[], Sequence[OwnerEffects]]) -> str:
    try:
        seen()
    except DriverError as error:
        return str(error)
    return ""


def test_silence_is_longer_than_a_server_that_is_well_is_silent() -> None:
    assert WATCH_SLICE + timedelta(seconds=10) < UNHEARD
