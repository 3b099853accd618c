"""What is gone is believed from the very server the fault was put into, and from nobody else."""

from __future__ import annotations

import asyncio
import errno
import json
import random
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.chaostoolkit.toxics import ToxicServer
from gameday.drivers.sandbox import SandboxMitigations, SandboxTarget
from gameday.errors import DriverError, PermanentDriverError, TemporaryDriverError
from gameday.ports import Undo
from gameday.process import ProcessId
from gameday.testing.proxy import running_proxy

URL = "http://proxy.example:8474"
NAME = "gd-r-1"


class Memory:
    """A Toxiproxy in memory, behind a channel that breaks at one request and stays broken."""

    def __init__(self, upstream: str = "db:5432") -> None:
        self.toxics: set[str] = set()
        self.upstream = upstream
        self.asked = 0
        self.breaks_at: int | None = None
        self.broken: Callable[[httpx.Request], httpx.Response] = refused

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.breaks_at is not None and self.asked >= self.breaks_at:
            return self.broken(request)
        return self.serve(request)

    def serve(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            name = request.url.path.rpartition("/")[2]
            if name not in self.toxics:
                return httpx.Response(404, json={"error": "toxic not found"})
            self.toxics.discard(name)
            return httpx.Response(204)
        toxics = [{"name": n, "toxicity": 1.0} for n in sorted(self.toxics)]
        proxy = {"name": "db", "enabled": True, "upstream": self.upstream, "toxics": toxics}
        return httpx.Response(200, json={"db": proxy})

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)


