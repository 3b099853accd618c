"""A listener, the upstream behind it, and the toxics between."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

from gameday.sandbox.proxy.connection import Connection
from gameday.sandbox.proxy.toxic import ApiError, Stream, Toxic, bad_body, milliseconds

LOOPBACK = "127.0.0.1"


def split_address(address: str) -> tuple[str, int]:
    """Return (host, port) of ``host:port``; no host means loopback.

    Raises:
        ApiError: 400 where there is no port or it is no port number.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise bad_body(f"address {address!r} is not host:port")
    return host.strip("[]") or LOOPBACK, int(port)


def join_address(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Proxy:
    """One proxy: enabled it listens, disabled it does not and has no connection."""

    def __init__(self, name: str, listen: str, upstream: str, *, seed: int) -> None:
        split_address(listen or ":0")
        self._target = split_address(upstream)
        self.name = name
        self.listen = listen or ":0"
        self.upstream = upstream
        self.bytes: Counter[tuple[str, Stream]] = Counter()
        self._toxics: dict[str, Toxic] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._revival: asyncio.TimerHandle | None = None
        self._change = asyncio.Lock()
        self._rng = Random(f"{seed}/{name}")

    @property
    def is_enabled(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    # Listening.

    async def start(self) -> None:
        """Listen; without effect where it does already. `ApiError` 500 where it cannot."""
        async with self._change:
            await self._start()

    async def stop(self) -> None:
        """Close the listener and every connection."""
        async with self._change:
            self._stop()

    async def update(self, body: Any) -> None:
        """Apply the fields ``listen``, ``upstream`` and ``enabled`` of a body.

        With ``ttl`` (milliseconds) beside ``"enabled": false`` it enables itself again.
        """
        if not isinstance(body, dict):
            raise bad_body("an object is expected")
        listen = body.get("listen", self.listen)
        upstream = body.get("upstream", self.upstream)
        enabled = body.get("enabled", self.is_enabled)
        if not isinstance(listen, str) or not isinstance(upstream, str):
            raise bad_body("listen and upstream must be strings")
        if not isinstance(enabled, bool):
            raise bad_body("enabled must be true or false")
        split_address(listen)
        target = split_address(upstream)
        ttl = milliseconds("ttl", body["ttl"]) if body.get("ttl") is not None else None
        async with self._change:
            if not self.is_same(listen, upstream):
                self._stop()
                self.listen, self.upstream, self._target = listen, upstream, target
            if enabled:
                await self._start()
            else:
                self._stop()
                if ttl is not None:
                    loop = asyncio.get_running_loop()
                    self._revival = loop.call_later(ttl / 1000, self._revive)

    def _revive(self) -> None:
        self._revival = None
        self._reviving = asyncio.get_running_loop().create_task(self.start())

    def is_same(self, listen: str, upstream: str) -> bool:
        """Return whether these are the addresses it has."""
        return (
            split_address(listen) == split_address(self.listen)
            and split_address(upstream) == self._target
        )

    async def _start(self) -> None:
        self._forget_revival()
        if self._listener is not None:
            return
        host, port = split_address(self.listen)
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._accept, host, port, backlog=512)
        except OSError as problem:
            raise ApiError(
                f"listen tcp {self.listen}: {problem.strerror or problem}", 500
            ) from None
        name = self._listener.sockets[0].getsockname()
        # From now on the port is its own: a disabled proxy comes back where it was.
        self.listen = join_address(name[0], name[1])

    def _forget_revival(self) -> None:
        if self._revival is not None:
            self._revival.cancel()
            self._revival = None

    def _stop(self) -> None:
        self._forget_revival()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.abort()

    def _accept(self) -> asyncio.Protocol:
        return Connection(
            toxics=list(self._toxics.values()),
            upstream=self._target,
            rng=self._rng,
            opened=self._connections.add,
            gone=self._connections.discard,
            count=self._add_bytes,
        ).client

    def _add_bytes(self, what: str, stream: Stream, amount: int) -> None:
        self.bytes[what, stream] += amount

    # Toxics.

    def toxics(self) -> list[Toxic]:
        """Return the toxics, upstream before downstream, each in the order they were added."""
        return sorted(self._toxics.values(), key=lambda t: t.stream is Stream.DOWNSTREAM)

    def toxic(self, name: str) -> Toxic:
        """Return one toxic; `ApiError` 404 where there is none of this name."""
        if name not in self._toxics:
            raise ApiError("toxic not found", 404)
        return self._toxics[name]

    def add_toxic(self, body: Any) -> Toxic:
        """Add the toxic a POST body describes, at once and on open connections too."""
        toxic = Toxic.parse(body, now=self._now())
        if toxic.name in self._toxics:
            raise ApiError("toxic already exists", 409)
        self._toxics[toxic.name] = toxic
        self._schedule(toxic)
        for connection in list(self._connections):
            connection.add(toxic)
        return toxic

    def update_toxic(self, name: str, body: Any) -> Toxic:
        """Change attributes, toxicity and ttl of a toxic."""
        toxic = self.toxic(name).patched(body, now=self._now())
        self._toxics[name] = toxic
        self._schedule(toxic)
        for connection in list(self._connections):
            connection.update(toxic)
        return toxic

    def remove_toxic(self, name: str) -> None:
        """Remove a toxic; what it held goes on at once."""
        toxic = self.toxic(name)
        del self._toxics[name]
        self._unschedule(name)
        for connection in list(self._connections):
            connection.remove(toxic)

    def remove_toxics(self) -> None:
        """Remove every toxic."""
        for name in list(self._toxics):
            self.remove_toxic(name)

    def to_json(self) -> dict[str, Any]:
        """Return the proxy as the API shows it."""
        now = self._now()
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.is_enabled,
            "toxics": [toxic.to_json(now=now) for toxic in self.toxics()],
        }

    def _schedule(self, toxic: Toxic) -> None:
        self._unschedule(toxic.name)
        if toxic.expires_at is not None:
            loop = asyncio.get_running_loop()
            self._expiries[toxic.name] = loop.call_at(
                toxic.expires_at, self.remove_toxic, toxic.name
            )

    def _unschedule(self, name: str) -> None:
        handle = self._expiries.pop(name, None)
        if handle is not None:
            handle.cancel()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
