"""Hops between a service and its downstream, which a Toxiproxy spoils.

A proxy stands on each hop and is called ``<service>-<downstream>-<region>``. Where the Toxiproxy
is: the argument ``toxiproxy_url``, else the environment's ``TOXIPROXY_URL``, else the sandbox
that runs on this machine. All that a fault adds to a hop are toxics of its name.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.declaration import Nothing
from gameday.chaos.parameters import (
    NAMES,
    OF_SYSTEM,
    RATIO,
    SECONDS,
    TEXT,
    FromEnvironment,
    Parameter,
    names,
)
from gameday.drivers.toxiproxy import Proxy, Toxic, Toxiproxy
from gameday.errors import DriverError

__all__ = [
    "DOWN",
    "REGIONS",
    "UNCOUNTED",
    "add",
    "downstream_is_clean",
    "downstream_is_spoiled",
    "every_hop_has",
    "is_mark",
    "recover_downstream",
]

Result = TypeVar("Result")

DOWN = Toxic(name="", type="latency", toxicity=0.0, attributes={"latency": 0, "jitter": 0})
"""What marks a proxy as disabled by us: a toxic without any effect, which carries the name."""

SERVICE = Parameter("service", TEXT, OF_SYSTEM, "who is answered late, or not at all")
DOWNSTREAM = Parameter("downstream", TEXT, OF_SYSTEM, "who answers it")
REGIONS = Parameter("regions", NAMES, OF_SYSTEM, 'or "eu-west,us-east"; empty: every region')
TOXICITY = Parameter("toxicity", RATIO, 1.0, "share of connections")
TOXIC_NAME = Parameter("toxic_name", TEXT, "gameday", "what the recovery goes by")
TTL = Parameter("ttl_s", SECONDS, None, "then gameday's proxy ends it by itself", unit="seconds")
TOXIPROXY_URL = Parameter(
    "toxiproxy_url", TEXT, FromEnvironment("TOXIPROXY_URL"), "null: the running sandbox"
)

UNCOUNTED = Nothing("it touches connections of a hop, and not pods")
WHERE = ("{service} → {downstream}", "in {regions}")


def add(
    toxic: Toxic,
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None,
    toxiproxy_url: str | None,
) -> dict[str, Any]:
    """Put a toxic on every one of these hops, or on none; return the proxies and the toxic."""
    return _run(toxiproxy_url, lambda server: _inject(server, service, downstream, regions, toxic))


def recover_downstream(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    toxic_name: str = "gameday",
    toxiproxy_url: str | None = None,
) -> list[str]:
    """Remove the toxics of this name; return the proxies that had one. May be repeated."""

    async def recover(server: Toxiproxy) -> list[str]:
        proxies = await _matching(server, service, downstream, regions)
        had = [p.name for p in proxies if p.toxic(toxic_name) is not None]
        for name in had:
            await _withdraw(server, name, toxic_name)
        return had

    return _run(toxiproxy_url, recover)


def downstream_is_clean(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    ignore: str | None = None,
    toxiproxy_url: str | None = None,
) -> bool:
    """Return whether nothing spoils these hops: every proxy enabled, no toxic on any.

    Args:
        ignore: name of a toxic that does not count. A name that ends in a number, as gameday
            gives them, stands for all faults of its run.
    """

    async def is_clean(server: Toxiproxy) -> bool:
        proxies = await _matching(server, service, downstream, regions)
        foreign = [t for p in proxies for t in p.toxics if not _is_ours(t.name, ignore)]
        disabled = [
            p
            for p in proxies
            if not p.enabled and not any(_is_ours(t.name, ignore) for t in p.toxics)
        ]
        return not foreign and not disabled

    return _run(toxiproxy_url, is_clean)


def downstream_is_spoiled(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    toxic_name: str = "gameday",
    toxiproxy_url: str | None = None,
) -> bool:
    """Return whether any of these hops still has a toxic of this name."""

    async def is_spoiled(server: Toxiproxy) -> bool:
        proxies = await _matching(server, service, downstream, regions)
        return any(p.toxic(toxic_name) is not None for p in proxies)

    return _run(toxiproxy_url, is_spoiled)


def every_hop_has(
    fits: Callable[[Proxy, Toxic], bool],
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None,
    toxic_name: str | None,
    toxiproxy_url: str | None,
) -> bool:
    """Return whether every one of these hops has a toxic that fits, of this name if given."""

    async def have(server: Toxiproxy) -> bool:
        proxies = await _matching(server, service, downstream, regions)
        return all(
            any(fits(p, t) and toxic_name in (None, t.name) for t in p.toxics) for p in proxies
        )

    return _run(toxiproxy_url, have)


def is_mark(toxic: Toxic) -> bool:
    """Return whether a toxic only says that its proxy was disabled by us."""
    return toxic.type == DOWN.type and toxic.toxicity == 0 and not any(toxic.attributes.values())


# --- how -----------------------------------------------------------------------------------------


async def _inject(
    server: Toxiproxy,
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None,
    toxic: Toxic,
) -> dict[str, Any]:
    proxies = await _matching(server, service, downstream, regions)
    disabled = [p.name for p in proxies if not p.enabled]
    if disabled:
        raise ActivityFailed(f"the proxy {disabled[0]!r} is disabled already; enable it first")
    touched: list[str] = []
    is_complete = False
    try:
        for proxy in proxies:
            created = await server.create_toxic(proxy.name, toxic)
            touched.append(proxy.name)
            if is_mark(created):
                await server.enable(proxy.name, on=False, ttl=toxic.ttl)
        is_complete = True
    finally:
        # Half a fault is not the experiment that was asked for. Also on Ctrl-C.
        if not is_complete:
            for name in touched:
                await _withdraw(server, name, toxic.name)
    return {"proxies": touched, "toxic": toxic.to_json()}


async def _withdraw(server: Toxiproxy, proxy: str, name: str) -> None:
    toxic = await server.toxic(proxy, name)
    if toxic is None:
        return
    if is_mark(toxic):
        # The mark goes last: as long as it is there, the proxy counts as disabled by us.
        await server.enable(proxy, on=True)
    await server.delete_toxic(proxy, name)


def _is_ours(name: str, ignored: str | None) -> bool:
    if ignored is None:
        return False
    run = re.fullmatch(r"(.+-)\d+", ignored)
    return name == ignored or (run is not None and name.startswith(run.group(1)))


async def _matching(
    server: Toxiproxy, service: str, downstream: str, regions: str | Sequence[str] | None
) -> Sequence[Proxy]:
    """Return the proxies of these hops; none, or one missing, is an error."""
    known = {p.name: p for p in await server.proxies()}
    prefix = f"{service}-{downstream}-"
    wanted = [f"{prefix}{region}" for region in names(regions)]
    if not wanted:
        wanted = [name for name in known if name.startswith(prefix)] or [f"{prefix}<region>"]
    for name in wanted:
        if name not in known:
            from gameday.names import did_you_mean

            hint = did_you_mean(name, known, what="proxies")
            raise ActivityFailed(f"there is no proxy {name!r} at {server.url} ({hint})")
    return [known[name] for name in wanted]


def _run(url: str | None, work: Callable[[Toxiproxy], Coroutine[Any, Any, Result]]) -> Result:
    async def connected() -> Result:
        async with Toxiproxy(_locate(url)) as server:
            return await work(server)

    try:
        return asyncio.run(connected())
    except DriverError as problem:
        raise ActivityFailed(str(problem)) from problem


def _locate(url: str | None) -> str:
    if url or os.environ.get("TOXIPROXY_URL"):
        return url or os.environ["TOXIPROXY_URL"]
    from gameday.sandbox import state  # late: what is imported here delays every fault

    sandbox = state.read()
    if sandbox is None:
        raise ActivityFailed(
            "no Toxiproxy is known: start the sandbox with `gameday sandbox up`, or give"
            " toxiproxy_url or the environment variable TOXIPROXY_URL"
        )
    return sandbox.proxy_url