def refused(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def reset(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("reset")


def timeout(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow")


def no_descriptors(_: httpx.Request) -> httpx.Response:
    raise OSError(errno.EMFILE, "too many open files")


def no_memory(_: httpx.Request) -> httpx.Response:
    raise MemoryError


def half_an_answer(_: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def half_a_document(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text='{"db": {"name": "db"')


def a_login_page(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text="<html>sign in</html>")


def an_empty_server(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={})


def another_server(request: httpx.Request) -> httpx.Response:
    return Memory("staging-db:5432").serve(request)


def something_else(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"status": "success", "data": []})


def not_found(_: httpx.Request) -> httpx.Response:
    return httpx.Response(404, text="404 page not found")


BREAKS = (
    *(refused, reset, timeout, no_descriptors, no_memory, half_an_answer, half_a_document),
    *(a_login_page, an_empty_server, another_server, something_else, not_found),
)


async def takes_back(server: ToxicServer) -> bool:
    """Take the fault back as a recovery does; return whether it is believed to be gone."""
    for _ in range(3):
        with suppress(DriverError, MemoryError):
            await server.remove(NAME)
            if not await server.proxies_with(NAME):
                return True
    return False


async def believed_wrongly(seeds: range) -> list[tuple[int, str]]:
    """Play one fault a seed, whose channel breaks somewhere; return where a proof was false."""
    wrong = []
    for seed in seeds:
        rng = random.Random(seed)
        memory = Memory()
        memory.broken = rng.choice(BREAKS)
        pin = await ToxicServer(URL, transport=memory.transport).pin()
        memory.toxics.add(NAME)
        memory.breaks_at = memory.asked + rng.randint(1, 6)
        server = ToxicServer.of(URL, json.loads(json.dumps(pin)), transport=memory.transport)
        if await takes_back(server) and memory.toxics:
            wrong.append((seed, memory.broken.__name__))
    return wrong


async def test_whatever_breaks_whenever_nothing_is_falsely_proven_gone() -> None:
    assert [] == await believed_wrongly(range(200))


@pytest.mark.long
async def test_whatever_breaks_whenever_nothing_is_falsely_proven_gone_5000_times() -> None:
    assert [] == await believed_wrongly(range(5000))


@pytest.mark.parametrize("broken", BREAKS, ids=lambda b: b.__name__)
async def test_no_error_is_an_answer(broken: Callable[[httpx.Request], httpx.Response]) -> None:
    memory = Memory()
    memory.toxics.add(NAME)
    server = ToxicServer.of(
        URL, await ToxicServer(URL, transport=memory.transport).pin(), transport=memory.transport
    )
    memory.breaks_at, memory.broken = 0, broken

    with pytest.raises((DriverError, MemoryError)):
        await server.proxies_with(NAME)
    with pytest.raises((DriverError, MemoryError)):
        await server.remove(NAME)
    with pytest.raises((DriverError, MemoryError)):
        await server.marked("gd-")


async def test_another_server_at_the_address_is_named_as_one() -> None:
    memory = Memory()
    pin = await ToxicServer(URL, transport=memory.transport).pin()
    memory.upstream = "staging-db:5432"

    with pytest.raises(TemporaryDriverError, match=r"another Toxiproxy answers.*'db' to db:5432"):
        await ToxicServer.of(URL, pin, transport=memory.transport).proxies_with(NAME)


async def test_with_its_process_a_server_of_ours_is_gone_and_its_toxics_with_it() -> None:
    own = ProcessId.own().to_json()
    ended = {"upstreams": {}, "process": own | {"born": "before"}}
    runs = {"upstreams": {}, "process": own}

    assert [] == await ToxicServer.of("http://127.0.0.1:9", ended).proxies_with(NAME)
    with pytest.raises(TemporaryDriverError):
        await ToxicServer.of("http://127.0.0.1:9", runs).proxies_with(NAME)


class Address:
    control_url = "http://127.0.0.1:9"
    time_scale = 60.0

    def __init__(self, process: ProcessId | None) -> None:
        self.process = process


async def test_a_sandbox_is_gone_when_its_process_is_and_not_when_nobody_answers() -> None:
    own = ProcessId.own()
    undos = [
        SandboxTarget(Address(process)).undo_of_mitigation("r", "failover-db", {})
        for process in (None, own, ProcessId(own.pid, "before"))
    ]

    for unknown in undos[:2]:
        with pytest.raises(TemporaryDriverError):
            await SandboxMitigations().is_present(unknown)
    assert not await SandboxMitigations().is_present(undos[2])


# --- on real sockets -----------------------------------------------------------------------------


class Tunnel:
    """A port of this machine behind which another one answers, until it is closed."""

    def __init__(self, port: int) -> None:
        self.to = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with suppress(OSError):
                await writer.wait_closed()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        self._writers += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
    sink.close()


TEN_TIMES = [0, 5, *(pytest.param(n, marks=pytest.mark.row) for n in (1, 2, 3, 4, 6, 7, 8, 9))]
"""The first and one in the middle each time, all of them with the rows."""


@asynccontextmanager
async def tunnelled(url: str) -> AsyncIterator[tuple[Tunnel, str]]:
    tunnel = Tunnel(urlsplit(url).port or 0)
    await tunnel.open()
    try:
        yield tunnel, f"http://127.0.0.1:{tunnel.port}"
    finally:
        with suppress(OSError):
            await tunnel.close()


async def a_fault(url: str, folder: Path) -> Undo:
    """Put a toxic in, and return the pinned undo of its fault."""
    driver = ChaosToolkit(toxiproxy_url=url)
    file = folder / "slow.yaml"
    file.write_text(SLOW, encoding="utf-8")
    zero = timedelta(0)
    fault = driver.prepare(
        "slow", path=str(file), configuration={}, at=zero, duration=zero, run="r", number=1
    )
    undo = await driver.pinned(fault.undo)
    toxic = {"name": undo.id, "type": "latency", "attributes": {"latency": 1}}
    async with httpx.AsyncClient(trust_env=False) as http:
        (await http.post(f"{url}/proxies/db/toxics", json=toxic)).raise_for_status()
    return undo


SLOW = """\
title: slow
description: slow
configuration:
  toxiproxy_url: {type: env, key: TOXIPROXY_URL}
  toxic_name: {type: env, key: TOXIC_NAME}
method:
  - type: action
    name: slow
    provider:
      type: python
      module: gameday.chaos.downstream
      func: slow_downstream
      arguments:
        service: inventory
        downstream: db
        toxiproxy_url: "${toxiproxy_url}"
        toxic_name: "${toxic_name}"
"""


async def there(url: str, name: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        return name in (await http.get(f"{url}/proxies")).text


@pytest.mark.served
@pytest.mark.parametrize("moment", TEN_TIMES)
async def test_a_tunnel_that_is_closed_proves_nothing(moment: int, tmp_path: Path) -> None:
    with running_proxy(["db"]) as url:
        async with tunnelled(url) as (tunnel, through):
            undo = await a_fault(through, tmp_path)
            driver = ChaosToolkit()
            closing = asyncio.create_task(_closes(tunnel, after_ms=moment))

            believed = await _gone(driver, undo)

            await closing
            assert not (believed and await there(url, undo.id))


async def _closes(tunnel: Tunnel, *, after_ms: int) -> None:
    await asyncio.sleep(after_ms / 1000)
    await tunnel.close()


async def _gone(driver: ChaosToolkit, undo: Undo) -> bool:
    with suppress(DriverError):
        await driver.recover(undo)
        return not await driver.is_present(undo)
    return False


@pytest.mark.served
@pytest.mark.parametrize("attempt", TEN_TIMES)
async def test_a_server_that_is_stopped_proves_nothing(attempt: int, tmp_path: Path) -> None:
    with running_proxy(["db"]) as url:
        undo = await a_fault(url, tmp_path)

    assert not await _gone(ChaosToolkit(), undo)


@pytest.mark.served
@pytest.mark.parametrize("attempt", TEN_TIMES)
async def test_a_server_that_was_replaced_proves_nothing(attempt: int, tmp_path: Path) -> None:
    others = [["db"], [], ["other"], ["db", "other"]][attempt % 4]
    with running_proxy(["db"]) as url, running_proxy(others, upstream="127.0.0.1:10") as another:
        async with tunnelled(url) as (tunnel, through):
            undo = await a_fault(through, tmp_path)
            tunnel.to = urlsplit(another).port or 0

            believed = await _gone(ChaosToolkit(), undo)

        assert await there(url, undo.id)
        assert not believed


EXHAUSTED = """
import asyncio, json, os, resource, sys
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.errors import DriverError
from gameday.ports import Undo
import gameday.http.tool

undo = Undo(**json.loads(sys.stdin.read()))

async def gone():
    driver = ChaosToolkit()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while len(held) < 64 - int(sys.argv[1]):
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    try:
        await driver.recover(undo)
        return not await driver.is_present(undo)
    except (DriverError, OSError):
        return False

print(asyncio.run(gone()))
"""


@pytest.mark.served
@pytest.mark.parametrize("spare", TEN_TIMES)
async def test_without_descriptors_nothing_is_proven(spare: int, tmp_path: Path) -> None:
    assert resource.RLIMIT_NOFILE
    with running_proxy(["db"]) as url:
        undo = await a_fault(url, tmp_path)
        said: dict[str, Any] = {
            "id": undo.id,
            "kind": undo.kind,
            "run": undo.run,
            "description": undo.description,
            "command": undo.command,
            "data": dict(undo.data),
        }
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", EXHAUSTED, str(spare)],
            input=json.dumps(said),
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert done.stdout.strip() in ("True", "False"), done.stderr
        assert not ("True" == done.stdout.strip() and await there(url, undo.id))


async def test_what_a_server_refuses_to_pin_is_not_put_in() -> None:
    with pytest.raises(PermanentDriverError, match="not answer as Toxiproxy does"):
        memory = Memory()
        memory.breaks_at, memory.broken = 0, something_else
        await ToxicServer(URL, transport=memory.transport).pin()
