"""Rollouts of a cluster, told to the incident service as deploys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.kubernetes import rollouts
from gameday.errors import PermanentDriverError, StoreError, UsageError
from gameday.house.service.rollouts import Following, rollouts_of
from gameday.model.signals import Deploy
from gameday.testing.virtual import VirtualClock

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Cluster:
    def __init__(self, *looks: Sequence[Deploy]) -> None:
        self.looks = list(looks)

    async def deploys(self, *, since: datetime, until: datetime) -> Sequence[Deploy]:
        return self.looks.pop(0)


class Record:
    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.is_full = False

    async def tell(self, sent: Mapping[str, Any]) -> None:
        if self.is_full:
            raise StoreError("the disk is full")
        self.told.append(sent)

    def revisions(self) -> list[str]:
        return [str(d["revision"]) for d in self.told]


def deploy(revision: str, minute: int = 0) -> Deploy:
    return Deploy("checkout", revision, NOON + timedelta(minutes=minute), "eu-west", "by ann")


async def test_a_rollout_is_told_once_when_two_looks_agree_on_it() -> None:
    one, moving, settled = deploy("a1"), deploy("a2", minute=1), deploy("a2", minute=2)
    cluster = Cluster([one], [one, moving], [one, settled], [one, settled], [one, settled])
    record = Record()
    following = Following(cluster, record.tell, clock=VirtualClock(NOON, passes_at_once=True))

    for _ in range(5):
        await following.look()

    assert ["a1", "a2"] == record.revisions()
    assert settled.deployed_at.isoformat() == record.told[1]["deployed_at"]


async def test_what_could_not_be_written_down_is_told_at_the_next_look() -> None:
    cluster, record = Cluster(*[[deploy("a1")]] * 3), Record()
    following = Following(cluster, record.tell, clock=VirtualClock(NOON, passes_at_once=True))
    await following.look()

    record.is_full = True
    with pytest.raises(StoreError):
        await following.look()
    record.is_full = False
    await following.look()

    assert ["a1"] == record.revisions()


@pytest.mark.parametrize("name", ["shop", "kubernetes/", "kubernetes/shop", "nomad/eu/shop"])
def test_a_source_of_deploys_has_a_context_and_a_namespace(name: str) -> None:
    with pytest.raises(UsageError, match="kubernetes/<context>/<namespace>"):
        rollouts_of(name)


def test_without_a_source_nothing_is_followed() -> None:
    assert rollouts_of("") is None


def test_a_cluster_that_the_settings_do_not_allow_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "current-context: shop-eu\n"
        "contexts: [{name: shop-eu, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
    )
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("GAMEDAY_KUBE_CONTEXTS", "staging")

    with pytest.raises(PermanentDriverError, match="shop-eu"):
        rollouts_of("kubernetes/shop-eu/shop")


@pytest.mark.parametrize(
    ("image", "env", "version"),
    [
        ("registry.example:5000/shop/checkout:1.4.2", {}, "1.4.2"),
        ("registry.example:5000/shop/checkout", {}, ""),
        ("checkout@sha256:0123456789abcdef0123", {}, "0123456789ab"),
        ("checkout:1.4.2@sha256:0123456789abcdef0123", {}, "1.4.2"),
        ("checkout:dev", {"SHOP_REVISION": "a1a1a1a"}, "a1a1a1a"),
    ],
)
def test_a_version_is_what_it_is_called_or_the_tag_of_its_image(
    image: str, env: Mapping[str, str], version: str
) -> None:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    container = {"name": "c", "image": image, "env": variables}

    found = rollouts.release({"spec": {"template": {"spec": {"containers": [container]}}}})

    assert version == found
