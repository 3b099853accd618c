"""What another user of this machine gets out of a drill that goes on.

A sandbox, a run on it and `gameday serve` are really up, in a folder that everybody could enter if
it let them.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from gameday.http.keys import auth_for
from gameday.sandbox import state
from gameday.sandbox.state import SandboxState
from gameday.sandbox.supervisor import ledger

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("monitoring")]

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
REPOSITORY = Path(__file__).resolve().parents[2]

PATHS = (
    "/",
    "/status",
    "/deploys",
    "/rules",
    "/proxies",
    "/version",
    "/metrics",
    "/search",
    "/api/annotations",
    "/api/v3/services",
    "/api/v1/query?query=up",
    "/api/v1/status/config",
    "/api/v2/status",
    "/api/v2/alerts",
    "/api/incidents",
    "/api/runs",
    "/config",
)
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
    ("POST", "/hooks/alertmanager"),
    ("POST", "/api/mitigation"),
    ("POST", "/checkout"),
    ("POST", "/database"),
    ("POST", "/drain"),
)
REFUSALS = {400, 401, 403, 404, 405, 415, 421}

STRANGER = """
import json, os, socket, struct, sys

said = json.load(sys.stdin)
found = []
databases = 0


def exchange(port, sent):
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.settimeout(5)
        line.sendall(sent)
        try:
            return line.recv(4096)
        except OSError:
            return b""


for path in said["paths"]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
    except OSError:
        continue
    found.append(f"read {path}")
asked = [("GET", path) for path in said["reads"]] + said["changes"]
for port in said["ports"]:
    for method, path in asked:
        head = (
            f"{method} {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n"
            "Content-Type: application/json\\r\\nContent-Length: 2\\r\\n"
            "Connection: close\\r\\n\\r\\n{}"
        )
        answer = exchange(port, head.encode()).split(b" ")
        if not answer[0].startswith(b"HTTP/"):
            break  # a database, or the way to one
        if int(answer[1]) not in said["refusals"]:
            found.append(f"{method} {path} at {port} answered {answer[1].decode()}")
    else:
        continue
    databases += 1
    for user in ("postgres", "shop"):
        words = b"user\\0" + user.encode() + b"\\0database\\0postgres\\0\\0"
        answer = exchange(port, struct.pack("!ii", len(words) + 8, 196608) + words)
        wants_password = answer[:1] == b"R" and struct.unpack("!i", answer[5:9])[0] == 10
        if not wants_password and answer[:1] != b"E":
            found.append(f"the database at {port} answered {user} with {answer[:20]}")
found += [] if databases == 6 else [f"{databases} databases, or ways to one"]
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True)
class Drill:
    """A drill that goes on."""

    state: Path
    sandbox: SandboxState
    run_url: str
    run_token: str
    serve_url: str
    serve_token: str

    def ports(self) -> list[int]:
        """Return every port of the sandbox, the run and the service."""
        pids = {p.pid for p in ledger.survivors(Path(self.sandbox.folder))}
        listening = psutil.net_connections("tcp")
        ports = {c.laddr.port for c in listening if c.status == "LISTEN" and c.pid in pids}
        return sorted(ports | {int(u.rpartition(":")[2]) for u in (self.run_url, self.serve_url)})

    def condition(self) -> dict[str, Any]:
        """Return all that a stranger could have changed."""
        own = self.sandbox
        control = _asked(f"{own.control_url}/status")
        proxies = _asked(f"{own.proxy_url}/proxies")
        return {
            "components": [(c["name"], c["pid"], c["state"]) for c in control["components"]],
            "deploys": control["deploys"],
            "drained": control["drained"],
            "database": control["database"],
            "rules": _asked(f"{own.control_url}/rules"),
            "toxics": {n: [t["name"] for t in p["toxics"]] for n, p in proxies.items()},
            "enabled": {n: p["enabled"] for n, p in proxies.items()},
            "annotations": len(_asked(f"{own.store_url}/api/annotations")),
            "silences": _asked(f"{own.alertmanager_url}/api/v2/silences"),
            "has forgotten": not _asked(
                f"{own.prometheus_url}/api/v1/query?query=count(up offset 5s)"
            )["data"]["result"],
            "run": _asked(f"{self.run_url}/api/incidents", self.run_token)["incidents"],
            "served": _asked(f"{self.serve_url}/api/incidents", self.serve_token)["incidents"],
        }


