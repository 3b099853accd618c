"""The sandbox as a system to play on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.sandbox import SandboxTarget
from gameday.drivers.toxiproxy import Toxiproxy
from gameday.errors import PermanentDriverError
from gameday.http import keys
from gameday.model.slo import Slo
from gameday.model.system import System
from gameday.ports import FaultDriver
from gameday.process import ProcessId
from gameday.rules.slo_rules import prometheus_rules, watchdog_rules
from gameday.sandbox import document, lifecycle, state
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor import ledger
from gameday.spec import Catalogue, read_system

if TYPE_CHECKING:
    from gameday.house.targets.open_system import OpenSystem

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


def sandbox_document(found: SandboxState) -> System:
    """Return what the document of the running sandbox says of it.

    Raises:
        SpecError: somebody has changed it, and it is wrong now.
    """
    path = document.path_of(found)
    if not path.exists():  # started by an older gameday
        document.write(found)
    return read_system(path)


async def sandbox_system(found: SandboxState, slo: Slo) -> OpenSystem:
    """Return the running sandbox as a system to play on: by its document, and what only it can do.

    Args:
        slo: whose page is awaited.
    """
    # Late: it loads the drivers of any system, and most commands of the sandbox need none.
    from gameday.house.targets.declared_system import declared_system

    target = SandboxTarget(found)
    return replace(
        await declared_system(sandbox_document(found), slo),
        target=target,
        faults=sandbox_faults(found),
        forget=target.reset_history,
        # Of pages that are polled, and these are not: Alertmanager calls the run itself.
        notices=(),
    )


def sandbox_faults(found: SandboxState) -> FaultDriver:
    """Return what puts faults into the running sandbox, and finds and takes out what is left."""
    return ChaosToolkit(
        toxiproxy_url=found.proxy_url,
        control_url=found.control_url,
        process_at=partial(_process_at, found),
    )


def _process_at(found: SandboxState, url: str) -> ProcessId | None:
    """Return the process of the sandbox's own proxy, where it is what serves at this URL."""
    if url.rstrip("/") != found.proxy_url.rstrip("/"):
        return None
    return ledger.latest(Path(found.folder), "proxy")
