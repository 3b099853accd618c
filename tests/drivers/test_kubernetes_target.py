"""A shop in a cluster as a target: mitigations and what takes them back, deploys, pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameday.drivers.kubernetes import Cluster, Fences, rollouts
from gameday.drivers.kubernetes.deploys import ReplicaSetDeploys
from gameday.drivers.kubernetes.door import ServiceDoor
from gameday.drivers.kubernetes.identity import identity_of
from gameday.drivers.kubernetes.mitigations import ShopMitigations, mitigated_by
from gameday.drivers.kubernetes.target import KubernetesTarget
from gameday.drivers.kubernetes.transport import Answer
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.testing.kubernetes import SimulatedApi

BEGIN = datetime(2026, 11, 25, 12, tzinfo=UTC)


def deployment(api: SimulatedApi, service: str, region: str, **env: str) -> dict[str, Any]:
    """Put a Deployment there that is rolled out."""
    name = service if region == "global" else f"{service}-{region}"
    labels = {
        "shop.gameday.dev/service": service,
        "shop.gameday.dev/region": region,
    }
    return api.put(
        "deployments",
        name,
        "shop",
        metadata={"labels": labels},
        spec={"replicas": 1, "template": template(**env)},
        status={"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1},
    )


def template(**env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    return {"spec": {"containers": [{"name": "c", "image": "shop:1", "env": variables}]}}


def replica_set(
    api: SimulatedApi,
    owner: dict[str, Any],
    number: int,
    at: datetime,
    namespace: str = "shop",
    **env: str,
) -> None:
    api.put(
        "replicasets",
        f"{owner['metadata']['name']}-{number}",
        namespace,
        metadata={
            "labels": owner["metadata"]["labels"],
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [{"uid": owner["metadata"]["uid"]}],
            "creationTimestamp": at.isoformat().replace("+00:00", "Z"),
        },
        spec={"template": template(**env)},
    )


@pytest.fixture
def api() -> SimulatedApi:
    api = SimulatedApi(namespace="shop")
    for region in ("region-a", "region-b"):
        deployment(api, "inventory", region, SHOP_DATABASE="primary", OTHER="kept")
    deployment(api, "edge", "global", SHOP_REGIONS="region-a,region-b", SHOP_DRAINED="")
    return api


def variables(api: SimulatedApi, name: str) -> dict[str, str]:
    found = api.find("deployments", name, "shop")
    assert found is not None
    return dict(rollouts.variables(found))


def target(api: SimulatedApi, *, mailbox_url: str = "http://127.0.0.1:1") -> KubernetesTarget:
    cluster = api.cluster()
    return KubernetesTarget(
        cluster,
        "shop",
        time_scale=60,
        mailbox_url=mailbox_url,
        identity=identity_of(cluster),
        kubeconfig="k",
    )


# --- mitigations ----------------------------------------------------------------------------------


def test_a_failover_changes_one_region_and_nothing_else(api: SimulatedApi) -> None:
    ShopMitigations(api.cluster(), "shop", run="r1").apply("failover-db", {"region": "region-a"})

    assert {"SHOP_DATABASE": "standby", "OTHER": "kept"} == variables(api, "inventory-region-a")
    assert {"SHOP_DATABASE": "primary", "OTHER": "kept"} == variables(api, "inventory-region-b")


def test_what_is_changed_bears_the_name_of_the_run(api: SimulatedApi) -> None:
    ShopMitigations(api.cluster(), "shop", run="r1").apply("failover-db", {"region": "region-a"})

    found = {n: api.find("deployments", n, "shop") for n in api.names("deployments")}
    assert {"inventory-region-a": "r1"} == {
        n: run for n, d in found.items() if d and (run := mitigated_by(d))
    }


def test_draining_sends_a_region_no_visitors(api: SimulatedApi) -> None:
    ShopMitigations(api.cluster(), "shop", run="r1").apply("drain-region", {"region": "region-a"})

    assert "region-a" == variables(api, "edge")["SHOP_DRAINED"]


def test_the_last_region_cannot_be_drained(api: SimulatedApi) -> None:
    doing = ShopMitigations(api.cluster(), "shop", run="r1")
    doing.apply("drain-region", {"region": "region-a"})

    with pytest.raises(PermanentDriverError, match="at least one region"):
        doing.apply("drain-region", {"region": "region-b"})


def test_a_rollback_brings_the_revision_before_back(api: SimulatedApi) -> None:
    owner = deployment(api, "checkout", "region-a", SHOP_REVISION="bad")
    replica_set(api, owner, 1, BEGIN, SHOP_REVISION="good")
    replica_set(api, owner, 2, BEGIN + timedelta(hours=1), SHOP_REVISION="bad")

    ShopMitigations(api.cluster(), "shop", run="r1").apply(
        "rollback-deploy", {"service": "checkout"}
    )

    assert {"SHOP_REVISION": "good"} == variables(api, "checkout-region-a")


def test_a_rollback_passes_over_revisions_of_the_same_version(api: SimulatedApi) -> None:
    owner = deployment(api, "checkout", "region-a", SHOP_REVISION="bad", OTHER="2")
    replica_set(api, owner, 1, BEGIN, SHOP_REVISION="good")
    replica_set(api, owner, 2, BEGIN, SHOP_REVISION="bad", OTHER="1")
    replica_set(api, owner, 3, BEGIN, SHOP_REVISION="bad", OTHER="2")

    ShopMitigations(api.cluster(), "shop", run="r1").apply(
        "rollback-deploy", {"service": "checkout"}
    )

    assert {"SHOP_REVISION": "good"} == variables(api, "checkout-region-a")


def test_scaling_asks_for_that_many_pods(api: SimulatedApi) -> None:
    # Nobody starts pods in this cluster.
    soon = timedelta(seconds=0.2)
    doing = ShopMitigations(api.cluster(), "shop", run="r1", effect_within=soon)

    with pytest.raises(TemporaryDriverError, match=r"inventory-region-a \(1 of 4\)"):
        doing.apply("scale", {"service": "inventory", "region": "region-a", "replicas": "4"})

    found = api.find("deployments", "inventory-region-a", "shop")
    assert found and 4 == found["spec"]["replicas"]


def test_uncordoning_opens_every_node_of_the_region(api: SimulatedApi) -> None:
    for name, region in (("n1", "region-a"), ("n2", "region-b")):
        api.put(
            "nodes",
            name,
            metadata={"labels": {"topology.kubernetes.io/region": region}},
            spec={"unschedulable": True},
        )

    ShopMitigations(api.cluster(), "shop", run="r1").apply("uncordon", {"region": "region-a"})

    nodes = [api.find("nodes", n) or {} for n in ("n1", "n2")]
    assert [None, True] == [n["spec"].get("unschedulable") for n in nodes]


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("pray", {}, "no mitigation 'pray'"),
        ("failover-db", {"region": "mars"}, "no Deployment of 'inventory' in mars"),
        ("drain-region", {}, "needs a region"),
        ("drain-region", {"region": "mars"}, "choose one of region-a, region-b"),
        ("rollback-deploy", {}, "service is missing"),
        ("rollback-deploy", {"service": "edge"}, "no earlier version"),
        ("scale", {"service": "edge", "replicas": "many"}, "is not a number"),
        ("uncordon", {"region": "region-a"}, "no node of 'sim' has the labels"),
    ],
)
def test_what_cannot_be_done_is_said(
    api: SimulatedApi, name: str, parameters: dict[str, str], said: str
) -> None:
    with pytest.raises(PermanentDriverError, match=said):
        ShopMitigations(api.cluster(), "shop", run="r1").apply(name, parameters)


async def test_the_undo_holds_how_things_were_and_survives_being_stored(
    api: SimulatedApi,
) -> None:
    playing = target(api)

    undo = playing.undo_of_mitigation("r1", "rollback-deploy", {})

    assert json.loads(json.dumps(dict(undo.data))) == undo.data
    assert "primary" == undo.data["before"]["inventory-region-a"]["variables"]["SHOP_DATABASE"]
    assert "uid-of-sim" == undo.data["identity"]["uid"]
    assert "kubernetes/sim" == playing.name


# --- readiness ------------------------------------------------------------------------------------


async def test_a_shop_that_is_rolled_out_is_ready(api: SimulatedApi) -> None:
    await target(api).check()


async def test_what_is_not_ready_is_named(api: SimulatedApi) -> None:
    api.edit("deployments", "edge", "shop", {"status": {"availableReplicas": 0}}, "kubelet")

    with pytest.raises(TemporaryDriverError, match=r"edge \(0 of 1\)"):
        await target(api).check()


async def test_a_shop_scaled_to_nothing_is_not_ready(api: SimulatedApi) -> None:
    none = {"updatedReplicas": 0, "availableReplicas": 0, "replicas": 0}
    api.edit("deployments", "edge", "shop", {"spec": {"replicas": 0}, "status": none}, "somebody")

    with pytest.raises(TemporaryDriverError, match=r"edge \(0 of 0\)"):
        await target(api).check()


async def test_a_namespace_without_a_shop_says_how_to_put_one_there() -> None:
    with pytest.raises(PermanentDriverError, match="gameday sandbox up --context sim"):
        await target(SimulatedApi(namespace="shop")).check()


class Mailbox:
    """What lies behind the API server's way to the mailbox; fulfils its transport."""

    server = "https://recorded:6443"
    authority = ""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, method: str, target: str, **_: Any) -> Answer:
        self.asked.append(target.rpartition("/proxy/")[2].partition("?")[0])
        return Answer(200, {}, json.dumps({"box": "b1", "last": 0, "letters": []}).encode())

    def stream(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("letters are not watched")

    def close(self) -> None: ...


@pytest.mark.served
async def test_pages_are_fetched_through_a_door_that_asks_for_a_token(api: SimulatedApi) -> None:
    mailbox = Mailbox()
    behind = Cluster(mailbox, context="sim", fences=Fences(("sim",), ("shop",)))
    with ServiceDoor(
        behind, namespace="shop", service="mailbox", port=9094, token="t" * 32
    ) as door:
        playing = target(api, mailbox_url=door.url)

        await playing.route_pages("http://127.0.0.1:1/hook")

    assert ["letters"] == mailbox.asked


async def test_a_mailbox_that_does_not_answer_is_named(api: SimulatedApi) -> None:
    with pytest.raises(TemporaryDriverError, match="mailbox"):
        await target(api).route_pages("http://127.0.0.1:1/hook")


def test_a_rollout_is_through_only_when_the_old_pods_are_gone() -> None:
    status = {"observedGeneration": 2, "updatedReplicas": 3, "availableReplicas": 3}
    found = {"metadata": {"generation": 2}, "spec": {"replicas": 3}}

    assert not rollouts.is_through({**found, "status": {**status, "replicas": 4}})
    assert rollouts.is_through({**found, "status": {**status, "replicas": 3}})


# --- deploys --------------------------------------------------------------------------------------


async def test_every_revision_of_a_deployment_is_a_deploy(api: SimulatedApi) -> None:
    owner = deployment(api, "checkout", "region-a", SHOP_REVISION="b")
    replica_set(api, owner, 1, BEGIN, SHOP_REVISION="main")
    replica_set(api, owner, 2, BEGIN + timedelta(hours=1), SHOP_REVISION="b2b2b2b")
    log = ReplicaSetDeploys(api.cluster(), "shop", full=lambda v: "a1a1a1a" if v == "main" else v)

    found = await log.deploys(since=BEGIN, until=BEGIN + timedelta(days=1))

    assert [
        ("checkout", "a1a1a1a", BEGIN, "region-a"),
        ("checkout", "b2b2b2b", BEGIN + timedelta(hours=1), "region-a"),
    ] == [(d.service, d.revision, d.deployed_at, d.region) for d in found]


async def test_a_deploy_of_anybody_is_told_by_the_labels_that_people_use(
    api: SimulatedApi,
) -> None:
    labels = {"app.kubernetes.io/name": "ledger", "topology.kubernetes.io/region": "eu"}
    owner = api.put("deployments", "ledger-7", "books", metadata={"labels": labels})
    replica_set(api, owner, 1, BEGIN, namespace="books", SHOP_REVISION="a")
    log = ReplicaSetDeploys(api.cluster(), "books", labels="")

    (found,) = await log.deploys(since=BEGIN, until=BEGIN + timedelta(days=1))

    assert ("ledger", "eu") == (found.service, found.region)


async def test_a_rollback_went_live_when_it_was_made_not_when_it_was_first_written(
    api: SimulatedApi,
) -> None:
    owner = deployment(api, "checkout", "region-a", SHOP_REVISION="a")
    replica_set(api, owner, 2, BEGIN + timedelta(hours=1), SHOP_REVISION="b")
    replica_set(api, owner, 3, BEGIN, SHOP_REVISION="a")
    again = {"metadata": {"annotations": {"deployment.kubernetes.io/revision-history": "1"}}}
    api.edit("replicasets", "checkout-region-a-3", "shop", again, "controller")
    at = BEGIN + timedelta(hours=2)
    progress = {"type": "Progressing", "lastUpdateTime": at.isoformat()}
    api.edit(
        "deployments", "checkout-region-a", "shop", {"status": {"conditions": [progress]}}, "c"
    )

    found = await ReplicaSetDeploys(api.cluster(), "shop").deploys(
        since=BEGIN, until=BEGIN + timedelta(days=1)
    )

    assert [("b", BEGIN + timedelta(hours=1)), ("a", at)] == [
        (d.revision, d.deployed_at) for d in found
    ]
