"""The TCP proxy on real sockets, in this process. Timings are compared with each other only."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gameday.sandbox.proxy.connection import Side
from gameday.sandbox.proxy.proxy import Proxy
from gameday.sandbox.proxy.registry import Registry
from gameday.sandbox.proxy.toxic import ApiError, Stream

pytestmark = pytest.mark.served

Conversation = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Upstream:
    """A server that echoes, and keeps what it heard and how connections ended."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.ends: list[str] = []
        self.open = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends.append("eof")
        except ConnectionError:
            self.ends.append("reset")
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Upstream, str]]:
    server = Upstream()
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    yield server, f"127.0.0.1:{port}"
    listener.close()


@pytest.fixture
async def proxy(upstream: tuple[Upstream, str]) -> AsyncIterator[Proxy]:
    registry = Registry(seed=7)
    yield await registry.create({"name": "db", "listen": "127.0.0.1:0", "upstream": upstream[1]})
    await registry.close()


@contextlib.asynccontextmanager
async def talk(proxy: Proxy) -> AsyncIterator[Conversation]:
    host, port = proxy.listen.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(conversation: Conversation, data: bytes = b"ping") -> float:
    """Send bytes, await their echo, return the seconds it took."""
    reader, writer = conversation
    start = time.monotonic()
    writer.write(data)
    assert data == await reader.readexactly(len(data))
    return time.monotonic() - start


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def toxic(kind: str, *, stream: str = "downstream", **attributes: int) -> dict[str, Any]:
    return {"name": "t", "type": kind, "stream": stream, "attributes": attributes}


async def test_without_a_toxic_bytes_pass_unchanged_both_ways(
    proxy: Proxy, upstream: tuple[Upstream, str]
) -> None:
    data = bytes(range(256)) * 4096

    async with talk(proxy) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        echoed = await reader.read(-1)

    assert data == echoed
    assert data == bytes(upstream[0].heard)


async def test_the_end_of_one_direction_leaves_the_other_open(proxy: Proxy) -> None:
    async with talk(proxy) as (reader, writer):
        proxy.add_toxic(toxic("latency", latency=50))
        writer.write(b"last words")
        writer.write_eof()

        assert b"last words" == await reader.read(-1)


async def test_latency_acts_at_once_on_an_open_connection(proxy: Proxy) -> None:
    async with talk(proxy) as conversation:
        await ask(conversation)
        proxy.add_toxic(toxic("latency", latency=100))

        assert await ask(conversation) >= 0.1


async def test_latency_delays_chunks_side_by_side(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=150))

    async with talk(proxy) as (reader, writer):
        start = time.monotonic()
        for _ in range(10):
            writer.write(b"chunk")
            await asyncio.sleep(0.01)
        assert b"chunk" * 10 == await reader.readexactly(50)
        taken = time.monotonic() - start

    assert 0.15 <= taken < 10 * 0.15


async def test_removing_latency_delivers_what_it_held_at_once_and_in_order(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=60_000))
    async with talk(proxy) as (reader, writer):
        writer.write(b"one")
        await until(lambda: proxy.bytes["received", "downstream"] == 3)
        writer.write(b"two")
        await until(lambda: proxy.bytes["received", "downstream"] == 6)

        proxy.remove_toxic("t")
        writer.write(b"six")

        async with asyncio.timeout(5):
            assert b"onetwosix" == await reader.readexactly(9)


async def test_lowering_latency_shortens_the_wait_of_what_is_under_way(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=60_000))
    async with talk(proxy) as (reader, writer):
        writer.write(b"one")
        await until(lambda: proxy.bytes["received", "downstream"] == 3)

        proxy.update_toxic("t", {"attributes": {"latency": 10}})

        async with asyncio.timeout(5):
            assert b"one" == await reader.readexactly(3)


async def test_jitter_never_reorders(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=20, jitter=20))
    data = b"".join(b"%04d" % n for n in range(100))

    async with talk(proxy) as (reader, writer):
        for start in range(0, len(data), 4):
            writer.write(data[start : start + 4])
            await asyncio.sleep(0)

        assert data == await reader.readexactly(len(data))


async def test_bytes_held_by_latency_reach_the_upstream_after_the_client_left(
    proxy: Proxy, upstream: tuple[Upstream, str]
) -> None:
    proxy.add_toxic(toxic("latency", stream="upstream", latency=50))
    async with talk(proxy) as (_, writer):
        writer.write(b"goodbye")
        writer.close()

        await until(lambda: bytes(upstream[0].heard) == b"goodbye")
        await until(lambda: upstream[0].open == 0)


async def test_bandwidth_takes_the_time_the_rate_says(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("bandwidth", rate=100))

    async with talk(proxy) as conversation:
        assert await ask(conversation, b"x" * 20_000) >= 0.2


