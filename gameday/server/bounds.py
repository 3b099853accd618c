"""What a server bears from whoever can reach its port, before anybody knows who it is.

Nothing here reads a request: it bounds how large the head of one may be, how long one may take to
arrive whole, and how many may be arriving at a time.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""Of request line and headers; a browser's are a hundredth of it."""

ARRIVES_WITHIN = 20.0
"""Seconds from a connection, or from the first byte of a further request, to its last byte."""

MOST_ARRIVING = 256
"""Connections whose request has not arrived; the one that has waited longest goes for a new one.

Whoever has something to say says it within milliseconds, so those that wait longest are idle."""


class Arriving:
    """The connections of one server whose request has not arrived whole.

    Args:
        most: how many of them may be there.
        within: seconds that each may take.
    """

    def __init__(self, *, most: int = MOST_ARRIVING, within: float = ARRIVES_WITHIN) -> None:
        self._most = most
        self._within = within
        self._waiting: dict[BoundedConnection, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, connection: BoundedConnection) -> None:
        """Give a connection its time, and its place; the longest waiting goes where it is full."""
        if connection in self._waiting:
            return
        later = connection.loop.call_later(self._within, connection.too_slow)
        self._waiting[connection] = later
        if len(self._waiting) > self._most:
            longest = next(iter(self._waiting))
            self.end(longest)
            longest.transport.abort()

    def end(self, connection: BoundedConnection) -> None:
        """Let a connection be: its request is here, or it has gone."""
        later = self._waiting.pop(connection, None)
        if later is not None:
            later.cancel()


class BoundedConnection(HttpToolsProtocol):
    """One connection of a server, bounded; its class is made by `bounded`."""

    arriving: Arriving
    _is_in_head = True
    _unparsed = 0
    """Bytes of a head that came in pieces; the parser keeps them until a header is whole."""
    _parsed = 0
    """Bytes of what the parser handed over."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.arriving.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.arriving.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; end a connection whose head grows beyond what is read."""
        self.arriving.begin(self)
        super().data_received(data)
        # What is in the parser has been handed to nobody yet: a header of any length.
        if self._is_in_head:
            self._unparsed += len(data)
            self._bound(self._unparsed)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_in_head, self._unparsed, self._parsed = True, 0, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the path in."""
        self._parsed += len(url)
        self._bound(self._parsed)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header in."""
        self._parsed += len(name) + len(value)
        self._bound(self._parsed)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head."""
        self._is_in_head = False
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body in; what was refused has none."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request: it has arrived."""
        self.arriving.end(self)
        if not self.transport.is_closing():
            super().on_message_complete()

    def too_slow(self) -> None:
        """End a connection whose request did not arrive in time."""
        self._refuse(408, "the request did not arrive in time")

    def _bound(self, head: int) -> None:
        if head > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"the head of the request is larger than {HEAD_BYTES} bytes")

    def _refuse(self, status: int, why: str) -> None:
        self.arriving.end(self)
        answered = self.cycle is not None and self.cycle.response_started
        if not answered:
            reason = {408: "Request Timeout", 431: "Request Header Fields Too Large"}[status]
            body = f'{{"error":"{why}"}}'
            self.transport.write(
                f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
            )
        # What else comes is not read, and whoever does not read the answer is not waited for.
        self.transport.pause_reading()
        self.transport.close()
        self.loop.call_later(1.0, self.transport.abort)


def bounded(arriving: Arriving | None = None) -> Any:
    """Return what uvicorn's ``http`` takes: connections that share one count of those arriving."""
    shared = Arriving() if arriving is None else arriving
    return cast(Any, type("Connection", (BoundedConnection,), {"arriving": shared}))
