"""Manifests as they are read and applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.kubernetes import Cluster
from gameday.drivers.kubernetes.manifests import apply, read_manifests
from gameday.drivers.kubernetes.refusals import Forbidden
from gameday.drivers.kubernetes.transport import Answer
from gameday.errors import PermanentDriverError
from gameday.testing.kubernetes import KINDS, SimulatedApi

BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {"minAvailable": 3},
}


class Applying(SimulatedApi):
    """A server that applies: what is sent is what there is."""

    refused: Answer | None = None

    def ask(self, method: str, target: str, **sent: Any) -> Answer:
        if sent["content_type"] != "application/apply-patch+yaml":
            return super().ask(method, target, **sent)
        self.target = target
        return self.refused or Answer(201, {}, sent["body"])


@pytest.fixture
def old() -> Applying:
    kinds = {k: v for k, v in KINDS.items() if k != "policy/v1"}
    return Applying(
        kinds={**kinds, "policy/v1beta1": {"poddisruptionbudgets": "PodDisruptionBudget"}}
    )


def cluster(api: SimulatedApi) -> Cluster:
    return api.cluster()


def test_an_older_server_gets_the_version_that_it_offers(old: Applying) -> None:
    applied = apply(cluster(old), BUDGET)

    assert "policy/v1beta1" == applied["apiVersion"]
    path = "/apis/policy/v1beta1/namespaces/shop/poddisruptionbudgets/checkout"
    assert f"{path}?fieldManager=gameday&force=true" == old.target


def test_a_newer_server_gets_the_version_of_the_manifest() -> None:
    assert "policy/v1" == apply(cluster(Applying()), BUDGET)["apiVersion"]


def test_a_no_is_an_error_that_names_what_is_missing(old: Applying) -> None:
    said = {
        "message": 'poddisruptionbudgets.policy "checkout" is forbidden: User "u" cannot patch'
        ' resource "poddisruptionbudgets" in API group "policy" in the namespace "shop"'
    }
    old.refused = Answer(403, {}, json.dumps(said).encode())

    with pytest.raises(Forbidden, match="'patch' on 'poddisruptionbudgets'"):
        apply(cluster(old), BUDGET)


def test_what_gameday_does_not_know_is_not_applied() -> None:
    with pytest.raises(PermanentDriverError, match="applies no DaemonSet"):
        apply(cluster(Applying()), {"kind": "DaemonSet", "metadata": {"name": "x"}})


def test_a_folder_without_a_kustomization_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentDriverError, match=r"kustomization\.yaml"):
        read_manifests(tmp_path, namespace="shop")


def test_objects_keep_the_order_of_the_kustomization(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [b.yaml, a.yaml]\n")
    for name in "ab":
        text = f"kind: Service\nmetadata: {{name: {name}1}}\n---\nkind: Service\n"
        (tmp_path / f"{name}.yaml").write_text(f"{text}metadata: {{name: {name}2}}\n")

    found = read_manifests(tmp_path, namespace="shop")

    assert ["b1", "b2", "a1", "a2"] == [d["metadata"]["name"] for d in found]
    assert {"shop"} == {d["metadata"]["namespace"] for d in found}
