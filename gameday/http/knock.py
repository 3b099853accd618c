"""Whether somebody is at an address at all, before anything is said to them.

The name is looked up in a thread of its own that nobody waits for in the end: a name server that
does not answer would otherwise hold up the end of the process, long after everybody gave up.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from gameday.errors import TemporaryDriverError
from gameday.http.address import is_loopback

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
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def told(answer: list[tuple[Any, ...]] | OSError) -> None:
        if found.done():
            return
        if isinstance(answer, OSError):
            found.set_exception(answer)
        else:
            found.set_result(answer)

    def look_up() -> None:
        answer: list[tuple[Any, ...]] | OSError
        try:
            port = parts.port or _PORTS[parts.scheme]
            answer = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            answer = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(told, answer)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        return await asyncio.wait_for(found, within.total_seconds())
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
