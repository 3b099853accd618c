"""Processes of the sandbox that die. Its supervisor starts them again, as a kubelet would."""

from __future__ import annotations

import os
import signal
from typing import Any

from chaoslib.exceptions import ActivityFailed

from gameday.chaos.control import Control
from gameday.chaos.declaration import Activity, ActsOn, DeclaredFault, Hypothesis, Nothing
from gameday.chaos.parameters import CONTROL_URL, OF_SYSTEM, TEXT, Parameter

__all__ = ["FAULT", "kill_service", "service_is_healthy"]


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


FAULT = DeclaredFault(
    name="kill-service",
    module="gameday.chaos.processes",
    title="A service process dies",
    description=(
        "The process of one service in one region gets a signal. Requests under way are lost; the"
        " supervisor starts the process again, as a kubelet would."
    ),
    tags=("process",),
    contributions={"availability": "high"},
    acts_on=ActsOn.SANDBOX,
    parameters=(
        Parameter("service", TEXT, OF_SYSTEM, "whose process"),
        Parameter("region", TEXT, OF_SYSTEM, "in which one"),
        Parameter("signal", TEXT, "KILL", "KILL or TERM"),
        CONTROL_URL,
    ),
    steady=Hypothesis(
        "The service is healthy", Activity("the supervisor calls it healthy", service_is_healthy)
    ),
    inject=Activity("kill the process", kill_service, {"sig": "signal"}),
    recover=Nothing("the supervisor starts the process again"),
    is_present=Nothing("a process that died leaves nothing behind"),
    touches=Nothing("it touches one process, and the sandbox has no pods"),
    marks=Nothing("a process that died leaves nothing behind"),
    where=("{service}", "in {region}"),
    undo="is nothing: the supervisor starts the process again",
    elsewhere={ActsOn.CLUSTER: "kill-pod kills a pod there"},
)
