"""Two sockets and the two links between them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import cast

from gameday.sandbox.proxy.link import Link
from gameday.sandbox.proxy.stage import STAGES
from gameday.sandbox.proxy.toxic import Stream, Toxic


class Side(asyncio.Protocol):
    """One socket of a connection: reads into the link away from it, is the outlet of the other."""

    def __init__(self, connection: Connection, reads: Stream) -> None:
        self.connection = connection
        self.reads = reads
        self.transport: asyncio.Transport | None = None
        self.is_lost = False
        self.is_choked = False
        self._is_paused = False
        self._early: list[bytes] = []

    # From the socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.connection.made(self)
        early, self._early = self._early, []
        for data in early:
            self.feed(data)

    def data_received(self, data: bytes) -> None:
        self.connection.received(self.reads, data)

    def eof_received(self) -> bool:
        self.connection.links[self.reads].end()
        return True  # the other direction may still have much to say

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.connection.lost(self)

    def pause_writing(self) -> None:
        self.is_choked = True
        self.connection.settle()

    def resume_writing(self) -> None:
        self.is_choked = False
        self.connection.settle()

    # To the socket.

    def feed(self, data: bytes) -> None:
        """Send bytes; without effect once the socket is gone."""
        if self.transport is None:
            # Before Python 3.11.4 a socket that is paused as soon as it is made reads all the same.
            self._early.append(data)
        elif not self.transport.is_closing():
            self.connection.sent(self.reads, len(data))
            self.transport.write(data)

    def end(self) -> None:
        """Send the end of the stream."""
        self.connection.delivered(self)

    def pause(self, *, on: bool) -> None:
        """Read no further (``on``) or go on reading."""
        if self.transport is None or self.transport.is_closing() or on == self._is_paused:
            return
        self._is_paused = on
        if on:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def half_close(self) -> None:
        """Send FIN after what is buffered, and go on reading."""
        if self.transport is not None and not self.transport.is_closing():
            try:
                self.transport.write_eof()
            except OSError:  # the peer has reset the connection, which we are about to be told
                self.transport.close()

    def close(self) -> None:
        """Send what is buffered, then close."""
        if self.transport is not None:
            self.transport.close()

    def abort(self, *, reset: bool) -> None:
        """Close at once; with ``reset`` the peer gets RST instead of FIN."""
        if self.transport is None:
            return
        if reset and not self.is_lost:
            raw = self.transport.get_extra_info("socket")
            # A linger time of zero makes close() throw the connection away (RST).
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Connection:
    """A client, the upstream it is joined with, and what the toxics do in between.

    Fulfils `gameday.sandbox.proxy.stage.Host` for its stages.
    """

    def __init__(
        self,
        *,
        toxics: list[Toxic],
        upstream: tuple[str, int],
        rng: Random,
        opened: Callable[[Connection], None],
        gone: Callable[[Connection], None],
        count: Callable[[str, Stream, int], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng = rng
        self.client = Side(self, Stream.UPSTREAM)
        self.server = Side(self, Stream.DOWNSTREAM)
        self.links = {
            Stream.UPSTREAM: Link(self.server),
            Stream.DOWNSTREAM: Link(self.client),
        }
        self._upstream = upstream
        self._opened = opened
        self._gone = gone
        self._count = count
        self._draws: dict[str, float] = {}
        self._ended: set[Stream] = set()
        self._is_cut = False
        self._dial: asyncio.Task[None] | None = None
        for toxic in toxics:
            self.add(toxic)

    # Toxics.

    def add(self, toxic: Toxic) -> None:
        """Let a toxic work here, if this connection's draw says so."""
        self._draws[toxic.name] = self.rng.random()
        self._apply(toxic)
        self.settle()

    def update(self, toxic: Toxic) -> None:
        """Go on with the toxic's new attributes and toxicity."""
        self._apply(toxic)
        self.settle()

    def remove(self, toxic: Toxic) -> None:
        """Free this connection from a toxic; held bytes go on at once."""
        self._draws.pop(toxic.name, None)
        self.links[toxic.stream].remove(toxic.name)
        self.settle()

    def _apply(self, toxic: Toxic) -> None:
        link = self.links[toxic.stream]
        applies = self._draws.setdefault(toxic.name, self.rng.random()) < toxic.toxicity
        stage = link.stage(toxic.name)
        if stage is None and applies and not self._is_cut:
            link.insert(toxic.name, STAGES[toxic.type](toxic.attributes, self))
        elif stage is not None and applies:
            stage.retune(toxic.attributes)
        elif stage is not None:
            link.remove(toxic.name)

    # What the sides report.

    def made(self, side: Side) -> None:
        """Take note that a socket is open; the client's makes us dial the upstream."""
        if side is self.client:
            side.pause(on=True)
            self._opened(self)
            self._dial = self.loop.create_task(self._connect())
        elif self._is_cut or self.client.is_lost:
            side.abort(reset=False)

    async def _connect(self) -> None:
        try:
            await self.loop.create_connection(lambda: self.server, *self._upstream)
        except OSError:
            # Nobody there: the client sees an accepted connection that ends, as in Toxiproxy.
            self.cut(reset=False)
            return
        self.settle()

    def received(self, stream: Stream, data: bytes) -> None:
        """Take bytes from a socket into its link."""
        self._count("received", stream, len(data))
        self.links[stream].feed(data)
        self.settle()

    def sent(self, reads: Stream, amount: int) -> None:
        """Count bytes handed to a socket; ``reads`` is the stream that socket reads from."""
        stream = Stream.UPSTREAM if reads is Stream.DOWNSTREAM else Stream.DOWNSTREAM
        self._count("sent", stream, amount)

    def delivered(self, side: Side) -> None:
        """Take note that a link's end has reached its outlet."""
        other = self.client if side is self.server else self.server
        self._ended.add(other.reads)
        if len(self._ended) == len(self.links):
            self.client.close()
            self.server.close()
        elif other.is_lost:
            side.close()
        else:
            side.half_close()

    def lost(self, side: Side) -> None:
        """Take note that a socket is gone."""
        other = self.server if side is self.client else self.client
        if self._is_cut or side.reads in self._ended:
            other.close()
        else:
            # What this side sent and a toxic still holds is delivered before the other closes.
            self.links[side.reads].end()
        if side is self.client and self.server.transport is None and self._dial is not None:
            self._dial.cancel()
        if self.client.is_lost and (self.server.is_lost or self.server.transport is None):
            self._stop()
            self._gone(self)

    # Host.

    def settle(self) -> None:
        """Pause or resume reading by how much is held on the way."""
        connected = self.server.transport is not None
        for side, other in ((self.client, self.server), (self.server, self.client)):
            full = self.links[side.reads].is_full() or other.is_choked or not connected
            side.pause(on=full)

    def cut(self, *, reset: bool) -> None:
        """End both sockets: FIN after what is buffered, or RST at once."""
        if self._is_cut:
            return
        self._stop()
        for side in (self.client, self.server):
            if reset:
                side.abort(reset=True)
            else:
                side.close()

    def abort(self) -> None:
        """End both sockets at once, whatever is buffered."""
        self._stop()
        self.client.abort(reset=False)
        self.server.abort(reset=False)

    def _stop(self) -> None:
        self._is_cut = True
        if self._dial is not None:
            self._dial.cancel()
        for link in self.links.values():
            link.stop()
