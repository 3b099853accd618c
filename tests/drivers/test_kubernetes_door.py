"""A loopback address that stands for a Service of the cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gameday.drivers.kubernetes import Cluster, Fences
from gameday.drivers.kubernetes.door import ServiceDoor
from gameday.drivers.kubernetes.transport import Answer, NoAnswer

pytestmark = pytest.mark.served

PREFIX = "/api/v1/namespaces/shop/services/prometheus:9090/proxy"


class Recorded:
    """A transport that answers what it is told to, and remembers what it was asked."""

    server = "https://recorded:6443"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes | None, str]] = []
        self.answer: Answer | None = Answer(200, {"content-type": "text/plain"}, b"yes")

    def ask(
        self, method: str, target: str, *, body: bytes | None, content_type: str, timeout_s: float
    ) -> Answer:
        self.asked.append((method, target, body, content_type))
        if self.answer is None:
            raise NoAnswer("connection refused")
        return self.answer

    def stream(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a door streams nothing")

    def close(self) -> None: ...


@pytest.fixture
def api() -> Recorded:
    return Recorded()


@pytest.fixture
def door(api: Recorded) -> Iterator[ServiceDoor]:
    cluster = Cluster(api, context="sim", fences=Fences(("sim",), ("shop",)))
    with ServiceDoor(cluster, namespace="shop", service="prometheus", port=9090) as door:
        yield door


def test_a_question_goes_to_the_service_with_path_and_query(
    api: Recorded, door: ServiceDoor
) -> None:
    answer = httpx.get(door.url + "/api/v1/query", params={"query": "up == 1"})

    assert ("GET", f"{PREFIX}/api/v1/query?query=up+%3D%3D+1", None, "application/json") == (
        api.asked[0]
    )
    assert (200, "yes", "text/plain") == (
        answer.status_code,
        answer.text,
        answer.headers["content-type"],
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_goes_along_with_its_type(api: Recorded, door: ServiceDoor, method: str) -> None:
    httpx.request(method, door.url + "/x", content=b"a=b", headers={"content-type": "text/x"})

    assert [(method, f"{PREFIX}/x", b"a=b", "text/x")] == api.asked


def test_a_no_of_the_service_is_passed_on(api: Recorded, door: ServiceDoor) -> None:
    api.answer = Answer(409, {"content-type": "application/json"}, b'{"error": "taken"}')

    answer = httpx.post(door.url + "/proxies", json={})

    assert (409, {"error": "taken"}) == (answer.status_code, answer.json())


def test_a_cluster_that_does_not_answer_is_a_bad_gateway_in_words(
    api: Recorded, door: ServiceDoor
) -> None:
    api.answer = None

    answer = httpx.get(door.url)

    assert 502 == answer.status_code
    assert "does not answer" in json.loads(answer.text)["error"]


def test_a_redirect_leads_back_through_the_door(api: Recorded, door: ServiceDoor) -> None:
    api.answer = Answer(302, {"location": f"{PREFIX}/graph"}, b"")

    answer = httpx.get(door.url)

    assert "/graph" == answer.headers["location"]


def test_a_closed_door_is_closed(api: Recorded) -> None:
    cluster = Cluster(api, context="sim", fences=Fences(("sim",), ("shop",)))
    door = ServiceDoor(cluster, namespace="shop", service="prometheus", port=9090)
    door.close()

    with pytest.raises(httpx.ConnectError):
        httpx.get(door.url)
