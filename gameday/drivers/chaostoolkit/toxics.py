"""The short way back for faults that are toxics: by name, from every proxy that has one.

A recovery must not wait for an interpreter to start, so these few requests are made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from gameday.errors import PermanentDriverError, TemporaryDriverError

WITHIN = timedelta(seconds=3)


class ServerGone(TemporaryDriverError):
    """Nobody listens at a loopback address: the server has ended, and its toxics with it.

    A Toxiproxy keeps its toxics in memory. Of a server elsewhere nothing of the kind is known:
    the network may be what is broken.
    """


async def proxies_with(url: str, name: str) -> Sequence[str]:
    """Return the proxies that have a toxic of this name; may be empty."""
    try:
        return [proxy["name"] for proxy, _ in await _found(url, name)]
    except ServerGone:
        return []


async def marked(url: str, mark: str) -> Mapping[str, Sequence[str]]:
    """Return the toxics whose names begin with a mark, each with its proxies; may be empty."""
    names: dict[str, list[str]] = {}
    try:
        for proxy, toxic in await _found(url, mark, beginning=True):
            names.setdefault(str(toxic["name"]), []).append(str(proxy["name"]))
    except ServerGone:
        return {}
    return names


async def remove(url: str, name: str) -> None:
    """Remove every toxic of this name; without effect where there is none.

    A toxic of toxicity 0 on a disabled proxy is how `gameday.chaos.downstream` marks that it
    disabled the proxy: that one is enabled first.
    """
    try:
        found = await _found(url, name)
    except ServerGone:
        return
    for proxy, toxic in found:
        path = f"/proxies/{quote(proxy['name'], safe='')}"
        if not proxy["enabled"] and toxic["toxicity"] == 0:
            await _ask("PATCH", url, path, {"enabled": True})
        await _ask("DELETE", url, f"{path}/toxics/{quote(name, safe='')}")


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine itself."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


async def _found(
    url: str, name: str, *, beginning: bool = False
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    proxies = await _ask("GET", url, "/proxies")
    try:
        return [
            (p, t)
            for p in proxies.values()
            for t in p["toxics"] or ()
            if t["name"] == name or (beginning and t["name"].startswith(name))
        ]
    except (AttributeError, KeyError, TypeError) as problem:
        raise PermanentDriverError(f"{url} does not answer as Toxiproxy does") from problem


async def _ask(method: str, url: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    import httpx

    try:
        async with httpx.AsyncClient(
            timeout=WITHIN.total_seconds(),
            headers={"User-Agent": "gameday"},
            trust_env=False,
            verify=url.startswith("https:"),
        ) as client:
            answer = await client.request(method, url.rstrip("/") + path, json=body)
        if answer.status_code == 404 and method == "DELETE":
            return None
        if not answer.is_success:
            raise PermanentDriverError(
                f"Toxiproxy at {url} answers {answer.status_code} to {method} {path}:"
                f" {answer.text.strip()[:200]}"
            )
        return answer.json() if answer.content else None
    except httpx.TransportError as problem:
        if isinstance(problem, httpx.ConnectError) and is_loopback(url):
            raise ServerGone(f"nobody listens at {url}") from problem
        raise TemporaryDriverError(
            f"Toxiproxy at {url} does not answer ({type(problem).__name__}): check that it is up"
        ) from problem
    except (httpx.InvalidURL, ValueError) as problem:
        raise PermanentDriverError(f"Toxiproxy at {url} cannot be asked: {problem}") from problem
