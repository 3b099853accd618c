"""What a server bears from whoever can reach its port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from gameday.server.bounds import HEAD_BYTES, Arriving, bounded
from gameday.server.listening import free_port

pytestmark = pytest.mark.served

WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with how many bytes the body had."""
    count, more = 0, True
    while more:
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(count).encode()})


@asynccontextmanager
async def serving(arriving: Arriving) -> AsyncIterator[int]:
    listener = free_port()
    config = uvicorn.Config(
        app, http=bounded(arriving), lifespan="off", log_level="warning", log_config=None
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def sent(port: int, *pieces: bytes, pause: float = 0.01) -> bytes:
    """Send these pieces, and return all that is answered until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET / HTTP/1.1\r\nx: ", *[b"a" * 16_384] * 12],
        [b"GET / HTTP/1.1\r\n", *[b"x: " + b"a" * 1000 + b"\r\n"] * 80],
        [b"GET /", *[b"a" * 16_384] * 12],
        [b"GET / HTTP/1.1\r\n" + (b"x: " + b"a" * 1000 + b"\r\n") * 80 + b"\r\n"],
    ],
    ids=["one header", "many headers", "the path", "at once"],
)
async def test_a_head_that_is_too_large_is_refused_before_it_has_ended(pieces: list[bytes]) -> None:
    async with serving(Arriving()) as port:
        answer = await sent(port, *pieces, pause=0)

        assert answer.startswith(b"HTTP/1.1 431 ") or answer == b"reset"
        assert b" 200 " in await sent(port, WHOLE)


async def test_what_follows_a_refused_head_in_the_same_piece_breaks_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    head = b"POST / HTTP/1.1\r\ncontent-length: 4\r\n" + (b"x: " + b"a" * 1000 + b"\r\n") * 80
    async with serving(Arriving()) as port:
        answer = await sent(port, head + b"\r\nbody" + WHOLE)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert 1 == answer.count(b"HTTP/1.1 ")
    assert [] == [record.message for record in caplog.records if record.levelname != "DEBUG"]


async def test_a_head_within_the_bound_and_a_large_body_are_taken() -> None:
    async with serving(Arriving()) as port, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"http://127.0.0.1:{port}/",
            headers={"x": "a" * (HEAD_BYTES - 2000)},
            content=b"b" * 3_000_000,
        )

    assert (200, "3000000") == (answer.status_code, answer.text)


@pytest.mark.parametrize(
    "half",
    [b"", b"GET / HTTP/1.1\r\nhost:", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_that_does_not_arrive_ends_its_connection(half: bytes) -> None:
    arriving = Arriving(within=0.2)
    async with serving(arriving) as port:
        answer = await asyncio.wait_for(sent(port, half), 10)

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert 0 == len(arriving)


async def test_one_byte_now_and_then_does_not_keep_a_connection() -> None:
    async with serving(Arriving(within=0.3)) as port:
        answer = await asyncio.wait_for(sent(port, *[b"G"] * 8, pause=0.1), 10)

        assert b" 200 " not in answer


async def test_those_that_wait_longest_go_for_one_who_has_something_to_say() -> None:
    arriving = Arriving(most=5)
    async with serving(arriving) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        while len(arriving) < 5:
            await asyncio.sleep(0.01)

        answer = await asyncio.wait_for(sent(port, WHOLE), 10)

        assert b" 200 " in answer
        assert len(arriving) <= 5
        for _, writer in idle:
            writer.close()


async def test_a_connection_that_is_kept_is_given_its_time_anew_for_each_request() -> None:
    arriving = Arriving(within=0.3)
    async with serving(arriving) as port, httpx.AsyncClient(trust_env=False) as http:
        for _ in range(4):
            answer = await http.get(f"http://127.0.0.1:{port}/")
            assert 200 == answer.status_code
            assert 0 == len(arriving)
            await asyncio.sleep(0.15)
