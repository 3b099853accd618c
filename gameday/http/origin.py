"""Where a request comes from, as far as the browser that sends it says. Pure.

A browser sends requests in the name of whoever sits before it, whichever page asked for them: with
their cookies, and from their machine. So what comes from a page of another site is told from what
comes from our own. Ports count: to a browser every server of one host is the *same site*, and gets
the same cookies, while only our own pages have our *origin*.

All of this reads a request's headers, their names in lower case. A program that is no browser sends
none of them, and nothing in here is in its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

__all__ = ["is_from_elsewhere", "is_from_own_page", "is_taken_in"]

SITE, MODE, DESTINATION = "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"

_OWN = ("none", "same-origin")
"""Sites that are no other: the address bar and our own pages."""


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Return whether the browser says that a page of another site sent this.

    Not every browser names the site, and none does where a page came without a certificate; who
    sent a form stands in its origin then.
    """
    site = headers.get(SITE)
    if site is not None:
        return site not in _OWN
    origin = headers.get("origin")
    # By host and port: behind a proxy that takes TLS off, only the scheme is another.
    return origin is not None and _place(origin) != headers.get("host", "")


def is_taken_in(headers: Mapping[str, str]) -> bool:
    """Return whether a page of another site asks for this without leaving for it.

    As a picture, a script, a frame or by a script of its own. A link that is followed is none of
    these: with it the person who looks goes over to us.
    """
    if headers.get(SITE, "none") in _OWN:
        return False
    return headers.get(MODE) != "navigate" or headers.get(DESTINATION, "document") != "document"


def is_from_own_page(headers: Mapping[str, str]) -> bool:
    """Return whether it is certain that no page of another site led here.

    For a link that counts as an act: what says nothing of where it comes from may come from
    anywhere, for a page can have its browser keep that to itself.
    """
    site = headers.get(SITE)
    if site is not None:
        return site in _OWN
    return "referer" in headers and _place(headers["referer"]) == headers.get("host", "")


def _place(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None
