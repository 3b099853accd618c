"""Which addresses on the web lead nowhere, and which cannot be told."""

from __future__ import annotations

import socket
from collections import Counter

import httpx

from gameday.drivers.web_links import WebLink, WebLinks

NAMELESS = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


class Web(httpx.AsyncBaseTransport):
    """A web that answers by path, and counts who asked how."""

    def __init__(self, *, has_names: bool = True) -> None:
        self.asked: Counter[str] = Counter()
        self._has_names = has_names

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked[request.method] += 1
        if request.url.host == "gone.example" or not self._has_names:
            raise httpx.ConnectError("no address") from NAMELESS
        match request.url.path:
            case "/silent":
                raise httpx.ConnectTimeout("nothing")
            case "/moved":
                return httpx.Response(301, headers={"location": "/here"})
            case "/round":
                return httpx.Response(302, headers={"location": "/round"})
            case "/no-head":
                return httpx.Response(404 if request.method == "HEAD" else 200)
            case path:
                status = path.removeprefix("/")
                return httpx.Response(int(status) if status.isdigit() else 200)


async def visit(*addresses: str, has_names: bool = True) -> dict[str, WebLink]:
    return await WebLinks(transport=Web(has_names=has_names)).visit(addresses)


async def test_what_is_there_moved_or_refuses_head_is_not_dead() -> None:
    found = await visit(
        "https://e.example/here", "https://e.example/moved", "https://e.example/no-head"
    )

    assert {WebLink()} == set(found.values())


async def test_what_the_server_says_is_gone_is_dead() -> None:
    found = await visit("https://e.example/404", "https://e.example/410")

    assert ["it answers 404", "it answers 410"] == [link.dead for link in found.values()]


async def test_what_is_closed_overloaded_or_silent_cannot_be_told() -> None:
    found = await visit(
        "https://e.example/403",
        "https://e.example/503",
        "https://e.example/silent",
        "https://e.example/round",
    )

    assert {""} == {link.dead for link in found.values()}
    assert [
        "it answers 403",
        "it answers 503",
        "it does",
        "it is redirected more than 5 times",
    ] == [link.unknown[:7] if n == 2 else link.unknown for n, link in enumerate(found.values())]


async def test_a_host_that_does_not_exist_is_dead_while_others_are_found() -> None:
    found = await visit("https://gone.example/x", "https://e.example/here")

    assert "there is no host of that name" == found["https://gone.example/x"].dead


async def test_where_no_host_is_found_nothing_is_called_dead() -> None:
    found = await visit("https://gone.example/x", "https://e.example/here", has_names=False)

    assert {""} == {link.dead for link in found.values()}
    assert all("no address is known" in link.unknown for link in found.values())
