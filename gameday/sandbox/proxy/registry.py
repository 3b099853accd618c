"""All proxies of one server, by name."""

from __future__ import annotations

from typing import Any

from gameday.sandbox.proxy.proxy import Proxy, split_address
from gameday.sandbox.proxy.toxic import ApiError, bad_body


class Registry:
    """The proxies of one server. Not safe for threads; everything runs on one event loop."""

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._proxies: dict[str, Proxy] = {}

    def proxies(self) -> list[Proxy]:
        """Return every proxy, in the order they were created."""
        return list(self._proxies.values())

    def get(self, name: str) -> Proxy:
        """Return one proxy; `ApiError` 404 where there is none of this name."""
        if name not in self._proxies:
            raise ApiError("proxy not found", 404)
        return self._proxies[name]

    async def create(self, body: Any) -> Proxy:
        """Create the proxy a POST body describes; 409 where its name is taken."""
        if not isinstance(body, dict):
            raise bad_body("an object is expected")
        _require(body)
        if body["name"] in self._proxies:
            raise ApiError("proxy already exists", 409)
        return await self._add(body)

    async def populate(self, body: Any) -> list[Proxy]:
        """Create or replace the listed proxies; one with the same addresses is left as it is."""
        if not isinstance(body, list) or not all(isinstance(entry, dict) for entry in body):
            raise bad_body("a list of objects is expected")
        for number, entry in enumerate(body, start=1):
            _require(entry, where=f" at proxy {number}")
        populated = []
        for entry in body:
            known = self._proxies.get(entry["name"])
            if known is not None and known.is_same(
                entry.get("listen") or known.listen, entry["upstream"]
            ):
                populated.append(known)
                continue
            if known is not None:
                await self.remove(known.name)
            populated.append(await self._add(entry))
        return populated

    async def remove(self, name: str) -> None:
        """Remove a proxy, its listener, toxics and connections."""
        proxy = self.get(name)
        del self._proxies[name]
        proxy.remove_toxics()
        await proxy.stop()

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic, whoever added it."""
        for proxy in self.proxies():
            await proxy.start()
            proxy.remove_toxics()

    async def close(self) -> None:
        """Close every proxy."""
        for proxy in self.proxies():
            await self.remove(proxy.name)

    async def _add(self, body: dict[str, Any]) -> Proxy:
        proxy = Proxy(body["name"], body.get("listen") or "", body["upstream"], seed=self._seed)
        enabled = body.get("enabled", True)
        if not isinstance(enabled, bool):
            raise bad_body("enabled must be true or false")
        # The name is taken before the first await, so that two creations cannot both succeed.
        self._proxies[proxy.name] = proxy
        try:
            if enabled:
                await proxy.start()
        except ApiError:
            del self._proxies[proxy.name]
            raise
        return proxy


def _require(body: dict[str, Any], *, where: str = "") -> None:
    for key in ("name", "upstream"):
        if not body.get(key):
            raise ApiError(f"missing required field: {key}{where}", 400)
        if not isinstance(body[key], str):
            raise bad_body(f"{key}{where} must be a string")
    if "/" in body["name"]:
        raise bad_body(f"name{where} must not contain a slash")
    if not isinstance(body.get("listen") or "", str):
        raise bad_body(f"listen{where} must be a string")
    split_address(body["upstream"])
