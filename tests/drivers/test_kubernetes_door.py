"""A loopback address that stands for a Service of the cluster."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gameday.drivers.kubernetes import Cluster, Fences
from gameday.drivers.kubernetes.door import ServiceDoor
from gameday.drivers.kubernetes.transport import Answer, NoAnswer
from gameday.http.guard import PROMETHEUS_READS
from gameday.http.keys import COOKIE, auth_for, known, reading_for

pytestmark = pytest.mark.served

TOKEN = "t" * 32
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


def opened(api: Recorded) -> ServiceDoor:
    return ServiceDoor(
        Cluster(api, context="sim", fences=Fences(("sim",), ("shop",))),
        namespace="shop",
        service="prometheus",
        port=9090,
        token=TOKEN,
        reads=PROMETHEUS_READS,
        is_readable=True,
    )


@pytest.fixture
def door(api: Recorded) -> Iterator[ServiceDoor]:
    with opened(api) as door:
        yield door


def ask(door: ServiceDoor, method: str, path: str, **more: Any) -> httpx.Response:
    """Ask as the drivers of the process that opened it do."""
    return httpx.request(method, door.url + path, auth=auth_for(door.url), **more)


def test_a_question_goes_to_the_service_with_path_and_query(
    api: Recorded, door: ServiceDoor
) -> None:
    answer = ask(door, "GET", "/api/v1/query", params={"query": "up == 1"})

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
    ask(door, method, "/x", content=b"a=b", headers={"content-type": "text/x"})

    assert [(method, f"{PREFIX}/x", b"a=b", "text/x")] == api.asked


def test_a_no_of_the_service_is_passed_on(api: Recorded, door: ServiceDoor) -> None:
    api.answer = Answer(409, {"content-type": "application/json"}, b'{"error": "taken"}')

    answer = ask(door, "POST", "/proxies", json={})

    assert (409, {"error": "taken"}) == (answer.status_code, answer.json())


def test_a_cluster_that_does_not_answer_is_a_bad_gateway_in_words(
    api: Recorded, door: ServiceDoor
) -> None:
    api.answer = None

    answer = ask(door, "GET", "/")

    assert 502 == answer.status_code
    assert "does not answer" in json.loads(answer.text)["error"]


def test_a_redirect_leads_back_through_the_door(api: Recorded, door: ServiceDoor) -> None:
    api.answer = Answer(302, {"location": f"{PREFIX}/graph"}, b"")

    answer = ask(door, "GET", "/")

    assert "/graph" == answer.headers["location"]


def test_a_closed_door_is_closed(api: Recorded) -> None:
    door = opened(api)
    door.close()

    with pytest.raises(httpx.ConnectError):
        httpx.get(door.url)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer guessed"}, 401),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://127.0.0.1:1"}, 403),
        ({"authorization": f"Bearer {TOKEN}", "sec-fetch-site": "same-site"}, 403),
        ({"authorization": f"Bearer {TOKEN}", "host": "evil.example"}, 421),
        ({"authorization": f"Bearer {TOKEN}", "content-type": "text/plain"}, 415),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nobody_else_of_this_machine_and_no_page_gets_through(
    api: Recorded, door: ServiceDoor, method: str, headers: dict[str, str], status: int
) -> None:
    answer = httpx.request(method, door.url + "/-/quit", content=b"x", headers=headers)

    assert (status, []) == (answer.status_code, api.asked)
    # What else came on this connection was not read, and must not be taken for a request.
    assert "close" == answer.headers["connection"]


def test_a_connection_is_kept_from_the_proof_to_the_last_question(
    api: Recorded, door: ServiceDoor
) -> None:
    with httpx.Client(auth=auth_for(door.url)) as http:
        said = [http.post(door.url + "/x", content=b"y").status_code for _ in range(20)]

    assert ([200] * 20, 20) == (said, len(api.asked))


def test_the_key_that_only_reads_only_reads(api: Recorded, door: ServiceDoor) -> None:
    key = reading_for(door.url)
    shown = [{"authorization": f"Bearer {key}"}, {"cookie": f"{COOKIE}={key}"}]

    read = [httpx.get(door.url + "/graph", headers=h).status_code for h in shown]
    asked = [httpx.post(door.url + "/api/v1/query", headers=h).status_code for h in shown]
    changed = [httpx.post(door.url + "/-/quit", headers=h).status_code for h in shown]

    assert ([200, 200], [200, 200], [401, 401]) == (read, asked, changed)


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../pods",
        "/%2e%2e/%2E%2e/secrets",
        "/a/..%2f..%2f..%2fsecrets",
        "/..\\..\\secrets",
        "http://elsewhere.example/",
    ],
)
def test_no_path_leads_out_of_the_service(api: Recorded, door: ServiceDoor, path: str) -> None:
    place = door.url.removeprefix("http://")
    host, _, port = place.partition(":")
    with socket.create_connection((host, int(port)), 5) as line:
        head = f"GET {path} HTTP/1.1\r\nHost: {place}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        line.sendall(head.encode())
        status = line.recv(4096).split(b" ")[1]

    assert (b"400", []) == (status, api.asked)


def test_whoever_opened_it_hands_its_token_to_no_other_address(door: ServiceDoor) -> None:
    assert TOKEN == known()[door.url]
    assert auth_for("http://127.0.0.1:1") is None
