"""What stands in front of a sandbox's APIs lets in."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gameday.http.keys import COOKIE, PUSHING, READING, derived
from gameday.http.proof import PATH, PROOF, hash_of, key_of
from gameday.sandbox.guard import TokenGuard

TOKEN = "t" * 32
HOME = "http://127.0.0.1:18000"
HOST = "127.0.0.1:18000"
READS = derived(TOKEN, READING)
PUSHES = derived(TOKEN, PUSHING)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def asked(
    method: str, path: str, headers: dict[str, str] | None = None, *, token: str = TOKEN
) -> httpx.Response:
    async def heard(request: Request) -> Response:
        return JSONResponse({"heard": request.method})

    app = Starlette(routes=[Route("/{path:path}", heard, methods=["GET", "POST", "PUT", "DELETE"])])
    guard: Any = TokenGuard(
        app, token=token, is_readable=True, reads=("/query",), pushes=("/v1/traces",)
    )

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=HOME) as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


def test_the_token_opens_everything() -> None:
    assert [200] * 3 == [
        asked(method, "/x", bearer(TOKEN)).status_code for method in ("GET", "POST", "DELETE")
    ]


@pytest.mark.parametrize("headers", [{}, bearer(""), bearer("guessed"), bearer(PUSHES)])
@pytest.mark.parametrize(("method", "path"), [("GET", "/x"), ("POST", "/x"), ("GET", "/healthz")])
def test_without_it_nothing_answers(headers: dict[str, str], method: str, path: str) -> None:
    assert 401 == asked(method, path, headers).status_code


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/x", 200), ("POST", "/query", 200), ("POST", "/x", 401), ("DELETE", "/query", 401)],
)
def test_the_token_that_reads_only_reads(method: str, path: str, status: int) -> None:
    assert status == asked(method, path, bearer(READS)).status_code


def test_the_token_that_hands_telemetry_in_does_nothing_else() -> None:
    assert (200, 401) == (
        asked("POST", "/v1/traces", bearer(PUSHES)).status_code,
        asked("POST", "/admin/forget", bearer(PUSHES)).status_code,
    )


def test_a_link_lets_a_browser_read_and_leaves_its_address() -> None:
    answer = asked("GET", f"/trace/1?a=b&key={READS}")

    assert (303, "/trace/1?a=b") == (answer.status_code, answer.headers["location"])
    assert f"{COOKIE}={READS}; Path=/; HttpOnly; SameSite=Lax" == answer.headers["set-cookie"]
    assert 200 == asked("GET", "/trace/1", {"cookie": f"{COOKIE}={READS}"}).status_code
    assert 401 == asked("POST", "/trace/1", {"cookie": f"{COOKIE}={READS}"}).status_code


def test_a_link_leads_to_no_other_site() -> None:
    answer = asked("GET", f"//evil.example/?key={READS}")

    assert not answer.headers.get("location", "/").startswith("//")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:18001"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
        {
            "sec-fetch-site": "same-site",
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "iframe",
        },
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_site_is_refused_even_with_the_token(
    headers: dict[str, str], method: str
) -> None:
    assert 403 == asked(method, "/x", bearer(TOKEN) | headers).status_code


def test_nothing_it_answers_may_be_framed_or_taken_in_by_another_site() -> None:
    for answer in (asked("GET", "/x", bearer(TOKEN)), asked("GET", "/x")):
        assert "SAMEORIGIN" == answer.headers["x-frame-options"]
        assert "same-origin" == answer.headers["cross-origin-resource-policy"]


def test_a_web_socket_is_closed_before_the_application_hears_of_it() -> None:
    sent: list[Any] = []

    async def app(*_: Any) -> None:
        raise AssertionError("it is not asked")

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(TokenGuard(app, token=TOKEN)({"type": "websocket"}, None, send))

    assert ["websocket.close"] == [message["type"] for message in sent]


def test_its_own_pages_and_a_link_from_elsewhere_are_served() -> None:
    own = {"origin": HOME, "sec-fetch-site": "same-origin"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}

    assert 200 == asked("POST", "/query", own | bearer(READS)).status_code
    assert 200 == asked("GET", "/x", link | bearer(READS)).status_code
    assert 403 == asked("POST", "/x", link | bearer(TOKEN)).status_code


@pytest.mark.parametrize("host", ["evil.example:18000", "127.0.0.1:1", "127.0.0.1", "", "a@b:1"])
def test_a_name_that_somebody_else_leads_here_is_refused(host: str) -> None:
    assert 421 == asked("GET", "/x", bearer(TOKEN) | {"host": host}).status_code


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "Multipart/Form-Data; boundary=x"]
)
def test_what_any_form_may_send_is_refused(kind: str) -> None:
    assert 415 == asked("POST", "/x", bearer(TOKEN) | {"content-type": kind}).status_code


def test_it_proves_who_it_is_to_who_knows_a_token() -> None:
    answer = asked("GET", f"{PATH}?key={key_of(hash_of(READS))}&nonce={'a' * 32}")

    assert 64 == len(answer.headers[PROOF])
    assert 404 == asked("GET", f"{PATH}?key={'0' * 16}&nonce={'a' * 32}").status_code


def test_without_a_token_of_its_own_it_asks_for_none() -> None:
    assert 200 == asked("POST", "/x", {"host": "proxy:8474"}, token="").status_code
