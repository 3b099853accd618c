"""The code of a cluster's shop, fetched out of its image."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gameday.drivers.kubernetes import Cluster, Fences
from gameday.drivers.kubernetes.transport import Answer, NoAnswer
from gameday.house.targets.cluster_code import code_of, versions_of


class Image:
    """A mailbox that hands out these files; without one, nobody answers."""

    server = "https://simulated:6443"

    def __init__(self, **files: bytes) -> None:
        self._files = files

    def ask(self, method: str, target: str, **_: Any) -> Answer:
        name = target.rpartition("/")[2].replace(".", "_")
        if name not in self._files:
            raise NoAnswer("connection refused")
        return Answer(200, {}, self._files[name])

    def stream(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing is streamed")

    def close(self) -> None: ...

    def cluster(self) -> Cluster:
        return Cluster(self, context="sim", fences=Fences(("sim",), ("shop",)))


def test_versions_are_those_of_the_image() -> None:
    image = Image(releases_json=json.dumps({"versions": {"main": "a1b2"}}).encode())

    assert {"main": "a1b2"} == versions_of(image.cluster(), "shop")


@pytest.mark.parametrize("said", [b"no endpoints available", b"{}", b'{"versions": null}'])
def test_versions_that_cannot_be_read_are_unknown(said: bytes) -> None:
    assert {} == versions_of(Image(releases_json=said).cluster(), "shop")


def test_a_cluster_that_does_not_answer_has_no_code_for_us(tmp_path: Path) -> None:
    assert {} == versions_of(Image().cluster(), "shop")
    assert not code_of(Image().cluster(), "shop", tmp_path).exists()


def test_what_is_no_bundle_is_not_given_to_git(tmp_path: Path) -> None:
    image = Image(shop_bundle=b'{"kind": "Status", "code": 503}')

    assert not code_of(image.cluster(), "shop", tmp_path).exists()
    assert [] == list(tmp_path.iterdir())


def test_the_repository_is_fetched_once_and_whole(tmp_path: Path) -> None:
    made = tmp_path / "made"
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for arguments in (
        ("init", "-q", "-b", "main", str(made)),
        ("-C", str(made), *who, "commit", "-q", "--allow-empty", "-m", "first"),
        ("-C", str(made), "bundle", "create", "-q", str(tmp_path / "b"), "--branches"),
    ):
        subprocess.run(("git", *arguments), check=True, capture_output=True)
    cluster = Image(shop_bundle=(tmp_path / "b").read_bytes()).cluster()

    found = [code_of(cluster, "shop", tmp_path / "kept") for _ in range(2)]

    assert found[0] == found[1]
    log = subprocess.run(
        ("git", "-C", str(found[0]), "log", "--format=%s", "main"),
        check=True,
        capture_output=True,
        text=True,
    )
    assert "first\n" == log.stdout
    assert 1 == len(list((tmp_path / "kept/repositories").iterdir()))
