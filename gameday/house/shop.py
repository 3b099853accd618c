"""The sandbox as a system to play on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from gameday import deeplinks
from gameday.drivers.annotations import GrafanaDeploys
from gameday.drivers.chaostoolkit import ChaosToolkit
from gameday.drivers.prometheus import Prometheus
from gameday.drivers.sandbox import SandboxTarget
from gameday.errors import PermanentDriverError
from gameday.house.play import System
from gameday.house.stories import slos
from gameday.report.rules import prometheus_rules, watchdog_rules
from gameday.sandbox import lifecycle
from gameday.sandbox.state import SandboxState


def open_sandbox(
    *, time_scale: float = 60, on_progress: Callable[[str], None] = lambda _: None
) -> SandboxState:
    """Return the running sandbox, started if it is not up, with the rules of every SLO loaded."""
    rules = {f"slo-{s.id}": prometheus_rules(s, time_scale=time_scale) for s in slos()}
    rules["watchdog"] = watchdog_rules()
    return lifecycle.up(time_scale=time_scale, rules=rules, on_progress=on_progress)


def close_sandbox() -> bool:
    """Stop the sandbox; return whether there was anything to stop."""
    return bool(lifecycle.down())


def sandbox_status() -> dict[str, Any] | None:
    """Return what runs; None where the sandbox is not up."""
    return lifecycle.status()


def running_sandbox() -> SandboxState:
    """Return the state of the running sandbox.

    Raises:
        PermanentDriverError: it is not up.
    """
    state = SandboxState.read()
    if state is None:
        raise PermanentDriverError("the sandbox is not up; `gameday sandbox up` starts it")
    return state


def reset_sandbox(*, history: bool) -> None:
    """Take back mitigations, deploys and toxics; with ``history`` also forget all telemetry."""
    state = running_sandbox()
    target = SandboxTarget(state)

    async def reset() -> None:
        await target.remove_toxics()
        await target.restore()
        if history:
            await target.reset_history()

    asyncio.run(reset())


def sandbox_system(state: SandboxState) -> System:
    """Return the running sandbox as a system to play on."""
    return System(
        target=SandboxTarget(state),
        alerts=Prometheus(state.prometheus_url),
        faults=ChaosToolkit(toxiproxy_url=state.proxy_url, control_url=state.control_url),
        deploys=GrafanaDeploys(state.store_url),
        tools=deeplinks.Tools(
            prometheus=state.prometheus_url, traces=state.store_url, profiles=state.store_url
        ),
        regions=tuple(state.regions),
        group_wait=timedelta(0),
    )
