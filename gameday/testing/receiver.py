"""A receiver of messages on a real port of this machine, that misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Broken", "Receiver", "Reply", "Request", "receiving"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as HTTP wants it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Broken(Enum):
    """Ways to answer that are none."""

    RESET = "reset"  # the connection is reset after the request was read
    SILENT = "silent"  # nothing ever comes
    DRIPPING = "dripping"  # a body that comes byte by byte and never ends
    GARBAGE = "garbage"  # bytes that are not HTTP
    ENDLESS = "endless"  # a body as fast as it is read, without an end


class Receiver:
    """What a receiver has got, and how it is to answer.

    Attributes:
        url: base URL.
        requests: all that came, in order.
        script: the next answers, used up from the front; afterwards `otherwise`.
    """

    def __init__(self, url: str, otherwise: Reply) -> None:
        self.url = url
        self.otherwise = otherwise
        self.requests: list[Request] = []
        self.script: list[Reply | Broken] = []

    def then(self, *script: Reply | Broken) -> None:
        """Answer the next requests so."""
        self.script.extend(script)

    @property
    def bodies(self) -> Sequence[bytes]:
        """The bodies that came, in order."""
        return [request.body for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection with one answer."""
        try:
            self.requests.append(await _read(reader))
            reply = self.script.pop(0) if self.script else self.otherwise
            await _REPLIES[reply](reader, writer) if isinstance(reply, Broken) else _write(
                writer, reply
            )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(otherwise: Reply) -> AsyncIterator[Receiver]:
    """Listen on a free port of loopback until the context ends."""
    receiver = Receiver("", otherwise)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = {"content-length": str(len(reply.body)), "connection": "close", **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} whatever", *(f"{k}: {v}" for k, v in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)


async def _reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Lingering for no time makes closing a reset.
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _stay_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _garble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(range(256)) * 4)


async def _pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


_REPLIES = {
    Broken.RESET: _reset,
    Broken.SILENT: _stay_silent,
    Broken.DRIPPING: _drip,
    Broken.GARBAGE: _garble,
    Broken.ENDLESS: _pour,
}
