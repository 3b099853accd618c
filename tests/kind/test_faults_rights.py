"""The rights of deploy/rbac are enough for every fault, and what is beyond them is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaoslib.exceptions import ActivityFailed

from gameday.chaos import networks, pods, pressure, regions, strays, workloads
from gameday.drivers.kubernetes import Cluster, connect
from gameday.drivers.kubernetes.identity import identity_of
from gameday.drivers.kubernetes.refusals import ClusterRequest

RBAC = Path(__file__).parents[2] / "deploy" / "rbac"
PLURALS = {
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ServiceAccount": "serviceaccounts",
}


def apply(
    cluster: Cluster, file: str, namespace: str, *, of: str = ""
) -> list[tuple[str, str, str]]:
    """Create what a manifest holds, all of it in one namespace; return what has to be deleted.

    Args:
        of: the namespace of the service account, where it is another one.
    """
    made = []
    for document in yaml.safe_load_all((RBAC / file).read_text()):
        kind, name = document["kind"], document["metadata"]["name"]
        if kind == "Namespace":
            continue
        is_whole = kind.startswith("Cluster")
        if is_whole:
            name = f"{name}-{namespace}"
        where = "" if is_whole else namespace
        body = {k: v for k, v in document.items() if k not in ("kind", "apiVersion")}
        body["metadata"] = {"name": name}
        for subject in body.get("subjects", ()):
            subject["namespace"] = of or namespace
        if is_whole and "roleRef" in body:
            body["roleRef"]["name"] = f"{body['roleRef']['name']}-{namespace}"
        cluster.create(PLURALS[kind], body, where)
        made.append((PLURALS[kind], name, where))
    return made


def token(cluster: Cluster, namespace: str) -> str:
    """Return a token of the service account, as a pod would have it."""
    path = cluster.resource("serviceaccounts").path(namespace, "gameday", "token")
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    request = ClusterRequest("create", "serviceaccounts/token", namespace, "gameday")
    answer = cluster.send(request, "POST", path, body=body)
    assert answer.status < 300, answer.body
    return str(json.loads(answer.body)["status"]["token"])


class Account:
    """The service account, as a context of a kubeconfig."""

    def __init__(self, cluster: Cluster, live: Any, namespace: str, folder: Path) -> None:
        self.cluster, self.namespace = cluster, namespace
        apply(cluster, "identity.yaml", namespace)
        document = yaml.safe_load(Path(live.kubeconfig).read_text())
        document["users"] = [{"name": "account", "user": {"token": token(cluster, namespace)}}]
        named = {c["name"]: c["context"] for c in document["contexts"]}
        context = {**named[live.context], "user": "account"}
        document["contexts"] = [{"name": "account", "context": context}]
        document["current-context"] = "account"
        path = folder / "kubeconfig"
        path.write_text(json.dumps(document))
        self.where = {"context": "account", "kubeconfig": str(path)}

    def may(self, verb: str, resource: str, namespace: str = "", name: str = "") -> bool:
        """Return whether the server grants it a right now."""
        plural, _, group = resource.partition(".")
        asked = {"verb": verb, "group": group, "resource": plural, "namespace": namespace}
        review = {"spec": {"resourceAttributes": {**asked, "name": name}}}
        with connect(**self.where) as own:
            path = own.resource("selfsubjectaccessreviews").path()
            request = ClusterRequest("create", "selfsubjectaccessreviews")
            kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
            answer = own.send(request, "POST", path, body={**kind, **review})
        return bool(json.loads(answer.body)["status"]["allowed"])


@pytest.fixture
def account(
    cluster: Cluster,
    live: Any,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _settings: Any,
) -> Account:
    monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "account")
    monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", namespace)
    return Account(cluster, live, namespace, tmp_path)


@pytest.fixture
def may_play(account: Account, wait: Callable[..., None]) -> Account:
    apply(account.cluster, "faults.yaml", account.namespace)
    # The server grants a right a moment after it has been told of it.
    wait(lambda: account.may("list", "jobs.batch", account.namespace), "the rights are in force")
    return account


@pytest.fixture
def may_drain(may_play: Account, wait: Callable[..., None]) -> Iterator[Account]:
    made = apply(may_play.cluster, "drain.yaml", may_play.namespace)
    wait(lambda: may_play.may("patch", "nodes"), "the rights are in force")
    yield may_play
    for resource, name, where in made:
        may_play.cluster.delete(resource, name, where)


def test_every_fault_of_a_namespace_can_be_played_and_recovered(
    may_play: Account, workload: Any, wait: Any
) -> None:
    workload.deploy("shop", 2)
    at, where = may_play.namespace, may_play.where
    shop = {"namespace": at, "workload": "deployment/shop", **where}

    workloads.scale_to_zero(**shop, mark="gd-rights-1")
    assert {"gd-rights-1"} == set(strays.find_strays("gd-rights-", **where))
    assert workloads.recover_scale(**shop, mark="gd-rights-1")
    wait(lambda: len(workload.ready("shop")) == 2, "both are back")
    workloads.change_workload(**shop, env="BAD=1", mark="gd-rights-2")
    assert workloads.recover_change(**shop, mark="gd-rights-2")
    networks.isolate_pods(at, "app=shop", mark="gd-rights-3", **where)
    assert networks.recover_isolation(at, mark="gd-rights-3", **where)
    wait(lambda: len(workload.ready("shop")) == 2, "both are back")
    pressure.press(at, "app=shop", mark="gd-rights-4", **where)
    assert pressure.recover_pressure(at, mark="gd-rights-4", **where)
    pods.kill_pods(at, owner="deployment/shop", **where)
    wait(lambda: pods.pods_are_ready(at, owner="deployment/shop", **where), "both are back")


def test_which_cluster_it_is_takes_one_right_and_without_it_the_authority_stands_for_it(
    account: Account, cluster: Cluster, wait: Callable[..., None]
) -> None:
    system = cluster.get("namespaces", "kube-system")
    assert system is not None
    with connect(**account.where) as own:
        doubted = identity_of(own)
        made = apply(cluster, "cluster.yaml", account.namespace)
        try:
            granted = ("get", "namespaces", "kube-system", "kube-system")
            wait(lambda: account.may(*granted), "the right is in force")
            known = identity_of(own)
        finally:
            for resource, name, where in made:
                cluster.delete(resource, name, where)

    assert ("", 64) == (doubted.uid, len(doubted.authority))
    assert "deploy/rbac/cluster.yaml" in doubted.doubt("there")
    assert (system["metadata"]["uid"], doubted.authority) == (known.uid, known.authority)


def test_a_region_can_be_drained_and_recovered(
    may_drain: Account, workload: Any, restored_nodes: Any
) -> None:
    workload.deploy("shop", 3)
    workload.protect("shop", available=2)
    before = restored_nodes()
    region = sorted(
        n["metadata"]["labels"].get("topology.kubernetes.io/region", "")
        for n in workload.cluster.list("nodes")
        if not n["spec"].get("taints")
    )[-1]

    regions.drain_region(region=region, foreign="leave", mark="gd-rights-5", **may_drain.where)
    assert before != restored_nodes()
    regions.recover_region(mark="gd-rights-5", **may_drain.where)

    assert before == restored_nodes()


def test_what_is_beyond_the_rights_is_named(
    account: Account, workload: Any, restored_nodes: Any
) -> None:
    workload.deploy("shop", 1)
    at, where = account.namespace, account.where
    who = f"system:serviceaccount:{at}:gameday"

    with pytest.raises(ActivityFailed) as killing:
        pods.kill_pods(at, "app=shop", **where)
    with pytest.raises(ActivityFailed) as draining:
        regions.drain_region(region="region-a", **where)

    assert f"'{who}' lacks the verb 'list' on 'pods' in namespace '{at}'" in str(killing.value)
    assert f"'{who}' lacks the verb 'list' on 'nodes' in the whole cluster" in str(draining.value)


def test_faults_without_the_right_to_drain_stay_in_their_namespace(
    may_play: Account, workload: Any
) -> None:
    workload.deploy("shop", 1)

    with pytest.raises(ActivityFailed, match="lacks the verb 'list' on 'nodes'"):
        regions.drain_region(region="region-a", **may_play.where)
    assert {} == strays.find_strays("gd-rights-", **may_play.where)


def test_another_namespace_is_beyond_the_rights_even_where_the_settings_allow_it(
    may_play: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_KUBE_NAMESPACES", "*")

    with pytest.raises(ActivityFailed, match="lacks the verb 'list' on 'pods' in namespace 'def"):
        pods.kill_pods("default", name="*", **may_play.where)
