"""A cluster is known by its identity, not by the address at which it answers."""

from __future__ import annotations

import ssl
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.kubernetes import connect
from gameday.drivers.kubernetes.identity import (
    AnotherCluster,
    ClusterIdentity,
    check_identity,
    identity_of,
)
from gameday.drivers.kubernetes.mitigations import BY, ClusterMitigations
from gameday.drivers.kubernetes.transport import Answer
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.ports import MITIGATIONS, Undo
from gameday.shop import REGION, SERVICE
from gameday.testing.gate import Address, Trouble, Troubled, kubeconfig, serving, status
from gameday.testing.kubernetes import SimulatedApi

KUBE_SYSTEM = "GET /api/v1/namespaces/kube-system"
LACKS = 'User "bob" cannot get resource "namespaces" in API group "" in the namespace "kube-system"'


def forbidding(uid: str = "uid-of-sim", authority: str = "") -> SimulatedApi:
    """Return a server whose kube-system may not be read."""
    lacks = Trouble(KUBE_SYSTEM, status(403, LACKS, reason="Forbidden"), times=99)
    return SimulatedApi(namespace="shop", uid=uid, authority=authority, troubles=[lacks])


def noted(api: SimulatedApi) -> dict[str, str]:
    return identity_of(api.cluster()).to_json()


# --- what it is -----------------------------------------------------------------------------------


def test_a_cluster_is_its_kube_system() -> None:
    found = identity_of(SimulatedApi(namespace="shop", uid="u-1", authority="a" * 64).cluster())

    assert ClusterIdentity(uid="u-1", authority="a" * 64) == found
    assert "" == found.doubt("https://c")
    assert found == ClusterIdentity.from_json(found.to_json())


@pytest.mark.parametrize(
    ("authority", "words"),
    [("a" * 64, "the authority of its certificate alone"), ("", "is not verified")],
)
def test_where_kube_system_may_not_be_read_that_is_said_with_what_grants_it(
    authority: str, words: str
) -> None:
    found = identity_of(forbidding(authority=authority).cluster())

    assert ("", authority) == (found.uid, found.authority)
    doubt = found.doubt("https://c")
    assert words in doubt
    assert "'bob' lacks the verb 'get' on 'namespaces'" in doubt
    assert "deploy/rbac/cluster.yaml" in doubt


def test_a_server_that_does_not_answer_is_no_identity() -> None:
    api = SimulatedApi(namespace="shop", troubles=[Trouble(KUBE_SYSTEM, times=99)])

    with pytest.raises(TemporaryDriverError, match="does not answer"):
        identity_of(api.cluster())


# --- whether it is still that one -----------------------------------------------------------------


def test_the_same_cluster_is_believed_also_with_another_certificate() -> None:
    before = noted(SimulatedApi(namespace="shop", authority="a" * 64))

    check_identity(SimulatedApi(namespace="shop", authority="b" * 64).cluster(), before)


def test_another_cluster_at_the_address_is_named_with_the_one_that_is_meant() -> None:
    meant = noted(SimulatedApi(namespace="shop", uid="u-1"))

    with pytest.raises(AnotherCluster, match=r"another cluster answers at .*sim.*u-2.*u-1"):
        check_identity(SimulatedApi(namespace="shop", uid="u-2").cluster(), meant)


def test_who_cannot_tell_any_more_does_not_believe() -> None:
    meant = noted(SimulatedApi(namespace="shop", uid="u-1", authority="a" * 64))

    with pytest.raises(AnotherCluster, match=r"u-1 still answers .* is not known.*'bob' lacks"):
        check_identity(forbidding("u-1", "a" * 64).cluster(), meant)


def test_a_cluster_without_a_kube_system_is_not_the_one_that_had_one() -> None:
    with pytest.raises(AnotherCluster, match="it has no namespace kube-system"):
        check_identity(
            SimulatedApi(namespace="shop", uid="").cluster(), noted(SimulatedApi(namespace="shop"))
        )


def test_a_cluster_known_by_its_authority_is_told_from_those_of_others() -> None:
    meant = noted(forbidding(authority="a" * 64))

    check_identity(forbidding(authority="a" * 64).cluster(), meant)
    with pytest.raises(AnotherCluster, match="a cluster of the authority aaaaaaaaaaaaaaaa"):
        check_identity(forbidding(authority="b" * 64).cluster(), meant)


def test_what_was_never_known_is_believed_as_before() -> None:
    check_identity(
        SimulatedApi(namespace="shop", authority="a" * 64).cluster(), noted(forbidding())
    )
    check_identity(SimulatedApi(namespace="shop").cluster(), None)


