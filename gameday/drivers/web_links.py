"""Addresses on the web, each visited once: which lead nowhere, and which cannot be told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

from gameday.errors import DriverError
from gameday.http.visit import visited

__all__ = ["WebLink", "WebLinks"]

AT_ONCE = 8
"""Addresses visited at the same time, of one host two."""

_AT_ONE_HOST = 2
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class WebLink:
    """What became of one visit.

    Attributes:
        dead: why it leads nowhere; empty where it leads somewhere, or nobody can tell.
        unknown: why nobody can tell; empty where it is told.
    """

    dead: str = ""
    unknown: str = ""


class WebLinks:
    """The web as it is reached from this machine.

    Dead is what its server says is gone, and what has no host any more while other hosts are found.
    What asks for a password, is overloaded or does not answer may be there for others.
    """

    def __init__(
        self,
        *,
        within: timedelta = timedelta(seconds=10),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Open nothing.

        Args:
            within: how long one visit may take.
            transport: another way than the network, for tests.
        """
        self._within = within
        self._transport = transport

    async def visit(self, addresses: Sequence[str]) -> dict[str, WebLink]:
        """Return what became of each; nothing is raised for what an address does."""
        limit = asyncio.Semaphore(AT_ONCE)
        hosts = {_host(to): asyncio.Semaphore(_AT_ONE_HOST) for to in addresses}

        async def one(to: str) -> tuple[WebLink, bool]:
            async with hosts[_host(to)], limit:
                return await self._one(to)

        found = dict(zip(addresses, await asyncio.gather(*map(one, addresses)), strict=True))
        # Where no host at all is found, it is this machine's name server and not the addresses.
        has_names = any(not is_nameless for _, is_nameless in found.values())
        nameless = "there is no host of that name"
        return {
            to: (WebLink(dead=nameless) if has_names else link) if is_nameless else link
            for to, (link, is_nameless) in found.items()
        }

    async def _one(self, to: str) -> tuple[WebLink, bool]:
        """Return what became of a visit, and whether its host has no address."""
        try:
            status = await visited(to, within=self._within, transport=self._transport)
        except DriverError as error:
            return WebLink(unknown=str(error)), _is_nameless(error)
        if status in _GONE:
            return WebLink(dead=f"it answers {status}"), False
        return WebLink(unknown=f"it answers {status}" if status >= 400 else ""), False


def _host(to: str) -> str:
    try:
        return urlsplit(to).netloc.lower()
    except ValueError:
        return ""


def _is_nameless(error: BaseException | None) -> bool:
    """Return whether a name server said that there is no such host."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, socket.gaierror):
            return error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
