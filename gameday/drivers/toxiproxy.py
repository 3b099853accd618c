"""Toxiproxy, or anything that speaks its HTTP API: read proxies, add and remove single toxics.

Never ``POST /reset``: it would enable every proxy and remove everybody's toxics. What one run adds
it removes by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from gameday import __version__
from gameday.errors import PermanentDriverError, TemporaryDriverError
from gameday.http.credentials import shown_at
from gameday.http.keys import auth_for
from gameday.http.proof import NotProven

if TYPE_CHECKING:
    import httpx

Stream = Literal["upstream", "downstream"]

_VERSION = re.compile(r"[\w.+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Toxic:
    """A toxic of a proxy.

    Attributes:
        type: latency, bandwidth, slow_close, timeout, reset_peer, slicer, limit_data or noop.
        stream: ``downstream`` is what the server answers, ``upstream`` what the client sends.
        toxicity: share of connections it applies to, 0–1.
        attributes: in Toxiproxy's units (latency and jitter in ms, rate in kB/s, bytes …).
        ttl: after which it removes itself. gameday's own proxy keeps it, Toxiproxy ignores it.
    """

    name: str
    type: str
    stream: Stream = "downstream"
    toxicity: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict)
    ttl: timedelta | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the body that creates this toxic."""
        body: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": dict(self.attributes),
        }
        if self.ttl is not None:
            body["ttl"] = max(1, round(self.ttl / timedelta(milliseconds=1)))
        return body


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy with its toxics."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...] = ()

    def toxic(self, name: str) -> Toxic | None:
        """Return the toxic of this name, or None."""
        return next((t for t in self.toxics if t.name == name), None)


class Toxiproxy:
    """A Toxiproxy server; use it as ``async with Toxiproxy(url) as proxy``.

    Every method raises `TemporaryDriverError` where the server does not answer and
    `PermanentDriverError` where it says no.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=5),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where the server is.

        Args:
            url: base URL of its control API (``http://127.0.0.1:8474``).
            timeout: of one request.
            transport: another way than the network, for tests.
        """
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Toxiproxy:
        import httpx

        shown = shown_at(self.url)
        try:
            self._client = httpx.AsyncClient(
                base_url=self.url,
                timeout=self._timeout.total_seconds(),
                transport=self._transport,
                # Toxiproxy turns browsers away by this header, and an HTTP proxy of the
                # environment is never meant for a control port.
                headers=[
                    (name.encode(), value.encode())
                    for name, value in {
                        "User-Agent": f"gameday/{__version__}",
                        **shown.headers,
                    }.items()
                ],
                trust_env=False,
                auth=None if self._transport else auth_for(self.url),
                verify=shown.verify(self.url),
            )
        except httpx.InvalidURL as problem:
            raise PermanentDriverError(f"{self.url!r} is not a URL: {problem}") from problem
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def version(self) -> str:
        """Return the server's version in its own words; one that somebody built says ``git``."""
        answer = await self._request("GET", "/version")
        try:
            said = answer.json()
        except ValueError:
            said = answer.text.strip()  # JSON came with 2.6
        version = said.get("version") if isinstance(said, dict) else said
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise self._stranger("GET", "/version", "no version")
        return version

    async def proxies(self) -> Sequence[Proxy]:
        """Return every proxy, by name."""
        shown = await self._ask("GET", "/proxies")
        return [_proxy(shown[name]) for name in sorted(shown)]

    async def proxy(self, name: str) -> Proxy | None:
        """Return one proxy, or None where there is none of this name."""
        shown = await self._ask("GET", _path(name), none_at=404)
        return None if shown is None else _proxy(shown)

    async def create_toxic(self, proxy: str, toxic: Toxic) -> Toxic:
        """Add a toxic; one of the same name on the same proxy is an error."""
        return _toxic(await self._ask("POST", f"{_path(proxy)}/toxics", body=toxic.to_json()))

    async def toxics(self, proxy: str) -> Sequence[Toxic]:
        """Return the toxics of a proxy; a proxy that is not there is an error."""
        return [_toxic(t) for t in await self._ask("GET", f"{_path(proxy)}/toxics")]

    async def toxic(self, proxy: str, name: str) -> Toxic | None:
        """Return one toxic, or None where the toxic or the proxy is not there."""
        shown = await self._ask("GET", _path(proxy, name), none_at=404)
        return None if shown is None else _toxic(shown)

    async def delete_toxic(self, proxy: str, name: str) -> bool:
        """Remove a toxic; False where it was not there."""
        return await self._ask("DELETE", _path(proxy, name), none_at=404) is not None

    async def enable(self, proxy: str, *, on: bool, ttl: timedelta | None = None) -> Proxy:
        """Let a proxy listen or not; disabling ends its connections.

        Args:
            ttl: after which a disabled proxy is enabled again by itself (gameday's own proxy).
        """
        body: dict[str, Any] = {"enabled": on}
        if ttl is not None:
            body["ttl"] = max(1, round(ttl / timedelta(milliseconds=1)))
        return _proxy(await self._update(_path(proxy), body))

    async def _update(self, path: str, body: Mapping[str, Any]) -> Any:
        # PATCH came with 2.6 and made POST the old way; before, it is a method not allowed.
        shown = await self._ask("PATCH", path, body=body, none_at=405)
        return shown if shown is not None else await self._ask("POST", path, body=body)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        none_at: int | None = None,
    ) -> Any:
        answer = await self._request(method, path, body=body, none_at=none_at)
        if answer.status_code == none_at:
            return None
        if answer.status_code == 204:
            return {}
        try:
            return answer.json()
        except ValueError as problem:
            raise self._stranger(method, path, "something that is not JSON") from problem

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        none_at: int | None = None,
    ) -> httpx.Response:
        import httpx

        if self._client is None:
            raise PermanentDriverError("the Toxiproxy driver is not open; use `async with`")
        try:
            answer = await self._client.request(method, path, json=body)
        except NotProven as problem:
            raise TemporaryDriverError(f"Toxiproxy: {problem}") from problem
        except httpx.TransportError as problem:
            raise TemporaryDriverError(
                f"Toxiproxy at {self.url} does not answer ({type(problem).__name__}):"
                " check that it is up"
            ) from problem
        if not answer.is_success and answer.status_code != none_at:
            raise PermanentDriverError(
                f"Toxiproxy at {self.url} answers {answer.status_code} to {method} {path}:"
                f" {_reason(answer)}"
            )
        return answer

    def _stranger(self, method: str, path: str, answer: str) -> PermanentDriverError:
        return PermanentDriverError(
            f"{self.url} answers {method} {path} with {answer}: is it Toxiproxy's control API?"
        )


def _path(proxy: str, toxic: str | None = None) -> str:
    path = f"/proxies/{quote(proxy, safe='')}"
    return path if toxic is None else f"{path}/toxics/{quote(toxic, safe='')}"


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()[:200] or answer.reason_phrase


def _proxy(shown: Mapping[str, Any]) -> Proxy:
    return Proxy(
        name=shown["name"],
        listen=shown["listen"],
        upstream=shown["upstream"],
        enabled=shown["enabled"],
        toxics=tuple(_toxic(t) for t in shown.get("toxics") or ()),
    )


def _toxic(shown: Mapping[str, Any]) -> Toxic:
    ttl = shown.get("ttl")
    return Toxic(
        name=shown["name"],
        type=shown["type"],
        stream=shown["stream"],
        toxicity=shown["toxicity"],
        attributes=shown.get("attributes") or {},
        ttl=None if ttl is None else timedelta(milliseconds=ttl),
    )
