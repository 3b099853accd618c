"""The sandbox as a system to play on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from gameday.drivers.annotations import GrafanaDeploys
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.prometheus import Prometheus
from gameday.drivers.sandbox import SandboxTarget
from gameday.drivers.toxiproxy import Toxiproxy
from gameday.errors import PermanentDriverError
from gameday.house.targets.open_system import OpenSystem
from gameday.house.targets.reach import reach
from gameday.http import keys
from gameday.incidents import deeplinks
from gameday.process import ProcessId
from gameday.rules.slo_rules import prometheus_rules, watchdog_rules
from gameday.sandbox import lifecycle, state
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor import ledger
from gameday.spec import Catalogue

DEFAULT_TIME_SCALE = 60.0
"""One hour's window lasts a minute: a whole game day fits into two."""


def open_sandbox(
    *,
    time_scale: float | None = None,
    reload_rules: bool = True,
    on_progress: Callable[[str], None] = lambda _: None,
) -> SandboxState:
    """`start_sandbox`, for whoever does not wait for anything else meanwhile."""
    return asyncio.run(
        start_sandbox(time_scale=time_scale, reload_rules=reload_rules, on_progress=on_progress)
    )


async def start_sandbox(
    *,
    time_scale: float | None = None,
    reload_rules: bool = True,
    on_progress: Callable[[str], None] = lambda _: None,
) -> SandboxState:
    """Return the running sandbox, started with the rules of every SLO where it is not up.

    Args:
        time_scale: None: that of the running one, 60 for a new one.
        reload_rules: whether one that is up already gets the rules anew.
    """
    if time_scale is None:
        running = state.read()
        time_scale = running.time_scale if running else DEFAULT_TIME_SCALE
    rules = {
        f"slo-{s.id}": prometheus_rules(s, time_scale=time_scale)
        for s in Catalogue.around().every_slo()
    }
    rules["watchdog"] = watchdog_rules()
    return await lifecycle.up(
        time_scale=time_scale,
        rules=rules,
        reload_rules=reload_rules,
        on_progress=on_progress,
    )


def shown(found: SandboxState) -> dict[str, Any]:
    """Return a sandbox as the command line shows it: without its token."""
    return found.model_dump(mode="json", exclude={"token"})


def pages(found: SandboxState) -> dict[str, str]:
    """Return the pages of the sandbox for a browser, by name, with what lets it read."""
    keys.learn(keys.told(found.model_dump()))
    urls = {
        "prometheus": found.prometheus_url,
        "alertmanager": found.alertmanager_url,
        "store": found.store_url,
    }
    return {name: f"{url}/?key={keys.reading_for(url)}" for name, url in urls.items()}


def close_sandbox() -> bool:
    """Stop the sandbox; return whether there was anything to stop."""
    return asyncio.run(lifecycle.down())


def sandbox_status() -> dict[str, Any] | None:
    """Return what runs; None where the sandbox is not up."""
    found = asyncio.run(lifecycle.status())
    if found.state is None:
        return None
    return {
        **shown(found.state),
        "ready": found.ready,
        "components": list(found.components),
        "deploys": list(found.deploys),
    }


def running_sandbox() -> SandboxState:
    """Return the state of the running sandbox.

    Raises:
        PermanentDriverError: it is not up.
    """
    found = state.read()
    if found is None:
        raise PermanentDriverError("the sandbox is not up; `gameday sandbox up` starts it")
    return found


def reset_sandbox(*, history: bool) -> None:
    """Take back mitigations, deploys and toxics; with ``history`` also forget all telemetry."""
    found = running_sandbox()
    target = SandboxTarget(found)

    async def reset() -> None:
        async with Toxiproxy(found.proxy_url) as proxies:
            for proxy in await proxies.proxies():
                for toxic in proxy.toxics:
                    await proxies.delete_toxic(proxy.name, toxic.name)
                if not proxy.enabled:
                    await proxies.enable(proxy.name, on=True)
        await target.restore()
        if history:
            await target.reset_history()

    asyncio.run(reset())


def sandbox_system(found: SandboxState) -> OpenSystem:
    """Return the running sandbox as a system to play on."""
    target = SandboxTarget(found)
    return OpenSystem(
        target=target,
        alerts=Prometheus(found.prometheus_url),
        faults=ChaosToolkit(
            toxiproxy_url=found.proxy_url,
            control_url=found.control_url,
            process_at=partial(_process_at, found),
        ),
        deploys=GrafanaDeploys(found.store_url),
        tools=deeplinks.Tools(
            prometheus=found.prometheus_url, traces=found.store_url, profiles=found.store_url
        ),
        regions=tuple(found.regions),
        group_wait=timedelta(0),
        count=reach,
        forget=target.reset_history,
    )


def _process_at(found: SandboxState, url: str) -> ProcessId | None:
    """Return the process of the sandbox's own proxy, where it is what serves at this URL."""
    if url.rstrip("/") != found.proxy_url.rstrip("/"):
        return None
    return ledger.latest(Path(found.folder), "proxy")
