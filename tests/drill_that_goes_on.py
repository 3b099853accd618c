"""A drill that goes on: a sandbox, a run on it and `gameday serve` are really up."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from given import REPOSITORY

from gameday.drivers.database import Database
from gameday.http.keys import auth_for
from gameday.incidents.access import new_token
from gameday.ports import Role
from gameday.sandbox import state
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor import ledger

PATIENCE_SECONDS = 90.0
QUIET = {
    "apiVersion": "gameday/v1",
    "kind": "Scenario",
    "metadata": {"name": "quiet", "title": "Nothing that anybody notices"},
    "spec": {
        "target": "sandbox",
        "regions": ["eu-west"],
        "slo": "checkout-latency",
        "steadyState": {"for": "0s", "burnRateBelow": 1000, "within": "30s"},
        "faults": [
            {
                "experiment": "slow-downstream",
                "with": {"service": "inventory", "downstream": "db", "latency": "1ms"},
                "duration": "30m",
            }
        ],
        "expect": {"errorRatio": "0%", "alert": "none"},
        "responder": "none",
    },
}

CHANGES = (
    ("POST", "/restore"),
    ("PUT", "/pages"),
    ("POST", "/components/prometheus/stop"),
    ("POST", "/history/reset"),
    ("POST", "/reset"),
    ("POST", "/proxies/inventory-db-eu-west/toxics"),
    ("POST", "/admin/forget"),
    ("POST", "/api/annotations"),
    ("POST", "/v1/traces"),
    ("POST", "/-/reload"),
    ("POST", "/-/quit"),
    ("POST", "/api/v1/admin/tsdb/delete_series?match[]=up"),
    ("POST", "/api/v2/alerts"),
    ("POST", "/api/v2/silences"),
    ("POST", "/hooks/alertmanager"),
    ("POST", "/api/mitigation"),
    ("POST", "/checkout"),
    ("POST", "/database"),
    ("POST", "/drain"),
)
"""What changes something somewhere, whoever listens."""

RULE = """
groups:
  - name: paged-drill
    rules:
      - alert: CheckoutLatencyBudgetBurn
        expr: vector(1)
        labels:
          {slo: checkout-latency, service: storefront, severity: page, long_window: 1h, of: WHOSE}
"""
"""An alert of the drill's SLO that fires at once, whatever goes on.

Of each drill it is another one: Alertmanager takes what fires again within minutes for the same
alert, with its old beginning, and what began before the fault is no page of the drill.
"""

BY_ITSELF = ("engine", "gameday", "alertmanager")
"""Sources of facts that time brings: deadlines, pages that are tried again, alerts of the shop."""


@dataclass(frozen=True)
class Drill:
    """A drill that goes on.

    Attributes:
        servers: processes of the run and of the service.
    """

    state: Path
    sandbox: SandboxState
    run_url: str
    run_token: str
    serve_url: str
    serve_token: str
    hook_token: str
    servers: tuple[int, ...] = field(default=())

    def ports(self) -> list[int]:
        """Return every port that the sandbox, the run and the service listen on."""
        pids = {p.pid for p in ledger.survivors(Path(self.sandbox.folder))} | set(self.servers)
        listening = psutil.net_connections("tcp")
        return sorted({c.laddr.port for c in listening if c.status == "LISTEN" and c.pid in pids})

    def condition(self) -> dict[str, Any]:
        """Return all that a stranger could have changed."""
        own = self.sandbox
        control = asked(f"{own.control_url}/status")
        proxies = asked(f"{own.proxy_url}/proxies")
        return {
            "components": [(c["name"], c["pid"], c["state"]) for c in control["components"]],
            "deploys": control["deploys"],
            "live": control["live"],
            "drained": control["drained"],
            "database": control["database"],
            "rules": asked(f"{own.control_url}/rules"),
            "toxics": {n: [t["name"] for t in p["toxics"]] for n, p in proxies.items()},
            "enabled": {n: p["enabled"] for n, p in proxies.items()},
            "annotations": len(asked(f"{own.store_url}/api/annotations")),
            "telemetry of": sorted(asked(f"{own.store_url}/api/v3/services")["services"]),
            "silences": asked(f"{own.alertmanager_url}/api/v2/silences"),
            "routes": asked(f"{own.alertmanager_url}/api/v2/status")["config"]["original"],
            "has forgotten": not asked(
                f"{own.prometheus_url}/api/v1/query?query=count(up offset 5s)"
            )["data"]["result"],
            "run": incidents(self.run_url, self.run_token),
            "served": incidents(self.serve_url, self.serve_token),
        }


def asked(url: str, token: str = "") -> Any:
    """Return what a server says to its owner."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    auth = None if token else auth_for(url)
    answer = httpx.get(url, headers=headers, auth=auth, trust_env=False, timeout=20)
    return answer.raise_for_status().json()


