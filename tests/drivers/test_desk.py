"""The incident's desk over HTTP, with a desk that answers from memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest

from gameday.drivers.desk import HttpDesk, Mistaken, NotAsItStands, open_incidents
from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.model.page import Finding, Links, Page, Step
from gameday.model.signals import Deploy

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAGE = Page(
    incident="http://desk/api/incidents/1",
    service="storefront",
    slo="checkout-latency",
    alert="CheckoutLatencyBudgetBurn",
    fired_at=NOW,
    burn_from=NOW,
    burn_until=NOW,
    links=Links(
        red="http://desk/go/l/red",
        traces="http://desk/go/l/traces",
        profile="http://desk/go/l/profile",
        runbook="http://desk/go/l/runbook",
    ),
)


class Server:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str, object]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.seen.append((request.method, request.url.path, body))
        match request.url.path:
            case "/go/l/red":
                return httpx.Response(302, headers={"location": "http://prometheus:9090/graph?x=1"})
            case "/go/l/runbook":
                return httpx.Response(302, headers={"location": "/runbooks/a.md"})
            case "/runbooks/a.md":
                return httpx.Response(200, text="# Meaning")
            case "/api/incidents/1/deploys":
                return httpx.Response(
                    200,
                    json={
                        "deploys": [
                            {
                                "service": "checkout",
                                "revision": "b",
                                "deployed_at": "2026-11-23T12:00:05Z",
                                "region": None,
                                "summary": "",
                            },
                            {
                                "service": "checkout",
                                "revision": "a",
                                "deployed_at": "2026-11-23T11:00:00+00:00",
                            },
                        ]
                    },
                )
            case "/api/incidents/1/mitigation":
                assert isinstance(body, dict)
                if body["name"] == "unknown":
                    return httpx.Response(409, json={"error": "there is no mitigation 'unknown'"})
                done = {"ok": True, "detail": "standby serves eu-west"}
                return httpx.Response(200, json={"kind": "mitigation.applied", "data": done})
            case "/api/incidents/1/ack" | "/api/incidents/1/finding":
                return httpx.Response(200, json={"ok": True})
            case "/api/incidents/1/step":
                return httpx.Response(503, text="")
        return httpx.Response(404)


def desk(server: Server) -> HttpDesk:
    return HttpDesk(PAGE.incident, token="secret", transport=httpx.MockTransport(server))


async def test_a_responder_acknowledges_and_reports() -> None:
    server = Server()

    await desk(server).acknowledge()
    await desk(server).report(Finding(step=Step.RED, summary="errors", found_at=NOW))

    assert ("POST", "/api/incidents/1/ack", {}) == server.seen[0]
    method, path, body = server.seen[1]
    assert ("POST", "/api/incidents/1/finding") == (method, path)
    assert Finding.model_validate(body) == Finding(step=Step.RED, summary="errors", found_at=NOW)


async def test_only_the_incidents_own_server_is_told_who_opens_a_link() -> None:
    told: list[tuple[str, str | None]] = []

    def server(request: httpx.Request) -> httpx.Response:
        told.append((request.url.host, request.headers.get("authorization")))
        if request.url.path.startswith("/go/"):
            return httpx.Response(302, headers={"location": "http://elsewhere/runbook.md"})
        return httpx.Response(200, text="# Meaning")

    desk = HttpDesk(PAGE.incident, token="secret", transport=httpx.MockTransport(server))
    await desk.read(PAGE.links.runbook)
    await desk.follow("http://desk.example/go/l/red")

    assert [("desk", "Bearer secret"), ("elsewhere", None), ("desk.example", None)] == told


async def test_following_a_link_tells_where_it_leads_without_going_there() -> None:
    server = Server()

    assert "http://prometheus:9090/graph?x=1" == await desk(server).follow(PAGE.links.red)
    assert ["/go/l/red"] == [path for _, path, _ in server.seen]


async def test_reading_a_link_goes_all_the_way() -> None:
    assert "# Meaning" == await desk(Server()).read(PAGE.links.runbook)


async def test_deploys_come_oldest_first() -> None:
    deploys = await desk(Server()).deploys()

    assert ["a", "b"] == [d.revision for d in deploys]
    assert Deploy("checkout", "b", datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)) == deploys[1]


async def test_a_mitigation_says_what_was_done_or_why_not() -> None:
    assert "standby serves eu-west" == await desk(Server()).mitigate("failover-db", {})
    with pytest.raises(PermanentDriverError, match="there is no mitigation 'unknown'"):
        await desk(Server()).mitigate("unknown", {})


async def test_an_overloaded_desk_may_be_asked_again_and_its_url_stays_secret() -> None:
    with pytest.raises(TemporaryDriverError) as caught:
        await desk(Server()).tick("read-red", done=True)

    assert "secret" not in str(caught.value)


async def test_a_desk_that_is_gone_is_said_in_a_sentence() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(TemporaryDriverError, match="does not answer") as caught:
        await HttpDesk(
            PAGE.incident, token="secret", transport=httpx.MockTransport(gone)
        ).acknowledge()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Mistaken), (404, Mistaken), (409, NotAsItStands), (503, TemporaryDriverError)],
)
async def test_what_the_server_says_no_with_is_told_apart(
    status: int, error: type[DriverError]
) -> None:
    def refusing(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"error": "it is closed already"})

    desk = HttpDesk(PAGE.incident, token="secret", transport=httpx.MockTransport(refusing))

    with pytest.raises(error, match="it is closed already"):
        await desk.say("resolve", {"text": ""})


async def test_the_open_incidents_of_one_run_are_found() -> None:
    rows = [{"id": "a", "drill": "r1"}, {"id": "b/c", "drill": "r2"}, {"id": "d", "drill": None}]

    def listing(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret"
        return httpx.Response(200, json={"incidents": rows})

    found = [
        await open_incidents(
            "http://desk", token="secret", run=run, transport=httpx.MockTransport(listing)
        )
        for run in ("r2", None)
    ]

    assert ["http://desk/api/incidents/b%2Fc"] == found[0]
    assert 3 == len(found[1])
