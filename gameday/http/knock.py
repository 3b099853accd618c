"""Whether somebody is at an address at all, before anything is said to them."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from gameday.errors import TemporaryDriverError
from gameday.http.address import is_loopback
from gameday.http.aside import aside

__all__ = ["knock", "named"]

WITHIN = timedelta(seconds=4)
"""How long a name server, or a connection, is waited for."""

_PORTS = {"http": 80, "https": 443}


async def named(url: str, *, within: timedelta = WITHIN) -> list[tuple[Any, ...]]:
    """Return the addresses of a URL's host, as `socket.getaddrinfo` does; none behind a proxy.

    Raises:
        TemporaryDriverError: there is none, or the name server does not answer.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_proxied(url):
        return []

    def look_up() -> list[tuple[Any, ...]]:
        port = parts.port or _PORTS[parts.scheme]
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))

    try:
        return await asyncio.wait_for(aside(look_up), within.total_seconds())
    except TimeoutError as error:
        raise TemporaryDriverError(
            f"the name server of this machine does not say where {host} is, not within"
            f" {within.total_seconds():g} s: see /etc/resolv.conf, and the network"
        ) from error
    except OSError as error:
        raise TemporaryDriverError(
            f"no address is known for {host}: check the URL, and the name server of this machine"
        ) from error


async def knock(url: str, *, within: timedelta = WITHIN) -> None:
    """Return when a connection to a URL could be made; nothing is said over it.

    Behind a proxy nothing is tried: only the proxy can.

    Raises:
        TemporaryDriverError: there is no such host, or nobody takes the connection.
    """
    found = await named(url, within=within)
    if not found:
        return
    last: OSError | None = None
    for *_, address in found:
        try:
            connecting = asyncio.open_connection(address[0], address[1])
            _, writer = await asyncio.wait_for(connecting, within.total_seconds())
        except OSError as error:  # a timeout is one as well
            last = error
        else:
            writer.close()
            return
    parts = urlsplit(url)
    raise TemporaryDriverError(
        f"nobody takes a connection at {parts.scheme}://{parts.netloc} ({type(last).__name__}):"
        " check that it is up and that the URL is right"
    ) from last


def _is_proxied(url: str) -> bool:
    if is_loopback(url):
        return False
    parts = urlsplit(url)
    proxies = getproxies()
    is_set = parts.scheme in proxies or "all" in proxies
    return is_set and not proxy_bypass(parts.netloc)