def _asked(url: str, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    auth = None if token else auth_for(url)
    answer = httpx.get(url, headers=headers, auth=auth, trust_env=False, timeout=20)
    return answer.raise_for_status().json()


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    # Not below pytest's own folder, which no other user enters anyway.
    folder = Path(tempfile.mkdtemp(prefix="gameday-strangers-"))
    folder.chmod(0o755)
    kept = folder / "state"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GAMEDAY_")}
    environment["GAMEDAY_STATE"] = str(kept)
    scenario = folder / "quiet.yaml"
    scenario.write_text(yaml.safe_dump(QUIET))
    gameday = [sys.executable, "-m", "gameday"]
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)

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

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [*gameday, *arguments],
                env=environment,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            return process

        stack.callback(call, "sandbox", "down")
        call("sandbox", "up")
        sandbox = state.read(kept / "sandbox")
        assert sandbox is not None
        serve_token = call("token", "create", "--role", "responder")
        port = free_port()
        start("serve", "--port", str(port))
        start("run", str(scenario), "--yes")
        note = until_noted(kept)
        serve_url = f"http://127.0.0.1:{port}"
        until(lambda: httpx.get(f"{serve_url}/readyz", trust_env=False).status_code == 200)
        found = Drill(kept, sandbox, note["url"], note["token"], serve_url, serve_token)
        until(lambda: any(found.condition()["toxics"].values()))
        yield found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(said: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError, LookupError):
            if said():
                return
        time.sleep(0.2)
    pytest.fail("it did not happen")


def until_noted(kept: Path) -> dict[str, Any]:
    until(lambda: list((kept / "incidents").glob("*.json")))
    (path,) = (kept / "incidents").glob("*.json")
    return dict(json.loads(path.read_text()))


@pytest.fixture
def stranger() -> Iterator[str]:
    """Return another user of this machine, made for the test and removed after it."""
    if os.geteuid() != 0 or not shutil.which("useradd") or not shutil.which("setpriv"):
        pytest.skip("another local user can only be made by root, with useradd and setpriv")
    name = f"gd{secrets.token_hex(4)}"
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/false", name], check=True)
    yield name
    subprocess.run(["userdel", name], check=True, capture_output=True)


def test_another_user_of_this_machine_reads_nothing_and_is_told_nothing(
    drill: Drill, stranger: str
) -> None:
    before = drill.condition()
    files = [str(drill.state), *(str(p) for p in drill.state.rglob("*") if not p.is_symlink())]
    for link in (p for p in drill.state.rglob("*") if p.is_symlink()):
        files += [str(p) for p in link.resolve().glob("*/*")]
    files += [str(Path(drill.sandbox.folder) / "postgres")]
    said = {
        "paths": files,
        "ports": drill.ports(),
        "reads": PATHS,
        "changes": CHANGES,
        "refusals": sorted(REFUSALS),
    }
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
    if python is None:
        pytest.skip("another local user needs a Python that everybody may run")
    reader = [python, "-c", STRANGER]

    done = subprocess.run(
        ["setpriv", f"--reuid={stranger}", f"--regid={stranger}", "--clear-groups", *reader],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        cwd="/",
        timeout=300,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert len(files) > 100
    assert len(said["ports"]) > 25
    # The pages to sign in are what a stranger may see, and there is nothing on them.
    open_to_all = [f"GET / at {u.rpartition(':')[2]}" for u in (drill.run_url, drill.serve_url)]
    assert [] == [f for f in json.loads(done.stdout) if not f.startswith(tuple(open_to_all))]
    assert before == drill.condition()
