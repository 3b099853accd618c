"""Where an address leads, as far as it can be said without going there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["is_loopback"]


def is_loopback(address: str) -> bool:
    """Return whether a URL or a host is an address of this machine's loopback.

    That says where a request goes, and nothing about who answers there: behind a loopback address
    may be a tunnel, or a stranger. False for what is neither a URL nor a host.
    """
    if "//" in address:
        try:
            host = urlsplit(address).hostname or ""
        except ValueError:
            return False
    else:
        host = address.strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
