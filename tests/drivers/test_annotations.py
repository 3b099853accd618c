"""What `GrafanaDeploys` makes of deploy markers, the store's and a real Grafana's by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from given import GIVEN

from gameday.drivers.annotations import GrafanaDeploys
from gameday.errors import PermanentDriverError
from gameday.model.signals import Deploy
from gameday.sandbox.telemetry.app import create_app

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SHA = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    yield httpx.ASGITransport(app=create_app())


async def mark(transport: httpx.AsyncBaseTransport, at: datetime, *tags: str) -> None:
    async with httpx.AsyncClient(transport=transport, base_url="http://grafana") as client:
        body: dict[str, Any] = {"time": round(at.timestamp() * 1000), "tags": tags, "text": "why"}
        (await client.post("/api/annotations", json=body)).raise_for_status()


async def test_deploys_come_oldest_first_and_only_from_the_span(
    transport: httpx.AsyncBaseTransport,
) -> None:
    await mark(transport, NOON, "deploy", "inventory", "eu-west", SHA)
    await mark(transport, NOON - timedelta(minutes=1), "deploy", "checkout", "all", SHA)
    await mark(transport, NOON - timedelta(hours=2), "deploy", "checkout", "all", SHA)
    await mark(transport, NOON, "incident", "inventory")

    found = await GrafanaDeploys("http://grafana", transport=transport).deploys(
        since=NOON - timedelta(hours=1), until=NOON
    )

    assert [
        Deploy("checkout", SHA, NOON - timedelta(minutes=1), None, "why"),
        Deploy("inventory", SHA, NOON, "eu-west", "why"),
    ] == list(found)


@pytest.mark.parametrize(
    "tags",
    [
        ("deploy", "inventory", SHA),
        ("deploy", "inventory", "", SHA),
        ("deploy", "inventory", "all-regions", SHA),
        ("revision:" + SHA, "deploy", "service:inventory"),
    ],
)
async def test_a_deploy_everywhere_has_no_region(
    transport: httpx.AsyncBaseTransport, tags: tuple[str, ...]
) -> None:
    await mark(transport, NOON, *tags)

    (found,) = await GrafanaDeploys("http://grafana", transport=transport).deploys(
        since=NOON, until=NOON
    )

    assert ("inventory", SHA, None) == (found.service, found.revision, found.region)


async def test_a_marker_without_a_service_is_no_deploy(
    transport: httpx.AsyncBaseTransport,
) -> None:
    await mark(transport, NOON, "deploy")

    assert [] == list(
        await GrafanaDeploys("http://grafana", transport=transport).deploys(since=NOON, until=NOON)
    )


async def test_a_token_is_sent_and_never_shown() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        assert "Bearer s3cret" == request.headers["authorization"]
        return httpx.Response(401, json={"message": "Unauthorized"})

    deploys = GrafanaDeploys(
        "http://grafana", token="s3cret", transport=httpx.MockTransport(refuse)
    )

    with pytest.raises(PermanentDriverError, match=r"401 .*Unauthorized") as caught:
        await deploys.deploys(since=NOON, until=NOON)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("answer", [{"message": "x"}, [{"tags": ["deploy", "a"]}], [7], "x"])
async def test_an_answer_that_is_not_annotations_is_a_permanent_error(answer: Any) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))

    with pytest.raises(PermanentDriverError, match="not annotations"):
        await GrafanaDeploys("http://grafana", transport=transport).deploys(since=NOON, until=NOON)


async def test_a_real_grafana_answers_in_this_shape() -> None:
    url = GIVEN.grafana_url
    if not url:
        pytest.skip("set GAMEDAY_TEST_GRAFANA_URL to a Grafana to read its deploy markers")

    deploys = GrafanaDeploys(url, token=GIVEN.grafana_token)

    await deploys.deploys(since=datetime.now(UTC) - timedelta(days=1), until=datetime.now(UTC))