# --- the authority --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cluster", "is_known"),
    [
        ({"server": "https://127.0.0.1:1"}, True),
        ({"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}, False),
        ({"server": "http://127.0.0.1:1"}, False),
    ],
)
def test_the_authority_is_the_fingerprint_of_the_certificate_it_is_checked_against(
    cluster: dict[str, Any], is_known: bool, tmp_path: Path
) -> None:
    import certifi
    import yaml

    pem = Path(certifi.where()).read_text(encoding="utf-8")
    one = "-----BEGIN" + pem.split("-----BEGIN")[1].split("-----END CERTIFICATE-----")[0]
    one += "-----END CERTIFICATE-----\n"
    (tmp_path / "ca.crt").write_text(one, encoding="utf-8")
    path = Path(kubeconfig(tmp_path, "https://127.0.0.1:1"))
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["clusters"][0]["cluster"] = {
        **cluster,
        "certificate-authority": str(tmp_path / "ca.crt"),
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")

    with connect("sim", kubeconfig=str(path), is_fenced=False) as found:
        authority = found.authority

    der = ssl.PEM_cert_to_DER_cert(one)
    assert (sha256(der).hexdigest() if is_known else "") == authority


# --- mitigations ----------------------------------------------------------------------------------


def mitigated(api: SimulatedApi, run: str = "r1") -> dict[str, Any]:
    """Put a Deployment there that a run's responder has changed."""
    env = [{"name": "SHOP_DATABASE", "value": "standby"}]
    return api.put(
        "deployments",
        "inventory",
        "shop",
        metadata={"labels": {SERVICE: "inventory", REGION: "a"}, "annotations": {BY: run}},
        spec={
            "replicas": 1,
            "template": {"spec": {"containers": [{"name": "c", "image": "shop:1", "env": env}]}},
        },
        status={"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1},
    )


def undo_of(api: SimulatedApi, path: str, uid: str) -> Undo:
    before = {"replicas": 1, "image": "shop:1", "variables": {"SHOP_DATABASE": "primary"}}
    data = {
        "context": "sim",
        "kubeconfig": path,
        "namespace": "shop",
        "identity": noted(api),
        "before": {"inventory": {"uid": uid, **before}},
    }
    return Undo("gd-r1-mitigations", MITIGATIONS, "r1", "m", "gameday recover r1", data)


async def test_mitigations_are_neither_proven_nor_taken_back_in_another_cluster(
    tmp_path: Path,
) -> None:
    api, another = (
        SimulatedApi(namespace="shop"),
        SimulatedApi(namespace="shop", uid="uid-of-another"),
    )
    uid = mitigated(api)["metadata"]["uid"]
    mitigated(another)
    address = Address(another)
    with serving(address) as url:
        undo = undo_of(api, kubeconfig(tmp_path, url), uid)
        before = another.find("deployments", "inventory", "shop")

        with pytest.raises(AnotherCluster):
            await ClusterMitigations().is_present(undo)
        with pytest.raises(AnotherCluster):
            await ClusterMitigations().recover(undo)

        assert before == another.find("deployments", "inventory", "shop")
        address.leads_to = api
        assert await ClusterMitigations().is_present(undo)
        await ClusterMitigations().recover(undo)
        assert not await ClusterMitigations().is_present(undo)


async def test_a_cluster_that_changes_while_it_is_read_proves_nothing(tmp_path: Path) -> None:
    api, another = (
        SimulatedApi(namespace="shop"),
        SimulatedApi(namespace="shop", uid="uid-of-another"),
    )
    uid = mitigated(api)["metadata"]["uid"]
    address = Address(api)
    listed = Trouble(
        "GET /apis/apps/v1/namespaces/shop/deployments",
        Answer(200, {}, b'{"items": [], "metadata": {"resourceVersion": "1"}}'),
        then=lambda: setattr(address, "leads_to", another),
    )
    with serving(address) as url:
        undo = undo_of(api, kubeconfig(tmp_path, url), uid)
        address.leads_to = Troubled(api, [listed])

        with pytest.raises(AnotherCluster):
            await ClusterMitigations().is_present(undo)


async def test_a_deployment_made_anew_from_a_copy_is_another_object_and_left_alone(
    tmp_path: Path,
) -> None:
    api = SimulatedApi(namespace="shop")
    mitigated(api)
    with serving(api) as url:
        undo = undo_of(api, kubeconfig(tmp_path, url), "uid-of-its-namesake")
        before = api.find("deployments", "inventory", "shop")

        for asked in (ClusterMitigations().recover, ClusterMitigations().is_present):
            with pytest.raises(PermanentDriverError, match="made anew from a copy: inventory"):
                await asked(undo)
        assert before == api.find("deployments", "inventory", "shop")

        # As the message says: it was looked at, and the name is taken off.
        api.edit(
            "deployments", "inventory", "shop", {"metadata": {"annotations": {BY: None}}}, "bob"
        )
        assert not await ClusterMitigations().is_present(undo)


async def test_an_undo_of_before_there_were_identities_is_recovered_as_ever(tmp_path: Path) -> None:
    api = SimulatedApi(namespace="shop")
    uid = mitigated(api)["metadata"]["uid"]
    with serving(api) as url:
        known = undo_of(api, kubeconfig(tmp_path, url), uid)
        data = {k: v for k, v in known.data.items() if k != "identity"}
        data["before"] = {"inventory": dict(known.data["before"]["inventory"])}
        del data["before"]["inventory"]["uid"]
        undo = replace(known, data=data)

        await ClusterMitigations().recover(undo)

        assert not await ClusterMitigations().is_present(undo)
