"""Processes of the sandbox that die. Its supervisor starts them again, as a kubelet would."""

from __future__ import annotations

import os
import signal
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.control import Control

__all__ = ["kill_service", "service_is_healthy"]


def kill_service(
    service: str, region: str, sig: str = "KILL", control_url: str | None = None
) -> dict[str, Any]:
    """Send a signal to the process of a service in a region; return which one it was.

    There is nothing to recover: the supervisor starts the service again.
    """
    component = _component(service, region, control_url)
    try:
        number = signal.Signals[f"SIG{sig.upper().removeprefix('SIG')}"]
    except KeyError as problem:
        raise ActivityFailed(f"there is no signal {sig!r}; write KILL or TERM") from problem
    pid = component.get("pid")
    if not isinstance(pid, int) or pid <= 1:
        raise ActivityFailed(f"{component['name']} does not run: {component.get('state')}")
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError) as problem:
        raise ActivityFailed(f"process {pid} of {component['name']}: {problem}") from problem
    return {"component": component["name"], "pid": pid, "signal": number.name}


def service_is_healthy(service: str, region: str, control_url: str | None = None) -> bool:
    """Return whether the supervisor calls the service healthy."""
    return bool(_component(service, region, control_url).get("state") == "healthy")


def _component(service: str, region: str, control_url: str | None) -> dict[str, Any]:
    name = f"{service}-{region}"
    components = {c["name"]: c for c in Control(control_url).get("/status")["components"]}
    if name not in components:
        from gameday.names import did_you_mean

        hint = did_you_mean(name, components, what="components")
        raise ActivityFailed(f"there is no component {name!r} ({hint})")
    return dict(components[name])
