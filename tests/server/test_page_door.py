"""The address that a system's Alertmanager sends its pages to while a drill goes on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gameday.errors import TemporaryDriverError, UsageError
from gameday.server.page_door import PageDoor, page_app
from gameday.settings import HookSettings

TOKEN = "the token of the settings"
HOOK = "/hooks/alertmanager"
PAYLOAD = {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "Ours"}}]}


class Taker:
    """Whoever takes pages, and those that came without the token."""

    def __init__(self) -> None:
        self.taken: list[Mapping[str, Any]] = []
        self.denied = 0
        self.is_ready = True

    async def take(self, said: Mapping[str, Any]) -> None:
        if not self.is_ready:
            raise TemporaryDriverError("no drill awaits pages yet: send it again")
        self.taken.append(said)

    def deny(self) -> None:
        self.denied += 1

    async def send(
        self, body: Any, *, path: str = HOOK, authorization: str = f"Bearer {TOKEN}"
    ) -> httpx.Response:
        app = page_app(self.take, SecretStr(TOKEN), denied=self.deny)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as http:
            return await http.post(path, json=body, headers={"Authorization": authorization})


async def test_what_is_sent_with_the_token_is_taken() -> None:
    taker = Taker()

    said = await taker.send(PAYLOAD)

    assert (200, [PAYLOAD], 0) == (said.status_code, taker.taken, taker.denied)


@pytest.mark.parametrize("shown", ["", "Bearer another", f"Basic {TOKEN}", "Bearer "])
async def test_what_is_sent_without_the_token_is_denied_and_says_how_to_show_it(shown: str) -> None:
    taker = Taker()

    said = await taker.send(PAYLOAD, authorization=shown)

    assert (401, [], 1) == (said.status_code, taker.taken, taker.denied)
    assert "`Authorization: Bearer …`" in said.json()["error"]
    assert TOKEN not in said.text


async def test_what_is_not_taken_yet_is_asked_for_again() -> None:
    taker = Taker()
    taker.is_ready = False

    said = await taker.send(PAYLOAD)

    assert (503, "1") == (said.status_code, said.headers["retry-after"])


@pytest.mark.parametrize("body", [{}, {"alerts": "none"}, {"alerts": [1]}])
async def test_what_is_no_webhook_is_told_so_and_not_asked_for_again(body: Any) -> None:
    taker = Taker()

    said = await taker.send(body)

    assert (400, []) == (said.status_code, taker.taken)


@pytest.mark.parametrize("path", ["/", "/console/", "/api/incidents", "/openapi.json", "/healthz"])
async def test_nothing_else_is_there(path: str) -> None:
    said = await Taker().send(PAYLOAD, path=path)

    assert 404 == said.status_code


def test_without_a_token_there_is_no_such_address() -> None:
    with pytest.raises(UsageError, match=r"set `\[hook\] token` \(GAMEDAY_HOOK_TOKEN\)"):
        PageDoor(HookSettings())


def test_an_address_that_is_taken_is_named_with_what_to_do() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        settings = HookSettings(listen=f"127.0.0.1:{port}", token=SecretStr(TOKEN))

        with pytest.raises(UsageError, match=rf"127.0.0.1:{port}: .*; set `\[hook\] listen`"):
            PageDoor(settings)


async def test_the_address_is_there_as_long_as_pages_are_taken() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    taker = Taker()
    door = PageDoor(HookSettings(listen=f"127.0.0.1:{port}", token=SecretStr(TOKEN)))
    url = f"http://127.0.0.1:{port}{HOOK}"
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async with door.taking(taker.take), httpx.AsyncClient(trust_env=False) as http:
        said = await http.post(url, json=PAYLOAD, headers=headers)

    assert (200, [PAYLOAD]) == (said.status_code, taker.taken)
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post(url, json=PAYLOAD, headers=headers)