def incidents(url: str, token: str) -> Mapping[str, Any]:
    """Return what is on record of every incident: state, roles, and facts.

    Without what time brings, where it does not say *evil*, as strangers of the tests do.
    """
    found = {}
    for one in asked(f"{url}/api/incidents", token)["incidents"]:
        whole = asked(f"{url}/api/incidents/{one['id']}", token)
        facts = [
            fact
            for fact in whole["timeline"]
            if fact["source"] not in BY_ITSELF or "evil" in json.dumps(fact).lower()
        ]
        found[one["id"]] = (one["state"], whole["roles"], facts)
    return found


@contextlib.contextmanager
def drill_that_goes_on(folder: Path, *, sandbox: SandboxState | None = None) -> Iterator[Drill]:
    """Play a drill that nobody notices, with the service beside it, in a state folder of its own.

    Args:
        sandbox: the one to play on; None: one of its own, which ends with the drill.
    """
    kept = folder / "state"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GAMEDAY_")}
    environment["GAMEDAY_STATE"] = str(kept)
    scenario = folder / "quiet.yaml"
    scenario.write_text(yaml.safe_dump(QUIET))
    gameday = [sys.executable, "-m", "gameday"]
    with contextlib.ExitStack() as stack:

        def call(*arguments: str) -> str:
            done = subprocess.run(
                [*gameday, *arguments],
                env=environment,
                capture_output=True,
                text=True,
                cwd=REPOSITORY,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        def start(*arguments: str) -> int:
            with (folder / f"{arguments[0]}.log").open("w") as said:
                process = subprocess.Popen(
                    [*gameday, *arguments],
                    env=environment,
                    cwd=REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                )
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
            return process.pid

        if sandbox is None:
            stack.callback(call, "sandbox", "down")
            call("sandbox", "up")
        else:
            kept.mkdir(mode=0o700)
            (kept / "sandbox").symlink_to(sandbox.folder)
        found = state.read(kept / "sandbox")
        assert found is not None
        run = start("run", str(scenario), "--yes")
        with contextlib.closing(Database(f"sqlite:///{kept / 'gameday.db'}")) as store:
            now = datetime.now(UTC)
            serve_token, responder = new_token(Role.RESPONDER, "on-call", now=now)
            hook_token, hook = new_token(Role.WEBHOOK, "alertmanager", now=now)
            store.add_token(responder)
            store.add_token(hook)
        port = free_port()
        serve = start("serve", "--port", str(port))
        serve_url = f"http://127.0.0.1:{port}"
        note = until_noted(kept)
        until(lambda: httpx.get(f"{serve_url}/readyz", trust_env=False).status_code == 200)
        drill = Drill(
            state=kept,
            sandbox=found,
            run_url=note["url"],
            run_token=note["token"],
            serve_url=serve_url,
            serve_token=serve_token,
            hook_token=hook_token,
            servers=(run, serve),
        )
        until(lambda: any(drill.condition()["toxics"].values()))
        yield drill


@contextlib.contextmanager
def paged_drill(folder: Path, sandbox: SandboxState) -> Iterator[Drill]:
    """Play such a drill until its page is out, and beside it a real incident at the service."""
    rule = RULE.replace("WHOSE", secrets.token_hex(4))
    rules, auth = f"{sandbox.control_url}/rules/paged-drill", auth_for(sandbox.control_url)
    alert = {
        "status": "firing",
        "labels": {"alertname": "Slow", "service": "billing", "severity": "page"},
        "startsAt": datetime.now(UTC).isoformat(),
        "fingerprint": "real",
    }
    with drill_that_goes_on(folder, sandbox=sandbox) as found:
        httpx.put(rules, content=rule, auth=auth, trust_env=False).raise_for_status()
        try:
            httpx.post(
                f"{found.serve_url}/hooks/alertmanager",
                json={"version": "4", "alerts": [alert]},
                headers={"authorization": f"Bearer {found.hook_token}"},
                trust_env=False,
            ).raise_for_status()
            until(lambda: incident_of(found.run_url, found.run_token, is_drill=True))
            yield found
        finally:
            httpx.delete(rules, auth=auth, trust_env=False).raise_for_status()


def incident_of(url: str, token: str, *, is_drill: bool) -> str:
    """Return the id of the drill's incident there, or the real one's; empty while there is none."""
    found = asked(f"{url}/api/incidents", token)["incidents"]
    return next((str(i["id"]) for i in found if bool(i["drill"]) is is_drill), "")


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(said: Callable[[], Any]) -> None:
    """Return once it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError, LookupError):
            if said():
                return
        time.sleep(0.2)
    pytest.fail("it did not happen")


def until_noted(kept: Path) -> dict[str, Any]:
    """Return the note of the run that goes on."""
    until(lambda: list((kept / "incidents").glob("*.json")))
    (path,) = (kept / "incidents").glob("*.json")
    return dict(json.loads(path.read_text()))
