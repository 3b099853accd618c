"""Whether a page of the web is there: its answer's status, and nothing of what it holds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.address import is_loopback
from gameday.http.causes import why_silent

__all__ = ["visited"]

_REDIRECTS = 5
# Some servers know no HEAD, and say so in odd ways: what they refuse is asked for by GET.
_REFUSED = range(400, 600)
_HEADERS = {"user-agent": "gameday (link check)", "accept": "*/*"}


async def visited(
    url: str, *, within: timedelta, transport: httpx.AsyncBaseTransport | None = None
) -> int:
    """Return the status that a GET of this address ends with, after at most five redirections.

    No body is read, and no credentials are shown.

    Args:
        within: how long all of it may take.

    Raises:
        TemporaryDriverError: nobody answers.
        PermanentDriverError: it is no address, or is redirected without end.
    """
    try:
        async with (
            asyncio.timeout(within.total_seconds()),
            httpx.AsyncClient(
                timeout=within.total_seconds(),
                follow_redirects=True,
                max_redirects=_REDIRECTS,
                headers=_HEADERS,
                transport=transport,
                trust_env=not is_loopback(url),
            ) as client,
        ):
            answer = await client.head(url)
            if answer.status_code not in _REFUSED:
                return answer.status_code
            async with client.stream("GET", url) as streamed:
                return streamed.status_code
    except httpx.TooManyRedirects as error:
        raise PermanentDriverError(f"it is redirected more than {_REDIRECTS} times") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise PermanentDriverError("it is no address") from error
    except (TimeoutError, httpx.HTTPError, OSError) as error:
        raise TemporaryDriverError(f"it {why_silent(error, url, within)}") from error
