"""The service against its own OpenAPI document: no 5xx, and no status that is not in it.

schemathesis draws requests from the document, ones that fit it and ones that do not, and sends them
to the real application over a real socket.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from opened_service import Opening, Service
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gameday.server.listening import free_port, listening

pytestmark = pytest.mark.served

EXAMPLES, MANY = 15, 100
"""Requests of each kind for each route, of which there are some twenty: in `make test`, and in the
long tests."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

SECRET = "secret of now"


@dataclass(frozen=True)
class Served:
    """A running service, what it says of itself, and what is known of it."""

    url: str
    document: dict[str, Any]
    tokens: dict[str, str]
    incident: str
    link: str


@pytest.fixture
def served(opening: Opening, firing: Any) -> Iterator[Served]:
    """Run the service in a thread of its own, because schemathesis waits for its answers."""
    ready: list[Served] = []
    is_ready, is_over = threading.Event(), threading.Event()

    async def run() -> None:
        listener = free_port()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with opening() as service, listening(service.app, listener):
            ready.append(await _known(service, firing, url))
            is_ready.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert is_ready.wait(60)
        yield ready[0]
    finally:
        is_over.set()
        thread.join()


async def _known(service: Service, firing: Any, url: str) -> Served:
    await service.send(firing())
    (row,) = await service.incidents()
    shown = (await service.get(f"/api/incidents/{row['id']}")).json()
    link = str(shown["links"]["red"]).rpartition("/")[2]
    document = (await service.get("/openapi.json")).json()
    return Served(url, document, dict(service.tokens), row["id"], link)


def send(case: Case, served: Served) -> requests.Response:
    """Send a request as somebody who may, and signed where that is asked for."""
    kwargs = case.as_transport_kwargs(base_url=served.url)
    kwargs.pop("cookies", None)
    headers = dict(kwargs.pop("headers", None) or {})
    headers.setdefault("authorization", f"Bearer {served.tokens['facilitator']}")
    prepared = requests.Request(headers=headers, **kwargs).prepare()
    if case.path.endswith("/pagerduty"):
        raw = prepared.body or b""
        raw = raw.encode() if isinstance(raw, str) else raw
        digest = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        prepared.headers["x-pagerduty-signature"] = f"v1={digest}"
    with requests.Session() as session:
        session.trust_env = False
        return session.send(prepared, allow_redirects=False, timeout=60)


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda m: m.value)
def test_nothing_that_is_sent_is_answered_with_5xx_or_an_undocumented_status(
    served: Served, mode: GenerationMode, examples: int
) -> None:
    schema = schemathesis.openapi.from_dict(served.document)
    seen: set[tuple[str, int]] = set()
    turn = itertools.count()

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def holds(case: Case) -> None:
            # Half of them about what is there: behind a random id everything is not found.
            parameters = case.path_parameters
            if parameters and next(turn) % 2:
                known = {"incident": served.incident, "token": served.link}
                parameters.update({k: known[k] for k in parameters})
            answer = send(case, served)
            seen.add((case.path, answer.status_code))
            case.validate_response(answer, checks=CHECKS)

        try:
            holds()
        except Unsatisfiable:
            # A route that takes nothing can be given nothing wrong.
            assert mode is GenerationMode.NEGATIVE

    # It got past the door, or the test would show nothing.
    assert {s for _, s in seen} & {200, 302}
    assert not {s for _, s in seen} & {401, 500, 502, 503}


def test_the_document_is_one_of_openapi(served: Served) -> None:
    schema = schemathesis.openapi.from_dict(served.document)

    schema.validate()


def test_every_route_is_in_the_document(served: Served) -> None:
    for path, operations in served.document["paths"].items():
        for method in operations:
            answer = httpx.request(
                method,
                served.url + path.replace("{incident}", "x").replace("{token}", "x"),
                trust_env=False,
                timeout=60,
            )
            assert answer.status_code != 404 or "{" in path
