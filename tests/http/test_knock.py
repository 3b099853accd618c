"""Whether somebody is at an address, before anything is said to them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from datetime import timedelta

import pytest

from gameday.errors import TemporaryDriverError
from gameday.http.aside import aside
from gameday.http.knock import knock, named

SOON = timedelta(milliseconds=50)


def test_a_name_server_that_is_silent_is_named_and_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))

    async def asked() -> None:
        with pytest.raises(TemporaryDriverError, match="name server of this machine does not say"):
            await named("http://books.example", within=SOON)

    began = time.monotonic()
    try:
        asyncio.run(asked())
        lasted = time.monotonic() - began
    finally:
        over.set()

    assert lasted < 30


async def test_a_host_that_nobody_knows_is_told_with_its_name() -> None:
    with pytest.raises(TemporaryDriverError, match=r"no address is known for books\.invalid"):
        await named("http://books.invalid")


async def test_a_knock_is_answered_where_somebody_listens_and_nowhere_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/shed?on=1"
        await knock(url)

    with pytest.raises(TemporaryDriverError, match="nobody takes a connection at http://127"):
        await knock(url)


async def test_behind_a_proxy_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "")

    await knock("http://books.invalid")


async def test_what_is_done_aside_raises_what_it_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 / 0)

    assert 4 == await aside(lambda: 2 + 2)
