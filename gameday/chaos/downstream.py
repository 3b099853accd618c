"""Slow or broken hops between a service and its downstream, through a Toxiproxy.

A proxy stands on each hop and is called ``<service>-<downstream>-<region>``. Where the Toxiproxy
is: the argument ``toxiproxy_url``, else the environment's ``TOXIPROXY_URL``, else the sandbox
that runs on this machine.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from chaoslib.exceptions import ActivityFailed

from gameday.drivers.toxiproxy import Proxy, Stream, Toxic, Toxiproxy
from gameday.errors import DriverError
from gameday.quantity import QuantityError, duration, ratio

__all__ = [
    "break_downstream",
    "downstream_is_broken",
    "downstream_is_clean",
    "downstream_is_slow",
    "recover_downstream",
    "slow_downstream",
]

Result = TypeVar("Result")

DOWN = Toxic(name="", type="latency", toxicity=0.0, attributes={"latency": 0, "jitter": 0})
"""What marks a proxy as disabled by us: a toxic without any effect, which carries the name."""

BREAKS = {
    "reset": Toxic(name="", type="reset_peer", attributes={"timeout": 0}),
    "timeout": Toxic(name="", type="timeout", attributes={"timeout": 0}),
    "down": DOWN,
}


def slow_downstream(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    latency: str = "400ms",
    jitter: str = "0ms",
    toxicity: float | str = 1.0,
    toxic_name: str = "gameday",
    ttl_s: float | str | None = None,
    stream: Stream = "downstream",
    toxiproxy_url: str | None = None,
) -> dict[str, Any]:
    """Delay what a downstream answers to a service.

    Args:
        regions: a list or ``eu-west,us-east``; none means every region.
        latency: added to every answer (``400ms``); ``jitter`` is how far it may be off.
        toxicity: share of connections it applies to, 0–1 or ``50%``.
        toxic_name: what `recover_downstream` removes it by.
        ttl_s: seconds after which gameday's proxy ends it by itself.
        stream: ``upstream`` delays what the service sends instead.

    Returns:
        The proxies and the toxic they have now.
    """
    toxic = Toxic(
        name=toxic_name,
        type="latency",
        stream=stream,
        toxicity=_ratio("toxicity", toxicity),
        attributes={
            "latency": _milliseconds("latency", latency),
            "jitter": _milliseconds("jitter", jitter),
        },
        ttl=_seconds(ttl_s),
    )
    return _run(toxiproxy_url, lambda server: _inject(server, service, downstream, regions, toxic))


def break_downstream(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    mode: str = "reset",
    toxicity: float | str = 1.0,
    toxic_name: str = "gameday",
    ttl_s: float | str | None = None,
    toxiproxy_url: str | None = None,
) -> dict[str, Any]:
    """Let a downstream fail a service; see `slow_downstream` for the other arguments.

    Args:
        mode: ``reset`` (the connection is reset when the answer comes by), ``timeout`` (no answer
            ever comes) or ``down`` (nobody listens; not for a share of connections).
    """
    if mode not in BREAKS:
        raise ActivityFailed(f"mode must be one of {', '.join(BREAKS)}, not {mode!r}")
    share = _ratio("toxicity", toxicity)
    if mode == "down" and share != 1:
        raise ActivityFailed("mode 'down' applies to every connection; toxicity must be 1")
    model = BREAKS[mode]
    toxic = Toxic(
        name=toxic_name,
        type=model.type,
        toxicity=model.toxicity if mode == "down" else share,
        attributes=model.attributes,
        ttl=_seconds(ttl_s),
    )
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


def downstream_is_slow(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    toxic_name: str | None = None,
    toxiproxy_url: str | None = None,
) -> bool:
    """Return whether every one of these hops has a latency toxic (of this name, if given)."""

    async def is_slow(server: Toxiproxy) -> bool:
        proxies = await _matching(server, service, downstream, regions)
        return all(
            any(
                t.type == "latency" and not _is_mark(t) and toxic_name in (None, t.name)
                for t in p.toxics
            )
            for p in proxies
        )

    return _run(toxiproxy_url, is_slow)


def downstream_is_broken(
    service: str,
    downstream: str,
    regions: str | Sequence[str] | None = None,
    toxic_name: str | None = None,
    toxiproxy_url: str | None = None,
) -> bool:
    """Return whether every one of these hops is down or has a toxic that breaks it."""

    async def is_broken(server: Toxiproxy) -> bool:
        proxies = await _matching(server, service, downstream, regions)
        return all(
            any(
                (t.type in ("reset_peer", "timeout") or (_is_mark(t) and not p.enabled))
                and toxic_name in (None, t.name)
                for t in p.toxics
            )
            for p in proxies
        )

    return _run(toxiproxy_url, is_broken)


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
            if _is_mark(created):
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
    if _is_mark(toxic):
        # The mark goes last: as long as it is there, the proxy counts as disabled by us.
        await server.enable(proxy, on=True)
    await server.delete_toxic(proxy, name)


def _is_mark(toxic: Toxic) -> bool:
    return toxic.type == DOWN.type and toxic.toxicity == 0 and not any(toxic.attributes.values())


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
    wanted = [f"{prefix}{region}" for region in _regions(regions)]
    if not wanted:
        wanted = [name for name in known if name.startswith(prefix)] or [f"{prefix}<region>"]
    for name in wanted:
        if name not in known:
            from gameday.names import did_you_mean

            hint = did_you_mean(name, known, what="proxies")
            raise ActivityFailed(f"there is no proxy {name!r} at {server.url} ({hint})")
    return [known[name] for name in wanted]


def _regions(regions: str | Sequence[str] | None) -> list[str]:
    given = regions.split(",") if isinstance(regions, str) else list(regions or ())
    return list(dict.fromkeys(str(r).strip() for r in given if str(r).strip()))


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


def _milliseconds(what: str, value: str) -> int:
    try:
        return round(duration(value) / timedelta(milliseconds=1))
    except QuantityError as problem:
        raise ActivityFailed(f"{what}: {problem}") from problem


def _seconds(value: float | str | None) -> timedelta | None:
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except ValueError as problem:
        raise ActivityFailed(f"ttl_s must be a number of seconds, not {value!r}") from problem
    if not 0 < seconds < 10 * 365 * 86400:
        raise ActivityFailed(f"ttl_s must be more than 0 seconds, not {value!r}")
    return timedelta(seconds=seconds)


def _ratio(what: str, value: float | str) -> float:
    try:
        # From the command line a plain number arrives as text.
        text = isinstance(value, str) and not value.strip().endswith("%")
        return ratio(float(value) if text else value)
    except ValueError as problem:
        raise ActivityFailed(f"{what}: {problem}") from problem
