"""The short way back for faults that are toxics: by name, from every proxy that has one.

A recovery must not wait for an interpreter to start, so these few requests are made here.
What is not there is only believed from the very server that the fault was put into: one that does
not answer proves nothing, nor does another one at its address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.process import ProcessId

if TYPE_CHECKING:
    import httpx

    from gameday.http.tool import HttpTool

WITHIN = timedelta(seconds=3)

Shown = Mapping[str, Any]
"""A proxy or a toxic, as Toxiproxy shows it."""


class ToxicServer:
    """One Toxiproxy at one address, told from any other that may answer there later.

    Every method raises `TemporaryDriverError` where it does not answer, or another one does, and
    `PermanentDriverError` where it says no.
    """

    def __init__(
        self,
        url: str,
        *,
        upstreams: Mapping[str, str] | None = None,
        process: ProcessId | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember which server is meant.

        Args:
            url: base URL of its control API.
            upstreams: of its proxies by name, when the fault was put in; None: not known.
            process: it runs in, where we started it ourselves.
            transport: another way than the network, for tests.
        """
        self._url = url
        self._upstreams = upstreams
        self._process = process
        self._transport = transport

    @classmethod
    def of(
        cls,
        url: str,
        pin: Mapping[str, Any] | None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> ToxicServer:
        """Return the server that a pin of `pin` tells from others; by its address where None."""
        if pin is None:
            return cls(url, transport=transport)
        process = pin.get("process")
        return cls(
            url,
            upstreams=pin["upstreams"],
            process=ProcessId.from_json(process) if process else None,
            transport=transport,
        )

    async def pin(self) -> dict[str, Any]:
        """Return what tells this server from any other, as JSON-shaped data."""
        proxies = await self._proxies()
        return {
            "upstreams": {str(p["name"]): str(p.get("upstream", "")) for p in proxies},
            "process": self._process.to_json() if self._process else None,
        }

    @property
    def has_ended(self) -> bool:
        """Whether it is certainly no more: we know its process. Its toxics ended with it."""
        return self._process is not None and self._process.is_gone

    async def check(self) -> None:
        """Return where the very server answers that is meant."""
        await self._proxies()

    async def proxies_with(self, name: str) -> Sequence[str]:
        """Return the proxies that have a toxic of this name; may be empty."""
        if self.has_ended:
            return []
        return [str(p["name"]) for p, _ in await self._found(name)]

    async def marked(self, mark: str) -> Mapping[str, Sequence[str]]:
        """Return the toxics whose names begin with a mark, each with its proxies; may be empty."""
        names: dict[str, list[str]] = {}
        for proxy, toxic in await self._found(mark, beginning=True):
            names.setdefault(str(toxic["name"]), []).append(str(proxy["name"]))
        return names

    async def remove(self, name: str) -> None:
        """Remove every toxic of this name; without effect where there is none.

        A toxic of toxicity 0 on a disabled proxy is how a fault that disables one marks it: that
        proxy is enabled first.
        """
        if self.has_ended:
            return
        for proxy, toxic in await self._found(name):
            path = f"/proxies/{quote(proxy['name'], safe='')}"
            if not proxy["enabled"] and toxic["toxicity"] == 0:
                await self._enable(path)
            await self._tool.ask(
                "DELETE", f"{path}/toxics/{quote(name, safe='')}", accept=(404,), tries=1
            )

    async def _enable(self, path: str) -> None:
        # PATCH came with 2.6; before, what is posted is changed.
        answer = await self._tool.ask(
            "PATCH", path, body={"enabled": True}, accept=(404, 405), tries=1
        )
        if not answer.is_success:
            await self._tool.ask("POST", path, body={"enabled": True}, tries=1)

    async def _found(self, name: str, *, beginning: bool = False) -> list[tuple[Shown, Shown]]:
        try:
            return [
                (p, t)
                for p in await self._proxies()
                for t in p["toxics"] or ()
                if t["name"] == name or (beginning and t["name"].startswith(name))
            ]
        except (AttributeError, KeyError, TypeError) as problem:
            raise self._stranger() from problem

    async def _proxies(self) -> list[Shown]:
        answer = await self._tool.ask("GET", "/proxies", tries=1)
        try:
            proxies = answer.json()
            upstreams = {str(p["name"]): str(p.get("upstream", "")) for p in proxies.values()}
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            raise self._stranger() from problem
        for name, upstream in (self._upstreams or {}).items():
            if upstreams.get(name) != upstream:
                raise TemporaryDriverError(
                    f"another Toxiproxy answers at {self._url} than the one the fault was put"
                    f" into: it has no proxy {name!r} to {upstream}; what became of the fault is"
                    " not known"
                )
        return list(proxies.values())

    def _stranger(self) -> PermanentDriverError:
        return PermanentDriverError(f"{self._url} does not answer as Toxiproxy does")

    @property
    def _tool(self) -> HttpTool:
        # Late: HTTP takes a moment to load.
        from gameday.http.credentials import shown_at
        from gameday.http.tool import HttpTool

        return HttpTool(
            "Toxiproxy",
            self._url,
            timeout=WITHIN,
            headers={"User-Agent": "gameday"},
            credentials=shown_at(self._url),
            transport=self._transport,
        )