async def test_removing_a_narrow_bandwidth_frees_the_rest_at_once(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("bandwidth", rate=1))
    async with talk(proxy) as (reader, writer):
        writer.write(b"x" * 500_000)
        await until(lambda: proxy.bytes["received", "downstream"] > 0)

        proxy.remove_toxic("t")

        async with asyncio.timeout(5):
            assert 500_000 == len(await reader.readexactly(500_000))


async def test_a_narrow_bandwidth_makes_the_sender_wait(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("bandwidth", stream="upstream", rate=1))
    async with talk(proxy) as (_, writer):
        writer.write(b"x" * 20_000_000)
        await until(lambda: proxy.bytes["received", "upstream"] > 64 * 1024)
        await asyncio.sleep(0.05)

        assert proxy.bytes["received", "upstream"] < 10_000_000
        assert writer.transport.get_write_buffer_size() > 0


async def test_a_timeout_of_zero_holds_until_it_is_removed_and_then_ends_the_connection(
    proxy: Proxy, upstream: tuple[Upstream, str]
) -> None:
    proxy.add_toxic(toxic("timeout", timeout=0))
    async with talk(proxy) as (reader, writer):
        writer.write(b"hello?")
        await until(lambda: bytes(upstream[0].heard) == b"hello?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)

        proxy.remove_toxic("t")

        assert b"" == await reader.read(1)


async def test_a_timeout_ends_an_open_connection_by_itself(proxy: Proxy) -> None:
    async with talk(proxy) as conversation:
        await ask(conversation)
        start = time.monotonic()
        proxy.add_toxic(toxic("timeout", timeout=60))

        assert b"" == await conversation[0].read(1)
        assert time.monotonic() - start >= 0.06


async def test_reset_peer_resets_both_sides_when_bytes_come_by(proxy: Proxy) -> None:
    async with talk(proxy) as conversation:
        await ask(conversation)
        proxy.add_toxic(toxic("reset_peer", timeout=0))
        conversation[1].write(b"ping")

        with pytest.raises(ConnectionResetError):
            await conversation[0].read(1)


async def test_removing_a_pending_reset_gives_the_bytes_back(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("reset_peer", timeout=60_000))
    async with talk(proxy) as (reader, writer):
        writer.write(b"saved")
        await until(lambda: proxy.bytes["received", "downstream"] == 5)

        proxy.remove_toxic("t")

        async with asyncio.timeout(5):
            assert b"saved" == await reader.readexactly(5)


async def test_slow_close_delays_only_the_end(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("slow_close", delay=100))
    async with talk(proxy) as (reader, writer):
        start = time.monotonic()
        writer.write(b"x")
        writer.write_eof()
        assert b"x" == await reader.readexactly(1)
        heard = time.monotonic() - start
        assert b"" == await reader.read()

        ended = time.monotonic() - start

    assert ended >= 0.1
    assert ended > heard


async def test_removing_a_slow_close_closes_at_once(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("slow_close", delay=60_000))
    async with talk(proxy) as (reader, writer):
        writer.write(b"x")
        writer.write_eof()
        assert b"x" == await reader.readexactly(1)
        await asyncio.sleep(0.05)

        proxy.remove_toxic("t")

        async with asyncio.timeout(5):
            assert b"" == await reader.read()


async def test_limit_data_lets_so_many_bytes_through_and_closes(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("limit_data", bytes=10))
    async with talk(proxy) as (reader, writer):
        writer.write(b"0123456789and more")

        assert b"0123456789" == await reader.read(-1)


async def test_the_slicer_cuts_and_loses_nothing(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("slicer", average_size=10, size_variation=5, delay=2_000))
    data = bytes(range(200))
    pieces = []

    async with talk(proxy) as (reader, writer):
        writer.write(data)
        while sum(map(len, pieces)) < len(data):
            pieces.append(await reader.read(1000))

    assert data == b"".join(pieces)
    assert len(pieces) > 1


async def test_toxicity_zero_spares_and_one_hits_every_connection(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("timeout", timeout=1) | {"toxicity": 0})
    async with talk(proxy) as conversation:
        await ask(conversation)

        proxy.update_toxic("t", {"toxicity": 1})

        assert b"" == await conversation[0].read(1)


async def test_toxicity_is_drawn_once_per_connection_and_by_seed(
    upstream: tuple[Upstream, str],
) -> None:
    async def hits(seed: int) -> list[bool]:
        registry = Registry(seed=seed)
        proxy = await registry.create({"name": "db", "upstream": upstream[1]})
        proxy.add_toxic(toxic("limit_data", bytes=1) | {"toxicity": 0.5})
        found = []
        for _ in range(24):
            async with talk(proxy) as (reader, writer):
                writer.write(b"two")
                found.append(await reader.read(3) == b"t")
        await registry.close()
        return found

    first = await hits(3)

    assert first == await hits(3)
    assert {True, False} == set(first)


async def test_two_latencies_add_up(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=60) | {"name": "a"})
    proxy.add_toxic(toxic("latency", latency=60) | {"name": "b"})

    async with talk(proxy) as conversation:
        assert await ask(conversation) >= 0.12


async def test_a_toxic_with_a_ttl_removes_itself_and_delivers(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=60_000) | {"ttl": 80})
    async with talk(proxy) as conversation:
        assert await ask(conversation) >= 0.05

    assert [] == proxy.toxics()


async def test_a_ttl_can_be_extended_and_lifted(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=1) | {"ttl": 30})
    proxy.update_toxic("t", {"ttl": 60_000})
    await asyncio.sleep(0.06)

    assert 50_000 < proxy.to_json()["toxics"][0]["ttl"] <= 60_000

    proxy.update_toxic("t", {"ttl": None})

    assert "ttl" not in proxy.to_json()["toxics"][0]


async def test_a_later_toxic_of_the_same_name_outlives_the_first_ones_ttl(proxy: Proxy) -> None:
    proxy.add_toxic(toxic("latency", latency=1) | {"ttl": 30})
    proxy.remove_toxic("t")
    proxy.add_toxic(toxic("latency", latency=1))
    await asyncio.sleep(0.06)

    assert ["t"] == [t.name for t in proxy.toxics()]


async def test_a_disabled_proxy_ends_its_connections_and_comes_back_on_its_port(
    proxy: Proxy,
) -> None:
    listen = proxy.listen
    async with talk(proxy) as conversation:
        await ask(conversation)

        await proxy.update({"enabled": False})

        with contextlib.suppress(ConnectionResetError):
            assert b"" == await conversation[0].read(1)
    with pytest.raises(ConnectionRefusedError):
        async with talk(proxy):
            pass

    await proxy.update({"enabled": True})

    assert listen == proxy.listen
    async with talk(proxy) as conversation:
        await ask(conversation)


async def test_a_proxy_disabled_for_a_time_enables_itself(proxy: Proxy) -> None:
    await proxy.update({"enabled": False, "ttl": 30})
    assert not proxy.is_enabled

    await until(lambda: proxy.is_enabled)


async def test_enabling_early_leaves_no_later_surprise(proxy: Proxy) -> None:
    await proxy.update({"enabled": False, "ttl": 30})
    await proxy.update({"enabled": True})
    await proxy.update({"enabled": False})
    await asyncio.sleep(0.06)

    assert not proxy.is_enabled


async def test_a_dead_upstream_ends_the_connection() -> None:
    registry = Registry()
    proxy = await registry.create({"name": "x", "upstream": "127.0.0.1:1"})

    async with talk(proxy) as (reader, _):
        assert b"" == await reader.read(1)

    await registry.close()


async def test_a_moved_upstream_serves_new_connections(upstream: tuple[Upstream, str]) -> None:
    registry = Registry()
    proxy = await registry.create({"name": "x", "upstream": "127.0.0.1:1"})

    await proxy.update({"upstream": upstream[1]})

    async with talk(proxy) as conversation:
        await ask(conversation)
    await registry.close()


async def test_many_connections_leave_nothing_behind(
    proxy: Proxy, upstream: tuple[Upstream, str]
) -> None:
    async def once() -> None:
        async with talk(proxy) as conversation:
            await ask(conversation)

    for _ in range(4):
        await asyncio.gather(*(once() for _ in range(10)))

    await until(lambda: not proxy._connections and upstream[0].open == 0)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"type": "latency", "stream": "sideways"}, 400, "stream was invalid"),
        ({"type": "rain"}, 400, "invalid toxic type"),
        ({}, 400, "invalid toxic type"),
        ([], 400, "bad request body"),
        ({"type": "latency", "attributes": {"latency": "1s"}}, 400, "attributes.latency"),
        ({"type": "latency", "attributes": {"latency": -1}}, 400, "attributes.latency"),
        ({"type": "latency", "attributes": {"latency": True}}, 400, "attributes.latency"),
        ({"type": "latency", "toxicity": 1.5}, 400, "toxicity"),
        ({"type": "latency", "ttl": "5m"}, 400, "ttl"),
    ],
)
async def test_a_wrong_toxic_is_refused(proxy: Proxy, body: Any, status: int, message: str) -> None:
    with pytest.raises(ApiError, match=message) as refusal:
        proxy.add_toxic(body)

    assert status == refusal.value.status
    assert [] == proxy.toxics()


async def test_bytes_that_come_before_the_upstream_is_there_are_kept() -> None:
    side = Side(Recording(), Stream.DOWNSTREAM)  # type: ignore[arg-type]  # only what it calls
    side.feed(b"hel")
    side.feed(b"lo")
    transport = Wire()

    side.connection_made(transport)  # type: ignore[arg-type]  # only what it calls

    assert transport.written == [b"hel", b"lo"]


class Recording:
    """A connection that takes note of nothing."""

    def made(self, side: Side) -> None:
        """Take no note."""

    def sent(self, reads: Stream, amount: int) -> None:
        """Take no note."""


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written.append(data)
